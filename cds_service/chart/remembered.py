"""What was found out about bytes that come call after call, kept under their digest.

The members of charts repeat: statuses, categories, codes. Nothing of what was sent stays in memory, only a digest and
what was found out.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar

# A hospital uses some thousands of codes, each with few displays; the bound keeps odd ones from filling memory.
_MOST_KEPT = 20_000

# 128 bits, so that no two texts ever share one.
_DIGEST_BYTES = 16

V = TypeVar("V")


class Remembered(Generic[V]):
    """Values by the digest of the bytes that they were found out about; at most 20,000 are kept."""

    def __init__(self) -> None:
        self._kept: dict[bytes, V] = {}

    def find_out(self, written: bytes, find_out: Callable[[bytes], V], may_keep: Callable[[], bool]) -> V:
        """What is known about these bytes, or what is found out now.

        Args:
            written: for example a member of a resource, in JSON.
            find_out: is called where nothing is known.
            may_keep: whether what was just found out holds for other calls as well.
        """
        digest = blake2b(written, digest_size=_DIGEST_BYTES).digest()
        try:
            return self._kept[digest]
        except KeyError:
            found = find_out(written)
        if may_keep() and len(self._kept) < _MOST_KEPT:
            self._kept[digest] = found
        return found


def remembered(find_out: Callable[[bytes], V]) -> Callable[[bytes], V]:
    """A function of bytes that finds out once, and remembers."""
    kept: Remembered[V] = Remembered()

    def found(written: bytes) -> V:
        return kept.find_out(written, find_out, lambda: True)

    return found
