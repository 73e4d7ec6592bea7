"""Receptor status of the breast cancer, and new symptoms that point to the brain (decisions 10.1 and 10.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cds_service.chart.records import Chart, Observation
from cds_service.clinical.reading.asserted_concepts import AssertedConcept, sign_of
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.rules.breast_cancer_back_pain.text_names import WordList
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import DIAGNOSED_RECEPTORS, RuleValueSet


class Receptors(StrEnum):
    """What the chart says of the receptors, as far as it matters for the brain."""

    HER2_POSITIVE = "HER2-positive"
    TRIPLE_NEGATIVE = "triple-negative"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Results:
    """The newest result of each test: positive, negative, or None (not done, or neither)."""

    er: bool | None
    pr: bool | None
    her2: bool | None


def receptors(
    chart: Chart, asserted: Iterable[AssertedConcept], recognizer: Recognizer, positive_percent: int
) -> Receptors:
    """The receptor status: by the newest final results, else by diagnosis codes.

    Args:
        chart: with the test results.
        asserted: what the chart states, the diagnoses among it.
        recognizer: what the chart is read with.
        positive_percent: from so many percent of stained cells on a hormone receptor is positive.
    """
    results = _newest_results(chart, recognizer, positive_percent)
    coded = {name for item in asserted for name in item.value_sets if name in DIAGNOSED_RECEPTORS}
    if results.her2 or (results.her2 is None and RuleValueSet.DX_HER2_POSITIVE in coded):
        return Receptors.HER2_POSITIVE
    if (results.er, results.pr, results.her2) == (False, False, False):
        return Receptors.TRIPLE_NEGATIVE
    if RuleValueSet.DX_TRIPLE_NEGATIVE in coded and not (results.er or results.pr):
        return Receptors.TRIPLE_NEGATIVE
    if results == _Results(None, None, None) and not coded:
        return Receptors.UNKNOWN
    return Receptors.OTHER


def _newest_results(chart: Chart, recognizer: Recognizer, positive_percent: int) -> _Results:
    newest: dict[str, tuple[int, bool]] = {}
    for observation in chart.observations.items:
        if not observation.is_final:
            continue
        for receptor in _receptors_of(frozenset(recognizer.value_sets(observation.concept))):
            positive = _reading(observation, receptor, recognizer, positive_percent)
            if positive is not None:
                day = observation.effective.latest.toordinal() if observation.effective else 0
                # On the same day the positive result stands: nothing is missed.
                newest[receptor] = max(newest.get(receptor, (-1, False)), (day, positive))
    return _Results(*(newest[name][1] if name in newest else None for name in ("er", "pr", "her2")))


def _receptors_of(value_sets: frozenset[str]) -> tuple[str, ...]:
    if RuleValueSet.ER_PR_TEST in value_sets:
        return ("er", "pr")
    if RuleValueSet.ER_TEST in value_sets:
        return ("er",)
    if RuleValueSet.PR_TEST in value_sets:
        return ("pr",)
    return ("her2",) if value_sets & {RuleValueSet.HER2_PROTEIN_TEST, RuleValueSet.HER2_GENE_TEST} else ()


def _reading(observation: Observation, receptor: str, recognizer: Recognizer, positive_percent: int) -> bool | None:
    """Positive or negative; an equivocal result is neither."""
    value = observation.value
    words = " ".join((value.text, *(words_of(value.concept) if value.concept else ()))).lower().strip()
    if recognizer.result_words.equivocal.search(words):
        return None
    if receptor == "her2" and (score := _her2_score(words, recognizer)):
        return {"positive": True, "negative": False}.get(score)
    percent = value.number if value.unit in ("%", "percent") else _percent(words)
    if percent is not None:
        below = value.comparator == "<" or words.startswith("<")
        return percent >= positive_percent and not (below and percent <= positive_percent)
    return sign_of(value, observation.interpretation, recognizer)


def _her2_score(words: str, recognizer: Recognizer) -> str:
    """HER2 by its own scale: 3+ and amplified are positive, 0, 1+ and low negative, 2+ equivocal; else empty."""
    if recognizer.has_words(WordList.HER2_EQUIVOCAL, words):
        return "equivocal"
    if recognizer.has_words(WordList.HER2_NEGATIVE, words):
        return "negative"
    return "positive" if recognizer.has_words(WordList.HER2_POSITIVE, words) else ""


def _percent(words: str) -> float | None:
    found = re.search(r"(\d{1,3}(?:\.\d+)?)\s*(?:%|percent)", words)
    return float(found[1]) if found else None


def brain_symptoms(statements: Sequence[AssertedConcept], calendar: Calendar, point_days: int) -> tuple[Finding, ...]:
    """New symptoms that point to the brain; weak ones (vomiting, syncope) only beside another.

    Args:
        point_days: for so many days after its visit a symptom that is noted at one visit counts.
    """
    certain = [item for item in statements if not item.suspected]
    fresh = [item for item in certain if _is_new(item, certain, calendar, point_days)]
    strong = [item.finding for item in fresh if RuleValueSet.BRAIN_SYMPTOM in item.value_sets]
    weak = [item.finding for item in fresh if RuleValueSet.BRAIN_SYMPTOM_WEAK in item.value_sets]
    return tuple(strong + weak) if strong else ()


_SYMPTOMS = frozenset({RuleValueSet.BRAIN_SYMPTOM, RuleValueSet.BRAIN_SYMPTOM_WEAK})


def _is_new(item: AssertedConcept, others: Iterable[AssertedConcept], calendar: Calendar, point_days: int) -> bool:
    """Inside the window, not known before it, and, if it was noted at one visit, not long ago."""
    if item.value_sets.isdisjoint(_SYMPTOMS) or not item.is_new(calendar):
        return False
    told = item.day or item.finding.when
    first = calendar.today - timedelta(days=point_days)
    if item.point and not item.current_visit and told is not None and told.until(calendar.today).latest < first:
        return False
    return not any(
        (item.finding.label, item.finding.coding) == (other.finding.label, other.finding.coding)
        and (when := other.finding.when or other.day) is not None
        and when.latest < calendar.window_start
        for other in others
        if other is not item and not other.value_sets.isdisjoint(_SYMPTOMS)
    )
