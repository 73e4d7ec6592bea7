"""Advice against routine imaging for distant disease in a patient without symptoms.

Only where such a study is being ordered, and only where everything says that it is routine: breast cancer at least
a year ago, no metastasis or other cancer, no symptom and no new problem on record, no reason on the order. Silent in
every other case, and where the chart is not wholly known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from cds_service.chart.records import Condition
from cds_service.clinical.reading.onset import start_of
from cds_service.clinical.reading.recognition import words_of
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.assessment import Removal
from cds_service.clinical.rules.breast_cancer_back_pain.evidence import Evidence
from cds_service.clinical.rules.breast_cancer_back_pain.orders import removable
from cds_service.clinical.rules.breast_cancer_back_pain.text_names import WordList
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    METASTASES,
    PAIN_QUALITY,
    REASONS_TO_SEARCH,
    RuleValueSet,
)

# Studies that look for distant disease, and what the wording calls them.
_SEARCHES: Mapping[str, str] = {
    RuleValueSet.BONE_SCAN_WHOLE_BODY: "bone-scan",
    RuleValueSet.BONE_SCAN_UNSTATED_EXTENT: "bone-scan",
    SharedValueSet.CT_CHEST_ABDOMEN_PELVIS: "ct",
    RuleValueSet.PET_CT_FDG: "pet-ct",
    RuleValueSet.PET_CT_SODIUM_FLUORIDE: "pet-ct",
}
_COMPLAINTS = frozenset({SharedValueSet.COMPLAINT_OBSERVATION, SharedValueSet.SYMPTOM_OBSERVATION})
_REASONS = REASONS_TO_SEARCH | {PAIN_QUALITY}

# What stays a reason, however long ago it was recorded.
_FOR_EVER = METASTASES | {RuleValueSet.OTHER_CANCER}

# Reasons of a visit that are no complaint: the cancer itself, and its follow-up.
_FOLLOW_UP = frozenset({RuleValueSet.BREAST_CANCER, RuleValueSet.BREAST_CANCER_SUPPORTING})


def routine_searches(evidence: Evidence) -> tuple[Removal, ...]:
    """The selected orders that look like routine surveillance; none where anything says otherwise."""
    chart = evidence.chart
    if evidence.options.surveillance_advice == "off":
        return ()
    if not (chart.conditions.complete and chart.observations.complete and chart.encounters.complete):
        return ()
    if not _is_long_past(evidence) or _has_pain(evidence) or _has_reason_to_search(evidence):
        return ()
    searches = removable(chart, _SEARCHES, evidence.recognizer)
    if any(order.reason_given for order, _ in searches):
        return ()
    return tuple(removal for _, removal in searches)


def _is_long_past(evidence: Evidence) -> bool:
    """Whether every record of the cancer that carries a date is certainly a year old, and there is one."""
    latest = evidence.calendar.today - timedelta(days=evidence.number(Threshold.SURVEILLANCE_FROM_DAYS))
    dates = [start_of(item, None, evidence.calendar).when for item in _cancers(evidence)]
    known = [when.latest for when in dates if when]
    return bool(known) and max(known) <= latest


def _cancers(evidence: Evidence) -> list[Condition]:
    """Every Condition with a breast cancer code, duplicates and all."""
    return [
        item
        for item in evidence.chart.conditions.items
        if RuleValueSet.BREAST_CANCER in evidence.recognizer.value_sets(item.concept)
    ]


def _has_pain(evidence: Evidence) -> bool:
    """Whether back pain is recorded, but that of visits and treatments from before the clean days (decision 2.19)."""
    first = evidence.calendar.window_start - timedelta(days=evidence.calendar.clean_days)
    return any(
        not record.point or record.chronic or record.day is None or record.day.latest >= first
        for record in evidence.records
    )


def _has_reason_to_search(evidence: Evidence) -> bool:
    """A symptom, a metastasis, another cancer, or any problem that began inside the window.

    A symptom that was noted at one visit tells of that visit: one from before the clean days is no reason of now.
    """
    first = evidence.calendar.window_start - timedelta(days=evidence.calendar.clean_days)
    for item in evidence.asserted:
        told = item.day or item.finding.when
        long_ago = item.point and told is not None and told.latest < first
        if item.value_sets & (_FOR_EVER if long_ago else _REASONS):
            return True
    if any(_says_advanced(item, evidence) for item in _cancers(evidence)):
        return True
    starts = [start_of(item, None, evidence.calendar) for item in evidence.chart.conditions.all_records()]
    recent = any(start.when and evidence.calendar.in_window(start.when) for start in starts)
    return recent or _recent_complaint(evidence)


def _says_advanced(condition: Condition, evidence: Evidence) -> bool:
    """Whether the words of a cancer entry, its own or ours, say that it spread or came back."""
    ours = [evidence.recognizer.label(coding) for coding in condition.concept.codings]
    return evidence.recognizer.has_words(WordList.ADVANCED, *words_of(condition.concept), *ours)


def _recent_complaint(evidence: Evidence) -> bool:
    """Whether a complaint was observed, or was the reason of a visit, inside the window, understood or not."""
    for item in evidence.chart.observations.items:
        told = evidence.recognizer.value_sets(item.concept).keys() & _COMPLAINTS
        when = evidence.calendar.past(item.effective)
        if told and (when is None or evidence.calendar.in_window(when)):
            return True
    for visit in evidence.chart.encounters.items:
        if not (visit.was_held or visit.is_planned):
            continue
        when = evidence.calendar.past(visit.period)
        recent = when is None or evidence.calendar.in_window(when)
        if recent and not all(evidence.recognizer.value_sets(reason).keys() & _FOLLOW_UP for reason in visit.reasons):
            return True
    return False
