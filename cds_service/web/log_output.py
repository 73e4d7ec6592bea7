"""The log on standard output, and what is said on standard error: no call, no start and no stop ever waits for it.

Whoever collects the log may stop reading it. A pipe then fills, and whoever writes to it waits: with a handler of the
standard library all calls of a worker would, for good. Here what cannot be written at once is kept, up to a bound, and
written later; what is beyond it is lost, counted, and told in a line of its own as soon as lines are read again.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TextIO

# Some thousand lines in each worker: what a busy service writes in a minute.
MOST_KEPT_BYTES = 1024 * 1024

# How often it is tried again to write what was kept.
_AGAIN_SECONDS = 0.2

# Its descriptor, whatever has taken its place in Python.
_STANDARD_ERROR = 2

# Writes what it can of some bytes at once, and returns how many these were.
Write = Callable[[bytes], int]


def standard_output() -> logging.Handler:
    """A handler that writes to standard output; one that writes nothing where there is none."""
    return _handler_for(sys.stdout)


def standard_error() -> logging.Handler:
    """A handler that writes to standard error; one that writes nothing where there is none."""
    return _handler_for(sys.stderr)


def say(line: str) -> None:
    """Write a line to standard error, if that can be done at once."""
    standard_error().handle(logging.makeLogRecord({"msg": line}))


def never_wait_for_standard_error() -> None:
    """From now on, what libraries write to standard error is lost where it is a pipe that is full; also in children."""
    with suppress(OSError):
        if stat.S_ISFIFO(os.fstat(_STANDARD_ERROR).st_mode):
            unwaiting = _opened_once_more(_STANDARD_ERROR)
            os.dup2(unwaiting, _STANDARD_ERROR)
            os.close(unwaiting)


def _handler_for(stream: TextIO | None) -> logging.Handler:
    if stream is None:
        return logging.NullHandler()
    try:
        return UnwaitingHandler(writer_to(stream.fileno()))
    except (OSError, ValueError):
        # A stream in memory, as tests and embedding programs have.
        return logging.StreamHandler(stream)


class UnwaitingHandler(logging.Handler):
    """Writes each record as a line, and never waits.

    Args:
        write: raises BlockingIOError where nothing can be written now, and OSError where nothing ever will.
    """

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or keep it; called with the lock of the handler held."""
        line = f"{self.format(record)}\n".encode()
        if self._kept:
            if self._kept_bytes + len(line) > MOST_KEPT_BYTES:
                self._lost += 1
            else:
                self._keep(line)
            return
        lost = self._lost
        try:
            left = self._left(self._loss() + line)
        except OSError:
            # The reader has gone, or the disk is full: there is nobody to tell now.
            self._lost = lost + 1
            return
        if left:
            self._keep(left)
            threading.Thread(target=self._write_later, name="log", daemon=True).start()

    def _left(self, lines: bytes) -> bytes:
        """What is left of lines once as much of them is written as can be."""
        try:
            return lines[self._write(lines) :]
        except BlockingIOError:
            return lines

    def _keep(self, lines: bytes) -> None:
        self._kept.append(lines)
        self._kept_bytes += len(lines)

    def _loss(self) -> bytes:
        """A line that tells how many were lost; nothing where none were."""
        if not self._lost:
            return b""
        record = logging.LogRecord("cds_service", logging.WARNING, __file__, 0, "log lines were lost", (), None)
        record.fields = {"lines": self._lost}
        self._lost = 0
        return f"{self.format(record)}\n".encode()

    def _write_later(self) -> None:
        """Write what was kept, as soon as it can be written, in a thread of its own."""
        while self._kept:
            time.sleep(_AGAIN_SECONDS)
            with self._held():
                self._write_kept()

    def _write_kept(self) -> None:
        while self._kept:
            lines = self._kept.popleft()
            self._kept_bytes -= len(lines)
            try:
                left = self._left(lines)
            except OSError:
                self._lost += 1
                continue
            if left:
                self._kept.appendleft(left)
                self._kept_bytes += len(left)
                return
            if not self._kept and (loss := self._loss()):
                self._keep(loss)

    def _held(self) -> threading.RLock:
        assert self.lock is not None
        return self.lock


def writer_to(descriptor: int) -> Write:
    """What writes to a pipe, a socket or a terminal without waiting, and as usual to a file."""
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(kind):
        # systemd gives a service its journal so.
        return partial(_send, descriptor)
    # A terminal that is held (Ctrl-S), or whose other end nobody reads, is as full as a pipe.
    if stat.S_ISFIFO(kind) or os.isatty(descriptor):
        with suppress(OSError):
            descriptor = _opened_once_more(descriptor)
    return lambda data: os.write(descriptor, data)


def _opened_once_more(stream: int) -> int:
    """A pipe or terminal that does not wait: that shall be true of who opens it so, and of nobody else who has it."""
    return os.open(f"/proc/self/fd/{stream}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)


def _send(descriptor: int, data: bytes) -> int:
    connection = socket.socket(fileno=descriptor)
    try:
        return connection.send(data, socket.MSG_DONTWAIT)
    finally:
        # It stays open, and another's.
        connection.detach()
