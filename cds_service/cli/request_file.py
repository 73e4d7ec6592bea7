"""What the commands on one hook call read: a JSON file, a fixture folder, or a synthetic patient by its name."""

from __future__ import annotations

from pathlib import Path

import click

from cds_service.demo.scenarios import NoScenarios, scenarios_folder


def existing(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """A path that exists, or that of the synthetic patient that came with the service under this name.

    Raises:
        BadParameter: there is neither.
    """
    if value is None or value.exists():
        return value
    if len(value.parts) == 1 and (folder := _scenario(value.name)):
        return folder
    raise click.BadParameter(f"Path '{value}' does not exist, and no synthetic patient has this name.")


def _scenario(name: str) -> Path | None:
    try:
        folder = scenarios_folder() / name
    except NoScenarios:
        return None
    return folder if folder.is_dir() else None
