"""Knows whether the ledger can be used, and brings it back: its tables, its connections, its file.

While it cannot be used, nobody asks it: a call loses time to a ledger that fails, and none to one that is known to be
down. In a worker a thread of its own looks after it. Elsewhere (another server, a test) the calls do, one of them in
PAUSE_SECONDS.
"""

from __future__ import annotations

import logging
import threading
import time

from cds_service.clock import Timer
from cds_service.ledger.down import FileChanged, LedgerDown, OldTables, OtherTables
from cds_service.ledger.store import Ledger

# After a failure no call tries the ledger for so long: each try may cost it two seconds.
PAUSE_SECONDS = 5.0

# How often the thread looks at a ledger that works, and at one that does not.
LOOK_SECONDS, RETRY_SECONDS = 2.0, 1.0

# How long another process is waited for that prepares an exchanged ledger; it is looked again after that.
_PATIENCE_SECONDS = 5.0

# Until it has been tried.
_NOT_YET = "it is not prepared yet"

_log = logging.getLogger(__name__)


class LedgerKeeper:
    """Looks after one ledger.

    Args:
        timer: seconds that only go up.
    """

    def __init__(self, ledger: Ledger, timer: Timer = time.monotonic) -> None:
        self._ledger = ledger
        self._timer = timer
        # Why the ledger cannot be used.
        self._down: str | None = _NOT_YET
        # Why it should be seen to, although it can be used.
        self._outdated: str | None = None
        self._prepared = self._was_prepared = self._expected = False
        self._next_look = float("-inf")
        self._looking = threading.Lock()
        # With a thread of its own: that it has looked once, and that it shall look now.
        self._watched = False
        self._looked, self._look_now = threading.Event(), threading.Event()

    def usable(self, at_once: bool = False) -> Ledger | None:
        """The ledger; None while it is down.

        Args:
            at_once: where no thread looks after it, look now, and not after the pause.
        """
        if self._down and not self._watched:
            with self._looking:
                if self._down and (at_once or self._timer() >= self._next_look):
                    self._look()
        return None if self._down else self._ledger

    def problem(self) -> str | None:
        """What is wrong with the ledger, as far as it is known; None where it works."""
        if not self._watched:
            with self._looking:
                self._look()
        return self._down or self._outdated

    def failed(self, operation: str, error: Exception) -> None:
        """Note that the ledger failed; from now on it is down until something could be written again.

        Args:
            operation: what it should have done.
            error: why it did not.
        """
        # Only the ledger's own words are known to hold nothing of a patient.
        what = str(error) if isinstance(error, LedgerDown) else type(error).__name__
        if self._down in (None, _NOT_YET):
            _log.error("the ledger failed (%s): %s", operation, what)
        self._down = what
        if isinstance(error, FileChanged):
            self._prepared = False
        self._next_look = self._timer() + PAUSE_SECONDS
        self._look_now.set()

    def watch(self, patience_seconds: float, expected: bool = False) -> None:
        """Look after the ledger in a thread, until the process ends.

        Args:
            patience_seconds: how long to wait for its first look.
            expected: whether there was a ledger when the service was started, of which this process is a part.
        """
        self._watched, self._expected = True, expected
        threading.Thread(target=self._look_forever, name="ledger", daemon=True).start()
        self._looked.wait(patience_seconds)

    def _look_forever(self) -> None:
        while True:
            self._look_now.clear()
            self._look()
            self._looked.set()
            if self._down:
                time.sleep(RETRY_SECONDS)
            else:
                self._look_now.wait(LOOK_SECONDS)

    def _look(self) -> None:
        """Try the ledger; it is down from now on, or is no more."""
        try:
            if not self._prepared:
                # A file that was removed under the service may be on its way back: to make another one now would
                # hide that, or be overwritten by it.
                self._ledger.prepare(anew=not (self._watched or self._was_prepared), expected=self._expected)
                self._prepared = self._was_prepared = True
            self._outdated = self._tables_problem()
            if failed_before := self._down not in (None, _NOT_YET):
                # A ledger can often be read while it cannot be written.
                self._ledger.try_writing()
            self._ledger.tidy()
        except Exception as error:
            self.failed("look", error)
            return
        if failed_before:
            _log.warning("the ledger works again")
        self._down = None

    def _tables_problem(self) -> str | None:
        try:
            try:
                self._ledger.ping()
            except OldTables:
                # A database that was made again, or an older backup: as at a start.
                self._ledger.prepare(_PATIENCE_SECONDS, anew=False, expected=self._expected)
                self._ledger.ping()
        except OtherTables as error:
            return str(error)
        return None
