"""How a worker ends that is told to stop: what is under way is answered, and no client can hold it up.

Granian waits for every connection without a bound: for the rest of a request line, for the rest of a body, and for a
client to read its answer. A worker therefore ends itself once nothing is under way but that.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection

# For so long a request may still come in whole. Calls have some kilobytes, and a proxy has them whole before it sends.
RECEIVING_SECONDS = 2.0

# For so long after the last answer a client may read it. Cards have some kilobytes, and pages some hundred.
READING_SECONDS = 3.0

# How often a worker looks whether its parent is still there, and whether all is answered.
_PARENT_SECONDS = 1.0
_LOOK_SECONDS = 0.05


class Stopping:
    """The requests of a worker that are under way, and whether it was told to stop. One for each event loop.

    Each request is a `with` block.
    """

    def __init__(self) -> None:
        self.is_told = False
        self._under_way = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._receiving: set[asyncio.Timeout] = set()

    def __enter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._under_way += 1

    def __exit__(self, *error: object) -> None:
        self._under_way -= 1

    def time_for_body(self, seconds: float) -> asyncio.Timeout:
        """The time in which a body must come, which becomes shorter when the worker is told to stop."""
        bound = asyncio.timeout(min(seconds, RECEIVING_SECONDS) if self.is_told else seconds)
        self._receiving.add(bound)
        return bound

    def received(self, bound: asyncio.Timeout) -> None:
        """A body came, or its time is over."""
        self._receiving.discard(bound)

    def tell(self) -> None:
        """Stop waiting for what clients do not send; called in any thread."""
        self.is_told = True
        if self._loop is not None:
            # The loop may have ended just now.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hurry)

    def is_idle(self) -> bool:
        """Whether nothing is under way, or nothing can be since the loop has ended."""
        return not self._under_way or self._loop is None or not self._loop.is_running()

    def _hurry(self) -> None:
        soon = asyncio.get_running_loop().time() + RECEIVING_SECONDS
        for bound in self._receiving:
            bound.reschedule(min(bound.when() or soon, soon))


def stop_when_told(told: Connection, parent: int, stopping: Stopping) -> None:
    """End this worker in good order when its parent is told to stop, or has ended without ending it.

    A worker whose parent was killed (kill -9, out of memory) would else share the port with the workers of the next
    start, and answer calls with the settings of the last.

    Args:
        told: a pipe that the parent closes.
        parent: its process id.
        stopping: of this worker's front.
    """
    while os.getppid() == parent and not told.poll(_PARENT_SECONDS):
        continue
    # The parent sends this signal too. It could have come when nothing was there to catch it.
    os.kill(os.getpid(), signal.SIGTERM)
    stopping.tell()
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < READING_SECONDS:
        time.sleep(_LOOK_SECONDS)
        if not stopping.is_idle():
            idle_since = time.monotonic()
    # All that came is answered, and what was acknowledged is stored. Some client keeps a connection open.
    os._exit(0)
