"""The commands before going live: coverage, go-live."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import NoReturn

import click
import orjson
from click.core import ParameterSource

from cds_service.cli.ledger import midnight, opened_ledger, since_callback
from cds_service.clock import utc_now
from cds_service.content.error import ContentError
from cds_service.decision.support import DecisionSupport
from cds_service.readiness.checks import Result
from cds_service.readiness.coverage import Coverage
from cds_service.readiness.coverage_report import CoverageReport, report_of
from cds_service.readiness.coverage_text import coverage_text
from cds_service.readiness.documents import Documents, unknown_endings
from cds_service.readiness.go_live import Asked, go_live
from cds_service.readiness.go_live_text import check_text, summary_text
from cds_service.readiness.ledger_coverage import ledger_coverage
from cds_service.readiness.vendors import NO_VENDOR, vendors
from cds_service.settings import SettingsError, read_settings

_TOKEN = re.compile(r"[\x21-\x7e]*")

# An id of FHIR has no underscore; some servers give one all the same.
_PATIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True)

_FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print."
)


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--ledger", "from_ledger", is_flag=True, help="Read the calls that were answered instead of files.")
@click.option(
    "--since", metavar="SPAN|DATE", callback=since_callback, default="30d", show_default=True,
    help="With --ledger: 30d, 12w, or the first day.",
)  # fmt: skip
@_FORMAT
@click.option("--top", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Rows of each table.")
@click.option("--client", "issuer", default="", metavar="ISSUER", help="With the content and settings of this client.")
@click.option("--show-all", is_flag=True, help="Also show what one patient only has; for test data.")
def coverage(
    paths: tuple[Path, ...],
    from_ledger: bool,
    since: timedelta | date,
    form: str,
    top: int,
    issuer: str,
    show_all: bool,
) -> None:
    """Say which codes, code systems, statuses and units of a site's data are not understood, and how often.

    PATH is a file or folder: Bulk Data (.ndjson, .ndjson.gz), Bundles, resources, or hook calls (.json, or one on each
    line). They are read as a stream; what is damaged is named by file and line. Nothing is sent anywhere and nothing is
    changed; proposed mappings are for people to decide.
    """
    if from_ledger == bool(paths):
        raise click.UsageError("give either files or folders, or --ledger")
    if unknown := unknown_endings(paths):
        raise click.UsageError(f"{unknown[0]}: the name must end with .json, .ndjson or .jsonl, or with .gz behind it")
    if paths and click.get_current_context().get_parameter_source("since") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--since goes with --ledger: of files all is read")
    support = _support()
    known = [client.issuer for client in support.settings.clients]
    if issuer and (from_ledger or issuer not in known):
        raise click.UsageError(f"--client goes with files, and names one of {', '.join(known) or 'no clients'}")
    found = Coverage(support, utc_now(), client=issuer)
    documents = Documents(paths)
    report = _of_ledger(support, since) if from_ledger else _of_files(found, documents, show_all)
    if form == "json":
        click.echo(orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(coverage_text(report, top))
    if from_ledger and not report.source["calls"]:
        _stop("nothing could be read: the ledger holds no call of this time that was answered (see --since)")
    if not from_ledger and not report.source["calls"] + report.source["resources"]:
        _stop("nothing could be read: no FHIR resource and no hook call")
    if documents.unread:
        _stop(f"not all was read: {documents.unread:,} files are damaged or cut off, as named above")


def _of_files(found: Coverage, documents: Documents, show_all: bool) -> CoverageReport:
    for where, document in documents:
        found.add(where, document)
    return report_of(found, documents, show_all)


def _of_ledger(support: DecisionSupport, since: timedelta | date) -> CoverageReport:
    now = utc_now()
    start = now - since if isinstance(since, timedelta) else midnight(since)
    keys = tuple(dict.fromkeys(key for rule in support.rules for key in rule.prefetch))
    with opened_ledger(support.settings) as ledger:
        return ledger_coverage(ledger.decisions(start, now), keys)


@click.command("go-live")
@click.option("--fhir-server", "server", required=True, metavar="URL", help="The EHR's FHIR server, its base address.")
@click.option(
    "--patient", "patients", required=True, multiple=True, metavar="ID", help="A test patient there; for more, again."
)
@click.option("--token", envvar="FHIR_TOKEN", metavar="TOKEN", help="Access token for it; better FHIR_TOKEN or a file.")
@click.option(
    "--token-file",
    type=_FILE,
    metavar="FILE",
    help="The same from a file, or - for the input.",
)
@click.option("--client", "issuer", default="", metavar="ISSUER", help="The client that goes live; by default all.")
@click.option(
    "--call-token",
    "call_token",
    type=_FILE,
    metavar="FILE",
    help="File with a token of a call, or -.",
)
@click.option("--vendor", type=click.Choice(sorted(vendors())), help="The EHR, for what is publicly known of it.")
@_FORMAT
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
def go_live_command(
    server: str,
    patients: tuple[str, ...],
    token: str | None,
    token_file: str | None,
    issuer: str,
    call_token: str | None,
    vendor: str | None,
    form: str,
    strict: bool,
) -> None:
    """Check what must be right before a client goes live, and say what to do where it is not.

    It reads with the settings of the service: run it where the service will run. Exits with 0 where nothing failed,
    with 1 where something did (with --strict also for a warning), with 2 where the command was not understood.

    A token on the command line can be seen by others on the machine and stays in the shell's history: use FHIR_TOKEN,
    or --token-file. The token of a call is the one in its Authorization header, of which `aud`, issuer, key and
    signature are checked; an expired one will do.
    """
    if (
        token_file is not None
        and click.get_current_context().get_parameter_source("token") is ParameterSource.COMMANDLINE
    ):
        raise click.UsageError("give either --token or --token-file")
    if token_file is not None and token_file == call_token:
        raise click.UsageError("--token-file and --call-token are two tokens, from two places")
    if not all(_PATIENT_ID.fullmatch(patient) and patient.strip(".") for patient in patients):
        raise click.UsageError(
            "--patient must name a patient by the id that the FHIR server gives, without the type before it:"
            " letters, digits, '-', '_' and '.'"
        )
    asked = Asked(
        server=server,
        patients=patients,
        token=_access_token(_text_of(token_file) if token_file else token or ""),
        client=issuer,
        call_token=_text_of(call_token) if call_token else "",
        vendor=vendors()[vendor] if vendor else NO_VENDOR,
    )
    as_table = form == "table"
    found = go_live(asked, _support(), utc_now, lambda check: click.echo(check_text(check)) if as_table else None)
    if as_table:
        click.echo(f"\n{summary_text(found)}")
    else:
        click.echo(orjson.dumps(found.to_json(), option=orjson.OPT_INDENT_2).decode())
    if found.result is Result.FAIL or (strict and found.result is Result.WARNING):
        raise SystemExit(1)


def _access_token(text: str) -> str:
    """A token as it stands in a header; what holds other characters is none (RFC 6750, 2.1)."""
    if not _TOKEN.fullmatch(token := text.strip()):
        raise click.UsageError("the token holds characters that no token has")
    return token


def _text_of(file: str) -> str:
    """What stands in a file, or comes by the input."""
    with click.open_file(file, errors="replace") as stream:
        return str(stream.read()).strip()


def _support() -> DecisionSupport:
    try:
        return DecisionSupport(read_settings())
    except (SettingsError, ContentError) as error:
        _stop(str(error))


def _stop(message: str) -> NoReturn:
    raise click.ClickException(message)


READINESS_COMMANDS: tuple[click.Command, ...] = (coverage, go_live_command)
