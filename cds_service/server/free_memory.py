"""Memory that is free goes back to the system.

The allocator of the C library (glibc) keeps what is freed, spread over as many as eight places for each processor. Each
grows to the most that was ever wanted of it at once: memory goes on growing for a million calls although nothing is
held, and stays as large as the largest bodies made it. On other systems nothing of this is done.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from contextlib import suppress

# To give it back takes up to 40 ms, in which another thread may wait for its memory for 25, and what is given back must
# be asked for anew: once a minute that is nothing. After large bodies, which take longer, it is at most twice a second.
_SECONDS_BETWEEN = 60.0
_SHORTEST_SECONDS = 0.5

# From this size on, in bytes, what is allocated goes back by itself as soon as it is freed. Out of the box that size
# grows with what is freed, to 32 MB: the copies of a body of 10 MB then stay, in each of the places.
_LARGE_BYTES = 1024 * 1024
_M_MMAP_THRESHOLD = -3  # malloc.h


class FreeMemory:
    """Gives free memory back in a thread of its own: each minute, and soon where asked for.

    Args:
        give_back: does it; what the C library has for it, or nothing where it has none (musl, macOS).
    """

    def __init__(self, give_back: Callable[[], object] | None = None) -> None:
        self._give_back = give_back or _malloc_trim()
        self._wanted = threading.Event()

    def watch(self) -> None:
        """Begin, until the process ends."""
        if self._give_back is not None:
            threading.Thread(target=self._run, args=(self._give_back,), name="free-memory", daemon=True).start()

    def soon(self) -> None:
        """Much has just been freed."""
        self._wanted.set()

    def _run(self, give_back: Callable[[], object]) -> None:
        while True:
            self._wanted.wait(_SECONDS_BETWEEN)
            # What was asked for comes as the last of it is being freed.
            time.sleep(_SHORTEST_SECONDS)
            self._wanted.clear()
            give_back()


def keep_nothing_large() -> None:
    """From now on, what is large goes back to the system as soon as this process frees it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def _malloc_trim() -> Callable[[], object] | None:
    """The C library's own function; None where there is none."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return lambda: trim(0)
