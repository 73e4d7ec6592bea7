"""Rate limit: how often a client may call.

Counted in memory and therefore *per worker*: with four workers a client may call up to four times as often as the
limit says. A limit protects the service from a faulty client; it is no quota, and a shared
count would cost every call a round trip.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict, deque

from cds_service.clock import Timer

_WINDOW_SECONDS = 60

# Callers that are counted apart; beyond as many in a minute, new ones are counted together. A hospital has fewer.
MOST_CALLERS = 10_000
_OTHERS = ""


class RateLimit:
    """Calls per minute by key, in a window that moves with the clock: no burst at the turn of a minute.

    It keeps the moment of each allowed call of the last minute, and works in the thread that asks. (The library
    `limits` starts a thread for most calls, to forget old ones.)

    Args:
        default_per_minute: the limit of those that have none of their own.
        timer: seconds that only go up.
    """

    def __init__(self, default_per_minute: int, timer: Timer = time.monotonic) -> None:
        self._default = default_per_minute
        self._timer = timer
        self._allowed: defaultdict[str, deque[float]] = defaultdict(deque)
        self._counting = threading.Lock()

    def allow(self, key: str, per_minute: int | None = None) -> int | None:
        """Count one call, if it is allowed.

        Args:
            key: who calls.
            per_minute: the limit for this key, instead of the general one.

        Returns:
            None where the call is allowed; else the whole seconds until the next one is, at least 1.
        """
        now = self._timer()
        with self._counting:
            allowed = self._allowed[key if key in self._allowed or self._has_room(now) else _OTHERS]
            while allowed and allowed[0] < now - _WINDOW_SECONDS:
                allowed.popleft()
            if len(allowed) < (per_minute or self._default):
                allowed.append(now)
                return None
            return max(1, math.ceil(allowed[0] + _WINDOW_SECONDS - now))

    def _has_room(self, now: float) -> bool:
        """Whether one more caller can be counted apart, once those who have not called of late are forgotten."""
        if len(self._allowed) >= MOST_CALLERS:
            gone = [key for key, moments in self._allowed.items() if not moments or moments[-1] < now - _WINDOW_SECONDS]
            for key in gone:
                del self._allowed[key]
        return len(self._allowed) < MOST_CALLERS
