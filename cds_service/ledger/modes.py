"""Modes: whether a service answers a client (`live`), only records (`silent`), or does nothing (`off`).

A change is a row of the ledger. Every worker looks for changes every two seconds, so that a switch takes effect in all
of them within seconds and a call costs nothing for it. What was last read is kept in a file too: a worker that starts
while the ledger is down does not forget that a service was switched off.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson

from cds_service.clock import Timer
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
        read: the latest change of each pair. Where it fails, `failed` is called and the last known modes stay in force.
        memory: a file for what was last read; None: it is remembered by this process alone.
        timer: seconds that only go up.
    """

    def __init__(
        self,
        start: Mapping[tuple[str, str], Mode],
        read: ModeSource,
        failed: Callable[[Exception], None],
        memory: Path | None = None,
        timer: Timer = time.monotonic,
    ) -> None:
        self._start = dict(start)
        self._memory = memory
        self._changes: Sequence[ModeChange] | None = None
        self._read = read
        self._failed = failed
        self._timer = timer
        self._next_refresh = float("-inf")
        self._refreshing = threading.Lock()

    def mode(self, service: str, client: str) -> Mode:
        """The mode in force for a call of this service by this client."""
        self._refresh()
        for change in self._changes or ():
            if change.service in (service, EVERY) and change.client in (client, EVERY):
                return change.mode
        pairs = ((service, client), (service, EVERY), (EVERY, client), (EVERY, EVERY))
        return next((self._start[pair] for pair in pairs if pair in self._start), Mode.LIVE)

    def watch(self) -> None:
        """Read changes also while no call comes, so that the modes in force are known when the ledger fails."""

        def refresh_forever() -> None:
            while True:
                self._refresh()
                time.sleep(REFRESH_SECONDS)

        threading.Thread(target=refresh_forever, name="modes", daemon=True).start()

    def _refresh(self) -> None:
        # One thread reads; the others use what was read last.
        if self._timer() < self._next_refresh or not self._refreshing.acquire(blocking=False):
            return
        try:
            # In the order in which they were made, whatever the clocks of their machines said; the last one first.
            changes = list(reversed(list(self._read())))
            if changes != self._changes:
                _save(self._memory, changes)
            self._changes = changes
        except Exception as error:
            if self._changes is None:
                self._changes = _saved(self._memory)
            self._failed(error)
        finally:
            self._next_refresh = self._timer() + REFRESH_SECONDS
            self._refreshing.release()


def _save(file: Path | None, changes: Sequence[ModeChange]) -> None:
    """Keep the modes in a file; where the folder cannot be written to, only this copy is lost."""
    if file is None:
        return
    # Several workers write the same: each its own file first, so that nobody reads half of one.
    own = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        own.write_bytes(orjson.dumps([asdict(change) for change in changes]))
        own.replace(file)
    except OSError:
        return


def _saved(file: Path | None) -> Sequence[ModeChange]:
    try:
        entries: list[dict[str, Any]] = orjson.loads(file.read_bytes()) if file else []
        return [
            ModeChange(**(entry | {"at": datetime.fromisoformat(entry["at"]), "mode": Mode(entry["mode"])}))
            for entry in entries
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
