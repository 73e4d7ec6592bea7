"""What Observations say about back pain: symptoms, complaints, places and scores of pain, and their components."""

from __future__ import annotations

from collections.abc import Collection

from cds_service.chart.records import Concept, Observation, Value
from cds_service.clinical.reading.assertion import denies
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.observations import component_observations, kinds_of
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.breast_cancer_back_pain.pain_meaning import (
    PainMeaning,
    pain_at_sites,
    pain_in_text,
    pain_meanings,
)
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import RuleValueSet

# What an Observation says in its value, not by its code.
_SAID_IN_VALUE = frozenset({SharedValueSet.SYMPTOM_OBSERVATION, SharedValueSet.COMPLAINT_OBSERVATION})

# Of these the components are details: the place of the score, the kind of the pain.
_WHOLE = frozenset({RuleValueSet.PAIN_SEVERITY_OBSERVATION, RuleValueSet.PAIN_LOCATION_OBSERVATION})


def observed_pain(observation: Observation, where: Finding, recognizer: Recognizer) -> list[PainMeaning]:
    """What an Observation and its components say about back pain; nothing where they deny it."""
    kinds = kinds_of(observation, recognizer)
    meanings = _observed(observation, kinds, where, recognizer)
    if not observation.components or not _WHOLE.isdisjoint(kinds):
        return meanings
    parts = [(part, kinds_of(part, recognizer)) for part in component_observations(observation, recognizer)]
    if any(
        RuleValueSet.PAIN_SEVERITY_OBSERVATION in value_sets and not _hurts(part, recognizer)
        for part, value_sets in parts
    ):
        return meanings
    return meanings + [
        meaning for part, value_sets in parts for meaning in _observed(part, value_sets, where, recognizer)
    ]


def _observed(
    observation: Observation, kinds: Collection[str], where: Finding, recognizer: Recognizer
) -> list[PainMeaning]:
    value = observation.value
    if value.absent or value.boolean is False or SharedValueSet.SYMPTOM_ABSENT_OBSERVATION in kinds:
        return []
    if RuleValueSet.PAIN_SEVERITY_OBSERVATION in kinds:
        return _severity(observation, where, recognizer)
    if RuleValueSet.PAIN_LOCATION_OBSERVATION in kinds:
        return _location(observation, where, recognizer)
    if not _SAID_IN_VALUE.isdisjoint(kinds):
        return _stated(value, observation.sites, where, recognizer)
    if denies(value, observation.status, recognizer):
        return []
    return pain_meanings(observation.concept, observation.sites, where, recognizer)


def _stated(value: Value, sites: tuple[Concept, ...], where: Finding, recognizer: Recognizer) -> list[PainMeaning]:
    if value.concept is not None:
        return pain_meanings(value.concept, sites, where, recognizer)
    return pain_in_text(value.text, where, recognizer)


def _location(observation: Observation, where: Finding, recognizer: Recognizer) -> list[PainMeaning]:
    """A pain location: the value names the site."""
    value = observation.value
    if value.concept is None:
        return pain_in_text(f"pain in {value.text}" if value.text else "", where, recognizer)
    at_sites = pain_at_sites((value.concept,), observation.concept, where, recognizer)
    stated = _stated(value, observation.sites, where, recognizer)
    # A coded site says where the pain is better than the words beside it.
    return at_sites or stated if recognizer.is_coded_otherwise(value.concept, IS_BACK_PAIN) else stated or at_sites


def _severity(observation: Observation, where: Finding, recognizer: Recognizer) -> list[PainMeaning]:
    """A pain score never locates pain by itself; with a spine site and a value above zero it does."""
    if not (observation.sites or observation.components) or not _hurts(observation, recognizer):
        return []
    in_components = [
        component.value.concept or Concept(text=component.value.text)
        for component in observation.components
        if component.value.concept is not None or component.value.text
    ]
    return pain_at_sites((*observation.sites, *in_components), observation.concept, where, recognizer)


def _hurts(score: Observation, recognizer: Recognizer) -> bool:
    """Whether a pain score is above zero: a number, an answer of LOINC's scale, or words (7/10, severe)."""
    value = score.value
    if value.concept is not None and RuleValueSet.PAIN_SCORE_ABOVE_ZERO in recognizer.value_sets(value.concept):
        return True
    return not value.is_empty and not denies(value, score.status, recognizer)
