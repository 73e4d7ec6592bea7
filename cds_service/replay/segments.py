"""Files of many blocks, of which one is read at a time: first where each block ends, then the blocks."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from cds_service.replay.work import write_whole

# Where a block ends, counted from the first byte of the first: an unsigned number of eight bytes.
_END = "Q"
_END_BYTES = array(_END).itemsize


def write_segment(path: Path, blocks: Sequence[bytes]) -> None:
    """Write blocks into a file that appears at once and whole; it is read on machines of the same kind."""
    ends = array(_END, accumulate(map(len, blocks), initial=0))
    head = len(ends).to_bytes(_END_BYTES, "little")
    write_whole(path, head, ends.tobytes(), *blocks)


def read_block(path: Path, number: int) -> bytes:
    """One block of a file, by its number from 0; the others are not read."""
    with path.open("rb") as file:
        count = int.from_bytes(file.read(_END_BYTES), "little")
        file.seek(_END_BYTES * (1 + number))
        start, end = array(_END, file.read(2 * _END_BYTES))
        file.seek(_END_BYTES * (1 + count) + start)
        return file.read(end - start)
