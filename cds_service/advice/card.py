"""From an assessment to the cards of a CDS Hooks response."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

from cds_service.advice.call import DecidedCall, OrderOptions
from cds_service.advice.detail import in_words, summary_and_detail
from cds_service.advice.identifiers import card_id_of, suggestion_id_of
from cds_service.advice.plain_text import question_text
from cds_service.advice.service_request import service_request
from cds_service.clinical.rules.assessment import Assessment, Outcome, ProposedOrder, Removal
from cds_service.clinical.rules.rule import Rule
from cds_service.content.model import Content


def cards(
    assessment: Assessment,
    call: DecidedCall,
    rule: Rule,
    options: OrderOptions,
    source_url: str | None = None,
    evidence_url: str | None = None,
    undetermined_too: bool = False,
) -> list[dict[str, Any]]:
    """The cards of a response: one where the rule fired, none otherwise.

    Args:
        undetermined_too: whether an answer that is left open has a card as well, which says what was missing.
        source_url: the address behind the card's source, instead of the one in the content.
        evidence_url: the public address of the evidence page, to which the card then links.
    """
    shown = {Outcome.FIRED, Outcome.UNDETERMINED} if undetermined_too else {Outcome.FIRED}
    if assessment.outcome not in shown:
        return []
    content = rule.content
    today = call.at.astimezone(UTC).date()
    card_id = card_id_of(call.decision_id)
    summary, detail = summary_and_detail(assessment, rule, today)
    card: dict[str, Any] = {
        "uuid": str(card_id),
        "summary": summary,
        "detail": detail,
        "indicator": assessment.indicator,
        "source": _source(content, source_url),
        "overrideReasons": _override_reasons(assessment, content),
    }
    suggestions = [_create(order, assessment, call, rule, options) for order in assessment.orders]
    suggestions += [_delete(removal, card_id, content) for removal in assessment.removals]
    if evidence_url:
        label = content.wording["link"]["evidence"]
        card["links"] = [{"label": label, "url": evidence_url, "type": "absolute", "autolaunchable": False}]
    if suggestions:
        card["suggestions"] = suggestions
        card["selectionBehavior"] = "any"
    return [card]


def proposed(assessment: Assessment) -> tuple[str, ...]:
    """What a card proposes, as its id is derived from it: how urgent, which studies, cautions and removals."""
    return (
        assessment.reason,
        assessment.indicator,
        *assessment.studies,
        *(item.caution.id for item in assessment.cautions),
        *(item.reference for item in assessment.removals),
    )


def _override_reasons(assessment: Assessment, content: Content) -> list[dict[str, str]]:
    """The override reasons that make sense for this card."""
    return [
        {"code": item.code, "system": item.system, "display": item.display}
        for item in content.override_reasons
        if item.only_for in ("", assessment.reason)
    ]


def _source(content: Content, source_url: str | None) -> dict[str, Any]:
    source = content.rule.source
    topic = {"system": source["topic_system"], "code": source["topic_code"], "display": source["topic_display"]}
    return {"label": source["label"], "url": source_url or source["url"], "topic": topic}


def _create(
    order: ProposedOrder, assessment: Assessment, call: DecidedCall, rule: Rule, options: OrderOptions
) -> dict[str, Any]:
    """One order as a suggestion with exactly one `create`: EHRs accept no more (Epic)."""
    content, today = rule.content, call.at.astimezone(UTC).date()
    text = rule.order_text(assessment, order)
    question = question_text(text.question, content.wording, today)
    return {
        "label": in_words(text.label, content.wording, today),
        "uuid": str(suggestion_id_of(card_id_of(call.decision_id), order.slug)),
        "isRecommended": order.recommended,
        "actions": [
            {
                "type": "create",
                "description": in_words(text.description, content.wording, today),
                "resource": service_request(order, content, call, options, question),
            }
        ],
    }


def _delete(removal: Removal, card_id: UUID, content: Content) -> dict[str, Any]:
    """The removal of a draft that does not answer the question, for the user to choose."""
    words = content.wording["suggestion"]
    named = {"study": content.wording["removal"][removal.kind], "why": content.wording["removal_why"][removal.kind]}
    return {
        "label": words["delete_label"].format(**named),
        "uuid": str(suggestion_id_of(card_id, removal.reference)),
        "isRecommended": False,
        "actions": [
            {
                "type": "delete",
                "description": words["delete_description"].format(**named),
                "resourceId": removal.reference,
            }
        ],
    }
