"""From a decision to its row in the ledger: what was said, without who the patient is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from cds_service.advice.identifiers import card_id_of, suggestion_id_of
from cds_service.clinical.rules.assessment import Answer, Assessment, Outcome
from cds_service.content.model import Content
from cds_service.decision.hook_call import HookCall
from cds_service.decision.pseudonyms import Pseudonyms, pseudonyms_of
from cds_service.decision.support import Decision
from cds_service.ledger.entries import UNLISTED, DecisionEntry, FeedbackEntry
from cds_service.protocol.feedback import Feedback
from cds_service.settings import Settings

# The outcome of a call that came to no assessment.
FAILED, SWITCHED_OFF = "failed", "off"

REMOVE = "remove"

# Every card whose id is no UUID, for a site without a key.
_FOREIGN_ID = UUID("5d0a4dc5-64d2-5d0c-8a43-7a7c6ce1f2a5")

# A comment is a sentence or two; more than this is a document, and does not belong here.
LONGEST_COMMENT = 500

# So many suggestions one card can have; more in a feedback do not come from it.
_MOST_ACCEPTED = 20


def decision_entry(decision: Decision, call: HookCall) -> DecisionEntry:
    """The row of one answered call."""
    assessment, content = decision.assessment, decision.rule.content
    has_card = assessment.outcome is Outcome.FIRED or (
        # Where the site wants a card for an answer that is left open (decision 6.10).
        assessment.outcome is Outcome.UNDETERMINED and bool(decision.response["cards"])
    )
    card_id = card_id_of(decision.id) if has_card else None
    return replace(
        unanswered_entry(
            call,
            assessment.outcome.value,
            assessment.reason,
            content,
            decision.settings_digest,
            decision.id,
            call.milliseconds_taken(),
        ),
        answered=assessment.active_override.reason if assessment.active_override else "",
        indicator=assessment.indicator if card_id else "",
        met=_ids(decision, Answer.MET),
        unknown=_ids(decision, Answer.UNKNOWN),
        card_id=card_id,
        suggestions=_suggestions(assessment, card_id) if card_id else {},
        proposed=assessment.studies if card_id else (),
        cautions=tuple(item.caution.id for item in assessment.cautions),
        prefetched=decision.prefetched,
        fetched=tuple(decision.reads),
        patient=decision.memory.patient if decision.memory else "",
        user=decision.memory.user if decision.memory else "",
        evidence=decision.evidence_fingerprints,
        not_understood=not_understood(assessment),
        missing=assessment.missing,
    )


def not_understood(assessment: Assessment) -> dict[str, dict[str, int]]:
    """What was not understood, by prefetch key and code system, and beside it; keys without any are left out."""
    return {item.key: dict(item.gaps) for item in assessment.understanding if item.gaps}


def _suggestions(assessment: Assessment, card_id: UUID) -> dict[str, str]:
    """What each suggestion of the card proposes, by its id."""
    created = {str(suggestion_id_of(card_id, slug)): slug for slug in assessment.studies}
    removed = {str(suggestion_id_of(card_id, removal.reference)): REMOVE for removal in assessment.removals}
    return created | removed


def _ids(decision: Decision, answer: Answer) -> tuple[str, ...]:
    return tuple(item.id for item in decision.assessment.criteria if item.answer is answer)


def unanswered_entry(
    call: HookCall,
    outcome: str,
    reason: str,
    content: Content,
    settings_digest: str,
    decision_id: UUID | None = None,
    milliseconds: float = 0,
) -> DecisionEntry:
    """The row of a call without an assessment: switched off, or failed."""
    return DecisionEntry(
        decision_id=decision_id or uuid4(),
        at=call.at,
        client=call.caller.client,
        tenant=call.caller.tenant,
        service=call.service.id,
        hook=call.service.hook,
        mode=call.mode,
        outcome=outcome,
        reason=reason,
        rule_version=content.rule.version,
        content_digest=content.digest,
        settings_digest=settings_digest,
        milliseconds=milliseconds,
    )


def feedback_entries(
    feedback: Sequence[Feedback], call: HookCall, settings: Settings, content: Content
) -> list[FeedbackEntry]:
    """The rows of a batch of feedback.

    A time that lies ahead is the fault of a clock, and counts as none: it would make an answer hold too long.
    """
    pseudonyms = pseudonyms_of(settings)
    return [
        FeedbackEntry(
            client=call.caller.client,
            tenant=call.caller.tenant,
            service=call.service.id,
            card_id=_uuid(item.card, pseudonyms),
            outcome=item.outcome,
            accepted=tuple(sorted({str(_uuid(text, pseudonyms)) for text in item.accepted[:_MOST_ACCEPTED]})),
            reason=_reason(item, settings, content),
            comment=item.comment[:LONGEST_COMMENT] if item.comment and settings.feedback_comments else None,
            outcome_at=min(item.timestamp or call.at, call.at),
            received_at=call.at,
        )
        for item in feedback
    ]


def _uuid(text: str, pseudonyms: Pseudonyms | None) -> UUID:
    """The UUID of a card or suggestion; an id that is none is not ours, and may hold any text.

    It is kept under one that is derived from it by the site's key, so that nobody can try out what it was. Without a
    key all of them are one.
    """
    try:
        return UUID(text)
    except ValueError:
        return pseudonyms.foreign_id(text) if pseudonyms else _FOREIGN_ID


def _reason(item: Feedback, settings: Settings, content: Content) -> str:
    """The reason's code, where it is one of ours or the site mapped it to one of ours."""
    ours = {reason.code for reason in content.override_reasons}
    mapped = (settings.override_reason_codes.get(code, code) for code in item.reason_codes)
    return next((code for code in mapped if code in ours), UNLISTED if item.reason_codes else "")
