"""From an assessment to the cards of a CDS Hooks response."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

from cds_service.advice.call import DecidedCall, OrderOptions
from cds_service.advice.detail import detail, summary
from cds_service.advice.identifiers import card_id_of, suggestion_id_of
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
    card: dict[str, Any] = {
        "uuid": str(card_id),
        "summary": summary(assessment, rule, today),
        "detail": detail(assessment, rule, today),
        "indicator": assessment.indicator,
        "source": _source(content, source_url),
        "overrideReasons": _override_reasons(assessment, content),
    }
    suggestions = [_create(order, card_id, call, content, options) for order in assessment.orders]
    suggestions += [_delete(removal, card_id, content) for removal in assessment.removals]
    if evidence_url:
        card["links"] = [{"label": content.wording["link"]["evidence"], "url": evidence_url, "type": "absolute"}]
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
    proposal: ProposedOrder, card_id: UUID, call: DecidedCall, content: Content, options: OrderOptions
) -> dict[str, Any]:
    """One order as a suggestion with exactly one `create`: EHRs accept no more (Epic)."""
    order = content.orders[proposal.slug]
    words = content.wording["suggestion"]
    suggestion: dict[str, Any] = {
        "label": words["label"].format(study=order.label),
        "uuid": str(suggestion_id_of(card_id, proposal.slug)),
        "actions": [
            {
                "type": "create",
                "description": words["description"].format(study=order.label),
                "resource": service_request(order, proposal.priority, proposal.reasons, call, options),
            }
        ],
    }
    if proposal.recommended:
        suggestion["isRecommended"] = True
    return suggestion


def _delete(removal: Removal, card_id: UUID, content: Content) -> dict[str, Any]:
    """The removal of a draft that does not answer the question, for the user to choose."""
    words = content.wording["suggestion"]
    study = content.wording["removal"][removal.kind]
    action = {
        "type": "delete",
        "description": words["delete_description"].format(study=study),
        "resourceId": removal.reference,
    }
    label = words["delete_label"].format(study=study)
    return {"label": label, "uuid": str(suggestion_id_of(card_id, removal.reference)), "actions": [action]}
