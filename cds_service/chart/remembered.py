"""What was found out about bytes that come call after call, kept under their digest.

The members of charts repeat: statuses, categories, codes. What was sent does not stay in memory, only a digest of it
and what was found out.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar

# A hospital uses some thousands of codes, each with few displays. Beyond the bound all is forgotten and found out anew,
# so that odd ones neither fill memory nor keep the usual ones out.
_MOST_KEPT = 20_000

# 128 bits, so that no two texts ever share one.
_DIGEST_BYTES = 16

V = TypeVar("V")


class Remembered(Generic[V]):
    """Values by the digest of the bytes that they were found out about; at most 20,000 of them."""

    def __init__(self) -> None:
        self._kept: dict[bytes, V] = {}

    def get(self, written: bytes) -> V | None:
        """What is known about these bytes, for example a member of a resource in JSON; None where nothing is."""
        return self._kept.get(_digest(written))

    def keep(self, written: bytes, found: V) -> None:
        """Remember what was found out about these bytes."""
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[_digest(written)] = found


def _digest(written: bytes) -> bytes:
    return blake2b(written, digest_size=_DIGEST_BYTES).digest()


def remembered(find_out: Callable[[bytes], V]) -> Callable[[bytes], V]:
    """A function of bytes that finds out once, and remembers; what it raises is not remembered."""
    kept: Remembered[tuple[V]] = Remembered()

    def found(written: bytes) -> V:
        known = kept.get(written)
        if known is None:
            known = (find_out(written),)
            kept.keep(written, known)
        return known[0]

    return found
