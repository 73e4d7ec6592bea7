"""Abort the connection to a PostgreSQL server that does not answer.

The server's own limits (for a statement, for a lock) end what takes too long while it is well. They do not help where
it is stopped, or waits for its disk: its socket stays open, and the driver would wait for an answer without end.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar


class HasSocket(Protocol):
    """An open connection of psycopg, as far as it is needed here."""

    def fileno(self) -> int: ...


class ConnectionSocket:
    """A duplicate of a connection's socket: the driver's own number may pass to another file meanwhile."""

    def __init__(self, connection: HasSocket) -> None:
        self.was_aborted = False
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))

    def abort(self) -> None:
        """End the connection for the driver too."""
        self.was_aborted = True
        with suppress(OSError):  # The server has closed the connection itself.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the duplicate; the driver keeps its own."""
        self._socket.close()


@contextmanager
def abort_after(seconds: float, connection: HasSocket) -> Iterator[ConnectionSocket]:
    """End a connection if the block is not done in time; the driver in it then raises its OperationalError."""
    duplicate, watch = ConnectionSocket(connection), _watch
    watch.add(duplicate, seconds)
    try:
        yield duplicate
    finally:
        watch.remove(duplicate)
        duplicate.close()


class Closable(Protocol):
    """An open connection, as far as it is needed here."""

    def close(self) -> None: ...


_C = TypeVar("_C", bound=Closable)


def in_time(connect: Callable[[], _C], seconds: float, late: type[Exception]) -> _C:
    """A new connection, or an error of the type `late`.

    The driver bounds the wait for an address, and not for the server that knows the address of a name. One that comes
    too late is closed.
    """
    connected: Future[_C] = Future()

    def run() -> None:
        try:
            connection = connect()
        except BaseException as error:
            with suppress(InvalidStateError):
                connected.set_exception(error)
            return
        try:
            connected.set_result(connection)
        except InvalidStateError:
            connection.close()

    threading.Thread(target=run, name="ledger-connect", daemon=True).start()
    try:
        return connected.result(seconds)
    except TimeoutError:
        if connected.cancel():
            raise late("timeout expired") from None
        return connected.result()


class _Watch:
    """One thread that aborts what is overdue, for all connections of a process.

    A call costs no thread: this one sleeps until the earliest deadline, which has mostly been kept by then.
    """

    def __init__(self) -> None:
        self._deadlines: dict[ConnectionSocket, float] = {}
        self._changed = threading.Condition()
        # Until when the thread sleeps; None where there is none yet.
        self._wakes_at: float | None = None

    def add(self, watched: ConnectionSocket, seconds: float) -> None:
        """Abort a connection when its time has passed, unless it is removed before."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._deadlines[watched] = deadline
            if self._wakes_at is None:
                self._wakes_at = math.inf
                threading.Thread(target=self._abort_forever, name="ledger-deadlines", daemon=True).start()
            elif deadline < self._wakes_at:
                self._changed.notify()

    def remove(self, watched: ConnectionSocket) -> None:
        """Once it returns, the connection is not aborted any more."""
        with self._changed:
            self._deadlines.pop(watched, None)

    def _abort_forever(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for watched in [each for each, deadline in self._deadlines.items() if deadline <= now]:
                    del self._deadlines[watched]
                    watched.abort()
                earliest = min(self._deadlines.values(), default=None)
                self._wakes_at = math.inf if earliest is None else earliest
                self._changed.wait(None if earliest is None else earliest - now)


_watch = _Watch()


def _watch_anew() -> None:
    """A child of a fork has no thread of its parent's."""
    global _watch
    _watch = _Watch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch_anew)
