"""The folder in which workers count together (multiprocess mode of prometheus-client), also on a disk that is full.

The library maps its files into memory before the file system has given them room. Where there is none, the first count
that needs some ends the process (SIGBUS): a full disk would end worker after worker. Room is therefore taken before the
library opens a file, and a worker for which there is none counts for itself alone.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

# The library's files, by what is counted and how gauges of several workers become one.
_FILES = ("counter", "histogram", "gauge_max", "gauge_mostrecent")

# For each of them. A series takes some 300 bytes, and all that the closed sets of labels allow in a hospital are
# several hundred.
_BYTES = 512 * 1024

_log = logging.getLogger(__name__)


@contextmanager
def metrics_folder() -> Iterator[Path | None]:
    """A fresh folder in which workers count together, named to them by `PROMETHEUS_MULTIPROC_DIR`.

    To be entered before workers start and before a `Metrics` is made in this process; left when all have ended. A
    folder that the variable names already is used and emptied of what an earlier run counted, and is not removed.
    Where none can be made, workers count each for itself, and the log says so.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    try:
        folder = Path(given) if given else Path(mkdtemp(prefix="cds-metrics-"))
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob("*.db"):
            left_over.unlink()
    except OSError as error:
        os.environ.pop(FOLDER_VARIABLE, None)
        _log.error("each worker counts for itself, for metrics have no folder (%s)", error.strerror)
        yield None
        return
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield folder
    finally:
        if not given:
            del os.environ[FOLDER_VARIABLE]
            shutil.rmtree(folder, ignore_errors=True)


def take_room(folder: Path) -> None:
    """Take the room for what this process counts in a folder.

    To be called before the first metric of the process is made. Where there is not enough, the process counts in its
    own memory, what it counts is missing in `/metrics`, and the log says so.
    """
    files = [folder / f"{kind}_{os.getpid()}.db" for kind in _FILES]
    try:
        for file in files:
            _fill(file)
    except OSError as error:
        for file in files:
            with suppress(OSError):
                file.unlink(missing_ok=True)
        _count_alone()
        _log.error("what this worker counts is missing in the metrics: no room for its files (%s)", error.strerror)


def _fill(file: Path) -> None:
    """Make a file of zeros, which is an empty one to the library; one that is there already stays."""
    with file.open("ab") as opened:
        if not opened.tell():
            opened.write(bytes(_BYTES))


def _count_alone() -> None:
    from prometheus_client import values

    values.ValueClass = values.MutexValue
