"""What the site of an entry adds to its code: where the skin is numb, and which bone is broken (decisions 2.10, 3.3).

A body site counts by its code or in words; the words of the entry itself name a site too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.rules.breast_cancer_back_pain.spine import regions_in
from cds_service.clinical.rules.breast_cancer_back_pain.spine_sites import SPINE_IN_WORDS
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import OTHER_BONE, SPINE_SITE, RuleValueSet

# What a fracture of a bone that its code leaves open is, where the entry names the spine.
_AT_THE_SPINE: Mapping[str, str] = {
    RuleValueSet.NONSPECIFIC_SIGN_FRACTURE: RuleValueSet.VERTEBRAL_COLLAPSE,
    RuleValueSet.PATHOLOGICAL_FRACTURE_NEEDING_SPINE_SITE: RuleValueSet.PATHOLOGICAL_FRACTURE,
}

# Fractures that are of another bone where the entry names one: M84.58 is "other specified site", vertebrae included,
# and a compression fracture of SNOMED CT (443395009) names no bone.
_OPEN_TO_SITE = frozenset({*_AT_THE_SPINE, RuleValueSet.PATHOLOGICAL_FRACTURE, RuleValueSet.VERTEBRAL_COLLAPSE})

# Numbness there is a sign of compression of the cord or the cauda equina.
_GRAVE_NUMBNESS = frozenset({RuleValueSet.CORD_COMPRESSION, RuleValueSet.SIGN_SENSORY})


def at_their_sites(asserted: Iterable[AssertedConcept], recognizer: Recognizer) -> tuple[AssertedConcept, ...]:
    """The concepts of a chart as what they are at their sites."""
    return tuple(_fracture(_numbness(item, recognizer), recognizer) for item in asserted)


def spine_regions(item: AssertedConcept, recognizer: Recognizer) -> frozenset[str]:
    """The regions of the spine that the words and body sites of an entry name; `unspecified` where it is the spine."""
    return regions_in(_sites_named(item, recognizer, SPINE_IN_WORDS), SPINE_SITE)


def _numbness(item: AssertedConcept, recognizer: Recognizer) -> AssertedConcept:
    """A disturbance of sensation: at the perineum, in both legs or on the trunk it is a sign of compression."""
    if RuleValueSet.NONSPECIFIC_SIGN_SENSORY not in item.value_sets:
        return item
    for site in item.sites:
        for words in words_of(site):
            if signs := _GRAVE_NUMBNESS & {match.concept for match in recognizer.text(f"numbness in {words}")}:
                named = ", ".join(part for part in (item.finding.label or item.finding.quote, words) if part)
                return replace(
                    item,
                    value_sets=item.value_sets - {RuleValueSet.NONSPECIFIC_SIGN_SENSORY} | signs,
                    # The site is in the words of the EHR, so that the whole is quoted.
                    finding=replace(item.finding, label="", quote=named),
                )
    return item


def _fracture(item: AssertedConcept, recognizer: Recognizer) -> AssertedConcept:
    if item.finding.from_text or _OPEN_TO_SITE.isdisjoint(item.value_sets):
        return item
    if spine_regions(item, recognizer):
        at_the_spine = frozenset(_AT_THE_SPINE.get(name, name) for name in item.value_sets)
        return replace(item, value_sets=at_the_spine)
    if _names_another_bone(item, recognizer):
        return replace(item, value_sets=item.value_sets - _OPEN_TO_SITE | {OTHER_BONE})
    return item


def _names_another_bone(item: AssertedConcept, recognizer: Recognizer) -> bool:
    named = _sites_named(item, recognizer, OTHER_BONE)
    return OTHER_BONE in named or RuleValueSet.NOT_SPINE_SITE in named


def _sites_named(item: AssertedConcept, recognizer: Recognizer, prefix: str) -> set[str]:
    """The text concepts with this prefix that an entry names, and the value sets of its body sites."""
    by_words = {match.concept for text in _words(item, recognizer) for match in recognizer.text(text, prefix)}
    return by_words.union(*(recognizer.value_sets(site) for site in item.sites))


def _words(item: AssertedConcept, recognizer: Recognizer) -> Iterator[str]:
    """What an entry says in words, its codes in our own words included; of a finding in words its sentence only."""
    if item.finding.from_text:
        yield item.finding.quote
        return
    yield from words_of(item.concept)
    yield from recognizer.labels(item.concept)
    for site in item.sites:
        yield from words_of(site)
