"""Decisions and feedback for the tests of the database: one with every field, and what a test wants different."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from cds_service.ledger.entries import DecisionEntry, FeedbackEntry, Mode

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def numbered(kind: str, number: int) -> UUID:
    """The same id for the same number, in every process."""
    return uuid5(NAMESPACE_OID, f"{kind} {number}")


def a_decision(number: int = 1, **changes: Any) -> DecisionEntry:
    """A card that was shown, with every field filled; `number` makes its ids."""
    usual = DecisionEntry(
        decision_id=numbered("decision", number),
        at=NOW,
        client="https://ehr.example.org",
        tenant="hospital",
        service="breast-cancer-back-pain-patient-view",
        hook="patient-view",
        mode=Mode.LIVE,
        outcome="fired",
        reason="imaging-advised",
        rule_version="2026.1",
        content_digest="sha256:1",
        milliseconds=1.25,
        answered="not-new",
        indicator="warning",
        met=("breast-cancer-history", "new-back-pain"),
        unknown=("recent-imaging",),
        card_id=numbered("card", number),
        suggestions={str(numbered("suggestion", number)): "mri-lumbar-spine"},
        proposed=("mri-lumbar-spine", "bone-scan-whole-body"),
        cautions=("no-egfr",),
        prefetched=("patient", "conditions"),
        fetched=("observations",),
        patient="pseudonym-of-the-patient",
        user="pseudonym-of-the-user",
        evidence={"pain": ("fingerprint-1", "fingerprint-2"), "cancer": ("fingerprint-3",)},
    )
    return replace(usual, **changes)


def feedback_entry(number: int = 1, **changes: Any) -> FeedbackEntry:
    """An override of the card of `a_decision(number)`, ten minutes after it, that arrived a minute later."""
    usual = FeedbackEntry(
        client="https://ehr.example.org",
        tenant="hospital",
        service="breast-cancer-back-pain-patient-view",
        card_id=numbered("card", number),
        outcome="overridden",
        outcome_at=NOW + timedelta(minutes=10),
        received_at=NOW + timedelta(minutes=11),
        reason="patient-declines",
    )
    return replace(usual, **changes)
