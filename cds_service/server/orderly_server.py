"""Granian's server with an end in good order: its workers are told to stop, and a worker's end is told as it was.

Granian's own loop misses some orders of events. A signal that comes between two of its looks is lost, and the service
goes on. Of two workers that are killed at the same moment one may not be started again. Where a supervisor tells every
process to stop (systemd, Ctrl-C in a terminal), a worker that is quicker than its parent is called an unexpected exit,
and the service ends with status 1. A worker that has ended in good order may be told to have refused to.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any, Final

from granian.server.mp import MPServer, WorkerProcess

# A worker that ends so soon after it was started again may be one that cannot start. It is given a pause: a long one
# while others serve, and else so many short ones before the service ends.
_SOON_SECONDS = 5.5
_PAUSE_SECONDS = 5.0
_SHORT_PAUSE_SECONDS = 0.5
_MOST_IN_VAIN = 8

# Where all processes are told to stop, a worker may end so much before its parent has read its own signal.
_TOLD_SECONDS = 0.5

# Events of the main loop beside workers that ended.
_STOP: Final = "stop"
_RELOAD: Final = "reload"

_log = logging.getLogger(__name__)


class OrderlyServer(MPServer):
    """Granian with workers that are processes.

    Args:
        telling: closed when the service is told to stop; workers hold the other end of this pipe.
        options: of Granian.
    """

    def __init__(self, telling: Connection, **options: Any) -> None:
        # A name only: what workers run comes with `serve`.
        super().__init__("cds_service", **options)
        self._telling = telling
        self._parent = os.getpid()
        self._told = False
        # Workers whose pause is over, and how many ended in vain since one last served for a while.
        self._rested: set[WorkerProcess] = set()
        self._in_vain = 0
        # Its `put` may be called in the handler of a signal, also while the main thread is within another of its calls.
        self._events: SimpleQueue[WorkerProcess | str] = SimpleQueue()

    def signal_handler_interrupt(self, *details: Any) -> None:
        """SIGTERM or SIGINT."""
        if os.getpid() != self._parent:
            # A worker that was only just forked has this handler until it sets its own. It serves nobody yet.
            os._exit(0)
        self._told = True
        super().signal_handler_interrupt(*details)  # type: ignore[no-untyped-call]
        self._events.put(_STOP)

    def signal_handler_reload(self, *details: Any) -> None:
        """SIGHUP: start all workers again, one after the other."""
        self._events.put(_RELOAD)

    def _serve_loop(self, spawn_target: Callable[..., None], target_loader: Callable[..., Any]) -> None:
        while (event := self._events.get()) != _STOP:
            if isinstance(event, str):
                self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            elif not self._is_current(event):
                continue
            elif event in self._rested:
                self._rested.discard(event)
                self._respawn_workers([event.idx], spawn_target, target_loader)
            elif time.monotonic() - self.respawned_wrks.get(event.idx, float("-inf")) > _SOON_SECONDS:
                self._in_vain = 0
                self._respawn_workers([event.idx], spawn_target, target_loader)
            elif any(worker.inner.is_alive() for worker in self.wrks):
                self._put_later(event, _PAUSE_SECONDS)
            elif self._in_vain < _MOST_IN_VAIN:
                self._in_vain += 1
                self._put_later(event, _SHORT_PAUSE_SECONDS)
            else:
                _log.error("no worker can be started: the service ends")
                self.interrupt_children.append(event.idx)
                break
        self._telling.close()

    def _put_later(self, event: WorkerProcess, seconds: float) -> None:
        self._rested.add(event)
        timer = threading.Timer(seconds, self._events.put, [event])
        timer.daemon = True
        timer.start()

    def _is_current(self, ended: WorkerProcess) -> bool:
        """Whether nothing has taken the place of a worker yet."""
        return any(worker is ended for worker in self.wrks)

    def _spawn_worker(self, *details: Any, **more: Any) -> WorkerProcess:
        worker = super()._spawn_worker(*details, **more)
        worker._watcher = partial(self._watch, worker)  # type: ignore[method-assign]
        return worker

    def _watch(self, worker: WorkerProcess) -> None:
        """Wait for the end of a worker, and have it started again where nobody wanted it; in a thread of its own."""
        # Not `join`: of two threads that join a process, one does not learn that it has ended, and would kill it.
        wait([worker.inner.sentinel])
        if worker.interrupt_by_parent or self._is_told_soon():
            return
        worker.inner.join()
        fields = {"worker": worker.idx + 1, "pid": worker.inner.pid, "exit_status": worker.inner.exitcode}
        _log.error("a worker ended unexpectedly", extra={"fields": fields})
        self._events.put(worker)

    def _is_told_soon(self) -> bool:
        deadline = time.monotonic() + _TOLD_SECONDS
        while not self._told and time.monotonic() < deadline:
            time.sleep(0.02)
        return self._told
