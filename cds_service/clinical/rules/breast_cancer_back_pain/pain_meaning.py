"""What a concept or a text says about back pain: which region of the spine, chronic or changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cds_service.chart.records import Concept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.free_text import TextMatch
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.spine import UNSPECIFIED, regions_in
from cds_service.clinical.rules.breast_cancer_back_pain.spine_sites import regions_of, spine_sites
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import BACK_PAIN, CHRONIC_BACK_PAIN, RuleValueSet

# Free text of back pain is named by concepts that begin so.
PAIN_IN_WORDS = "back-pain-"


@dataclass(frozen=True, slots=True)
class PainMeaning:
    """What a concept says about back pain."""

    regions: frozenset[str]
    finding: Finding
    chronic: bool = False
    any_site: bool = False
    changed: bool = False


def pain_at_sites(
    sites: Iterable[Concept], concept: Concept, where: Finding, recognizer: Recognizer
) -> list[PainMeaning]:
    """Pain that is at the spine because its sites are; nothing where none of them is."""
    if not (known := spine_sites(sites, recognizer)):
        return []
    pain = next((label for coding in concept.codings if (label := recognizer.label(coding))), "Pain")
    name = ", ".join([pain, *dict.fromkeys(site.name for site in known)])
    quoted = any(site.quoted for site in known)
    coding = next(iter(concept.codings), None)
    finding = replace(where, label="" if quoted else name, quote=name if quoted else "", coding=coding)
    return [PainMeaning(regions_of(known), finding)]


def pain_meanings(
    concept: Concept, sites: tuple[Concept, ...], where: Finding, recognizer: Recognizer
) -> list[PainMeaning]:
    """What a concept says about back pain: by its codes, else by its words."""
    value_sets = recognizer.value_sets(concept)
    if RuleValueSet.BACK_PAIN_EXCLUSION in value_sets:
        return []
    if chronic := regions_in(value_sets, CHRONIC_BACK_PAIN):
        coding = next(value_sets[name] for name in value_sets if name in CHRONIC_BACK_PAIN)
        return [PainMeaning(chronic, recognizer.coded(where, coding, concept), chronic=True)]
    if RuleValueSet.CHRONIC_PAIN_ANY_SITE in value_sets and not regions_in(value_sets, BACK_PAIN):
        coding = value_sets[RuleValueSet.CHRONIC_PAIN_ANY_SITE]
        unsited = frozenset({UNSPECIFIED})
        return [PainMeaning(unsited, recognizer.coded(where, coding, concept), chronic=True, any_site=True)]
    if regions := regions_in(value_sets, BACK_PAIN):
        meaning = _by_code(regions, concept, sites, where, recognizer)
        return [replace(meaning, chronic=RuleValueSet.CHRONIC_PAIN_ANY_SITE in value_sets)]
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
    return _in_words(recognizer.in_words(concept, IS_BACK_PAIN), where)


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
    return PainMeaning(regions, recognizer.coded(where, coding, concept))


def pain_in_text(text: str, where: Finding, recognizer: Recognizer) -> list[PainMeaning]:
    return _in_words(recognizer.text(text, PAIN_IN_WORDS), where)


def _in_words(matches: Sequence[TextMatch], where: Finding) -> list[PainMeaning]:
    named = [match for match in matches if match.concept != RuleValueSet.BACK_PAIN_UNSPECIFIED] or matches
    return [
        PainMeaning(
            regions_in([match.concept], BACK_PAIN),
            replace(where, quote=match.quote, from_text=True),
            chronic=match.chronic and not match.changed,
            changed=match.changed,
        )
        for match in named
    ]
