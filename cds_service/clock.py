"""The two clocks of the service: the time of day, and seconds that measure how long something takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

# The current moment, with a time zone; tests give their own.
Clock = Callable[[], datetime]

# Seconds that only go up, from an arbitrary start; tests give their own.
Timer = Callable[[], float]


def utc_now() -> datetime:
    """The current moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time for something that has begun.

    Attributes:
        started: when it began, by `timer`.
        seconds: how long it may take.
    """

    started: float
    seconds: float
    timer: Timer = time.perf_counter

    def seconds_taken(self) -> float:
        """The time since it began."""
        return self.timer() - self.started

    def seconds_left(self) -> float:
        """The time that is left; 0 or less once the deadline has passed."""
        return self.seconds - self.seconds_taken()
