"""A SQLite ledger that is locked, filled, removed, and replaced by a backup."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from cds_service.ledger.store import FILE_NAME
from tests.chaos.disruption import Disruption, Places, Swap
from tests.chaos.small_disk import filled, small_disk
from tests.skips import NO_SMALL_DISK

# The ledger grows by some megabytes in five minutes, and each restored one stays beside it.
_MEGABYTES = 128

_COMPANIONS = ("", "-wal", "-shm")


class SqliteUnderTest:
    """See the module."""

    name = "SQLite"

    def __init__(self, folder: Path, can_be_filled: bool) -> None:
        self._folder = folder
        self._file = folder / FILE_NAME
        self._can_be_filled = can_be_filled
        self.skipped = "" if can_be_filled else NO_SMALL_DISK
        self.places = Places(f"sqlite:///{self._file}")

    @property
    def settings(self) -> dict[str, str]:
        return {"data_folder": str(self._folder)}

    def disruptions(self) -> list[Disruption]:
        found = [
            Disruption("locked by another program", self._locked),
            Disruption("locked for a migration", self._locked_for_migration),
            Disruption("file removed, and put back", self._removed),
            Disruption("file replaced by a backup", self._restored),
        ]
        return [*found, Disruption("disk filled", partial(filled, self._folder))] if self._can_be_filled else found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with closing(sqlite3.connect(self._file, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")

    @contextmanager
    def _locked_for_migration(self) -> Iterator[None]:
        """Another process prepares this ledger without end; it matters to a worker that starts."""
        with self._file.with_name(f"{FILE_NAME}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _removed(self) -> Iterator[None]:
        aside = self._move_aside("removed")
        yield
        for companion in reversed(_COMPANIONS):
            if (moved := aside.with_name(f"{aside.name}{companion}")).exists():
                moved.replace(self._file.with_name(f"{FILE_NAME}{companion}"))

    @contextmanager
    def _restored(self) -> Iterator[None]:
        """As docs/operate.md tells to restore, but under the running service."""
        backup = self._folder / "backup.sqlite3"
        with closing(sqlite3.connect(self._file, timeout=30)) as source, closing(sqlite3.connect(backup)) as target:
            source.backup(target)
        # What comes between the backup and its return is in the ledger that is set aside.
        time.sleep(1.0)
        began = time.monotonic()
        aside = self._move_aside("replaced")
        backup.replace(self._file)
        self.places.swaps.append(Swap(began, time.monotonic(), f"sqlite:///{aside}"))
        yield

    def _move_aside(self, why: str) -> Path:
        """Move the file with its companions, the file first: nobody can open it any more."""
        folder = self._folder / f"{why}-{time.monotonic_ns()}"
        folder.mkdir()
        for companion in _COMPANIONS:
            if (file := self._file.with_name(f"{FILE_NAME}{companion}")).exists():
                file.replace(folder / file.name)
        return folder / FILE_NAME


@contextmanager
def sqlite_under_test(folder: Path) -> Iterator[SqliteUnderTest]:
    """A ledger on a small disk, where there can be one."""
    with small_disk(folder / "sqlite", _MEGABYTES) as can_be_filled:
        yield SqliteUnderTest(folder / "sqlite", can_be_filled)
