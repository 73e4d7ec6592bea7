"""From an assessment to the cards of a CDS Hooks response."""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Any

from cds_service.advice.call import Call, OrderOptions
from cds_service.advice.detail import detail
from cds_service.advice.phrases import joined
from cds_service.advice.service_request import service_request
from cds_service.clinical.findings import Assessment, Note, Outcome, Reason
from cds_service.content.model import Content


def cards(
    assessment: Assessment, call: Call, content: Content, options: OrderOptions, source_url: str | None = None
) -> list[dict[str, Any]]:
    """The cards of a response: one where the rule fired, none otherwise."""
    if assessment.outcome is not Outcome.FIRED:
        return []
    decision = call.decision_id(content.version, assessment.studies)
    card_id = uuid.uuid5(decision, "card")
    card: dict[str, Any] = {
        "uuid": str(card_id),
        "summary": summary(assessment, content),
        "detail": detail(assessment, content, call.now.astimezone(UTC).date()),
        "indicator": indicator(assessment),
        "source": _source(content, source_url),
        "overrideReasons": [dict(reason) for reason in content.override_reasons],
    }
    if assessment.studies:
        card["suggestions"] = [
            _suggestion(slug, slug == _recommended(assessment), card_id, assessment, call, content, options)
            for slug in assessment.studies
        ]
        card["selectionBehavior"] = "any"
    return [card]


def indicator(assessment: Assessment) -> str:
    """`warning` where an MRI is missing; `info` where only staging is, or nothing is to be ordered."""
    return "warning" if _recommended(assessment) else "info"


def summary(assessment: Assessment, content: Content) -> str:
    """One sentence of at most 139 characters, without a word from the EHR."""
    words = content.wording
    undated = Note.ONSET_NOT_RECORDED in assessment.notes
    pain = words["pain_undated" if undated else "pain"][assessment.region]
    if assessment.reason is Reason.IN_SITU_ONLY:
        return words["summary"]["in_situ"].format(pain=pain)
    if slug := _recommended(assessment):
        return words["summary"]["imaging"].format(pain=pain, study=content.orders[slug].title)
    studies = joined([content.orders[slug].modality for slug in assessment.studies])
    return words["summary"]["staging_only"].format(pain=pain, study=studies)


def _recommended(assessment: Assessment) -> str:
    """The MRI among the proposed studies, or an empty string."""
    return next((slug for slug in assessment.studies if slug.startswith("mri-")), "")


def _source(content: Content, source_url: str | None) -> dict[str, Any]:
    source = content.rule.source
    topic = {"system": source["topic_system"], "code": source["topic_code"], "display": source["topic_display"]}
    return {"label": source["label"], "url": source_url or source["url"], "topic": topic}


def _suggestion(
    slug: str,
    recommended: bool,
    card_id: uuid.UUID,
    assessment: Assessment,
    call: Call,
    content: Content,
    options: OrderOptions,
) -> dict[str, Any]:
    """One order as a suggestion with exactly one `create`: EHRs accept no more (Epic)."""
    order = content.orders[slug]
    words = content.wording["suggestion"]
    findings = [
        *assessment.criterion("new-back-pain").findings[:3],
        *assessment.criterion("breast-cancer-history").findings[:3],
    ]
    suggestion: dict[str, Any] = {
        "label": words["label"].format(study=order.label),
        "uuid": str(uuid.uuid5(card_id, slug)),
        "actions": [
            {
                "type": "create",
                "description": words["description"].format(study=order.label),
                "resource": service_request(order, findings, call, options),
            }
        ],
    }
    if recommended:
        suggestion["isRecommended"] = True
    return suggestion
