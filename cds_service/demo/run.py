"""Run the demo: the service beside a FHIR server full of synthetic patients, or that server alone."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from cds_service.clock import utc_now
from cds_service.demo.fhir_server import DemoFhirServer
from cds_service.demo.patients import load_patients
from cds_service.demo.processes import DemoError, stop
from cds_service.demo.scenarios import NoScenarios, demo_data_folder, scenarios_folder
from cds_service.settings import Settings, read_settings
from cds_service.trust.exposure import start_problem

# The service answers the calls under way before it ends, and ends after 25 s at the latest: a call may wait for ten
# seconds and take another ten.
_SERVICE_STOP_SECONDS = 30.0
_WATCH_SECONDS = 0.2


def run_demo(host: str, port: int, fhir_port: int = 0, insecure: bool = False) -> None:
    """Serve with a FHIR server full of synthetic patients beside, until Ctrl-C, SIGTERM or the end of either.

    Args:
        host, port: where the service listens; beyond this machine only if `insecure` says so.
        fhir_port: where the FHIR server listens, always on this machine only; 0 for a free port.

    Raises:
        DemoError: either cannot start, or ended on its own.
        SettingsError: a setting is unknown or cannot be used.
    """
    folder = _patients_folder()
    settings = read_settings()
    if problem := start_problem(host, (), insecure, None, True):
        raise DemoError(problem)
    try:
        with _signals_as_interrupt(), _loaded_server(fhir_port, folder) as fhir:
            environment = _environment(settings, fhir.base_url, f"http://{host}:{port}")
            with _service(host, port, environment, insecure) as service:
                _watch(fhir, service)
    except KeyboardInterrupt:
        # Asked to stop, and both have stopped.
        return


def run_fhir_server(port: int = 0) -> None:
    """Run the FHIR server with the synthetic patients alone, on this machine, until Ctrl-C, SIGTERM or its end.

    Raises:
        DemoError: it cannot start, or ended on its own.
    """
    folder = _patients_folder()
    try:
        with _signals_as_interrupt(), _loaded_server(port, folder) as fhir:
            _watch(fhir)
    except KeyboardInterrupt:
        return


def _patients_folder() -> Path:
    try:
        return scenarios_folder()
    except NoScenarios as error:
        raise DemoError(f"the demo cannot start: {error}") from error


@contextmanager
def _loaded_server(port: int, folder: Path) -> Iterator[DemoFhirServer]:
    """A FHIR server that holds the patients of a folder, and has said so."""
    with DemoFhirServer(port) as fhir:
        report = load_patients(fhir.base_url, folder, utc_now())
        click.echo(f"FHIR server:  {fhir.base_url} ({report.patients} synthetic patients)")
        for line in report.refused:
            click.echo(f"Not loaded:   {line}", err=True)
        yield fhir


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Turn the first signal that asks to stop into KeyboardInterrupt; ignore more, so that stopping completes."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in before:
            signal.signal(number, lambda _number, _frame: None)
        raise KeyboardInterrupt

    # What is ignored from the start, as under nohup, stays ignored.
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in wanted if signal.getsignal(number) != signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(settings: Settings, fhir_server: str, address: str) -> dict[str, str]:
    """The environment of the demo's service: in development, with a memory and a ledger of its own.

    The key is a new one at each start: what was answered to a synthetic patient is forgotten with it.
    """
    own = {
        "CDS_DEVELOPMENT": "true",
        "CDS_FHIR_SERVERS": json.dumps([*settings.fhir_servers, fhir_server]),
    }
    if settings.base_url is None:
        own["CDS_BASE_URL"] = address
    if settings.pseudonym_key is None:
        own["CDS_PSEUDONYM_KEY"] = f"key-{secrets.token_hex(32)}"
    if settings.data_folder is None and settings.ledger_url is None:
        own["CDS_DATA_FOLDER"] = str(demo_data_folder())
    return os.environ | own


@contextmanager
def _service(host: str, port: int, environment: Mapping[str, str], insecure: bool) -> Iterator[subprocess.Popen[bytes]]:
    """The service with its production server; it prints its own address."""
    address = ["--host", host, "--port", str(port), *(["--insecure"] if insecure else [])]
    service = subprocess.Popen(
        [sys.executable, "-m", "cds_service", "serve", "--end-with-parent", *address],
        stdin=subprocess.PIPE,
        env=dict(environment),
    )
    try:
        yield service
    finally:
        stop(service, _SERVICE_STOP_SECONDS)


def _watch(fhir: DemoFhirServer, service: subprocess.Popen[bytes] | None = None) -> None:
    while True:
        if service is not None and (status := service.poll()) is not None:
            raise DemoError(f"the service ended (status {status})")
        if fhir.exit_status is not None:
            raise DemoError(f"the FHIR server ended (status {fhir.exit_status})")
        time.sleep(_WATCH_SECONDS)
