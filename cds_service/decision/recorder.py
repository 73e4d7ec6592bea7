"""Records decisions and feedback in the ledger, and never lets a failure of the ledger stop a card.

Where the ledger cannot be reached, a decision is still answered: the failure is counted, logged and shown in
readiness, nothing is remembered, and the last known modes stay in force. Only the setting `ledger_strict` turns a
decision that cannot be recorded into an error. Feedback is different: it is acknowledged only when it is stored.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from cds_service.clock import Timer
from cds_service.decision.ledger_keeper import LedgerKeeper
from cds_service.decision.open_ledger import modes_of, open_ledger
from cds_service.errors import NotRecorded, NotStored
from cds_service.ledger.allowance import begin_call, end_call
from cds_service.ledger.down import LedgerDown
from cds_service.ledger.entries import DecisionEntry, EarlierFeedback, FeedbackEntry, Mode, ModeChange, Receipt
from cds_service.ledger.store import Ledger
from cds_service.reporting.metrics import Metrics
from cds_service.settings import Settings

# So long a call may wait for the ledger, for all that it asks and writes together. Half a second more goes by where a
# server has to be cut off.
CALL_SECONDS = 2.0


class _KnownToBeDown(LedgerDown):
    """It was not even tried."""


class LedgerRecorder:
    """Writes to the ledger and reads from it on behalf of calls.

    Args:
        timer: seconds that only go up.
    """

    def __init__(self, settings: Settings, metrics: Metrics, timer: Timer = time.monotonic) -> None:
        self.ledger: Ledger = open_ledger(settings)
        self.metrics = metrics
        self._strict = settings.ledger_strict
        self._keeper = LedgerKeeper(self.ledger, timer)
        self._modes = modes_of(settings, self._mode_changes, lambda error: self._failed("modes", error), log=True)

    def watch(self, patience_seconds: float, expected: bool = False) -> None:
        """Look after the ledger and for switched modes in threads, until the process ends: no call does it any more.

        Args:
            patience_seconds: how long to wait until both are known, before the first call.
            expected: whether there was a ledger when the service was started, of which this process is a part.
        """
        begun = time.monotonic()
        self._keeper.watch(patience_seconds, expected)
        self._modes.watch(max(0.0, patience_seconds - (time.monotonic() - begun)))

    def begin_call(self) -> None:
        """From now on, until `end_call`, this thread may wait for the ledger for CALL_SECONDS in all."""
        begin_call(CALL_SECONDS)

    def end_call(self) -> None:
        """The call of this thread has been answered."""
        end_call()

    def mode(self, service: str, client: str) -> Mode:
        """The mode in force."""
        return self._modes.mode(service, client)

    def record_decision(self, entry: DecisionEntry) -> None:
        """Record a decision.

        Raises:
            NotRecorded: it is not recorded, and the settings are strict.
        """
        try:
            self._usable().record_decision(entry, durable=self._strict)
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
            return self._usable(at_once=True).record_feedback(entries)
        except Exception as error:
            self._failed("feedback", error)
            raise NotStored from None

    def earlier_feedback(self, client: str, tenant: str, patient: str) -> Sequence[EarlierFeedback]:
        """The feedback on earlier cards about a patient; none where the ledger is down, so that the card is shown."""
        ledger = self._keeper.usable()
        if ledger is None:
            return ()
        try:
            return ledger.earlier_feedback(client, tenant, patient, None)
        except Exception as error:
            self._failed("answers", error)
            return ()

    def take_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        """Whether this token is seen for the first time.

        Raises:
            LedgerDown: it cannot be told.
        """
        ledger = self._usable()
        try:
            return ledger.take_token(issuer, token_id, expires_at)
        except LedgerDown as error:
            self._failed("token", error)
            raise

    def problem(self) -> str | None:
        """What is wrong with the ledger, as far as it is known; None where it works. A worker answers at once."""
        return self._keeper.problem()

    def _mode_changes(self) -> Sequence[ModeChange]:
        return self._usable().modes()

    def _usable(self, at_once: bool = False) -> Ledger:
        """The ledger. Raises LedgerDown where it is known to be down; see `LedgerKeeper.usable`."""
        ledger = self._keeper.usable(at_once)
        if ledger is None:
            raise _KnownToBeDown("it is down")
        return ledger

    def _failed(self, operation: str, error: Exception) -> None:
        self.metrics.ledger_failed(operation)
        if not isinstance(error, _KnownToBeDown):
            self._keeper.failed(operation, error)
