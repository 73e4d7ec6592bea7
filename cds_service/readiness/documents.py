"""FHIR resources and hook calls from files and folders, one at a time.

Bulk Data files (`.ndjson`, `.jsonl`) are read line by line, other JSON files whole; both also compressed (`.gz`). What
is damaged is named by file and line and passed over.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

# One line is one resource, a Bundle or a hook call. What is longer is none of them, and is not kept in memory.
LONGEST_LINE = 64_000_000

# A JSON file is held in memory as a whole, as some ten times its bytes; a larger one is to be split into lines.
LARGEST_FILE = 100_000_000

# So many damaged places are named; all are counted.
MOST_PLACES = 20

_LINES = (".ndjson", ".jsonl")
_WHOLE = (".json",)
_PIECE = 1 << 20


@dataclass(slots=True)
class Damage:
    """What could not be read: how often, and where the first times were, each with the reason."""

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, where: str, why: str) -> None:
        self.count += 1
        if len(self.places) < MOST_PLACES:
            self.places.append(f"{where}: {why}")


@dataclass(slots=True)
class Documents:
    """The JSON documents of some files and folders.

    Attributes:
        paths: files, or folders, of which every file with a known ending is read.
        files: how many files were read.
        size: of what was read, in bytes, uncompressed.
        passed_over: how many files and documents of folders are neither FHIR nor hook calls.
        unread: how many files could not be read, or not to their end.
        damage: what could not be read.
    """

    paths: tuple[Path, ...]
    files: int = 0
    size: int = 0
    passed_over: int = 0
    unread: int = 0
    damage: Damage = field(default_factory=Damage)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Each document with the place where it stands: `Condition.ndjson:17`, `call.json`."""
        for path, is_named in self._files():
            self.files += 1
            try:
                with _opened(path) as stream:
                    found = self._lines(path, stream) if _ends_with(path, _LINES) else self._whole(path, stream)
                    for where, document in found:
                        if is_named or _is_of_a_chart(document):
                            yield where, document
                        else:
                            self.passed_over += 1
            except (OSError, EOFError, zlib.error) as error:
                self.unread += 1
                self.damage.add(str(path), f"cannot be read ({_reason(error)})")

    def _files(self) -> Iterator[tuple[Path, bool]]:
        """Each file, and whether it was named itself: whatever else lies in a folder is passed over."""
        for path in self.paths:
            if not path.is_dir():
                yield path, True
                continue
            for found in sorted(item for item in path.rglob("*") if item.is_file()):
                if _ends_with(found, _LINES + _WHOLE):
                    yield found, False
                else:
                    self.passed_over += 1

    def _lines(self, path: Path, stream: BinaryIO) -> Iterator[tuple[str, Any]]:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            self.size += len(line)
            where = f"{path}:{number}"
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                self._skip_line(stream)
                self.damage.add(where, f"is longer than {LONGEST_LINE:,} bytes")
            elif line.strip():
                yield from self._decoded(where, line)

    def _skip_line(self, stream: BinaryIO) -> None:
        while piece := stream.readline(_PIECE):
            self.size += len(piece)
            if piece.endswith(b"\n"):
                return

    def _whole(self, path: Path, stream: BinaryIO) -> Iterator[tuple[str, Any]]:
        body = stream.read(LARGEST_FILE + 1)
        self.size += len(body)
        if len(body) > LARGEST_FILE:
            self.damage.add(
                str(path), f"is larger than {LARGEST_FILE:,} bytes; write one resource on each line (.ndjson)"
            )
            return
        yield from self._decoded(str(path), body)

    def _decoded(self, where: str, text: bytes) -> Iterator[tuple[str, Any]]:
        try:
            # Some exports begin with the mark of UTF-8.
            yield where, orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError:
            self.damage.add(where, "is not JSON")


def unknown_endings(paths: Iterable[Path]) -> list[Path]:
    """Those of the files named one by one whose ending says nothing of what is in them."""
    return [path for path in paths if path.is_file() and not _ends_with(path, _LINES + _WHOLE)]


def _is_of_a_chart(document: Any) -> bool:
    """Whether a JSON document is meant as a resource or a hook call at all."""
    return isinstance(document, dict) and ("resourceType" in document or "hook" in document)


def _ends_with(path: Path, endings: tuple[str, ...]) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(endings)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path.name.lower().endswith(".gz"):
        with gzip.open(path, "rb") as stream:
            yield cast(BinaryIO, stream)
    else:
        with path.open("rb") as plain:
            yield plain


def _reason(error: Exception) -> str:
    """Why a file cannot be read, without anything that it holds."""
    if isinstance(error, gzip.BadGzipFile):
        return "is not compressed with gzip"
    return (error.strerror if isinstance(error, OSError) else None) or "the compressed data is damaged or cut off"
