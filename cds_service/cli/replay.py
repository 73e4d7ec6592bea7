"""The command `replay`: the rule over a whole population, before anyone sees a card."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from cds_service.clinical.registry import services
from cds_service.clock import utc_now
from cds_service.content.error import ContentError
from cds_service.replay.errors import ReplayError
from cds_service.replay.options import Answers, Options
from cds_service.settings import Settings, SettingsError, make_settings, read_settings

_HOOKS = list(dict.fromkeys(service.hook for service in services()))
_MOMENTS = ("visits", "last")
_DAYS = "days:"

# What an answer depends on; the others say how the service is run.
_MOST_DAYS = 3650

# So many files that are not read are named; all of them stand in the summary.
_NAMED = 5


def _moments(context: click.Context, option: click.Parameter, value: str) -> str:
    """`visits`, `last` or `days:N`."""
    step = value.removeprefix(_DAYS) if value.startswith(_DAYS) else ""
    if value in _MOMENTS or (step.isascii() and step.isdigit() and 1 <= int(step) <= _MOST_DAYS):
        return value
    raise click.BadParameter(f"'{value}' is neither visits, last nor days:N, N from 1 to {_MOST_DAYS}")


def _varied(context: click.Context, option: click.Parameter, given: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """`new_window_days=42,84`: the values of one setting, each read as JSON where it parses."""
    found: dict[str, tuple[Any, ...]] = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise click.BadParameter(f"'{text}' is not NAME=VALUE,VALUE")
        each = [_json_or_text(value) for value in values.split(",")]
        if any(isinstance(value, dict | list) for value in each):
            raise click.BadParameter(f"'{text}': a value must be a number, a word, true or false")
        found[name] = tuple(dict.fromkeys(each))
    return found


def _json_or_text(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("export")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the results.")
@click.option(
    "--moments", default="visits", show_default=True, callback=_moments, metavar="visits|last|days:N",
    help="When to ask: at the start of each visit and at the end of the data, at the end only, or every N days.",
)  # fmt: skip
@click.option("--since", type=_DAY, metavar="DATE", help="The first day of the moments; by default, of the data.")
@click.option("--until", type=_DAY, metavar="DATE", help="The last day of the moments; by default, of the data.")
@click.option("--hook", type=click.Choice(_HOOKS), default="patient-view", show_default=True, help="The hook to call.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes on this machine; by default one for each core.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler whose workers are used instead.")
@click.option(
    "--patients", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Only these patients: an id on each line.",
)  # fmt: skip
@click.option("--with-ids", is_flag=True, help="Name patients by their ids, not by pseudonyms.")
@click.option(
    "--answers", type=click.Choice([item.value for item in Answers]), default=Answers.NONE.value, show_default=True,
    help="What becomes of the cards: no answer, turned down, or their orders taken.",
)  # fmt: skip
@click.option(
    "--vary", multiple=True, callback=_varied, metavar="NAME=VALUE,…",
    help="Try other values of a setting, such as new_window_days=42,180.",
)  # fmt: skip
@click.option(
    "--against", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
    help="Compare with another content.",
)  # fmt: skip
def replay(
    export: str,
    out: Path,
    moments: str,
    since: datetime | None,
    until: datetime | None,
    hook: str,
    workers: int | None,
    scheduler: str | None,
    patients: Path | None,
    with_ids: bool,
    answers: str,
    vary: dict[str, tuple[Any, ...]],
    against: Path | None,
) -> None:
    """Ask the rule about a whole population: how often would it fire here, for whom, and how much earlier?

    EXPORT is a folder, or an fsspec address (s3://…), of FHIR Bulk Data NDJSON files (.ndjson, .ndjson.gz). At each
    moment only what had been recorded by then is seen. The results are answers.parquet, summary.json, run.json and
    report.html in FOLDER. A replay that was killed goes on where it was when the same command is given again.
    """
    options = Options(
        moments=moments,
        since=_day(since),
        until=_day(until),
        hook=hook,
        answers=Answers(answers),
        with_ids=with_ids,
        patients=_listed(patients) if patients else None,
        vary=vary,
        against=str(against.resolve()) if against else "",
    )
    if options.since and options.until and options.since > options.until:
        raise click.UsageError("--since lies after --until")
    if options.has_orders and options.step_days:
        raise click.UsageError("with an order hook the moments are those of the orders: take --moments visits or last")
    _run(export, out, options, workers or os.cpu_count() or 1, scheduler)


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


def _listed(path: Path) -> tuple[str, ...]:
    try:
        # A list that a spreadsheet wrote begins with a byte order mark.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise click.UsageError(f"--patients: {path} is no text in UTF-8") from None
    return tuple(sorted({line.strip().removeprefix("Patient/") for line in lines if line.strip()}))


def _run(export: str, out: Path, options: Options, workers: int, scheduler: str | None) -> None:
    try:
        from cds_service.replay.run import Means
        from cds_service.replay.run import replay as run
    except ImportError as error:
        raise click.ClickException(
            f"the package {error.name} is missing; install it with pip install 'cds-service[replay]'"
        ) from error
    try:
        settings = read_settings()
        _check_varied(settings, options)
        with _Bars() as bars:
            done = run(export, out, options, settings, utc_now(), Means(workers, scheduler), bars.show)
    except (ReplayError, SettingsError, ContentError) as error:
        raise click.ClickException(str(error)) from error
    _tell(done.summary, out)


def _check_varied(settings: Settings, options: Options) -> None:
    """Each value of a varied setting is one that the setting may have.

    Raises:
        SettingsError: it is not.
    """
    plain = {name: getattr(settings, name) for name in settings.model_fields_set}
    # A name that is none is told with those that are.
    varied = {name: values for name, values in options.vary.items() if name in Settings.model_fields}
    for name, values in varied.items():
        for value in values:
            make_settings({**plain, name: value})


class _Bars:
    """A progress bar for each stage, with what is left of it."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._what = ""
        self._done = 0

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def show(self, what: str, done: int, of: int) -> None:
        """Show how much of a stage is done."""
        if what != self._what:
            self._close()
            self._what, self._done = what, 0
            self._bar = click.progressbar(length=of, label=what.capitalize().ljust(8), show_pos=True)
            self._bar.__enter__()
        if self._bar and done > self._done:
            self._bar.update(done - self._done)
            self._done = done

    def _close(self) -> None:
        if self._bar:
            self._bar.__exit__(None, None, None)
            self._bar = None


def _end_of(period: dict[str, str]) -> str:
    """The last day of the moments, and that of the data where they go on."""
    until, end = period["until"], period["data_end"]
    return until if until == end else f"{until}, where --until put it: they go on until {end}"


def _open_answers(summary: dict[str, Any]) -> str:
    """What to know of a replay whose silences mean little: most answers are open, or a whole type is missing."""
    from cds_service.replay.summary import MOSTLY

    share, missing = summary["rates"]["undetermined"], ", ".join(summary["export"]["missing_keys"])
    lead = f"{share:.0%} of the answers are undetermined" if share and share >= MOSTLY else ""
    told = f"not in the export, and so unknown: {missing}" if missing else ""
    return "; ".join(filter(None, (lead, told)))


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _tell(summary: dict[str, Any], out: Path) -> None:
    """The first figures, and where the others are."""
    patients, cards, bad = summary["patients"], summary["cards"], summary["export"]["bad_lines"]
    openings = _some(summary["rates"]["openings"], "opening")
    click.echo(f"{_some(patients['all'], 'patient')}, {patients['with_card']:,} of them with a card.")
    click.echo(f"{_some(cards['openings']['all'], 'card')} at {openings} of a chart,")
    click.echo(f"{cards['end']['all']:,} at the end of the data ({_end_of(summary['period'])}).")
    if told := _open_answers(summary):
        click.echo(f"Careful: {told}.", err=True)
    if absent := patients["listed_not_found"]:
        click.echo(f"Not in the export: {_some(absent, 'patient')} of --patients.", err=True)
    if bad:
        click.echo(f"Not used: {_some(sum(bad.values()), 'line')}, see damaged-lines.csv.", err=True)
    if failed := sum(patients["failed"].values()):
        lead = f"Without an answer: {_some(failed, 'patient')}"
        click.echo(f"{lead}, by a fault of this program: please report it.", err=True)
    if foreign := summary["export"]["of_another_server"]:
        lead = f"Nobody knows whose: {_some(foreign, 'resource')}"
        click.echo(f"{lead} with a patient on another server than most.", err=True)
    if names := summary["export"]["passed_over"]:
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        click.echo(f"Not read, for they are no NDJSON files: {', '.join(names[:_NAMED])}{more}.", err=True)
    for file in summary["export"]["broken_files"]:
        click.echo(f"{file['file']}: {file['why']}", err=True)
    click.echo(f"The results are in {out}.")
