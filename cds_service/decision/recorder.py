"""Records decisions and feedback in the ledger, and never lets a failure of the ledger stop a card.

Where the ledger cannot be reached, a decision is still answered: the failure is counted, logged and shown in
readiness, nothing is remembered, and the last known modes stay in force. Only the setting `ledger_strict` turns a
decision that cannot be recorded into an error. Feedback is different: it is acknowledged only when it is stored.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime

from cds_service.clock import Timer
from cds_service.decision.open_ledger import modes_of, open_ledger
from cds_service.errors import NotRecorded, NotStored
from cds_service.ledger.entries import DecisionEntry, EarlierFeedback, FeedbackEntry, Mode, ModeChange, Receipt
from cds_service.ledger.store import Ledger, LedgerDown
from cds_service.reporting.metrics import Metrics
from cds_service.settings import Settings

# After a failure a card does not wait for the ledger again for so long: each try may cost it two seconds.
PAUSE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class LedgerRecorder:
    """Writes to the ledger and reads from it on behalf of calls.

    Args:
        timer: seconds that only go up.
    """

    def __init__(self, settings: Settings, metrics: Metrics, timer: Timer = time.monotonic) -> None:
        self.ledger: Ledger = open_ledger(settings)
        self.metrics = metrics
        self._strict = settings.ledger_strict
        self._timer = timer
        self._paused_until = float("-inf")
        self._prepared = False
        self._preparing = threading.Lock()
        self._modes = modes_of(settings, self._mode_changes, lambda error: self._failed("modes", error), log=True)

    def mode(self, service: str, client: str) -> Mode:
        """The mode in force."""
        return self._modes.mode(service, client)

    def watch_modes(self) -> None:
        """Look for switched modes also while no call comes, until the process ends."""
        self._modes.watch()

    def record_decision(self, entry: DecisionEntry) -> None:
        """Record a decision.

        Raises:
            NotRecorded: it is not recorded, and the settings are strict.
        """
        try:
            if self._is_paused():
                raise LedgerDown("it failed a moment ago")
            self._prepared_ledger().record_decision(entry, durable=self._strict)
        except Exception as error:
            # No failure of the ledger may stop the card, whatever its cause.
            self._failed("decision", error)
            if self._strict:
                raise NotRecorded from None

    def record_feedback(self, entries: Sequence[FeedbackEntry]) -> Receipt:
        """Store feedback, all of it or none.

        Raises:
            NotStored: none is stored; the client may send it again.
        """
        try:
            return self._prepared_ledger().record_feedback(entries)
        except Exception as error:
            self._failed("feedback", error)
            raise NotStored from None

    def earlier_feedback(self, client: str, tenant: str, patient: str) -> Sequence[EarlierFeedback]:
        """The feedback on earlier cards about a patient; none where the ledger is down, so that the card is shown."""
        if self._is_paused():
            return ()
        try:
            return self._prepared_ledger().earlier_feedback(client, tenant, patient, None)
        except Exception as error:
            self._failed("answers", error)
            return ()

    def take_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        """Whether this token is seen for the first time.

        Raises:
            LedgerDown: it cannot be told.
        """
        if self._is_paused():
            raise LedgerDown("it failed a moment ago")
        try:
            return self._prepared_ledger().take_token(issuer, token_id, expires_at)
        except LedgerDown as error:
            self._failed("token", error)
            raise

    def problem(self) -> str | None:
        """Why the ledger cannot be used, or None."""
        try:
            self._prepared_ledger().ping()
        except LedgerDown as error:
            return str(error)
        return None

    def _prepared_ledger(self) -> Ledger:
        """The ledger with its tables in place; where they could not be made before, it is tried again."""
        if not self._prepared:
            with self._preparing:
                if not self._prepared:
                    self.ledger.prepare()
                    self._prepared = True
        return self.ledger

    def _mode_changes(self) -> Sequence[ModeChange]:
        if self._is_paused():
            raise LedgerDown("it failed a moment ago")
        return self._prepared_ledger().modes()

    def _is_paused(self) -> bool:
        return self._timer() < self._paused_until

    def _failed(self, operation: str, error: Exception) -> None:
        if not self._is_paused():
            self._paused_until = self._timer() + PAUSE_SECONDS
            # Only the ledger's own words are known to hold nothing of a patient.
            what = str(error) if isinstance(error, LedgerDown) else type(error).__name__
            _log.error("the ledger failed (%s): %s", operation, what)
        self.metrics.ledger_failed(operation)
