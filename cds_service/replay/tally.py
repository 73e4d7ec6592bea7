"""Counts of a replay under names of several words, which add up whatever was counted where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Name = tuple[str, ...]


class Tally:
    """Whole numbers by name; each name is a few words (`("outcome", "openings", "fired", "imaging-advised")`)."""

    def __init__(self, counts: Iterable[tuple[Name, int]] = ()) -> None:
        self._counts: Counter[Name] = Counter()
        for name, count in counts:
            self._counts[name] += count

    def add(self, *name: str, count: int = 1) -> None:
        self._counts[name] += count

    def update(self, other: Tally) -> None:
        """Add all counts of another tally."""
        self._counts.update(other._counts)

    def count(self, *name: str) -> int:
        """The count under exactly this name."""
        return self._counts[name]

    def below(self, *name: str) -> Mapping[Name, int]:
        """The counts whose names begin so, by the rest of the name, in the order of these."""
        size = len(name)
        found = ((key[size:], value) for key, value in self._counts.items() if key[:size] == name and len(key) > size)
        return dict(sorted(found))

    def by_word(self, *name: str) -> dict[str, int]:
        """The counts whose names are one word longer, by that word."""
        return {rest[0]: value for rest, value in self.below(*name).items() if len(rest) == 1}

    def plain(self) -> list[list[Any]]:
        """As JSON, in a fixed order."""
        return [[*name, value] for name, value in sorted(self._counts.items())]

    @classmethod
    def of(cls, plain: Iterable[list[Any]]) -> Tally:
        """From what `plain` gave."""
        return cls((tuple(item[:-1]), item[-1]) for item in plain)

    def __iter__(self) -> Iterator[tuple[Name, int]]:
        return iter(sorted(self._counts.items()))
