"""The commands on the ledger: report, prune, mode, decision, patient, migrate.

Each opens the ledger that the settings name, as the service does. What goes wrong is told in one line, and the exit
code is 1; a command that was not understood ends with 2.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import NoReturn
from uuid import UUID

import click

from cds_service.clinical import registry
from cds_service.clock import utc_now
from cds_service.content.error import ContentError
from cds_service.content.model import Content
from cds_service.decision.content_in_use import content_place
from cds_service.decision.open_ledger import open_ledger
from cds_service.decision.pseudonyms import pseudonyms_of
from cds_service.ledger.entries import ANONYMOUS, EVERY, FeedbackEntry, Mode, ModeChange
from cds_service.ledger.store import FILE_NAME, Ledger, LedgerDown
from cds_service.reporting.control_chart import charts, check
from cds_service.reporting.decision_text import decision_text, mode_lines
from cds_service.reporting.export import csv_text, json_text, rows
from cds_service.reporting.report import Report
from cds_service.reporting.report_page import report_page
from cds_service.reporting.report_text import Words, report_text
from cds_service.reporting.summary import summarize
from cds_service.settings import Settings, SettingsError, read_settings

_SPAN = re.compile(r"([1-9][0-9]{0,3})([dw])")
_DAYS = {"d": 1, "w": 7}

_STDOUT = "-"


def _span(context: click.Context, option: click.Parameter, value: str | None) -> timedelta | None:
    """A number of days or weeks: `90d`, `12w`."""
    if value is None:
        return None
    if found := _SPAN.fullmatch(value):
        return timedelta(days=int(found[1]) * _DAYS[found[2]])
    raise click.BadParameter(f"'{value}' is no number of days or weeks, such as 90d or 12w")


def since_callback(context: click.Context, option: click.Parameter, value: str) -> timedelta | date:
    """A number of days or weeks before the end of the period, or the first day of it."""
    if found := _SPAN.fullmatch(value):
        return timedelta(days=int(found[1]) * _DAYS[found[2]])
    try:
        return date.fromisoformat(value)
    except ValueError:
        text = f"'{value}' is neither a number of days or weeks (90d, 12w) nor a day (2026-11-22)"
        raise click.BadParameter(text) from None


@click.command()
@click.option(
    "--since", metavar="SPAN|DATE", callback=since_callback, default="90d", show_default=True,
    help="90d, 12w, or the first day.",
)  # fmt: skip
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The last day; by default today.")
@click.option("--html", "page", metavar="FILE", help="The page; - prints it. By default cds-report-<last day>.html.")
@click.option("--no-html", is_flag=True, help="Write no page.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="csv and json print every feedback with the columns of 170.315(b)(11)(ii)(C) instead.",
)  # fmt: skip
@click.option("--check", "checked", is_flag=True, help="Compare the last days with those before; exit 1 out of band.")
@click.option(
    "--days", type=click.IntRange(1, 365), default=7, show_default=True, help="Of the control chart: the last days."
)
@click.option(
    "--baseline",
    type=click.IntRange(1, 3650),
    default=56,
    show_default=True,
    help="Control chart: the days before.",
)
def report(
    since: timedelta | date,
    until: datetime | None,
    page: str | None,
    no_html: bool,
    form: str,
    checked: bool,
    days: int,
    baseline: int,
) -> None:
    """Say what was shown and answered: as a table, as a page, as an export, or as a check of the firing rate."""
    if page is not None and no_html:
        raise click.UsageError("--html and --no-html exclude each other")
    if (checked or form != "table") and (page is not None or no_html):
        raise click.UsageError("a page is made of the table only; leave out --html and --no-html")
    if checked and form != "table":
        raise click.UsageError("--check prints sentences; leave out --format")
    now = utc_now()
    if until is not None and until.date() > now.date():
        raise click.UsageError("--until lies in the future; days are those of UTC")
    end = midnight(until.date() if until else now.date()) + timedelta(days=1)
    start = midnight(since) if isinstance(since, date) else end - since
    if start >= end:
        raise click.UsageError("--since lies after --until")
    settings = _settings()
    if checked:
        return _check(settings, min(end, now), days, baseline)
    contents = _contents(settings)
    if form != "table":
        return _export(settings, contents, start, end, now, form)
    with opened_ledger(settings) as ledger:
        found = summarize(ledger.decisions(start, end), _feedback(ledger, start, end, now), start, end)
        last = min(end, now)
        drawn = (
            [] if no_html else charts(ledger.decisions(last - timedelta(days + baseline), last), last, days, baseline)
        )
    words = Words(
        reasons=_reasons(contents),
        orders={slug: order.label for content in contents for slug, order in content.orders.items()},
        system_name=contents[0].terminology.known_system_name,
    )
    version = ", ".join(content.version for content in contents)
    _show(found, words, "" if no_html else report_page(found, words, version, now, drawn, last, days), page)


def _check(settings: Settings, until: datetime, days: int, baseline: int) -> None:
    with opened_ledger(settings) as ledger:
        entries = ledger.decisions(until - timedelta(days=days + baseline), until)
        verdicts = check(entries, until, days, baseline)
    if not verdicts:
        # Who runs the check expects calls: a wrong folder, or an emptied ledger, must not look healthy.
        _stop(
            f"no calls in the last {days + baseline} days: the service was never called, or this is not the ledger "
            "that it writes (settings data_folder, ledger_url)"
        )
    for verdict in verdicts:
        click.echo(verdict.sentence)
    if not all(verdict.in_band for verdict in verdicts):
        raise SystemExit(1)


def _export(
    settings: Settings, contents: Sequence[Content], start: datetime, end: datetime, now: datetime, form: str
) -> None:
    words = _reasons(contents)
    with opened_ledger(settings) as ledger:
        table = rows(ledger.decisions(start, end), _feedback(ledger, start, end, now), end, words, ledger.shown)
        for line in csv_text(table) if form == "csv" else json_text(table):
            click.echo(line, nl=False)


def _show(found: Report, words: Words, html: str, page: str | None) -> None:
    """Print the text and write the page, where there is one; or print the page instead."""
    if page == _STDOUT:
        return click.echo(html)
    click.echo(report_text(found, words))
    if html:
        last_day = (found.until - timedelta(days=1)).date()
        path = Path(page or f"cds-report-{last_day.isoformat()}.html")
        try:
            path.write_text(html, encoding="utf-8")
        except OSError as error:
            _stop(f"{path}: {error.strerror}")
        click.echo(f"\nPage: {path}")


@click.command()
@click.option(
    "--older-than", "age", metavar="SPAN", callback=_span, help="90d or 12w; by default ledger_retention_days."
)
def prune(age: timedelta | None) -> None:
    """Delete decisions and feedback that are older than the retention time. Changes of mode stay."""
    settings = _settings()
    kept = age or timedelta(days=settings.ledger_retention_days)
    with opened_ledger(settings) as ledger:
        before = utc_now() - kept
        gone = ledger.prune(before)
    what = f"{gone.decisions:,} decisions, {gone.feedback:,} feedback entries"
    click.echo(f"Deleted from before {before.date()}: {what}.")


@click.command()
@click.argument("mode", required=False, type=click.Choice([str(item) for item in Mode]))
@click.option("--service", default=EVERY, show_default=True, metavar="ID", help="The service, or * for every one.")
@click.option("--client", default=EVERY, show_default=True, metavar="ISSUER", help="The client, or * for every one.")
@click.option("--by", "who", metavar="NAME", help="Who changes the mode; needed with a mode.")
@click.option("--why", metavar="TEXT", help="Why; needed with a mode.")
def mode(mode: str | None, service: str, client: str, who: str | None, why: str | None) -> None:
    """Set the mode of a service and a client in all workers, or show the modes and their history.

    live answers; silent evaluates and records, and shows nothing; off does nothing. The last change that concerns a
    call holds. Workers follow within seconds.
    """
    settings = _settings()
    if mode is None:
        if who is not None or why is not None:
            raise click.UsageError("--by and --why go with a mode: live, silent or off")
        with opened_ledger(settings) as ledger:
            return click.echo("\n".join(mode_lines(ledger.modes(), ledger.mode_history(), _start_modes(settings))))
    if who is None or why is None:
        raise click.UsageError("a change of mode needs --by and --why: who changes it, and why")
    if not who.strip() or not why.strip():
        _stop("--by and --why must not be empty: the change is recorded with them")
    _known("service", service, list(registry.service_ids()))
    _known("client", client, [ANONYMOUS, *(trusted.issuer for trusted in settings.clients)])
    change = ModeChange(utc_now(), service, client, Mode(mode), who.strip(), why.strip())
    with opened_ledger(settings, prepare=True) as ledger:
        ledger.set_mode(change)
    click.echo(f"{change.mode} for service {service} and client {client}. Workers follow within seconds.")


@click.command()
@click.argument("decision_id", metavar="ID", type=click.UUID)
def decision(decision_id: UUID) -> None:
    """Tell what was recorded of the decision ID (header X-Decision-Id), and the feedback to its card."""
    settings = _settings()
    with opened_ledger(settings) as ledger:
        entry = ledger.decision(decision_id)
        if entry is None:
            _stop(f"no decision {decision_id} in the ledger")
        answers = ledger.card_feedback(entry.card_id) if entry.card_id else []
    words = _reasons(_contents(settings))
    click.echo(decision_text(entry, answers, Words(words)))


@click.command()
@click.argument("patient_id", metavar="ID")
@click.option("--client", metavar="ISSUER", help="Whose patient; without it, of every client of the settings.")
@click.option("--tenant", help="The client's tenant, instead of those in the settings.")
@click.option("--fhir-server", default="", metavar="URL", help="As the calls name it, if they do.")
@click.option(
    "--since",
    metavar="SPAN|DATE",
    callback=since_callback,
    default="90d",
    show_default=True,
    help="90d, 12w, or a day.",
)
def patient(patient_id: str, client: str | None, tenant: str | None, fhir_server: str, since: timedelta | date) -> None:
    """Tell what was recorded of the patient ID, as the EHR names it: its pseudonyms, and one line for each call."""
    settings = _settings()
    pseudonyms = pseudonyms_of(settings)
    if pseudonyms is None:
        _stop("without the setting pseudonym_key nothing of a patient is recorded")
    names = {
        pseudonyms.patient(issuer, known, fhir_server, patient_id): issuer
        for issuer, tenants in _issuers(settings, client).items()
        for known in (tenants if tenant is None else [tenant])
    }
    now = utc_now()
    start = midnight(since) if isinstance(since, date) else now - since
    for pseudonym, issuer in names.items():
        click.echo(f"Pseudonym {pseudonym} (client {issuer})")
    with opened_ledger(settings) as ledger:
        found = [entry for entry in ledger.decisions(start, now) if entry.patient in names]
    for entry in found:
        said = f"{entry.outcome}, {entry.reason}" + (f" ({entry.answered})" if entry.answered else "")
        click.echo(f"  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.decision_id}  {entry.hook}: {said}")
    click.echo(f"{len(found)} decisions since {start:%Y-%m-%d}. One of them: cds-service decision ID")


def _issuers(settings: Settings, client: str | None) -> dict[str, Collection[str]]:
    """The clients whose patient may be meant, each with its tenants: the one that is named, or all."""
    known: dict[str, Collection[str]] = {item.issuer: ("", *item.tenants) for item in settings.clients}
    known[ANONYMOUS] = ("",)
    # One that the settings no longer have may have rows still.
    return known if client is None else {client: known.get(client, ("",))}


@click.command()
def migrate() -> None:
    """Create the ledger's tables, or bring them to this version. The service does so too when it starts."""
    with opened_ledger(_settings(), prepare=True):
        click.echo("The ledger is ready.")


LEDGER_COMMANDS: Sequence[click.Command] = (report, prune, mode, decision, patient, migrate)


@contextmanager
def opened_ledger(settings: Settings, prepare: bool = False) -> Iterator[Ledger]:
    """The ledger, at hand; with `prepare` its tables are made first where they are missing."""
    try:
        ledger = open_ledger(settings)
    except ValueError as error:
        _stop(f"setting 'ledger_url': {error}")
    try:
        if prepare:
            ledger.prepare()
        elif settings.ledger_url is None and not (settings.ledger_folder() / FILE_NAME).exists():
            _stop(f"there is no ledger in {settings.ledger_folder()} yet; the service makes one when it starts")
        ledger.ping()
        yield ledger
    except LedgerDown as error:
        _stop(str(error))
    finally:
        ledger.close()


def _feedback(ledger: Ledger, start: datetime, end: datetime, now: datetime) -> Iterator[FeedbackEntry]:
    """The feedback from the beginning of a period to now: late answers count for the cards of the period."""
    return ledger.feedback(start, max(end, now + timedelta(seconds=1)))


def _known(what: str, name: str, names: Sequence[str]) -> None:
    """A mistyped name would be recorded and change nothing."""
    if name != EVERY and name not in names:
        _stop(f"there is no {what} '{name}'; there are {', '.join((*names, EVERY))}")


def _start_modes(settings: Settings) -> list[tuple[str, str, Mode]]:
    """The modes of the settings, in the order in which they hold: the most precise first."""
    modes = [(rule.service, rule.client, rule.mode) for rule in settings.modes]
    return sorted(modes, key=lambda item: (item[0] == EVERY, item[1] == EVERY))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _settings() -> Settings:
    try:
        return read_settings()
    except SettingsError as error:
        _stop(str(error))


def _contents(settings: Settings) -> tuple[Content, ...]:
    """The content of all rules."""
    try:
        place = content_place(settings)
        return registry.contents(place.folder, place.overlays)
    except ContentError as error:
        _stop(str(error))


def _reasons(contents: Iterable[Content]) -> dict[str, str]:
    """The words of all override reasons, by code."""
    return {reason.code: reason.display for content in contents for reason in content.override_reasons}


def _stop(message: str) -> NoReturn:
    raise click.ClickException(message)
