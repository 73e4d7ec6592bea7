"""The commands for owners of the clinical content: check, test, diff, approve.

A folder is an overlay (only what differs) or a whole content of its own, which has the files that rules share; what it
was taken for is said in the first line. Exit code 1: something is wrong with the content.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from cds_service.clinical import registry
from cds_service.clock import utc_now
from cds_service.content.approvals import Approval, append_approval, approval_of, changed_since, read_approvals
from cds_service.content.difference import Difference, differences
from cds_service.content.error import ContentError, Problem
from cds_service.content.load import ContentReading
from cds_service.content.model import Content
from cds_service.decision.content_in_use import ContentPlace, content_place, version_of
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import NoScenarios, scenarios_folder
from cds_service.readiness.content_page import trial_page
from cds_service.readiness.content_text import difference_lines, trial_lines
from cds_service.readiness.content_trial import try_content
from cds_service.settings import Client, Settings, SettingsError, read_settings

# In place of a folder: the content that came with the service, or the one of `content_folder`, without an overlay.
INSTALLED = "installed"

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_OVERLAY = click.argument("folder", required=False, type=_FOLDER)
_BASE = click.option(
    "--base", type=_FOLDER, metavar="FOLDER", help="Lay the overlay over this content instead, as before an upgrade."
)


@click.group()
def content() -> None:
    """Check, test, compare and approve the clinical content.

    FOLDER is an overlay, which holds only what differs, or a whole content of its own; without it, what the settings
    name (content_overlay, content_folder).
    """


@content.command()
@_OVERLAY
@_BASE
def check(folder: Path | None, base: Path | None) -> None:
    """Tell everything that is wrong with the content at once, each with its file, its place and what is wanted."""
    settings = _settings()
    place = _place(settings, folder, base)
    reading = _read(place)
    click.echo(_title(place))
    approvals = _approvals(place)
    digests = [item.digest for item in reading.contents]
    # The approval that holds, else the last one: after a roll back that is an older one.
    found = approval_of(approvals, digests)
    latest = found or (approvals[-1] if approvals else None)
    notes = [*reading.notes, *(changed_since(latest, reading.replaced) if latest else ())]
    if place.overlays and not reading.replaced and not reading.problems:
        notes.append(Problem(str(place.overlays[-1]), "", "the overlay changes nothing"))
    _list("To know", notes)
    _stop_at(reading)
    count = len(reading.replaced)
    differ = "1 place differs" if count == 1 else f"{count} places differ"
    click.echo(f"No problem. Version {version_of(reading.contents)}; {differ}.")
    if found:
        click.echo(f"Approved by {found.by} on {found.at:%Y-%m-%d}: {found.why}")
    elif digests == registry.digests():
        click.echo("Approved by its release: it is the content that came with the service.")
    elif place.overlays:
        click.echo("Approved by nobody yet: cds-service content test, then content approve.")


@content.command("test")
@_OVERLAY
@_BASE
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page as well.")
@click.option("--scenarios", type=_FOLDER, metavar="FOLDER", help="Synthetic patients other than those of the service.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Answer as on this day (UTC noon) instead of now.")
def test_content(
    folder: Path | None, base: Path | None, page: Path | None, scenarios: Path | None, as_of: datetime | None
) -> None:
    """Answer every synthetic patient with and without the change: outcomes, cards and sentences that differ."""
    settings = _settings()
    place = _place(settings, folder, base)
    before, after = _usable(_without(place, base)), _usable(place)
    if client := _client_of(settings, folder):
        settings = settings.for_client(client)
    try:
        trial = try_content(
            _support(settings, before),
            _support(settings, after),
            scenarios or scenarios_folder(),
            as_of.replace(hour=12, tzinfo=UTC) if as_of else utc_now(),
        )
    except (NoScenarios, OSError, ValueError) as error:
        _stop(str(error))
    click.echo(_title(place))
    click.echo("\n".join(trial_lines(trial)))
    if page:
        html = trial_page(trial, _differences(before, after), version_of(before), version_of(after), utc_now())
        try:
            page.write_text(html, encoding="utf-8")
        except OSError as error:
            _stop(f"{page}: {error.strerror}")
        click.echo(f"\nPage: {page}")


@content.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@_BASE
def diff(before: str, after: str, base: Path | None) -> None:
    """Tell what B has and A has not, and the other way round: codes with their displays, sentences, numbers.

    Each is a folder, or the word `installed`.
    """
    settings = _settings()
    one, other = (_usable(_named_place(settings, name, base)) for name in (before, after))
    click.echo(f"A: {version_of(one)}\nB: {version_of(other)}")
    click.echo("\n".join(difference_lines(_differences(one, other))))


@content.command()
@_OVERLAY
@_BASE
@click.option("--by", "who", metavar="NAME", required=True, help="Who approves.")
@click.option("--why", metavar="TEXT", required=True, help="Why; what was looked at.")
def approve(folder: Path | None, base: Path | None, who: str, why: str) -> None:
    """Record who approves the content as it is now. What is changed afterwards is not approved."""
    if not who.strip() or not why.strip():
        raise click.UsageError("--by and --why must not be empty: the approval is recorded with them")
    settings = _settings()
    place = _place(settings, folder, base)
    reading = _read(place)
    _stop_at(reading)
    earlier = approval_of(_approvals(place), [item.digest for item in reading.contents])
    if earlier and (earlier.by, earlier.why) == (who.strip(), why.strip()):
        click.echo(f"Approved already: {earlier.version}, by {earlier.by} on {earlier.at:%Y-%m-%d}. Nothing was added.")
        return
    approval = Approval(
        at=utc_now(),
        by=who.strip(),
        why=why.strip(),
        version=version_of(reading.contents),
        digests=[item.digest for item in reading.contents],
        over=registry.digests(place.folder),
        replaced=reading.replaced,
    )
    try:
        append_approval(place.approvals, approval)
    except OSError as error:
        _stop(f"{place.approvals}: {error.strerror}")
    click.echo(f"Approved: {approval.version}, by {approval.by}. Recorded in {place.approvals}.")


def _named_place(settings: Settings, name: str, base: Path | None) -> ContentPlace:
    """The place of an operand of `diff`."""
    if name == INSTALLED:
        return ContentPlace(base or settings.content_folder, (), content_place(settings).approvals)
    folder = Path(name)
    if not folder.is_dir():
        raise click.BadParameter(f"'{name}' is neither a folder nor the word '{INSTALLED}'")
    return _place(settings, folder, base)


def _place(settings: Settings, folder: Path | None, base: Path | None) -> ContentPlace:
    """Where the content lies that a command is about."""
    own = content_place(settings)
    if folder is None:
        return ContentPlace(base or own.folder, own.overlays, own.approvals)
    if registry.is_whole(folder):
        return ContentPlace(folder, (), own.approvals)
    if client := _client_of(settings, folder):
        overlay = content_place(settings, client)
    else:
        overlay = content_place(settings.model_copy(update={"content_overlay": folder}))
    return ContentPlace(base or own.folder, overlay.overlays, overlay.approvals)


def _client_of(settings: Settings, folder: Path | None) -> Client | None:
    """The client whose own overlay a folder is; it lies over that of the site."""
    for client in settings.clients:
        if folder and client.content_overlay and client.content_overlay.resolve() == folder.resolve():
            return client
    return None


def _without(place: ContentPlace, base: Path | None) -> ContentPlace:
    """What a content is compared with: the same without its last overlay; of a whole one, the one of the service."""
    folder = place.folder if place.overlays else base
    return ContentPlace(folder, place.overlays[:-1], place.approvals)


def _title(place: ContentPlace) -> str:
    whole = f"the content in {place.folder}" if place.folder else "the content that came with the service"
    if not place.overlays:
        return whole[0].upper() + whole[1:]
    return f"The overlay {' over '.join(map(str, reversed(place.overlays)))} over {whole}"


def _read(place: ContentPlace) -> ContentReading:
    try:
        return registry.read(place.folder, place.overlays)
    except ContentError as error:
        _stop(str(error))


def _usable(place: ContentPlace) -> tuple[Content, ...]:
    reading = _read(place)
    if reading.problems:
        # Two are read, and problems name files of the content without its folder.
        click.echo(_title(place))
    _stop_at(reading)
    return reading.contents


def _stop_at(reading: ContentReading) -> None:
    """End where the content has problems, and list them."""
    if reading.problems:
        _list("Problems", reading.problems)
        count = len(reading.problems)
        _stop(f"the content cannot be used: {count} problem{'s' if count > 1 else ''}")


def _list(heading: str, problems: Iterable[Problem]) -> None:
    for place, problem in enumerate(problems):
        if place == 0:
            click.echo(heading)
        click.echo(f"  {problem}")


def _approvals(place: ContentPlace) -> list[Approval]:
    try:
        return read_approvals(place.approvals)
    except ContentError as error:
        _stop(str(error))


def _differences(before: Sequence[Content], after: Sequence[Content]) -> list[Difference]:
    return [item for one, other in zip(before, after, strict=True) for item in differences(one, other)]


def _support(settings: Settings, contents: Sequence[Content]) -> DecisionSupport:
    """The service with this content and the site's choices; it reads from no server."""
    try:
        return DecisionSupport(settings.model_copy(update={"fhir_servers": (), "clients": ()}), contents)
    except SettingsError as error:
        _stop(str(error))


def _settings() -> Settings:
    try:
        return read_settings()
    except SettingsError as error:
        _stop(str(error))


def _stop(message: str) -> NoReturn:
    raise click.ClickException(message)
