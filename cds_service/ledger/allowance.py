"""How long one call may wait for the ledger: so many seconds for all that it asks and writes together.

The time is kept by the thread in which the call is answered. Whoever asks without having begun a call (a command, the
keeper of the ledger) has no common bound, only that of each question.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class _Time(threading.local):
    # What is left to the call, and the moment until which the current question may take (`time.monotonic`).
    left = math.inf
    until = math.inf


_time = _Time()


def begin_call(seconds: float) -> None:
    """From now on this thread answers a call, which may wait for so long."""
    _time.left = seconds


def end_call() -> None:
    """The call of this thread has been answered."""
    _time.left = math.inf


@contextmanager
def spent(most: float) -> Iterator[None]:
    """What is done in the block may take so long, or what is left to the call; it counts towards that."""
    begun = time.monotonic()
    _time.until = begun + min(most, _time.left)
    try:
        yield
    finally:
        _time.left -= time.monotonic() - begun
        _time.until = math.inf


def seconds_left() -> float:
    """How long the current question may still take; 0 where its time has passed."""
    return max(0.0, _time.until - time.monotonic())
