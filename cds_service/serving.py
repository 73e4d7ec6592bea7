"""Run the production server: Granian with workers that share a ledger, a port and their metrics."""

from __future__ import annotations

import socket
from math import ceil

import click

from cds_service.ledger.metrics import metrics_folder
from cds_service.ledger.opening import open_ledger
from cds_service.ledger.store import LedgerDown
from cds_service.settings import Settings

# Connections of a worker at the same time, slow and idle ones included; beyond them it takes no new one until another
# ends. A process may usually have 1024 files open, and some are needed for the ledger and for reading from EHRs.
CONNECTIONS_PER_WORKER = 768

# For so long a connection may be idle, or sending headers. Proxies keep idle connections for up to 60 s, and a call
# that comes on one while it is being closed is lost.
IDLE_SECONDS = 75

# The server tells of its own life on standard error: standard output is for the log of requests, which is JSON.
_LIFE_LOG = {
    "handlers": {
        name: {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"}
        for name in ("console", "access")
    }
}

# Calls under way when the service is stopped get their own time and this much more; after that no client waits.
_STOP_SECONDS = 5


def run_server(host: str, port: int, workers: int, settings: Settings) -> None:
    """Serve until told to end; calls under way are answered first."""
    _prepare_ledger(settings)
    with metrics_folder():
        _serve(host, port, workers, settings)


def port_problem(host: str, port: int) -> str | None:
    """Why the port cannot be listened on, as a sentence; None where it can.

    Granian's workers share their port. Two services would share it too, each answering some of the calls.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            # Connections of a service that has just ended are no obstacle.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OSError as error:
        return f"Cannot listen on {host}:{port}: {error.strerror}."
    return None


def _prepare_ledger(settings: Settings) -> None:
    """Make or update the tables before the workers start; without a ledger the service starts too, and says so."""
    ledger = open_ledger(settings)
    try:
        ledger.prepare()
    except LedgerDown as error:
        click.echo(f"The ledger cannot be used: {error}", err=True)
    finally:
        ledger.close()


def _serve(host: str, port: int, workers: int, settings: Settings) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    server = Granian(
        "cds_service.web.worker:create_worker_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        workers=workers,
        # HTTP/1 alone: where HTTP/2 is possible too, Granian waits for a silent client without end.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000),
        backpressure=CONNECTIONS_PER_WORKER,
        respawn_failed_workers=True,
        workers_kill_timeout=ceil(max(settings.call_seconds, settings.fhir_deadline_seconds)) + _STOP_SECONDS,
        websockets=False,
        log_dictconfig=_LIFE_LOG,
    )
    server.serve()
