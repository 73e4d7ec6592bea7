"""In which mode a service answers a client: the hand on the switch.

A change is a row of the ledger. Every worker looks for changes every two seconds, at its next call, so that a
switch takes effect in all of them within seconds and a call costs nothing for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from cds_service.ledger.entries import EVERY, Mode, ModeChange

REFRESH_SECONDS = 2.0


class ModeSource(Protocol):
    """Gives the latest change of each pair of service and client, in the order in which they were made."""

    def __call__(self) -> Iterable[ModeChange]: ...


class Modes:
    """The modes of all services and clients, as they are now.

    The last change that concerns a call counts, so that `off` for everything stops everything, whatever was set
    for one service before. Where none was made, the settings count, the most precise first.

    Args:
        start: modes of the settings by (service, client).
        read: the latest change of each pair. Where it fails, `failed` is told and what was last known stays in force.
        clock: seconds that only go up.
    """

    def __init__(
        self,
        start: Mapping[tuple[str, str], Mode],
        read: ModeSource,
        failed: Callable[[Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = dict(start)
        self._changes: Sequence[ModeChange] = ()
        self._read = read
        self._failed = failed
        self._clock = clock
        self._next_look = float("-inf")
        self._looking = threading.Lock()

    def mode(self, service: str, client: str) -> Mode:
        """The mode in force for a call of this service by this client."""
        self._look()
        for change in self._changes:
            if change.service in (service, EVERY) and change.client in (client, EVERY):
                return change.mode
        pairs = ((service, client), (service, EVERY), (EVERY, client), (EVERY, EVERY))
        return next((self._start[pair] for pair in pairs if pair in self._start), Mode.LIVE)

    def _look(self) -> None:
        # One thread looks, the others go on with what is known.
        if self._clock() < self._next_look or not self._looking.acquire(blocking=False):
            return
        try:
            # In the order in which they were made, whatever the clocks of their machines said; the last one first.
            self._changes = list(reversed(list(self._read())))
        except Exception as error:
            self._failed(error)
        finally:
            self._next_look = self._clock() + REFRESH_SECONDS
            self._looking.release()
