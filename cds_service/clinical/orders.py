"""What the draft orders are, and what they already answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cds_service.clinical.findings import Answer, Criterion, Note, Reason
from cds_service.clinical.pain_records import PAIN, TRAP
from cds_service.clinical.recognition import Recognizer, regions_in
from cds_service.clinical.records import Drafts, Order
from cds_service.content.model import OrderDefinition, Rule

QUESTION = "Does a selected order concern back pain or the search for metastases?"

_NOT_AN_ORDER = frozenset({"entered-in-error", "revoked", "cancelled"})
_WITHOUT_CONTRAST = "imaging-mri-spine-without-contrast"


def meaning(order: Order, recognizer: Recognizer) -> frozenset[str]:
    """The value sets that an order is in, by what is ordered."""
    return frozenset().union(*(recognizer.sets_or_text(concept) for concept in order.concepts))


def order_criterion(drafts: Drafts, rule: Rule, recognizer: Recognizer) -> Criterion:
    """Whether any selected order is of interest: by what it orders, or by its own reason."""
    for order in drafts.selected:
        if not order.for_patient:
            continue
        if meaning(order, recognizer) & rule.relevant_orders or _is_for_back_pain(order, recognizer):
            because = f"{order.reference or order.kind} does."
            return Criterion("relevant-order", QUESTION, Answer.MET, because)
    because = "No selected order does." if drafts.selected else "No order is selected."
    return Criterion("relevant-order", QUESTION, Answer.NOT_MET, because, reason=Reason.UNRELATED_ORDER)


def _is_for_back_pain(order: Order, recognizer: Recognizer) -> bool:
    sets = [recognizer.sets_or_text(reason) for reason in order.reasons]
    return any(regions_in(found, PAIN) and TRAP not in found for found in sets)


def drafted_sets(drafts: Drafts | None, recognizer: Recognizer) -> frozenset[str]:
    """Everything that the draft orders of this patient are, selected or not."""
    if drafts is None:
        return frozenset()
    return frozenset().union(
        *(
            meaning(order, recognizer)
            for order in drafts.orders
            if order.for_patient and order.status not in _NOT_AN_ORDER
        )
    )


def already_answered(
    slugs: Iterable[str], present: frozenset[str], orders: Mapping[str, OrderDefinition]
) -> tuple[str, ...]:
    """Those of `slugs` that the studies in `present` make unnecessary."""
    return tuple(slug for slug in slugs if any(combination <= present for combination in orders[slug].answered_by))


def draft_notes(drafted: Iterable[str], present: frozenset[str]) -> frozenset[Note]:
    """What the card says of a drafted MRI."""
    if not any(slug.startswith("mri-") for slug in drafted):
        return frozenset()
    if _WITHOUT_CONTRAST in present:
        return frozenset({Note.MRI_DRAFTED, Note.MRI_WITHOUT_CONTRAST_DRAFTED})
    return frozenset({Note.MRI_DRAFTED})
