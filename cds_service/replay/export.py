"""The files of a FHIR Bulk Data export (NDJSON), wherever they lie, and the parts in which they are read.

A part is a whole compressed file or a stretch of an uncompressed one, so that several workers can share a large file.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from cds_service.replay.errors import ReplayError

# How the files of an export end (FHIR Bulk Data Access, file format), plain or compressed.
PLAIN, COMPRESSED = ".ndjson", ".ndjson.gz"

# A stretch of so many bytes is read by one worker: some seconds of work, and little to do again after a kill.
PART_BYTES = 64 * 1024 * 1024

# How much larger FHIR JSON is than its gzip, roughly: for the number of partitions only.
EXPANSION = 10

# What stores tell of a version of a file: local folders and S3, Google, Azure and others.
_CHANGED = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Of an uncompressed file so many bytes are read at a time.
_READ_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file.

    Attributes:
        name: below the export's address.
        address: its own.
        size: in bytes, as it is stored.
        changed: when it was last changed, or what else its store tells one version from another by.
    """

    name: str
    address: str
    size: int
    changed: str = ""

    @property
    def is_compressed(self) -> bool:
        return self.name.endswith(COMPRESSED)

    @property
    def bytes_expected(self) -> int:
        """About how many bytes it holds once it is expanded."""
        return self.size * EXPANSION if self.is_compressed else self.size


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a file: the lines that begin in it. `end` is None for a file that is read as a whole."""

    file: int
    start: int = 0
    end: int | None = None


class Lines:
    """The lines of one part, with their numbers in it from 1; blank ones are passed over.

    Attributes:
        read: how many lines were read so far, blank ones among them.
        broken: why the rest of the file could not be read, or an empty string.
    """

    def __init__(self, file: ExportFile, part: Part) -> None:
        self._file, self._part = file, part
        self.read = 0
        self.broken = ""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        try:
            with _open(self._file.address) as stored:
                yield from self._lines(gzip.GzipFile(fileobj=stored) if self._file.is_compressed else stored)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.broken = self._why_broken(error)
        except OSError as error:
            # Neither path nor content: a message of the file system may quote either.
            self.broken = f"cannot be read ({error.strerror or type(error).__name__})"

    def _why_broken(self, error: Exception) -> str:
        if isinstance(error, EOFError):
            return "the compressed file ends early"
        return f"the compressed file is damaged after line {self.read}" if self.read else "not a gzip file"

    def _lines(self, opened: Any) -> Iterator[tuple[int, bytes]]:
        for line in opened if self._file.is_compressed else chain.from_iterable(self._stretches(opened)):
            self.read += 1
            text = line.strip()
            if self.read == 1 and not self._part.start:
                text = text.removeprefix(_BYTE_ORDER_MARK)
            if text:
                yield self.read, text

    def _stretches(self, opened: Any) -> Iterator[list[bytes]]:
        """The lines that begin in this part, some megabytes at a time: a line costs no call of its own."""
        at, end = self._part.start, self._part.end
        if at:
            opened.seek(at - 1)
            # A line that began before belongs to the part before.
            at += len(opened.readline()) - 1
        while end is None or at < end:
            found = opened.read(_READ_BYTES if end is None else min(_READ_BYTES, end - at))
            if not found:
                return
            if not found.endswith(b"\n"):
                found += opened.readline()
            at += len(found)
            yield found.removesuffix(b"\n").split(b"\n")


def _open(address: str) -> Any:
    import fsspec

    return fsspec.open(address, "rb").open()


def find_files(address: str) -> tuple[ExportFile, ...]:
    """The NDJSON files at an address (a folder, a file, or an `fsspec` address of either), in the order of their names.

    Raises:
        ReplayError: there is nothing of the kind, or the address needs a package that is not installed.
    """
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address)
        found = system.find(path, detail=True)
    except (ImportError, ValueError) as error:
        raise ReplayError(f"the export cannot be reached: {error}") from error
    except OSError as error:
        raise ReplayError(f"the export cannot be read: {error.strerror or error}") from error
    root = str(path).rstrip("/")
    files = [
        ExportFile(
            name=str(name).removeprefix(root).lstrip("/") or str(name).rsplit("/", 1)[-1],
            address=system.unstrip_protocol(name),
            size=int(info.get("size") or 0),
            changed=str(next((info[name] for name in _CHANGED if info.get(name)), "")),
        )
        for name, info in found.items()
        if str(name).endswith((PLAIN, COMPRESSED))
    ]
    if not files:
        raise ReplayError(f"there is no {PLAIN} or {COMPRESSED} file at {address}")
    return tuple(sorted(files, key=lambda file: file.name))


def passed_over(address: str, files: Sequence[ExportFile]) -> tuple[str, ...]:
    """What lies at an address and is not read: files with other endings, and folders behind symbolic links.

    Args:
        address: see `find_files`.
        files: that are read.
    """
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    system, path = fsspec.core.url_to_fs(address)
    read = {file.address for file in files}
    found = [str(name) for name in system.find(path) if system.unstrip_protocol(name) not in read]
    if isinstance(system, LocalFileSystem):
        # A folder behind a link is found like a file.
        found = [f"{name}/" if os.path.isdir(name) else name for name in found]
    root = str(path).rstrip("/")
    return tuple(sorted(name.removeprefix(root).lstrip("/") for name in found))


def parts_of(files: Sequence[ExportFile], part_bytes: int = PART_BYTES) -> tuple[Part, ...]:
    """All parts of an export, file by file; empty files have one, too."""
    parts: list[Part] = []
    for number, file in enumerate(files):
        if file.is_compressed or file.size <= part_bytes:
            parts.append(Part(number))
        else:
            parts += [Part(number, at, at + part_bytes) for at in range(0, file.size, part_bytes)]
    return tuple(parts)
