"""How fast a FHIR server has answered lately, and whether it is to be asked for more than is needed for certain."""

from __future__ import annotations

import time
from collections import deque
from threading import BoundedSemaphore, Lock

from cds_service.clock import Timer

# Beyond this a second round is felt: two rounds and our own work stay below 0.1 s, which a person takes for at once.
SLOW_ROUND_SECONDS = 0.03

# A round of a server that is not known to be slow is waited for so long. The first one makes its connections too, and a
# fast server may be slow once.
PATIENCE_SECONDS = 0.1

# At a slow server what decides has this start before the rest: it is served first, and a small server, which queues
# some five connections, is not asked for all of them at one moment.
HEAD_START_SECONDS = 0.002

# A server is slow where the fastest of its last rounds was: other work on this machine only ever adds time.
_REMEMBERED_ROUNDS = 8

# A server that has just said that it is asked for too much (429, 503) is asked for nothing in vain for so long.
_SPARED_SECONDS = 60.0

# So many calls read ahead from one server at the same time, in one process. Beyond that the server has enough to do.
_CALLS_AHEAD = 8


class ServerPace:
    """What one process knows of the pace of one FHIR server. Used by many threads."""

    def __init__(self, timer: Timer = time.monotonic) -> None:
        self._timer = timer
        self._rounds: deque[float] = deque(maxlen=_REMEMBERED_ROUNDS)
        self._spared_until = float("-inf")
        self._calls_ahead = BoundedSemaphore(_CALLS_AHEAD)
        self._lock = Lock()

    def round_took(self, seconds: float) -> None:
        """Note how long a round of requests at the same time took."""
        with self._lock:
            self._rounds.append(seconds)

    def has_enough(self) -> None:
        """Note that the server asked for a pause."""
        with self._lock:
            self._spared_until = self._timer() + _SPARED_SECONDS

    def is_slow(self) -> bool:
        """Whether every round of late was slow; a server of which nothing is known is not."""
        with self._lock:
            return bool(self._rounds) and min(self._rounds) > SLOW_ROUND_SECONDS

    def begin_reading_ahead(self) -> bool:
        """Whether a call may read ahead now; if so, it must end it by `end_reading_ahead`."""
        with self._lock:
            if self._timer() < self._spared_until:
                return False
        return self._calls_ahead.acquire(blocking=False)

    def end_reading_ahead(self) -> None:
        """A call that was allowed to read ahead is over."""
        self._calls_ahead.release()
