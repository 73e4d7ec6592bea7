"""Run the production server: Granian with workers that share a ledger, a port and their metrics."""

from __future__ import annotations

import multiprocessing
import os
import resource
import socket
from functools import partial
from ipaddress import ip_address
from math import ceil

from cds_service.decision.open_ledger import modes_of, open_ledger
from cds_service.ledger.store import LedgerDown
from cds_service.reporting.metrics_folder import metrics_folder
from cds_service.server.ledger_at_start import LEDGER_WAS_THERE
from cds_service.server.start_lines import mode_line, modes_in_force
from cds_service.settings import Settings
from cds_service.web.call_log import log_to_standard_output
from cds_service.web.log_output import never_wait_for_standard_error, say, standard_error

# A process may usually have 1024 files open, and may raise that itself, mostly to far more. Each connection is a file,
# slow and idle ones included: beyond as many as fit a worker takes no new one until another ends. So many connections
# are enough for a hospital; to keep out whoever opens more, a proxy in front of the service must bound them.
MOST_FILES = 16_384

# Of these so many, but half of them at most, are for the ledger, and for reading from EHRs.
_OTHER_FILES = 1_024

# For so long a connection may be idle, or sending headers: the server has one time for both. Proxies keep idle
# connections for up to 60 s, and a call that comes on one while it is being closed is lost.
IDLE_SECONDS = 75

# What the headers of one request may take, in bytes: a token has at most 8 KiB. With MOST_FILES connections that is
# half a GiB.
_HEADER_BYTES = 32_768

# Granian logs to standard error: standard output is for the log of requests, which is JSON.
_SERVER_LOG = {"handlers": {name: {"()": standard_error, "formatter": "generic"} for name in ("console", "access")}}

# What each worker runs: a function that makes an ASGI application.
WORKER_APP = "cds_service.server.worker:create_worker_app"

# So long another process that migrates or locks the ledger is waited for before the workers start; they go on trying.
_LEDGER_SECONDS = 5.0

# Calls under way when the service is stopped get their own time and this much more; after that no client waits.
_MARGIN_SECONDS = 5


def run_server(address: str, port: int, workers: int, settings: Settings) -> None:
    """Serve until told to end; calls under way are answered first. Standard output has the log and nothing else."""
    never_wait_for_standard_error()
    log_to_standard_output()
    _prepare_ledger(settings)
    with metrics_folder():
        serve(address, port, workers, settings)


def stop_seconds(settings: Settings) -> int:
    """How long calls under way may take when the service is told to stop: to wait for a thread, and then to work."""
    return ceil(settings.call_seconds + max(settings.call_seconds, settings.fhir_deadline_seconds)) + _MARGIN_SECONDS


def address_to_listen_on(host: str) -> str | None:
    """The IP address that is meant by a host, which may be `localhost` or in brackets; None for any other name."""
    name = host.strip().lower()
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    if name == "localhost":
        return "127.0.0.1"
    try:
        # The server knows no zones (`fe80::1%eth0`).
        return None if "%" in name else str(ip_address(name))
    except ValueError:
        return None


def url_of(address: str, port: int) -> str:
    """The address of the service in a browser on the same machine."""
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def port_problem(address: str, port: int) -> str | None:
    """Why the port cannot be listened on, as a sentence; None where it can.

    Granian's workers share their port. Two services would share it too, each answering some of the calls.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            # Connections of a service that has just ended are no obstacle.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
    except OSError as error:
        return f"Cannot listen on {url_of(address, port).removeprefix('http://')}: {error.strerror}."
    return None


def connections_per_worker() -> int:
    """How many connections a worker takes; raises this process's bound of open files, which its workers inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            # Some systems have a lower bound than they say.
            wanted = soft
    return wanted - min(_OTHER_FILES, wanted // 2)


def _prepare_ledger(settings: Settings) -> None:
    """Make or update the tables before the workers start, and say which modes are in force.

    Without a ledger the service starts too, and says so.
    """
    ledger = open_ledger(settings)
    problems: list[str] = []
    try:
        ledger.prepare(_LEDGER_SECONDS)
        os.environ[LEDGER_WAS_THERE] = "1"
    except LedgerDown as error:
        say(f"The ledger cannot be used: {error}")
    try:
        modes = modes_of(settings, ledger.modes, lambda error: problems.append(str(error)), log=True)
        say(mode_line(modes_in_force(modes, settings), known=not problems))
    finally:
        ledger.close()


def serve(address: str, port: int, workers: int, settings: Settings, worker_app: str = WORKER_APP) -> None:
    """Run Granian until told to end.

    Args:
        worker_app: what each worker runs, as `module:function`; the bench has others run just as the service is.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    from cds_service.server.orderly_server import OrderlyServer
    from cds_service.server.worker_process import load_worker, run_worker

    told, telling = multiprocessing.Pipe(duplex=False)
    server = OrderlyServer(
        telling,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        workers=workers,
        # HTTP/1 alone: where HTTP/2 is possible too, Granian waits for a silent client without end.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000, max_buffer_size=_HEADER_BYTES),
        backpressure=connections_per_worker(),
        respawn_failed_workers=True,
        workers_kill_timeout=stop_seconds(settings),
        websockets=False,
        log_dictconfig=_SERVER_LOG,
    )
    server.serve(run_worker, partial(load_worker, worker_app, told, telling), wrap_loader=False)
