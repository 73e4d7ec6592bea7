"""The folder in which a replay works: the plan, what each part and each partition came to, and what is finished.

Whatever is finished stands in a file that appears at once and whole, so that a replay which was killed goes on where it
was. The folder holds copies of patients' data while the replay runs: it is for its owner only, and goes at the end.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from cds_service.replay.errors import ReplayError

FOLDER = "work"

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Work:
    """The working folder below the folder of the results."""

    out: Path

    @property
    def folder(self) -> Path:
        return self.out / FOLDER

    def make(self) -> None:
        """Make the folders; only their owner may look into them."""
        for folder in (self.folder, self.folder / "parts", self.folder / "answers"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other commands out of the folder; the lock ends with this process, however it ends.

        Raises:
            ReplayError: another command works there.
        """
        with (self.folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ReplayError(f"another command is replaying into {self.out}: wait for it, or end it") from error
            except OSError:
                # Some shared file systems have no locks.
                pass
            yield

    def remove(self) -> None:
        """Remove everything that is no result."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"

    @property
    def facts(self) -> Path:
        """What all parts together tell of the export."""
        return self.folder / "facts.json"

    def part(self, number: int) -> Path:
        """What one part of the export came to."""
        return self.folder / "parts" / f"{number:05}.json"

    def segment(self, number: int, turn: int) -> Path:
        """Lines of one part, sorted by partition."""
        return self.folder / "parts" / f"{number:05}-{turn:03}.lines"

    def bad_lines(self, number: int) -> Path:
        """The lines of one part that cannot be used: number and reason, a line each."""
        return self.folder / "parts" / f"{number:05}.bad"

    def answered(self, number: int) -> Path:
        """What one partition came to."""
        return self.folder / "answers" / f"{number:05}.json"

    def rows(self, number: int) -> Path:
        """The answers of one partition."""
        return self.folder / "answers" / f"{number:05}.parquet"

    def differences(self, number: int) -> Path:
        """Where the rules that are compared differ, of one partition."""
        return self.folder / "answers" / f"{number:05}-differences.parquet"


def write_whole(path: Path, *content: bytes) -> None:
    """Write a file that appears at once and whole, for its owner only."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(content)
    beside.replace(path)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys, whole."""
    write_whole(path, orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n")


def peak_kilobytes() -> int:
    """The most memory that this process had at a time, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def stamp(path: Path) -> Stamp:
    """What tells a file from another one of the same name."""
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def read_json(path: Path) -> Any:
    return orjson.loads(path.read_bytes())
