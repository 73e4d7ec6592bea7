"""The SQLite file of a running service: whether it is still the one that was opened.

A file that is removed or replaced (by a restored backup) lives on for those who have it open: they would write to what
nobody will ever read. SQLite itself does not notice.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cds_service.ledger.down import FileChanged

# Device and number of a file: its name is not the file.
_Identity = tuple[int, int]


class SqliteFile:
    """One file with its write-ahead log, known by what they are and not by their names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._index = path.with_name(f"{path.name}-shm")
        self._known: _Identity | None = None
        self._known_companions: dict[Path, _Identity | None] = {}

    def remember(self) -> None:
        """From now on it is the file that stands there."""
        self._known = _identity(self.path)
        self.remember_companions()

    def remember_companions(self) -> None:
        """Its log and the index of that are those that stand there: others, once all had closed it."""
        found = {path: _identity(path) for path in (self._log, self._index)}
        # Looked at before the file: what came with another file is not taken for its own.
        if not self.has_changed():
            self._known_companions = found

    def has_changed(self) -> bool:
        """Whether another file stands in its place, or none."""
        return self._known is not None and _identity(self.path) != self._known

    def check(self) -> None:
        """Raise FileChanged where it has changed."""
        if self.has_changed():
            raise FileChanged(f"the ledger's file was {'replaced' if self.path.exists() else 'removed'}")

    @property
    def was_opened(self) -> bool:
        """Whether there was a file when it was last looked at."""
        return self._known is not None

    def set_companions_aside(self) -> None:
        """Rename the log of a file that was replaced: SQLite would read it into the one that took its place.

        To be called with all connections of this process closed, and by one process at a time. A log that came with the
        new file is another, and stays.
        """
        for path, known in self._known_companions.items():
            if known is not None and _identity(path) == known:
                with suppress(OSError):
                    path.replace(path.with_name(f"{path.name}.replaced"))


def _identity(path: Path) -> _Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
