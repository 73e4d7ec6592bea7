"""Holds a SQLite file open from its first use on, and leaves it in good order where it, or its log, was exchanged.

Of a file that is open in WAL mode nobody but an intruder removes the log, so that another log is noticed as another
file is. What was acknowledged into a log that was taken away is brought into the file before it is left.
"""

from __future__ import annotations

import ctypes
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from cds_service.ledger.down import LedgerDown
from cds_service.ledger.engines import open_sqlite
from cds_service.ledger.sqlite_file import SqliteFile

# How often to look whether a connection is no more in use.
_LOOK_SECONDS = 0.01


class SqliteHolder:
    """One connection of a process that asks nothing and stays open.

    Args:
        file: which one.
        busy_seconds: how long its connections wait for a lock.
    """

    def __init__(self, file: SqliteFile, busy_seconds: float) -> None:
        self._file = file
        self._busy_seconds = busy_seconds
        self._holder: sqlite3.Connection | None = None
        # Taken by who opens a connection, and by who leaves the file: none is opened meanwhile.
        self._gate = threading.Lock()

    @contextmanager
    def holding(self, seconds: float) -> Iterator[None]:
        """Open another connection in the block: to the file that is held, from the first time on.

        Args:
            seconds: how long to wait for a thread that is about to leave the file.

        Raises:
            LedgerDown: it could not be waited for, or something else stands in the place of the file or its log.
            sqlite3.Error: the file cannot be opened.
        """
        if not self._gate.acquire(timeout=seconds):
            raise LedgerDown("the ledger's file is being opened again")
        try:
            self._file.check()
            if self._holder is None:
                self._hold()
            yield
        finally:
            self._gate.release()

    def reopen(self, in_use: Callable[[], int], close_others: Callable[[], None]) -> None:
        """Leave what was removed or replaced, and take the file that stands there.

        Args:
            in_use: how many other connections of this process are in use.
            close_others: closes those that are not, and lets go.

        Raises:
            LedgerDown: the file is in use for too long.
        """
        file = self._file
        if self._holder is not None and not file.has_changed():
            return
        if file.has_moved():
            self._keep_replaced()
            close_others()
        elif self._holder is not None:
            self._leave_log(in_use, close_others)
        file.take()
        file.set_companions_aside()

    def let_go(self) -> None:
        """Close the connection; the next use opens another."""
        holder, self._holder = self._holder, None
        if holder is None:
            return
        if self._file.has_moved():
            # The last one to close a file removes what has the name of its log, which may be that of the new file by
            # now: this connection is never closed, not even where Python ends.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(holder))
        else:
            holder.close()
        self._file.forget_companions()

    def renew(self) -> None:
        """In a child process, after `let_go` in its parent: whoever is at the gate is a thread of the parent."""
        self._gate = threading.Lock()

    def _hold(self) -> None:
        if not self._file.was_taken:
            self._file.take()
        holder = open_sqlite(self._file.path, self._busy_seconds)
        try:
            # The first reading opens the log.
            holder.execute("PRAGMA schema_version").fetchone()
            self._file.check()
        except BaseException:
            holder.close()
            raise
        self._holder = holder
        self._file.take_companions()

    def _leave_log(self, in_use: Callable[[], int], close_others: Callable[[], None]) -> None:
        """Leave a log that was taken from under the file, and lose nothing that was acknowledged into it.

        All connections must be closed: those of one process to one file share the index of one log.
        """
        deadline = time.monotonic() + self._busy_seconds
        while time.monotonic() < deadline:
            with self._gate:
                if not in_use() and self._is_finished():
                    with self._file.kept_log():
                        close_others()
                    return
            time.sleep(_LOOK_SECONDS)
        raise LedgerDown("the log of the ledger's file was removed or replaced, and the file is still in use")

    def _keep_replaced(self) -> None:
        """Copy the file that is still open, whole, beside the one that took its place: it may have no name any more.

        Once: by the process that finds its log where it was. Where there is no room, the log is kept as it is.
        """
        file = self._file
        if self._holder is None or not file.log_is_left():
            return
        try:
            with file.new_file_for_replaced() as copy, closing(sqlite3.connect(copy)) as target:
                self._holder.backup(target)
            file.remove_companions()
        except (OSError, sqlite3.Error):
            file.set_companions_aside()

    def _is_finished(self) -> bool:
        """Bring the log into the file, unless another process did; whether nothing that counts is left in it."""
        if self._holder is None or self._file.log_is_taken_up():
            return True
        # What stands there is nobody's: an older log, perhaps, that was put in its place.
        self._file.set_companions_aside()
        try:
            if self._holder.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                return False
            # What is left of the two is not for the next log: other processes may have it open still.
            self._file.remove_companions()
        except (OSError, sqlite3.Error):
            return False
        return True
