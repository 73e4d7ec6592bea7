"""Which regions of the spine a body site names, by its code or in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.chart.records import Concept
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.spine import UNSPECIFIED, regions_in
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import BACK_PAIN, SPINE_SITE

# Words for a region of the spine bear the names of the value sets of its body sites.
SPINE_IN_WORDS = "spine-site-"


@dataclass(frozen=True, slots=True)
class SpineSite:
    """A body site of the spine: its regions, and what it is called in our own words or (`quoted`) in the chart's."""

    regions: frozenset[str]
    name: str
    quoted: bool = False


def spine_sites(sites: Iterable[Concept], recognizer: Recognizer) -> tuple[SpineSite, ...]:
    """Those of the sites that are of the spine. Words count where no code of the site is known."""
    return tuple(found for site in sites if (found := _spine_site(site, recognizer)))


def regions_of(sites: Iterable[SpineSite]) -> frozenset[str]:
    """All regions that the sites name."""
    return frozenset().union(*(site.regions for site in sites))


def regions_named(concepts: Iterable[Concept], recognizer: Recognizer) -> frozenset[str]:
    """The regions that the names of concepts hold ("lumbar microdiscectomy"); none where they name no single one."""
    names = (name for concept in concepts for name in (*words_of(concept), *recognizer.labels(concept)))
    named = {match.concept for name in names for match in recognizer.text(name, SPINE_IN_WORDS)}
    return regions_in(named, SPINE_SITE) - {UNSPECIFIED}


def _spine_site(site: Concept, recognizer: Recognizer) -> SpineSite | None:
    value_sets = recognizer.value_sets(site)
    if regions := regions_in(value_sets, SPINE_SITE):
        name = recognizer.label(next(value_sets[set_id] for set_id in value_sets if set_id in SPINE_SITE))
        return SpineSite(regions, name)
    if value_sets:
        return None
    for words in words_of(site):
        # A site is read as the place of a pain: the patterns of pain know the words for the regions of the spine.
        stated = [match.concept for match in recognizer.text(f"pain in {words}") if match.concept in IS_BACK_PAIN]
        if regions := regions_in(stated, BACK_PAIN):
            return SpineSite(regions, words, quoted=True)
    return None
