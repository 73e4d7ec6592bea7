"""What becomes of the cards of one patient in the replay: nothing, turned down, or taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from cds_service.advice.call import DecidedCall, OrderOptions
from cds_service.advice.service_request import service_request
from cds_service.clinical.rules.assessment import Assessment, Outcome
from cds_service.clinical.rules.rule import Rule
from cds_service.decision.active_override import with_active_override
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.ledger.entries import EarlierFeedback
from cds_service.protocol.hook_request import HookRequest
from cds_service.replay.options import Answers

# The orders of a replay are nobody's: they need an id to be told apart, and no more.
_NO_DECISION = UUID(int=0)


class SimulatedAnswers:
    """The answers to the cards of one patient under one rule, in the order of the moments.

    `ignore` turns every card down, with the first reason of the content that keeps it away for a number of days.
    `accept` takes all its orders, which are on record from then on. `none` leaves every card without an answer.

    Attributes:
        orders: what was ordered so far.
    """

    def __init__(self, mode: Answers, rule: Rule, patient_id: str, pseudonyms: Pseudonyms) -> None:
        self.orders: list[dict[str, Any]] = []
        self._mode, self._rule, self._patient_id, self._pseudonyms = mode, rule, patient_id, pseudonyms
        self._given: list[EarlierFeedback] = []

    def applied(self, assessment: Assessment, at: datetime) -> Assessment:
        """The assessment, suppressed where an earlier answer keeps its card away."""
        if assessment.outcome is not Outcome.FIRED or not self._given:
            return assessment
        return with_active_override(assessment, self._evidence(assessment), self._given, self._rule.content, at)

    def answer(self, assessment: Assessment, at: datetime) -> None:
        """Give the answer to the card of an assessment that fired."""
        if self._mode is Answers.NONE:
            return
        accepted = self._mode is Answers.ACCEPT
        reason = "" if accepted else self._reason(assessment)
        outcome = "accepted" if accepted else "overridden"
        self._given.append(EarlierFeedback(outcome, reason, at, assessment.reason, self._evidence(assessment)))
        if accepted:
            self.orders += [self._ordered(assessment, number, at) for number in range(len(assessment.orders))]

    def _evidence(self, assessment: Assessment) -> Mapping[str, Sequence[str]]:
        kinds = assessment.findings_by_kind()
        return {kind: self._pseudonyms.findings(self._patient_id, found) for kind, found in kinds.items()}

    def _reason(self, assessment: Assessment) -> str:
        reasons = self._rule.content.override_reasons
        fitting = (item for item in reasons if item.only_for in ("", assessment.reason) and item.keeps_away)
        return next((item.code for item in fitting if item.days), "")

    def _ordered(self, assessment: Assessment, number: int, at: datetime) -> dict[str, Any]:
        """One order of the card as it stands in the chart once it is signed."""
        request = HookRequest("patient-view", "", self._patient_id, "")
        call = DecidedCall(request, at, _NO_DECISION)
        made = service_request(assessment.orders[number], self._rule.content, call, OrderOptions(intent="order"))
        return made | {"status": "active", "id": f"replayed-{len(self._given)}-{number}"}
