"""A file system so small that it can be filled, in memory; only root can make one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CHUNK = b"\0" * 65_536


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount it on a new folder; whether that could be done."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "cds-chaos", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            # Lazily: what still has it open ends soon.
            subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Write a file until no byte more fits, and remove it in the end."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(_CHUNK)
        yield
    finally:
        filler.unlink(missing_ok=True)
