"""Memory of answers: a card that was turned down with a reason stays away from this patient for that reason's time.

It comes back at once with newer evidence or a red flag, and an emergency is never held back. The reasons, their
times and what brings the card back stand in `cards/breast_cancer_back_pain/override-reasons.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cds_service.clinical.rules.assessment import ANSWERED_EARLIER, RED_FLAG, Answered, Assessment, Outcome
from cds_service.content.model import Content, OverrideReason
from cds_service.ledger.entries import EarlierAnswer

Prints = Mapping[str, Sequence[str]]


def with_answers(
    assessment: Assessment, prints: Prints, earlier: Sequence[EarlierAnswer], content: Content, now: datetime
) -> Assessment:
    """The assessment, suppressed where an earlier answer keeps its card away.

    Args:
        prints: fingerprints of the evidence of this assessment, by kind.
        earlier: what was answered to cards about this patient, one entry for each card.
        now: the moment of the call.
    """
    if assessment.outcome is not Outcome.FIRED or assessment.critical:
        return assessment
    reasons = {item.code: item for item in content.override_reasons}
    for answer in sorted(earlier, key=lambda item: item.answered_at, reverse=True):
        if answer.card_reason != assessment.reason:
            continue
        if answer.outcome != "overridden":
            # A card that was taken settles whatever was said before it.
            break
        # One that was closed without a reason says nothing; an earlier answer still holds.
        reason = reasons.get(answer.reason)
        if reason and _holds(reason, answer, prints, now):
            answered = Answered(reason.code, answer.answered_at, _end(reason, answer))
            return replace(assessment, outcome=Outcome.SUPPRESSED, reason=ANSWERED_EARLIER, answered=answered)
    return assessment


def _holds(reason: OverrideReason, answer: EarlierAnswer, prints: Prints, now: datetime) -> bool:
    if not reason.keeps_away:
        return False
    end = _end(reason, answer)
    if end is not None and now >= end:
        return False
    kinds = (*reason.back_with, RED_FLAG)
    return not any(set(prints.get(kind, ())) - set(answer.evidence.get(kind, ())) for kind in kinds)


def _end(reason: OverrideReason, answer: EarlierAnswer) -> datetime | None:
    return answer.answered_at + timedelta(days=reason.days) if reason.days else None
