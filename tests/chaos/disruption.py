"""What is done to the database of a running service, and where the ledger was at which time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Disruption:
    """Something that is wrong for as long as a `with` block lasts."""

    name: str
    during: Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Swap:
    """A ledger that another one took the place of.

    Attributes:
        began, ended: when it was done (`time.monotonic`); in between either may have been written to.
        aside: the address of the one that was there before.
    """

    began: float
    ended: float
    aside: str


@dataclass(slots=True)
class Places:
    """Where the ledger is now, and where it was before each swap."""

    now: str
    swaps: list[Swap] = field(default_factory=list)

    def of(self, began: float, ended: float) -> list[str]:
        """The ledgers that something which was stored within this time may stand in."""
        found = []
        since = float("-inf")
        for swap in self.swaps:
            if began <= swap.ended and ended >= since:
                found.append(swap.aside)
            since = swap.began
        return found + ([self.now] if ended >= since else [])


class DatabaseUnderTest(Protocol):
    """A database that the service is given, and that can be disturbed.

    Attributes:
        name: for people.
        settings: by which the service uses it.
        skipped: what cannot be done to it on this machine, in words; empty if all can.
    """

    name: str
    places: Places
    skipped: str

    @property
    def settings(self) -> dict[str, str]: ...

    def disruptions(self) -> list[Disruption]: ...
