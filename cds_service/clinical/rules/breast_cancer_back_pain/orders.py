"""What the draft orders are, and which wanted studies are there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from cds_service.chart.records import Chart, Order
from cds_service.chart.span import Span
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.assessment import Answer, CoveredStudy, Criterion, Removal, State
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.clinical.rules.breast_cancer_back_pain.spine import regions_in
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    BACK_PAIN,
    CHRONIC_BACK_PAIN,
    CORD_SIGNS,
    FRACTURES,
    METASTASES,
    SPINAL_INJECTION,
    RuleValueSet,
)
from cds_service.clinical.rules.imaging_history import PriorStudy
from cds_service.content.model import OrderDefinition, Rule

# A card offers to remove a few drafts; nobody selects more at once.
_MOST_REMOVALS = 5

# One study that stands for the bone scan and the CT.
_PET_CT = frozenset({RuleValueSet.PET_CT_FDG, RuleValueSet.PET_CT_SODIUM_FLUORIDE})

# Ordered for many reasons; a stated one that is not pain of the back settles it.
_OFTEN_FOR_OTHER_REASONS = frozenset({RuleValueSet.ANALGESIC_DRUG, SPINAL_INJECTION})

_PAIN_IN_GENERAL = frozenset(
    {RuleValueSet.PAIN_NEEDING_SPINE_SITE, RuleValueSet.CHRONIC_PAIN_ANY_SITE, RuleValueSet.BACK_INJURY, *FRACTURES}
)


# Reasons for which an MRI of the spine is the better study. An injury or a fracture is none: CT shows bone.
_OUR_QUESTION = frozenset(
    {
        *BACK_PAIN,
        *CHRONIC_BACK_PAIN,
        *CORD_SIGNS,
        *METASTASES,
        RuleValueSet.PAIN_NEEDING_SPINE_SITE,
        RuleValueSet.CHRONIC_PAIN_ANY_SITE,
        RuleValueSet.NEOPLASM_RELATED_PAIN,
        RuleValueSet.BACK_DISORDER,
        RuleValueSet.BREAST_CANCER,
        RuleValueSet.BREAST_CANCER_SUPPORTING,
    }
)


def meaning(order: Order, recognizer: Recognizer) -> frozenset[str]:
    """The value sets that an order is in, by what is ordered."""
    return frozenset().union(*(recognizer.ordered(concept) for concept in order.concepts))


def order_criterion(chart: Chart, rule: Rule, recognizer: Recognizer) -> Criterion:
    """Whether any selected order is of interest: by what it orders, or by its own reason."""
    for order in chart.selected_orders:
        if _is_relevant(order, rule, recognizer) or _is_for_back_pain(order, recognizer):
            because = f"{order.reference or order.kind} does."
            return Criterion("relevant-order", Answer.MET, because)
    any_selected = chart.drafts and chart.drafts.selected
    because = "No selected order does." if any_selected else "No order is selected."
    return Criterion("relevant-order", Answer.NOT_MET, because, reason=Reason.UNRELATED_ORDER)


def _is_relevant(order: Order, rule: Rule, recognizer: Recognizer) -> bool:
    """Whether what is ordered is of interest; an analgesic or injection for a stated other reason is not."""
    what = meaning(order, recognizer) & (rule.relevant_orders | {SPINAL_INJECTION})
    for_something_else = any(reason.codings or reason.text for reason in order.reasons) and not any(
        recognizer.value_sets(reason).keys() & _PAIN_IN_GENERAL for reason in order.reasons
    )
    return bool(what) and not (what <= _OFTEN_FOR_OTHER_REASONS and for_something_else)


def _is_for_back_pain(order: Order, recognizer: Recognizer) -> bool:
    value_sets = [recognizer.meaning(reason, IS_BACK_PAIN) for reason in order.reasons]
    return any(regions_in(found, BACK_PAIN) and RuleValueSet.BACK_PAIN_EXCLUSION not in found for found in value_sets)


def drafted_sets(chart: Chart, recognizer: Recognizer) -> frozenset[str]:
    """Everything that the draft orders of this patient are, selected or not."""
    return frozenset().union(*(meaning(order, recognizer) for order in chart.draft_orders))


def covered_studies(
    slugs: Iterable[str],
    prior: Sequence[PriorStudy],
    drafted: frozenset[str],
    orders: Mapping[str, OrderDefinition],
    parts_days: int,
) -> tuple[CoveredStudy, ...]:
    """Those of `slugs` that were done, are ordered or are drafted, each with how far it has come.

    Args:
        slugs: of the wanted studies.
        prior: studies and orders; an open order that is stale covers nothing.
        drafted: what the draft orders are.
        orders: by slug.
        parts_days: two parts that were done are the whole where they lie so many days apart at the most.
    """
    current = [study for study in prior if not study.is_stale]
    done = [study for study in current if study.done]
    still_open = [study for study in current if not study.done]
    ordered = frozenset().union(*(study.value_sets for study in still_open))
    # How far a study has come, what is to come beside what was done, and the studies that date it.
    states: tuple[tuple[State, frozenset[str], Sequence[PriorStudy]], ...] = (
        (State.DONE, frozenset(), done),
        (State.ORDERED, ordered, still_open),
        (State.DRAFTED, ordered | drafted, ()),
    )
    found = []
    for slug in slugs:
        order = orders[slug]
        for state, to_come, dated_by in states:
            if there := _that_is_there(order.answered_by, done, to_come, parts_days):
                found.append(CoveredStudy(slug, state, _newest(dated_by, order.known_by), bool(there & _PET_CT)))
                break
    return tuple(found)


def _newest(studies: Iterable[PriorStudy], known_by: frozenset[str]) -> Span | None:
    """The latest date of those studies that answer, whole or in part."""
    dates = [study.finding.when for study in studies if study.value_sets & known_by and study.finding.when]
    return max(dates, key=lambda span: span.latest, default=None)


def _that_is_there(
    covering: Iterable[frozenset[str]], done: Sequence[PriorStudy], to_come: frozenset[str], parts_days: int
) -> frozenset[str]:
    """The first of the combinations that answer a study of which all is there; an empty set for none."""
    return next((item for item in covering if _are_there(item, done, to_come, parts_days)), frozenset())


def _are_there(
    combination: frozenset[str], done: Sequence[PriorStudy], to_come: frozenset[str], parts_days: int
) -> bool:
    """Whether each part of a study is to come or was done; parts that were done must lie close to each other."""
    parts = [[study for study in done if name in study.value_sets] for name in combination - to_come]
    if not all(parts):
        return False
    days = [max((study.finding.when.latest for study in part if study.finding.when), default=None) for part in parts]
    known = [day for day in days if day]
    return len(known) < 2 or max(known) - min(known) <= timedelta(days=parts_days)


def removable(chart: Chart, kinds: Mapping[str, str], recognizer: Recognizer) -> tuple[tuple[Order, Removal], ...]:
    """The selected drafts in any of the value sets `kinds`, each as a removal of the kind given for its set."""
    found = []
    for order in chart.selected_orders:
        what = meaning(order, recognizer)
        if order.has_id and (kind := next((kinds[name] for name in kinds if name in what), "")):
            found.append((order, Removal(order.reference, kind)))
    return tuple(found[:_MOST_REMOVALS])


# Studies of the spine that do not answer the question, as the wording calls them.
_INADEQUATE: Mapping[str, str] = {RuleValueSet.SPINE_RADIOGRAPH: "radiograph", RuleValueSet.SPINE_CT: "spine-ct"}


def inadequate_drafts(chart: Chart, recognizer: Recognizer) -> tuple[Removal, ...]:
    """Selected radiographs and CTs of the spine: they do not answer the question and may be removed.

    One that is ordered for something else stays: a kidney stone, a fall (decision 5.7).
    """
    found = removable(chart, _INADEQUATE, recognizer)
    return tuple(removal for order, removal in found if _asks_our_question(order, chart, recognizer))


def _asks_our_question(order: Order, chart: Chart, recognizer: Recognizer) -> bool:
    """Whether an order gives no reason, or only such as an MRI of the spine answers better.

    What nobody understood, a reference that leads nowhere and a note are reasons that may be another.
    """
    at_hand = {item.reference: item.concept for item in chart.conditions.items}
    at_hand |= {item.reference: item.concept for item in chart.observations.items}
    pointed = [at_hand[name] for name in order.reason_references if name in at_hand]
    reasons = [reason for reason in (*order.reasons, *pointed) if reason.codings or reason.text]
    if len(pointed) < len(order.reason_references):
        return False
    if not reasons:
        return not order.reason_given
    return all(recognizer.meaning(reason, _OUR_QUESTION) & _OUR_QUESTION for reason in reasons)


# What a selected order is called on the card, by the value sets that it is in; the first that fits.
_CHOSEN: Mapping[str, str] = {
    RuleValueSet.SPINE_RADIOGRAPH: "radiograph",
    RuleValueSet.SPINE_CT: "spine-ct",
    RuleValueSet.BONE_SCAN_WHOLE_BODY: "bone-scan",
    RuleValueSet.BONE_SCAN_UNSTATED_EXTENT: "bone-scan",
    RuleValueSet.BONE_SCAN_LIMITED: "bone-scan",
    SharedValueSet.CT_CHEST_ABDOMEN_PELVIS: "ct",
    RuleValueSet.PET_CT_FDG: "pet-ct",
    RuleValueSet.PET_CT_SODIUM_FLUORIDE: "pet-ct",
    RuleValueSet.ANALGESIC_DRUG: "treatment",
    SPINAL_INJECTION: "treatment",
    "physical-therapy": "treatment",
}


def chosen_order(
    chart: Chart,
    wanted_mri: Iterable[frozenset[str]],
    is_proposed: bool,
    spine_mri: frozenset[str],
    recognizer: Recognizer,
) -> str:
    """What the user is about to order, by its name in the wording (`chosen`); empty where it is none of those.

    A radiograph or CT that is ordered for something else is none: what is better for that nobody asked.

    Args:
        chart: with the draft orders; the selected ones count.
        wanted_mri: the combinations of value sets that answer the MRI that is wanted.
        is_proposed: whether that MRI is proposed, because nothing that is drafted or ordered is all of it.
        spine_mri: the value sets of any MRI of the spine.
        recognizer: tells what an order is.
    """
    selected = [(order, meaning(order, recognizer)) for order in chart.selected_orders]
    for _, what in selected:
        if what & spine_mri:
            if not what & frozenset().union(*wanted_mri):
                return "mri-elsewhere"
            if is_proposed:
                return "mri-part"
            return "mri-without-contrast" if RuleValueSet.SPINE_MRI_WITHOUT_CONTRAST in what else "mri"
    meanings = [
        what
        for order, what in selected
        if not what & _INADEQUATE.keys() or _asks_our_question(order, chart, recognizer)
    ]
    return next((name for set_id, name in _CHOSEN.items() for what in meanings if set_id in what), "")


def done_since(prior: Sequence[PriorStudy], day: date | None) -> tuple[PriorStudy, ...]:
    """The studies without those that were done before `day`; what is still to be done counts."""
    if day is None:
        return tuple(prior)
    return tuple(item for item in prior if not item.done or (item.finding.when and item.finding.when.latest >= day))
