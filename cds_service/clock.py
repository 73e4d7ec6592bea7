"""The two clocks of the service: the time of day, and seconds that measure how long something takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

# The current moment, with a time zone; tests give their own.
Clock = Callable[[], datetime]

# Seconds that only go up, from an arbitrary start; tests give their own.
Timer = Callable[[], float]


def utc_now() -> datetime:
    """The current moment in UTC."""
    return datetime.now(UTC)
