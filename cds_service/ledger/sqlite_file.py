"""The SQLite file of a running service with its log: whether they are still those that were opened.

A file that is removed or replaced (by a restored backup) lives on for those who have it open: they would write to what
nobody will ever read. SQLite itself does not notice, neither for the file nor for its log; and a log that stands beside
another file than its own is read into that, and ruins it. Which log belonged to which file is noted therefore, so that
a process knows that starts after the exchange.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from cds_service.ledger.down import FileChanged

# Device and number of a file: its name is not the file.
Identity = tuple[int, int]

# The note has one length, so that none is ever read half old and half new.
_NOTE_BYTES = 256


class SqliteFile:
    """One file with its write-ahead log and the index of that, known by what they are and not by their names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Locked by the process that prepares the ledger; holds the note.
        self.lock = path.with_name(f"{path.name}.lock")
        self._log = path.with_name(f"{path.name}-wal")
        self._index = path.with_name(f"{path.name}-shm")
        self._known: Identity | None = None
        # While this process has them open.
        self._known_companions: dict[Path, Identity] = {}

    def take(self) -> None:
        """From now on it is the file that stands there, with a log that is not known yet."""
        self._known = _identity(self.path)
        self.forget_companions()

    def take_companions(self) -> None:
        """From now on log and index are those that stand there; to be called while this process has them open.

        Until it closes them, nobody else may remove them.
        """
        found = {path: _identity(path) for path in (self._log, self._index)}
        self._known_companions = {path: known for path, known in found.items() if known is not None}
        self.write_note()

    def write_note(self) -> None:
        """Note what is known, where that is not noted, or no more. A full disk shall not stop those who read."""
        known = self._all_known()
        if known == self._note() or self.has_changed():
            return
        with suppress(OSError):
            lock = os.open(self.lock, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(lock, json.dumps(known).encode().ljust(_NOTE_BYTES), 0)
            finally:
                os.close(lock)

    def forget_companions(self) -> None:
        """This process has log and index open no more: others may come instead."""
        self._known_companions = {}

    @property
    def was_taken(self) -> bool:
        """Whether there was a file when it was last taken."""
        return self._known is not None

    def has_moved(self) -> bool:
        """Whether another file stands in its place, or none."""
        return self._known is not None and _identity(self.path) != self._known

    def has_changed(self) -> bool:
        """Whether another file, log or index stands in its place, or none."""
        return self.has_moved() or self._log_has_moved()

    @property
    def taken(self) -> Identity | None:
        """The file that was last taken, by what it is."""
        return self._known

    def check(self) -> None:
        """Raise FileChanged where it has changed."""
        if self.has_moved():
            raise FileChanged(f"the ledger's file was {'replaced' if self.path.exists() else 'removed'}")
        if self._log_has_moved():
            raise FileChanged("the log of the ledger's file was removed or replaced")

    def check_opened(self, opened: Identity | None) -> None:
        """Raise FileChanged where it has changed, or is not the one that a connection was opened to.

        Another thread may have taken the new file meanwhile: then nothing has changed, but for this connection.
        """
        self.check()
        if opened != self._known:
            raise FileChanged("the ledger's file was replaced")

    def is_missed(self) -> bool:
        """Whether there is no file, and was one: in this process, or by the note."""
        return not self.path.exists() and (self.was_taken or _size(self.lock) > 0)

    def log_is_taken_up(self) -> bool:
        """Whether another process works with another log of the same file already: it has made it, and noted it."""
        noted = self._note()
        return any(
            (found := _identity(path)) not in (None, known) and found == noted.get(path.name)
            for path, known in self._known_companions.items()
        )

    def log_is_left(self) -> bool:
        """Whether the log that is known stands where it stood."""
        return bool(self._known_companions) and not self._log_has_moved()

    @contextmanager
    def new_file_for_replaced(self) -> Iterator[Path]:
        """An empty file for a copy of the file that was replaced, only for this user; removed where the block fails.

        Raises OSError.
        """
        copies = (self.path.with_name(f"{self.path.name}.replaced-{number}") for number in count(1))
        copy = next(copy for copy in copies if not copy.exists())
        os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            yield copy
        except BaseException:
            copy.unlink()
            raise

    def remove_companions(self) -> None:
        """Remove the log that is known, and its index, as far as they stand there: what is in it stands elsewhere."""
        for path, known in self._known_companions.items():
            if _identity(path) == known:
                path.unlink()

    def set_companions_aside(self) -> None:
        """Rename a log that is not the file's own: SQLite would read it into the file, and ruin it.

        To be called with the lock. Beside another file than was noted that is the log that was noted; a log that came
        with the new file is another, and stays. Beside the file that was noted it is any other log with something in
        it: an older one, that was put back. One that stands beside no file belongs to none.
        """
        known = self._all_known() if self._known_companions else self._note()
        file, log = _identity(self.path), _identity(self._log)
        noted, noted_log = known.get(self.path.name), known.get(self._log.name)
        if file is None:
            alien = {self._log, self._index}
        elif noted is None:
            alien = set()
        elif file != noted:
            alien = {path for path in (self._log, self._index) if _identity(path) == known.get(path.name)}
        else:
            alien = {self._log, self._index} if log != noted_log and _size(self._log) else set()
        for path in alien:
            with suppress(OSError):
                path.replace(path.with_name(f"{path.name}.replaced"))

    @contextmanager
    def kept_log(self) -> Iterator[None]:
        """While this process closes the file, keep the log that has the name of its own.

        SQLite removes what has that name when the last one closes the file, also if it is another log by now.
        """
        second = self._log.with_name(f"{self._log.name}.kept")
        known = self._known_companions.get(self._log)
        if _identity(self._log) in (None, known):
            yield
            return
        with suppress(OSError):
            os.link(self._log, second)
        yield
        with suppress(OSError):
            if self._log.exists():
                second.unlink()
            else:
                second.rename(self._log)

    def _log_has_moved(self) -> bool:
        return any(_identity(path) != known for path, known in self._known_companions.items())

    def _note(self) -> dict[str, Identity]:
        """What stood there by the note, by name: nothing where there is none, or one of an older version."""
        try:
            noted: dict[str, Any] = json.loads(self.lock.read_bytes())
            return {name: (int(device), int(number)) for name, (device, number) in noted.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _all_known(self) -> dict[str, Identity]:
        known = {path.name: identity for path, identity in self._known_companions.items()}
        return known | ({self.path.name: self._known} if self._known else {})


def _identity(path: Path) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
