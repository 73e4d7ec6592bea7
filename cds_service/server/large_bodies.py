"""Large bodies, a few at a time: what is received, and what is decoded and answered, of all calls together.

Calls have some ten kB. What they have up to a limit counts towards nothing, so that no small call waits for large ones,
or is refused because of them.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

from cds_service.json_values import MOST_VALUES, values_at_most

# Up to here a body is small.
SMALL_BYTES = 256 * 1024

# So many bodies of the largest size wait at the same time, 60 MB with the default limit, beside the one that is being
# answered. Answering more of them takes longer than a call may.
_RECEIVED_AT_A_TIME = 6


class LargeBodies:
    """The large bodies of one worker; used by one event loop.

    Args:
        most_bytes: the size of the largest body.
        freed: called where the memory of a large one has become free, or is about to.
    """

    def __init__(self, most_bytes: int, freed: Callable[[], object] = lambda: None) -> None:
        self._freed = freed
        self._room_to_receive = _RECEIVED_AT_A_TIME * most_bytes
        # Python computes in one thread at a time: a second body of the largest size would only take memory.
        self._most = self._room_to_answer = float(most_bytes)
        # By weight, and then by arrival.
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._arrivals = count()

    def receive(self, had: int, has: int) -> bool:
        """Count what a body has grown; whether it may be received on. A small one always may."""
        self._room_to_receive -= _beyond_small(has) - _beyond_small(had)
        return has <= SMALL_BYTES or self._room_to_receive >= 0

    def forget(self, has: int) -> None:
        """A body of this size is no longer held as it was received."""
        self._room_to_receive += _beyond_small(has)
        if has > SMALL_BYTES:
            self._freed()

    @asynccontextmanager
    async def turn(self, body: bytes | bytearray, seconds: float) -> AsyncIterator[bool]:
        """Wait until a body may be decoded, the lightest of those that wait first; a small one need not wait.

        Gives whether its turn came within so many seconds.
        """
        if len(body) <= SMALL_BYTES:
            yield True
            return
        weight = self._weight(body)
        has_turn = await self._admitted(weight, seconds)
        try:
            yield has_turn
        finally:
            if has_turn:
                self._room_to_answer += weight
                self._admit()
                self._freed()

    def _weight(self, body: bytes | bytearray) -> float:
        """What a body takes of the room to answer: its bytes, or its values where these are more than a chart has."""
        return min(self._most, max(len(body), values_at_most(body) / MOST_VALUES * self._most))

    async def _admitted(self, weight: float, seconds: float) -> bool:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (weight, next(self._arrivals), turn))
        self._admit()
        try:
            await asyncio.wait((turn,), timeout=seconds)
        except asyncio.CancelledError:
            if not turn.cancel():
                self._room_to_answer += weight
            self._admit()
            raise
        # What is done cannot be canceled: its turn has come.
        has_turn = not turn.cancel()
        self._admit()
        return has_turn

    def _admit(self) -> None:
        """Give their turn to those who wait, as long as there is room: where the lightest has none, nobody has."""
        while self._waiting:
            weight, _, turn = self._waiting[0]
            if not turn.done():
                if weight > self._room_to_answer:
                    return
                self._room_to_answer -= weight
                turn.set_result(None)
            heapq.heappop(self._waiting)


def _beyond_small(size: int) -> int:
    return max(0, size - SMALL_BYTES)
