"""From an assessment to the cards of a CDS Hooks response."""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Any

from cds_service.advice.call import Call, OrderOptions
from cds_service.advice.detail import detail
from cds_service.advice.phrases import joined
from cds_service.advice.service_request import service_request
from cds_service.clinical.reading.findings import Note, Outcome, Present, Reason, Removal, State
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.work_up import is_spine_mri
from cds_service.content.model import Content

_WITHOUT_IMAGING = {Reason.IN_SITU_ONLY: "in_situ", Reason.CHILD: "child", Reason.NO_SYMPTOMS: "surveillance"}

# Of each kind, so many findings go on an order as its reasons.
_MOST_REASONS = 3


def cards(
    assessment: Assessment,
    call: Call,
    content: Content,
    options: OrderOptions,
    source_url: str | None = None,
    evidence_url: str | None = None,
) -> list[dict[str, Any]]:
    """The cards of a response: one where the rule fired, none otherwise.

    Args:
        source_url: the address behind the card's source, instead of the one in the content.
        evidence_url: the public address of the evidence page, to which the card then links.
    """
    if assessment.outcome is not Outcome.FIRED:
        return []
    decision = call.decision_id(content.version, proposed(assessment))
    card_id = uuid.uuid5(decision, "card")
    card: dict[str, Any] = {
        "uuid": str(card_id),
        "summary": summary(assessment, content),
        "detail": detail(assessment, content, call.now.astimezone(UTC).date()),
        "indicator": indicator(assessment),
        "source": _source(content, source_url),
        "overrideReasons": _override_reasons(assessment, content),
    }
    suggestions = [_create(slug, card_id, assessment, call, content, options) for slug in assessment.studies]
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
        assessment.reason.value,
        indicator(assessment),
        *assessment.studies,
        *(item.caution.id for item in assessment.cautions),
        *(item.reference for item in assessment.removals),
    )


def _override_reasons(assessment: Assessment, content: Content) -> list[dict[str, str]]:
    """The override reasons that make sense for this card."""
    return [
        {"code": item.code, "system": item.system, "display": item.display}
        for item in content.override_reasons
        if item.only_for in ("", assessment.reason.value)
    ]


def indicator(assessment: Assessment) -> str:
    """`critical` where an emergency needs an MRI, `warning` where one is missing or something is wrong, or `info`."""
    if _spine_mri(assessment):
        return "critical" if assessment.critical else "warning"
    return "warning" if assessment.critical or not (assessment.studies or _no_imaging(assessment)) else "info"


def _no_imaging(assessment: Assessment) -> bool:
    return assessment.reason in _WITHOUT_IMAGING


def summary(assessment: Assessment, content: Content) -> str:
    """One sentence of at most 139 characters, without a word from the EHR."""
    words = content.wording
    undated = Note.ONSET_NOT_RECORDED in assessment.notes
    pain = words["pain_undated" if undated else "pain"].get(assessment.region, "")
    if name := _WITHOUT_IMAGING.get(assessment.reason):
        return words["summary"][name].format(pain=pain)
    if slug := _spine_mri(assessment):
        return words["summary"][_imaging_sentence(assessment)].format(pain=pain, study=content.orders[slug].title)
    spine = next((item for item in assessment.present if is_spine_mri(item.slug)), None)
    if assessment.critical:
        return words["summary"][_emergency_sentence(assessment, spine)].format(pain=pain)
    if not assessment.studies or spine is None:
        return words["summary"]["cautioned"].format(pain=pain)
    modalities = [content.orders[slug].modality for slug in assessment.studies]
    state = words["state_short"][spine.state.value]
    return words["summary"]["staging_only"].format(pain=pain, modalities=joined(modalities), state=state)


def _emergency_sentence(assessment: Assessment, spine: Present | None) -> str:
    """The sentence of an emergency whose MRI is not to be ordered any more."""
    if spine is not None and spine.state is State.DONE:
        return "critical_done"
    return "critical_at_once" if Note.MRI_AT_ONCE in assessment.notes else "critical_imaged"


def _imaging_sentence(assessment: Assessment) -> str:
    if assessment.critical:
        return "critical"
    known = assessment.flags.bone_metastasis or assessment.flags.other_metastasis
    return "known_metastases" if known else "imaging"


def _spine_mri(assessment: Assessment) -> str:
    """The MRI of the spine among the proposed studies, or an empty string."""
    return next((slug for slug in assessment.studies if is_spine_mri(slug)), "")


def _source(content: Content, source_url: str | None) -> dict[str, Any]:
    source = content.rule.source
    topic = {"system": source["topic_system"], "code": source["topic_code"], "display": source["topic_display"]}
    return {"label": source["label"], "url": source_url or source["url"], "topic": topic}


def _create(
    slug: str, card_id: uuid.UUID, assessment: Assessment, call: Call, content: Content, options: OrderOptions
) -> dict[str, Any]:
    """One order as a suggestion with exactly one `create`: EHRs accept no more (Epic)."""
    order = content.orders[slug]
    words = content.wording["suggestion"]
    findings = [
        *assessment.flags.emergencies[:_MOST_REASONS],
        *assessment.criterion("new-back-pain").findings[:_MOST_REASONS],
        *assessment.criterion("breast-cancer-history").findings[:_MOST_REASONS],
    ]
    spine = slug == _spine_mri(assessment)
    # Signs of cord compression within 24 hours, suspicious pain within a week (decision 3.11).
    priority = "stat" if spine and assessment.critical else "urgent"
    suggestion: dict[str, Any] = {
        "label": words["label"].format(study=order.label),
        "uuid": str(uuid.uuid5(card_id, slug)),
        "actions": [
            {
                "type": "create",
                "description": words["description"].format(study=order.label),
                "resource": service_request(order, priority, findings, call, options),
            }
        ],
    }
    if spine:
        suggestion["isRecommended"] = True
    return suggestion


def _delete(removal: Removal, card_id: uuid.UUID, content: Content) -> dict[str, Any]:
    """The removal of a draft that does not answer the question, for the user to choose."""
    words = content.wording["suggestion"]
    study = content.wording["removal"][removal.kind]
    action = {
        "type": "delete",
        "description": words["delete_description"].format(study=study),
        "resourceId": removal.reference,
    }
    label = words["delete_label"].format(study=study)
    return {"label": label, "uuid": str(uuid.uuid5(card_id, removal.reference)), "actions": [action]}
