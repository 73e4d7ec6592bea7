"""Rate limit: how often a client may call.

Counted in memory and therefore *per worker*: with four workers a client may call up to four times as often as the
limit says. A limit protects the service from a faulty client; it is no quota, and a shared
count would cost every call a round trip.
"""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class RateLimit:
    """Calls per minute by key, in a window that moves with the clock: no burst at the turn of a minute.

    Args:
        default_per_minute: the limit of those that have none of their own.
    """

    def __init__(self, default_per_minute: int) -> None:
        self._default = RateLimitItemPerMinute(default_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def allow(self, key: str, per_minute: int | None = None) -> int | None:
        """Count one call, if it is allowed.

        Args:
            key: who calls. Keep to a closed set of names, since each is kept in memory.
            per_minute: the limit for this key, instead of the general one.

        Returns:
            None where the call is allowed; else the whole seconds until the next one is, at least 1.
        """
        limit = self._default if per_minute is None else RateLimitItemPerMinute(per_minute)
        if self._limiter.hit(limit, key):
            return None
        wait = self._limiter.get_window_stats(limit, key).reset_time - time.time()
        return max(1, math.ceil(wait))
