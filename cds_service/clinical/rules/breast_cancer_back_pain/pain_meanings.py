"""What a concept, or an observation, says about back pain: of which spine region, and of which course.

Nothing here knows of time; `pain_records` dates what is said.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cds_service.chart.records import Concept, Observation, Value
from cds_service.clinical.reading.assertion import denies
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.free_text import TextMatch
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.spine import UNSPECIFIED, regions_in
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    BACK_PAIN,
    CHRONIC_BACK_PAIN,
    SPINE_SITE,
    RuleValueSet,
)

# Free text of back pain is named by concepts that begin so; the first word is their family.
PAIN_IN_WORDS = "back-pain-"
PAIN_FAMILY = "back"

# Flags of the text patterns that tell the course of a pain.
CHRONIC = frozenset({"chronic"})
WORSE = frozenset({"changed", "night", "mechanical", "unremitting"})
ACUTE = frozenset({"new"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a concept says about back pain; `course` holds flags of the text patterns."""

    regions: frozenset[str]
    finding: Finding
    course: frozenset[str] = frozenset()


def meanings_observed(observation: Observation, where: Finding, recognizer: Recognizer) -> list[Meaning]:
    """What an Observation says about back pain; nothing where it denies it."""
    value = observation.value
    if value.absent or value.boolean is False:
        return []
    code_sets = recognizer.value_sets(observation.concept)
    if SharedValueSet.SYMPTOM_ABSENT_OBSERVATION in code_sets:
        return []
    if RuleValueSet.PAIN_SEVERITY_OBSERVATION in code_sets:
        return _severity(observation, where, recognizer)
    if RuleValueSet.PAIN_LOCATION_OBSERVATION in code_sets:
        return _location(observation, where, recognizer)
    if SharedValueSet.SYMPTOM_OBSERVATION in code_sets or SharedValueSet.COMPLAINT_OBSERVATION in code_sets:
        return _stated(value, observation.sites, where, recognizer)
    if denies(value, observation.status, recognizer):
        return []
    return meanings_of(observation.concept, observation.sites, where, recognizer)


def _stated(value: Value, sites: tuple[Concept, ...], where: Finding, recognizer: Recognizer) -> list[Meaning]:
    if value.concept is not None:
        return meanings_of(value.concept, sites, where, recognizer)
    return _from_text(value.text, where, recognizer)


def _location(observation: Observation, where: Finding, recognizer: Recognizer) -> list[Meaning]:
    """A pain location: the value names the site."""
    value = observation.value
    if value.concept is None:
        return _from_text(f"pain in {value.text}" if value.text else "", where, recognizer)
    at_sites = _at_sites((value.concept,), observation.concept, where, recognizer)
    stated = _stated(value, observation.sites, where, recognizer)
    # A coded site says where the pain is better than the words beside it.
    return at_sites or stated if recognizer.is_coded_otherwise(value.concept, IS_BACK_PAIN) else stated or at_sites


def _severity(observation: Observation, where: Finding, recognizer: Recognizer) -> list[Meaning]:
    """A pain score never locates pain by itself; with a spine site and a value above zero it does."""
    if not observation.value.number or observation.value.number <= 0:
        return []
    in_components = [
        component.value.concept for component in observation.components if component.value.concept is not None
    ]
    return _at_sites((*observation.sites, *in_components), observation.concept, where, recognizer)


def _at_sites(sites: tuple[Concept, ...], concept: Concept, where: Finding, recognizer: Recognizer) -> list[Meaning]:
    known = [sets for site in sites if regions_in(sets := recognizer.value_sets(site), SPINE_SITE)]
    if not known:
        return []
    regions = frozenset().union(*(regions_in(sets, SPINE_SITE) for sets in known))
    places = [recognizer.label(next(sets[name] for name in sets if name in SPINE_SITE)) for sets in known]
    pain = next((recognizer.label(coding) for coding in concept.codings if recognizer.label(coding)), "Pain")
    coding = next(iter(concept.codings), None)
    return [Meaning(regions, replace(where, label=", ".join([pain, *dict.fromkeys(places)]), coding=coding))]


def meanings_of(concept: Concept, sites: tuple[Concept, ...], where: Finding, recognizer: Recognizer) -> list[Meaning]:
    """What a concept says about back pain: by its codes, else by its words."""
    sets = recognizer.value_sets(concept)
    if RuleValueSet.BACK_PAIN_TRAP in sets:
        return []
    if chronic := regions_in(sets, CHRONIC_BACK_PAIN):
        coding = next(sets[name] for name in sets if name in CHRONIC_BACK_PAIN)
        return [Meaning(chronic, recognizer.coded(where, coding, concept), CHRONIC)]
    chronic_somewhere = RuleValueSet.CHRONIC_PAIN_ANY_SITE in sets
    if regions := regions_in(sets, BACK_PAIN):
        meaning = _by_code(regions, concept, sites, where, recognizer)
        return [replace(meaning, course=CHRONIC) if chronic_somewhere else meaning]
    if chronic_somewhere:
        # Chronic pain of a knee or a scar says nothing of the back; the spine must stand in the same entry.
        named = _at_sites(sites, concept, where, recognizer) or _from_text(concept.text, where, recognizer)
        return [replace(meaning, course=meaning.course | CHRONIC) for meaning in named]
    if RuleValueSet.BACK_PAIN_IN_PREGNANCY in sets:
        return [
            Meaning(frozenset({"lumbar"}), recognizer.coded(where, sets[RuleValueSet.BACK_PAIN_IN_PREGNANCY], concept))
        ]
    if RuleValueSet.PAIN_NEEDING_SPINE_SITE in sets:
        if sited := _at_sites(sites, concept, where, recognizer):
            return sited
        elsewhere = any(RuleValueSet.NOT_SPINE_SITE in recognizer.value_sets(site) for site in sites)
        return [] if elsewhere else _from_text(concept.text, where, recognizer)
    return _in_words(recognizer.in_words(concept, IS_BACK_PAIN), where)


def _by_code(
    regions: frozenset[str],
    concept: Concept,
    sites: tuple[Concept, ...],
    where: Finding,
    recognizer: Recognizer,
) -> Meaning:
    found = recognizer.value_sets(concept)
    coding = next(found[name] for name in found if regions & regions_in([name], BACK_PAIN))
    if regions == {UNSPECIFIED}:
        sited = frozenset().union(*(regions_in(recognizer.value_sets(site), SPINE_SITE) for site in sites))
        regions = sited or regions
    # "Acute low back pain" is a code of its own.
    course = recognizer.flags(PAIN_FAMILY, recognizer.label(coding))
    return Meaning(regions, recognizer.coded(where, coding, concept), course)


def _from_text(text: str, where: Finding, recognizer: Recognizer) -> list[Meaning]:
    return _in_words(recognizer.text(text, PAIN_IN_WORDS), where)


def _in_words(matches: list[TextMatch], where: Finding) -> list[Meaning]:
    named = [match for match in matches if match.concept != RuleValueSet.BACK_PAIN_UNSPECIFIED] or matches
    return [
        Meaning(
            regions_in([match.concept], BACK_PAIN),
            replace(where, quote=match.quote, from_text=True),
            course=match.flags,
        )
        for match in named
    ]
