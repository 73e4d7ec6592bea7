"""Cut the line to a PostgreSQL server that says nothing.

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


class Line:
    """The socket of a connection, under a number of its own: the driver's may pass to another file meanwhile."""

    def __init__(self, connection: HasSocket) -> None:
        self.was_cut = False
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))

    def cut(self) -> None:
        """End the connection for the driver too."""
        self.was_cut = True
        with suppress(OSError):  # The server has hung up by itself.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give our number back; the driver keeps its own."""
        self._socket.close()


@contextmanager
def cut_after(seconds: float, connection: HasSocket) -> Iterator[Line]:
    """End a connection if the block is not done in time; the driver in it then raises its OperationalError."""
    line = Line(connection)
    timer = Timer(seconds, line.cut)
    timer.daemon = True
    timer.start()
    try:
        yield line
    finally:
        timer.cancel()
        timer.join()
        line.close()
