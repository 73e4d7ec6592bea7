"""What a concept or a text says about back pain: of which region of the spine, and of which course.

Nothing here knows of time; `pain_records` dates what is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cds_service.chart.records import Concept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.free_text import TextMatch
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.spine import UNSPECIFIED, regions_in
from cds_service.clinical.rules.breast_cancer_back_pain.spine_sites import regions_of, spine_sites
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import BACK_PAIN, CHRONIC_BACK_PAIN, RuleValueSet

# Free text of back pain is named by concepts that begin so; the first word is their family.
PAIN_IN_WORDS = "back-pain-"
PAIN_FAMILY = "back"

# Flags of the text patterns that tell the course of a pain.
CHRONIC = frozenset({"chronic"})
WORSE = frozenset({"changed", "night", "mechanical", "unremitting"})
ACUTE = frozenset({"new"})


@dataclass(frozen=True, slots=True)
class PainMeaning:
    """What a concept says about back pain; `course` holds flags of the text patterns."""

    regions: frozenset[str]
    finding: Finding
    course: frozenset[str] = frozenset()


def pain_at_sites(
    sites: Iterable[Concept], concept: Concept, where: Finding, recognizer: Recognizer
) -> list[PainMeaning]:
    """Pain that is at the spine because its sites are; nothing where none of them is."""
    if not (known := spine_sites(sites, recognizer)):
        return []
    pain = next(iter(recognizer.labels(concept)), "Pain")
    name = ", ".join([pain, *dict.fromkeys(site.name for site in known)])
    quoted = any(site.quoted for site in known)
    coding = next(iter(concept.codings), None)
    finding = replace(where, label="" if quoted else name, quote=name if quoted else "", coding=coding)
    # "Acute pain" is a code of its own.
    return [PainMeaning(regions_of(known), finding, recognizer.flags(PAIN_FAMILY, pain))]


def pain_meanings(
    concept: Concept, sites: tuple[Concept, ...], where: Finding, recognizer: Recognizer
) -> list[PainMeaning]:
    """What a concept says about back pain: by its codes, else by its words."""
    value_sets = recognizer.value_sets(concept)
    if RuleValueSet.BACK_PAIN_EXCLUSION in value_sets:
        return []
    if chronic := regions_in(value_sets, CHRONIC_BACK_PAIN):
        coding = next(value_sets[name] for name in value_sets if name in CHRONIC_BACK_PAIN)
        return [PainMeaning(chronic, recognizer.coded(where, coding, concept), CHRONIC)]
    chronic_somewhere = RuleValueSet.CHRONIC_PAIN_ANY_SITE in value_sets
    if regions := regions_in(value_sets, BACK_PAIN):
        meaning = _by_code(regions, concept, sites, where, recognizer)
        return [replace(meaning, course=CHRONIC) if chronic_somewhere else meaning]
    if chronic_somewhere:
        # Chronic pain of a knee or a scar says nothing of the back; the spine must stand in the same entry.
        named = pain_at_sites(sites, concept, where, recognizer) or pain_in_text(concept.text, where, recognizer)
        return [replace(meaning, course=meaning.course | CHRONIC) for meaning in named]
    if RuleValueSet.BACK_PAIN_IN_PREGNANCY in value_sets:
        return [
            PainMeaning(
                frozenset({"lumbar"}), recognizer.coded(where, value_sets[RuleValueSet.BACK_PAIN_IN_PREGNANCY], concept)
            )
        ]
    if RuleValueSet.PAIN_NEEDING_SPINE_SITE in value_sets:
        if sited := pain_at_sites(sites, concept, where, recognizer):
            return sited
        elsewhere = any(RuleValueSet.NOT_SPINE_SITE in recognizer.value_sets(site) for site in sites)
        return [] if elsewhere else pain_in_text(concept.text, where, recognizer)
    stated = recognizer.in_words(concept, IS_BACK_PAIN)
    return _in_words(stated or _words_at_sites(concept, sites, recognizer), where)


def _words_at_sites(concept: Concept, sites: Iterable[Concept], recognizer: Recognizer) -> Sequence[TextMatch]:
    """The words of a concept that no code says, read with its body site: "worsening pain" at the "lower back"."""
    if recognizer.value_sets(concept):
        return ()
    places = [place for site in sites for place in words_of(site)]
    read = (recognizer.text(f"{words} in {place}", PAIN_IN_WORDS) for words in words_of(concept) for place in places)
    return next((matches for matches in read if matches), ())


def _by_code(
    regions: frozenset[str],
    concept: Concept,
    sites: tuple[Concept, ...],
    where: Finding,
    recognizer: Recognizer,
) -> PainMeaning:
    found = recognizer.value_sets(concept)
    coding = next(found[name] for name in found if regions & regions_in([name], BACK_PAIN))
    if regions == {UNSPECIFIED}:
        regions = regions_of(spine_sites(sites, recognizer)) or regions
    # "Acute low back pain" is a code of its own.
    course = recognizer.flags(PAIN_FAMILY, recognizer.label(coding))
    return PainMeaning(regions, recognizer.coded(where, coding, concept), course)


def pain_in_text(text: str, where: Finding, recognizer: Recognizer) -> list[PainMeaning]:
    return _in_words(recognizer.text(text, PAIN_IN_WORDS), where)


def _in_words(matches: Sequence[TextMatch], where: Finding) -> list[PainMeaning]:
    named = [match for match in matches if match.concept != RuleValueSet.BACK_PAIN_UNSPECIFIED] or matches
    return [
        PainMeaning(
            regions_in([match.concept], BACK_PAIN),
            replace(where, quote=match.quote, from_text=True),
            course=match.flags,
        )
        for match in named
    ]
