"""A card that was overridden with a reason stays away from this patient for that reason's time.

It comes back at once with newer evidence or a red flag, and an emergency is never held back. The reasons, their
times and what brings the card back stand in `cards/breast_cancer_back_pain/override-reasons.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cds_service.clinical.rules.assessment import OVERRIDDEN_EARLIER, RED_FLAG, ActiveOverride, Assessment, Outcome
from cds_service.content.model import Content, OverrideReason
from cds_service.ledger.entries import EarlierFeedback

EvidenceFingerprints = Mapping[str, Sequence[str]]


def with_active_override(
    assessment: Assessment,
    fingerprints: EvidenceFingerprints,
    earlier: Sequence[EarlierFeedback],
    content: Content,
    now: datetime,
) -> Assessment:
    """The assessment, suppressed where the override of an earlier card keeps its card away.

    Args:
        fingerprints: of the evidence of this assessment, by kind.
        earlier: the feedback on cards about this patient, one entry for each card.
        now: the moment of the call.
    """
    if assessment.outcome is not Outcome.FIRED or assessment.critical:
        return assessment
    reasons = {item.code: item for item in content.override_reasons}
    for feedback in sorted(earlier, key=lambda item: item.given_at, reverse=True):
        if feedback.card_reason != assessment.reason:
            continue
        if feedback.outcome != "overridden":
            # An accepted card settles whatever was said before it.
            break
        # An override without a reason says nothing; an earlier one still holds.
        reason = reasons.get(feedback.reason)
        if reason and _is_active(reason, feedback, fingerprints, now):
            override = ActiveOverride(reason.code, feedback.given_at, _end(reason, feedback))
            return replace(assessment, outcome=Outcome.SUPPRESSED, reason=OVERRIDDEN_EARLIER, active_override=override)
    return assessment


def _is_active(
    reason: OverrideReason, feedback: EarlierFeedback, fingerprints: EvidenceFingerprints, now: datetime
) -> bool:
    if not reason.keeps_away:
        return False
    end = _end(reason, feedback)
    if end is not None and now >= end:
        return False
    kinds = (*reason.back_with, RED_FLAG)
    return not any(set(fingerprints.get(kind, ())) - set(feedback.evidence.get(kind, ())) for kind in kinds)


def _end(reason: OverrideReason, feedback: EarlierFeedback) -> datetime | None:
    return feedback.given_at + timedelta(days=reason.days) if reason.days else None
