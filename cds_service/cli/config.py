"""The command for who configures the service: everything that is wrong with the settings, at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from cds_service.clinical import registry
from cds_service.content.error import ContentError
from cds_service.decision.content_in_use import content_place
from cds_service.decision.support import DecisionSupport
from cds_service.settings import Settings, SettingsError, make_settings, values_of


@click.group()
def config() -> None:
    """Check the settings of the service."""


@config.command()
def check() -> None:
    """Tell everything that is wrong with the settings at once, also where they do not fit the content.

    The settings are those of the file that CDS_CONFIG names and of the CDS_ variables, as for serve. Exits with 1 where
    anything is wrong. No value is shown.
    """
    try:
        values = values_of(os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    found = list(_problems(values))
    for problem in found:
        click.echo(problem)
    if found:
        raise click.ClickException(f"{len(found)} problem{'s' if len(found) > 1 else ''}")
    click.echo(f"No problem: {len(values)} settings are set, and they fit the content.")


def _problems(values: dict[str, Any]) -> Iterator[str]:
    try:
        settings = make_settings(values)
    except SettingsError as error:
        yield from error.problems
        rest = _without(values, error.settings)
        if len(rest) < len(values):
            yield from (problem for problem in _problems(rest) if problem not in error.problems)
        return
    yield from _misfits(settings)


def _without(values: dict[str, Any], at_fault: frozenset[str]) -> dict[str, Any]:
    """The settings that are right: what is wrong hides nothing else, and the rest is checked without it.

    Clients need the address of the service, and modes name clients: where one is left out, so are those that need it.
    """
    gone = set(at_fault)
    if "base_url" in gone:
        gone.add("clients")
    if "clients" in gone:
        gone.add("modes")
    return {name: value for name, value in values.items() if name not in gone}


def _misfits(settings: Settings) -> Iterator[str]:
    place = content_place(settings)
    try:
        reading = registry.read(place.folder, place.overlays)
        if reading.problems:
            raise ContentError.of(reading.problems)
        DecisionSupport(settings, reading.contents)
    except ContentError as error:
        yield from (f"content: {problem}" for problem in error.problems)
    except SettingsError as error:
        yield from error.problems
