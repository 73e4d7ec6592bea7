"""Visits that pair a code of chronic pain with pain of the spine (decision 2.22; ICD-10-CM guidelines, I.C.6.b)."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.chart.records import Chart, Condition
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import CHRONIC_WITH_PAIN_CODE, RuleValueSet


def chronic_visits(chart: Chart, recognizer: Recognizer) -> frozenset[str]:
    """The visits that code chronic pain and pain of no other site than the spine, as `visit_of` names them."""
    by_visit: dict[str, list[frozenset[str]]] = {}
    for visit, sets in _coded_by_visit(chart, recognizer):
        by_visit.setdefault(visit, []).append(sets)
    return frozenset(
        visit
        for visit, entries in by_visit.items()
        if any(sets & CHRONIC_WITH_PAIN_CODE for sets in entries)
        and not any(RuleValueSet.PAIN_ELSEWHERE in sets for sets in entries)
    )


def visit_of(condition: Condition) -> str:
    """The visit of a condition; of the diagnosis of a visit that is not named, its day. Else an empty string."""
    if condition.encounter or not condition.is_visit_diagnosis or condition.recorded is None:
        return condition.encounter
    return f"of {condition.recorded}"


def _coded_by_visit(chart: Chart, recognizer: Recognizer) -> Iterator[tuple[str, frozenset[str]]]:
    """What the diagnoses and the reasons of each visit are by their codes."""
    for condition in chart.conditions.items:
        if (visit := visit_of(condition)) and not condition.is_refuted:
            yield visit, frozenset(recognizer.value_sets(condition.concept))
    for encounter in chart.encounters.items:
        for reason in encounter.reasons:
            yield encounter.reference, frozenset(recognizer.value_sets(reason))
