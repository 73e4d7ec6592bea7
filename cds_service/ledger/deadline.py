"""Abort the connection to a PostgreSQL server that does not answer.

The server's own limits (for a statement, for a lock) end what takes too long while it is well. They do not help where
it is stopped, or waits for its disk: its socket stays open, and the driver would wait for an answer without end.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Protocol


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
    duplicate = ConnectionSocket(connection)
    timer = Timer(seconds, duplicate.abort)
    timer.daemon = True
    timer.start()
    try:
        yield duplicate
    finally:
        timer.cancel()
        timer.join()
        duplicate.close()
