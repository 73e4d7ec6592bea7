"""Entries of the ledger for tests: a call that fired with a card of three orders, and feedback to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cds_service.ledger.entries import DecisionEntry, FeedbackEntry, Mode

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SERVICE = "breast-cancer-back-pain-patient-view"

# The orders of the card and the ids of their suggestions.
MRI, SCAN, CT = (str(UUID(int=number)) for number in (0xA, 0xB, 0xC))
ORDERS = {MRI: "mri-lumbar-spine", SCAN: "bone-scan-whole-body", CT: "ct-chest-abdomen-pelvis"}


def fired(number: int = 1, **changes: Any) -> DecisionEntry:
    """The call of that number, which showed the card of that number."""
    values: dict[str, Any] = {
        "decision_id": UUID(int=1000 + number), "at": NOON, "client": "https://ehr.example.org", "service": SERVICE,
        "hook": "patient-view", "mode": Mode.LIVE, "outcome": "fired", "reason": "imaging-advised",
        "rule_version": "1.0.0", "content_digest": "3f2a9c1bdeadbeef", "milliseconds": 2.0,
        "card_id": UUID(int=number), "indicator": "warning", "suggestions": ORDERS, "proposed": tuple(ORDERS.values()),
    }  # fmt: skip
    return DecisionEntry(**(values | changes))


def quiet(
    number: int = 1, outcome: str = "not-applicable", reason: str = "no-back-pain", **changes: Any
) -> DecisionEntry:
    """The call of that number, which brought no card."""
    nothing: dict[str, Any] = {"card_id": None, "indicator": "", "suggestions": {}, "proposed": ()}
    return fired(number, **(nothing | {"outcome": outcome, "reason": reason} | changes))


def feedback_to(number: int = 1, outcome: str = "accepted", minutes: float = 1, **changes: Any) -> FeedbackEntry:
    """Feedback to the card of that number, given and received so many minutes after noon."""
    moment = NOON + timedelta(minutes=minutes)
    values: dict[str, Any] = {
        "client": "https://ehr.example.org", "service": SERVICE, "card_id": UUID(int=number), "outcome": outcome,
        "outcome_at": moment, "received_at": moment, "accepted": (MRI,) if outcome == "accepted" else (),
        "known": True,
    }  # fmt: skip
    return FeedbackEntry(**(values | changes))
