"""The command line: serve, demo, evaluate, explain, check, fixture, and those of the ledger."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import click
import orjson
from click.core import ParameterSource

from cds_service.addresses import base_of, server_problem
from cds_service.cli.config import config
from cds_service.cli.content import content
from cds_service.cli.ledger import LEDGER_COMMANDS
from cds_service.cli.readiness import READINESS_COMMANDS
from cds_service.cli.replay import replay
from cds_service.cli.request_file import existing
from cds_service.clinical.registry import services
from cds_service.clock import utc_now
from cds_service.content.error import ContentError
from cds_service.decision.caller import Caller
from cds_service.decision.explanation import explain as explained
from cds_service.decision.hook_call import HookCall
from cds_service.decision.memory import OverrideHistory
from cds_service.decision.open_ledger import open_ledger
from cds_service.decision.pseudonyms import pseudonyms_of
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.demo.processes import DemoError, on_end_of_parent
from cds_service.demo.scenarios import read_request
from cds_service.errors import CdsError, InvalidRequest
from cds_service.ledger.entries import ANONYMOUS, EarlierFeedback
from cds_service.ledger.store import LedgerDown
from cds_service.protocol.fhir_check import Verdict, verdicts
from cds_service.protocol.outcome import operation_outcome
from cds_service.server.run import address_to_listen_on, port_problem, run_server, url_of
from cds_service.server.start_lines import start_lines
from cds_service.settings import Settings, SettingsError, read_settings
from cds_service.trust.exposure import start_problem
from cds_service.web.log_output import say

# Exit codes beside 0: 1 the service answered with an error or found fault; 2 the command was not understood.
_REFUSED = 1

_HOOKS = list(dict.fromkeys(service.hook for service in services()))
_PATH = click.Path(path_type=Path)
_REQUEST = click.argument("request_file", metavar="REQUEST", type=_PATH, callback=existing)
_AS_OF = click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Answer as on this day (UTC noon) instead of now; dates in a fixture count from it.",
)


_CLIENT = click.option(
    "--client",
    default=ANONYMOUS,
    show_default=True,
    metavar="ISSUER",
    help="Who asks: whose settings, FHIR servers, earlier answers.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cds-service")
def main() -> None:
    """CDS Hooks service: breast cancer history and new back pain, answered with the right imaging orders."""


for command in (*LEDGER_COMMANDS, *READINESS_COMMANDS):
    main.add_command(command)
main.add_command(config)
main.add_command(content)
main.add_command(replay)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--insecure", is_flag=True, help="Listen beyond this machine although strangers may call there.")
@click.option("--end-with-parent", is_flag=True, hidden=True, help="End when the program that started this one ends.")
def serve(host: str, port: int, workers: int, insecure: bool, end_with_parent: bool) -> None:
    """Serve with Granian, a production server.

    Requests are received whole before a thread answers them, so that slow clients hold none. A worker that failed is
    started again. A service that is told to stop answers the calls under way first. Without trusted clients in the
    settings, and in development, it listens on this machine only.
    """
    if end_with_parent:
        on_end_of_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    support = _support()
    settings = support.settings
    base_url = str(settings.base_url) if settings.base_url else None
    address = address_to_listen_on(host)
    if address is None:
        _stop("Cannot listen on the given --host: it must be an IP address of this machine, or localhost.")
    if problem := start_problem(address, settings.clients, insecure, base_url, settings.development):
        _stop(problem)
    if problem := port_problem(address, port):
        _stop(problem)
    url = url_of(address, port)
    # Standard output is for the log, which is JSON.
    for line in start_lines(address, url, settings):
        say(line)
    for warning in support.warnings(utc_now()):
        say(f"Warning:      {warning}")
    run_server(address, port, workers, settings)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address the service listens on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port of the service.")
@click.option(
    "--fhir-port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Port of the FHIR server; 0: any."
)
@click.option("--insecure", is_flag=True, help="Listen beyond this machine; anyone who reaches it may use the demo.")
@click.option("--fhir-only", is_flag=True, help="Run the FHIR server alone, for a service that runs beside it.")
def demo(host: str, port: int, fhir_port: int, insecure: bool, fhir_only: bool) -> None:
    """Serve beside a FHIR server with the synthetic patients (with the extra `demo`)."""
    from cds_service.demo.run import run_demo, run_fhir_server

    try:
        if fhir_only:
            run_fhir_server(fhir_port)
        else:
            run_demo(host, port, fhir_port, insecure)
    except (DemoError, SettingsError) as error:
        _stop(str(error))


@main.command()
@click.argument("request_file", metavar="[REQUEST]", required=False, type=_PATH, callback=existing)
@_AS_OF
@click.option("--fhir-server", metavar="URL", help="Ask of a patient on this FHIR server instead; it must be allowed.")
@click.option("--patient", metavar="ID", help="The patient on that server.")
@click.option("--hook", type=click.Choice(_HOOKS), default="patient-view", show_default=True, help="The hook to ask.")
@click.option("--token", envvar="FHIR_TOKEN", metavar="TOKEN", help="Bearer token for that server, or FHIR_TOKEN.")
@click.option("--explain", "in_words", is_flag=True, help="Print why, as the explain command does.")
@_CLIENT
def evaluate(
    request_file: Path | None,
    as_of: datetime | None,
    fhir_server: str | None,
    patient: str | None,
    hook: str,
    token: str | None,
    in_words: bool,
    client: str,
) -> None:
    """Answer a hook call and print the response.

    The call is read from REQUEST (a JSON file, a fixture folder or the name of one), or made for a patient on a FHIR
    server that the settings allow (fhir_servers).
    """
    if (request_file is None) == (fhir_server is None):
        raise click.UsageError("give either REQUEST, or --fhir-server with --patient")
    if fhir_server is not None and patient is None:
        raise click.UsageError("--fhir-server needs --patient")
    hook_given = click.get_current_context().get_parameter_source("hook") is ParameterSource.COMMANDLINE
    if request_file is not None and (patient is not None or hook_given):
        raise click.UsageError("REQUEST names its own patient and hook; --patient and --hook go with --fhir-server")
    try:
        if request_file is not None:
            decision = _decide(_read(request_file, as_of), as_of, client)
        else:
            decision = _decide(_call_for(str(fhir_server), str(patient), hook, token), as_of, client)
        if in_words:
            if fhir_server is not None:
                _tell_if_not_allowed(fhir_server, client)
            click.echo(explained(decision))
        else:
            _print_json(decision.response_or_error())
    except CdsError as error:
        _print_json(operation_outcome(error))
        sys.exit(_REFUSED)


def _tell_if_not_allowed(server: str, client: str) -> None:
    """Say of a FHIR server that nothing is read from it for this caller: the answer will only lack data."""
    settings = _support().settings
    servers = _caller(settings, client).fhir_servers
    if base_of(server) not in (settings.fhir_servers if servers is None else servers):
        whose = "the setting fhir_servers" if servers is None else f"fhir_servers of the client {client}"
        other = "; a client may have a list of its own: name it by --client" if servers is None else ""
        click.echo(f"Nothing is read from {base_of(server)}: {whose} does not name it{other}.", err=True)


def _call_for(server: str, patient: str, hook: str, token: str | None) -> dict[str, Any]:
    """A hook call without prefetch; order hooks get an order session without orders."""
    if problem := server_problem(server):
        raise InvalidRequest("fhirServer", problem)
    context: dict[str, Any] = {"userId": "Practitioner/command-line", "patientId": patient}
    if hook != "patient-view":
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection"}
    if hook == "order-select":
        context["selections"] = ["ServiceRequest/none"]
    call = {"hook": hook, "hookInstance": str(uuid4()), "context": context, "fhirServer": server}
    if token:
        call["fhirAuthorization"] = {"access_token": token, "token_type": "Bearer"}
    return call


@main.command()
@_REQUEST
@_AS_OF
@_CLIENT
def explain(request_file: Path, as_of: datetime | None, client: str) -> None:
    """Say of the hook call in REQUEST why there is or is no card: every criterion, its answer, the evidence."""
    try:
        decision = _decide(_read(request_file, as_of), as_of, client)
    except CdsError as error:
        _stop(error.text)
    click.echo(explained(decision))


@main.command()
@_REQUEST
@_AS_OF
def check(request_file: Path, as_of: datetime | None) -> None:
    """Check a hook call, Bundle or resource in REQUEST as FHIR R4, entry by entry.

    Exits with 1 where anything is not valid. What is not valid may still be read by the service: see explain.
    """
    found = list(verdicts(_read(request_file, as_of)))
    for verdict in found:
        click.echo(_line(verdict))
    faults = sum(1 for verdict in found if verdict.problems)
    click.echo(f"{len(found)} checked, {faults} with problems")
    if faults or not found:
        sys.exit(_REFUSED)


@main.command()
@_REQUEST
@_AS_OF
def fixture(request_file: Path, as_of: datetime | None) -> None:
    """Print the hook call of a fixture folder with its dates filled in, ready to be sent."""
    _print_json(_read(request_file, as_of))


def _line(verdict: Verdict) -> str:
    if not verdict.problems:
        return f"ok    {verdict.where}"
    return "\n".join(f"FAULT {verdict.where}: {problem}" for problem in verdict.problems)


def _moment(as_of: datetime | None) -> datetime:
    return as_of.replace(hour=12, tzinfo=UTC) if as_of else utc_now()


def _read(path: Path, as_of: datetime | None) -> Any:
    try:
        return read_request(path, _moment(as_of))
    except OSError as error:
        _stop(f"{path}: {error.strerror}")
    except (ValueError, RecursionError) as error:
        # json's own message names the place and does not quote the content.
        _stop(f"{path}: {error}")


def _support() -> DecisionSupport:
    try:
        return DecisionSupport(read_settings())
    except (SettingsError, ContentError) as error:
        _stop(str(error))


def _decide(document: object, as_of: datetime | None, client: str) -> Decision:
    support = _support()
    service = support.service_for(document)
    if service is None:
        _stop(f"not a hook call; its 'hook' must be one of {', '.join(_HOOKS)}")
    history = OverrideHistory(partial(_earlier_feedback, support.settings), pseudonyms_of(support.settings))
    return support.decide(HookCall(service, _moment(as_of), _caller(support.settings, client)), document, history)


def _caller(settings: Settings, client: str) -> Caller:
    """The caller as its tokens would name it, with its FHIR servers where it has its own."""
    known = next((item for item in settings.clients if item.issuer == client), None)
    if known is None and client != ANONYMOUS:
        issuers = ", ".join(item.issuer for item in settings.clients) or "none"
        _stop(f"--client: the settings know no client '{client}'; there are {issuers}")
    return Caller(client, fhir_servers=known.fhir_servers or None) if known else Caller()


def _earlier_feedback(settings: Settings, client: str, tenant: str, patient: str) -> Sequence[EarlierFeedback]:
    """What the ledger remembers of a patient; nothing, and a word about it, where it cannot be read."""
    ledger = open_ledger(settings)
    try:
        return ledger.earlier_feedback(client, tenant, patient, None)
    except LedgerDown as error:
        click.echo(f"Earlier answers are not known: {error}", err=True)
        return ()
    finally:
        ledger.close()


def _print_json(value: Any) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _stop(message: str) -> NoReturn:
    raise click.ClickException(message)
