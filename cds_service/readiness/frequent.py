"""Counting what is frequent among any number of different things, in bounded memory.

Space-Saving (Metwally, Agrawal, El Abbadi: Efficient computation of frequent and top-k elements in data streams, ICDT
2005): so many things are kept; a new one takes the place and the count of the rarest. Then a count may be too high,
and it is known by how much at most; whatever occurs more often than the rarest that is kept, is kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Notes = TypeVar("Notes")


@dataclass(slots=True)
class Counted(Generic[Notes]):
    """How often something was seen: at most `count`, and at least `count - too_high_by`; and what was noted of it."""

    count: int
    too_high_by: int
    notes: Notes


class FrequentThings(Generic[Key, Notes]):
    """Counts by key, of which only the most frequent are kept.

    Args:
        capacity: how many keys are kept.
        make_notes: makes what is noted beside the count of a new key.
    """

    def __init__(self, capacity: int, make_notes: Callable[[], Notes]) -> None:
        self._capacity = capacity
        self._make_notes = make_notes
        self._kept: dict[Key, Counted[Notes]] = {}
        # (count when it was put here, number, key): a count may have grown since; it is looked at when it comes up.
        self._rarest: list[tuple[int, int, Key]] = []
        self._number = 0
        self.replaced = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, key: Key, times: int = 1) -> Counted[Notes]:
        """Count a key, and give what is kept of it."""
        found = self._kept.get(key)
        if found is not None:
            found.count += times
            return found
        floor = self._take_out_rarest() if len(self._kept) >= self._capacity else 0
        found = self._kept[key] = Counted(floor + times, floor, self._make_notes())
        self._number += 1
        heapq.heappush(self._rarest, (found.count, self._number, key))
        return found

    def _take_out_rarest(self) -> int:
        """Forget the key with the lowest count, and give that count."""
        while True:
            seen, number, key = self._rarest[0]
            count = self._kept[key].count
            if count == seen:
                heapq.heappop(self._rarest)
                del self._kept[key]
                self.replaced += 1
                return count
            heapq.heapreplace(self._rarest, (count, number, key))

    @property
    def most_missed(self) -> int:
        """Whatever is not kept was seen so often at most; 0 where everything is kept."""
        return min(item.count for item in self._kept.values()) if self.replaced else 0

    def __iter__(self) -> Iterator[tuple[Key, Counted[Notes]]]:
        """Keys and counts, the most frequent first; those of equal number by the text of their keys."""
        return iter(sorted(self._kept.items(), key=lambda item: (-item[1].count, str(item[0]))))
