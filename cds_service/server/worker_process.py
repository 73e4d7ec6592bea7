"""One process of Granian: how it takes signals, what it runs, and what ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from typing import Any

from granian import _signals
from granian._granian import WorkerSignal
from granian.server.mp import MPServer

from cds_service.server.stopping import Stopping, stop_when_told


def run_worker(*details: Any) -> None:
    """What each process of Granian runs, but for how it takes signals; called in the worker."""
    _signals.set_loop_signals = _set_signals
    MPServer._spawn_asgi_worker(*details)


def _set_signals(loop: asyncio.AbstractEventLoop) -> WorkerSignal:
    """What Granian stops at: the first signal, and no other.

    While it takes note of one it waits for a thread, which may in turn wait for what a second one holds: it then hangs
    until it is killed. A second one is usual, from a supervisor or a terminal and from the parent.
    """
    stop, told = WorkerSignal(), False

    def tell() -> None:
        nonlocal told
        if not told:
            told = True
            stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell)
    return stop


def load_worker(worker_app: str, told: Connection, telling: Connection) -> Any:
    """What a worker runs, and a thread that ends it when it is to stop; called in the worker.

    Args:
        worker_app: makes the ASGI application, as `module:function`.
        told: the pipe that the parent closes when the worker is to stop.
        telling: the parent's end of it, which a forked worker has too.
    """
    telling.close()
    # Until the server sets its own, a signal ends the worker: it serves nobody yet. A forked one has its parent's.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    app = resolve_name(worker_app)()
    watch = (told, os.getppid(), getattr(app, "stopping", Stopping()))
    threading.Thread(target=stop_when_told, args=watch, name="stopping", daemon=True).start()
    return app
