"""Modes: whether a service answers a client (`live`), only records (`silent`), or does nothing (`off`).

A change is a row of the ledger. Every worker looks for changes every two seconds, so that a switch takes effect in all
of them within seconds and a call costs nothing for it. What was last read is kept in a file too: a worker that starts
while the ledger is down does not forget that a service was switched off, nor does one that finds a ledger made anew.
"""

from __future__ import annotations

import fcntl
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


# Takes what was known before and what is known now, each with the last change first.
ChangeListener = Callable[[Sequence[ModeChange], Sequence[ModeChange]], None]


class ModeSource(Protocol):
    """Gives the latest change of each pair of service and client, in the order in which they were made."""

    def __call__(self) -> Iterable[ModeChange]: ...


def change_in_force(changes: Iterable[ModeChange], service: str, client: str) -> ModeChange | None:
    """The change that concerns a call, of all changes with the last one first."""
    concerned = (
        change for change in changes if change.service in (service, EVERY) and change.client in (client, EVERY)
    )
    return next(concerned, None)


def mode_in_force(
    changes: Iterable[ModeChange], start: Mapping[tuple[str, str], Mode], service: str, client: str
) -> Mode:
    """The mode for a call of this service by this client; see `Modes`."""
    if change := change_in_force(changes, service, client):
        return change.mode
    pairs = ((service, client), (service, EVERY), (EVERY, client), (EVERY, EVERY))
    return next((start[pair] for pair in pairs if pair in start), Mode.LIVE)


class Modes:
    """The modes of all services and clients, as they are now.

    The last change that concerns a call counts, so that `off` for everything stops everything, whatever was set
    for one service before. Where none was made, the settings count, the most precise first.

    Args:
        start: modes of the settings by (service, client).
        read: the latest change of each pair. Where it fails, `failed` is called and the last known modes stay in force.
        memory: a file for what was last read; None: it is remembered by this process alone.
        changed: is told what was known before and what is known now, by the process that is the first to see it of
            those that share the file.
        timer: seconds that only go up.
    """

    def __init__(
        self,
        start: Mapping[tuple[str, str], Mode],
        read: ModeSource,
        failed: Callable[[Exception], None],
        memory: Path | None = None,
        timer: Timer = time.monotonic,
        changed: ChangeListener | None = None,
    ) -> None:
        self._start = dict(start)
        self._memory = memory
        self._changes: Sequence[ModeChange] | None = None
        self._read = read
        self._failed = failed
        self._timer = timer
        self._changed = changed
        self._next_refresh = float("-inf")
        self._refreshing = threading.Lock()
        # With a thread that reads them: that it has tried to, once.
        self._watched, self._tried = False, threading.Event()

    def mode(self, service: str, client: str) -> Mode:
        """The mode in force for a call of this service by this client."""
        if not self._watched:
            self._refresh()
        # Until they could be read once, they are what another process has read.
        changes = _saved(self._memory) if self._changes is None else self._changes
        return mode_in_force(changes, self._start, service, client)

    def watch(self, patience_seconds: float = 0) -> None:
        """Read changes in a thread, also while no call comes, and no more in a call.

        So the modes in force are known when the ledger fails, and no call waits for them.

        Args:
            patience_seconds: how long to wait for the first reading.
        """

        def refresh_forever() -> None:
            while True:
                self._refresh()
                self._tried.set()
                time.sleep(REFRESH_SECONDS)

        self._watched = True
        threading.Thread(target=refresh_forever, name="modes", daemon=True).start()
        self._tried.wait(patience_seconds)

    def _refresh(self) -> None:
        # One thread reads; the others use what was read last.
        if self._timer() < self._next_refresh or not self._refreshing.acquire(blocking=False):
            return
        try:
            # In the order in which they were made, whatever the clocks of their machines said; the last one first.
            changes = list(reversed(list(self._read())))
            if changes == self._changes:
                return
            if not changes and (known := self._changes or _saved(self._memory)):
                # A change is never deleted: it is another ledger, made anew. What was switched off stays off.
                self._changes = known
            else:
                self._follow(changes)
        except Exception as error:
            if self._changes is None:
                self._changes = _saved(self._memory)
            self._failed(error)
        finally:
            self._next_refresh = self._timer() + REFRESH_SECONDS
            self._refreshing.release()

    def _follow(self, changes: Sequence[ModeChange]) -> None:
        try:
            before = _exchange(self._memory, changes) if self._memory else self._changes or ()
        except OSError:
            # The folder cannot be written to: each process tells for itself, and a new one will not remember.
            before = self._changes or ()
        self._changes = changes
        if self._changed and before != changes:
            self._changed(before, changes)


def _exchange(file: Path, changes: Sequence[ModeChange]) -> Sequence[ModeChange]:
    """Keep the modes in a file, and return what it held; of several workers only the first finds anything else."""
    # A ledger in PostgreSQL makes no folder.
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.with_name(f"{file.name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Another worker has seen the change at the same moment, and keeps and tells it.
            return changes
        before = _saved(file)
        if before != changes or not file.exists():
            # Another file first, so that nobody reads half of this one.
            own = file.with_name(f"{file.name}.{os.getpid()}")
            own.write_bytes(orjson.dumps([asdict(change) for change in changes]))
            own.replace(file)
    return before


def _saved(file: Path | None) -> Sequence[ModeChange]:
    try:
        entries: list[dict[str, Any]] = orjson.loads(file.read_bytes()) if file else []
        return [
            ModeChange(**(entry | {"at": datetime.fromisoformat(entry["at"]), "mode": Mode(entry["mode"])}))
            for entry in entries
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
