"""Visits that pair a code of chronic pain with pain of the spine (decision 2.22; ICD-10-CM guidelines, I.C.6.b)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TypeAlias

from cds_service.chart.records import Chart, Concept, Condition
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.rules.breast_cancer_back_pain.spine_sites import spine_sites
from cds_service.clinical.rules.breast_cancer_back_pain.text_names import WordList
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import CHRONIC_WITH_PAIN_CODE, RuleValueSet

# A visit, what is said at it, and of which sites of the body.
_Said: TypeAlias = tuple[str, Concept, tuple[Concept, ...]]

_IS_PAIN_ELSEWHERE = frozenset({RuleValueSet.PAIN_ELSEWHERE})


def chronic_visits(chart: Chart, recognizer: Recognizer) -> frozenset[str]:
    """The visits that code chronic pain and tell of pain of no other site than the spine, as `visit_of` names them."""
    said = list(_said_at_visits(chart))
    chronic = {
        visit for visit, concept, _ in said if not CHRONIC_WITH_PAIN_CODE.isdisjoint(recognizer.value_sets(concept))
    }
    elsewhere = {
        visit
        for visit, concept, sites in (*said, *_observed_at(chronic, chart))
        if visit in chronic and _is_pain_elsewhere(concept, sites, recognizer)
    }
    return frozenset(chronic - elsewhere)


def visit_of(condition: Condition) -> str:
    """The visit of a condition; of the diagnosis of a visit that is not named, its day. Else an empty string."""
    if condition.encounter or not condition.is_visit_diagnosis or condition.recorded is None:
        return condition.encounter
    return f"of {condition.recorded}"


def _said_at_visits(chart: Chart) -> Iterator[_Said]:
    """The diagnoses and the reasons of each visit."""
    for condition in chart.conditions.items:
        if (visit := visit_of(condition)) and not condition.is_refuted:
            yield visit, condition.concept, condition.sites
    for encounter in chart.encounters.items:
        for reason in encounter.reasons:
            yield encounter.reference, reason, ()


def _observed_at(visits: Collection[str], chart: Chart) -> Iterator[_Said]:
    """What observations of these visits say in their values: complaints, symptoms, places of pain."""
    for observation in chart.observations.items:
        if observation.encounter in visits and observation.is_reported:
            value = observation.value
            yield observation.encounter, value.concept or Concept(text=value.text), observation.sites


def _is_pain_elsewhere(concept: Concept, sites: Iterable[Concept], recognizer: Recognizer) -> bool:
    """Whether a concept is pain of another site than the spine, by its code, in words, or by its body site."""
    found = recognizer.meaning(concept, _IS_PAIN_ELSEWHERE)
    if RuleValueSet.PAIN_ELSEWHERE in found:
        return True
    if RuleValueSet.PAIN_NEEDING_SPINE_SITE not in found or spine_sites(sites, recognizer):
        return False
    return any(not recognizer.has_words(WordList.SIDE, name) for site in sites for name in words_of(site))
