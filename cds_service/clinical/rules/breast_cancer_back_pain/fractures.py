"""New fractures of vertebrae: each stands for pain where none is recorded (decision 2.10).

Whether a fracture is new, its dates say: the seventh character of ICD-10-CM says "A" as long as the fracture is
treated. Any other character but "B" (open) tells of a fracture that is past. In ICD-10 the supplementary character "1"
says that a fracture is open, in ICD-9-CM an odd fourth digit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import Finding, coded_newest_first
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.sited_findings import spine_regions
from cds_service.clinical.rules.breast_cancer_back_pain.spine import UNSPECIFIED, regions_in
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    FRACTURE_IN_WORDS,
    SPINE_FRACTURE,
    RuleValueSet,
)
from cds_service.content.spelling import icd_code

# The seventh character of an ICD-10-CM code of the chapters in which fractures of vertebrae stand.
_SEVENTH = re.compile(r"[MS][0-9][0-9A-Z]\.?[0-9A-Z]{3}([A-Z])")

# Open fractures in classifications without a seventh character, by the name of the system. Nations use the fifth
# character of S12 to S32 for the vertebra; T08.1 is open in all of them.
_OPEN = {"ICD-10": re.compile(r"(?:S12|S22|S32)[0-9]1|T081"), "ICD-9-CM": re.compile(r"80[56][13579][0-9]?")}
_OPEN_IN_ANY_NATION = re.compile(r"T081")

# What is done to a patient is no finding of its own: a vertebroplasty says when, not that the fracture is new.
_NO_FINDINGS = frozenset({"Procedure", "Device"})


class Cause(StrEnum):
    """Why a vertebra is broken, as far as the chart says; the gravest first."""

    TUMOR = "tumor"
    NOT_STATED = "not stated"
    INJURY = "injury"


_CAUSES: Mapping[str, Cause] = {
    RuleValueSet.PATHOLOGICAL_FRACTURE: Cause.TUMOR,
    RuleValueSet.PATHOLOGICAL_FRACTURE_NEEDING_SPINE_SITE: Cause.TUMOR,
    RuleValueSet.VERTEBRAL_COLLAPSE: Cause.NOT_STATED,
    RuleValueSet.TRAUMATIC_VERTEBRAL_FRACTURE: Cause.INJURY,
}


@dataclass(frozen=True, slots=True)
class Fracture:
    """One new fracture.

    Attributes:
        cause: why the vertebra is broken.
        regions: of the spine; `unspecified` alone where none is named, empty where the bone is not.
        finding: what and where.
        stands_for_pain: it is one of the spine, and no case for the trauma pathway.
    """

    cause: Cause
    regions: frozenset[str]
    finding: Finding
    stands_for_pain: bool


@dataclass(frozen=True, slots=True)
class _Record:
    """A record of a fracture, new or not; `day` is the one of which it tells, where that is known."""

    item: AssertedConcept
    cause: Cause
    regions: frozenset[str]
    is_past: bool
    is_open: bool
    day: date | None

    def may_be_the_same(self, other: _Record) -> bool:
        """Whether two records may tell of one fracture."""
        anywhere = {UNSPECIFIED} & (self.regions | other.regions)
        return self.cause is other.cause and bool(anywhere or self.regions & other.regions)


def new_fractures(
    asserted: Sequence[AssertedConcept], recognizer: Recognizer, calendar: Calendar
) -> tuple[Fracture, ...]:
    """The new fractures of vertebrae, newest first.

    Args:
        asserted: what the chart states, at its sites.
        recognizer: reads regions and the past in words.
        calendar: the day of the call.
    """
    records = list(_records(asserted, recognizer))
    causes_of_injury = [item for item in asserted if RuleValueSet.HIGH_ENERGY_CAUSE in item.value_sets]
    found = [
        Fracture(
            cause=record.cause,
            regions=record.regions,
            finding=record.item.finding,
            stands_for_pain=bool(record.regions) and not _is_for_the_trauma_pathway(record, causes_of_injury),
        )
        for record in records
        if not record.is_past and record.item.is_new(calendar) and not _was_known(record, records, calendar)
    ]
    return tuple(sorted(found, key=lambda fracture: coded_newest_first(fracture.finding)))


def findings_of(fractures: Iterable[Fracture], cause: Cause) -> tuple[Finding, ...]:
    """The findings of one cause, the same words once, and no words of an entry whose code says it already."""
    findings = [fracture.finding for fracture in fractures if fracture.cause is cause]
    coded = {finding.source for finding in findings if not finding.from_text}
    told = [finding for finding in findings if not (finding.from_text and finding.source in coded)]
    return tuple({(finding.label, finding.quote): finding for finding in told}.values())


def _records(asserted: Iterable[AssertedConcept], recognizer: Recognizer) -> Iterator[_Record]:
    for item in asserted:
        causes = {_CAUSES[name] for name in item.value_sets & _CAUSES.keys()}
        if not causes or item.suspected or item.finding.kind in _NO_FINDINGS:
            continue
        told = (item.day or item.finding.when) if item.point else (item.finding.when or item.day)
        seventh = _seventh_characters(item)
        yield _Record(
            item=item,
            cause=next(cause for cause in Cause if cause in causes),
            regions=_regions(item, recognizer),
            is_past=bool(seventh - {"A", "B"}) or _is_healed(item, recognizer),
            is_open=_is_open(item, recognizer),
            day=told.latest if told else None,
        )


def _regions(item: AssertedConcept, recognizer: Recognizer) -> frozenset[str]:
    """The regions by the code, else by words and body sites; none where nothing says that it is the spine."""
    if by_code := regions_in(item.value_sets, SPINE_FRACTURE):
        return by_code
    if named := spine_regions(item, recognizer):
        return named
    bone_is_open = RuleValueSet.PATHOLOGICAL_FRACTURE_NEEDING_SPINE_SITE in item.value_sets
    return frozenset() if bone_is_open else frozenset({UNSPECIFIED})


def _seventh_characters(item: AssertedConcept) -> set[str]:
    codes = (coding.code.strip().upper() for coding in item.concept.codings)
    return {found[1] for code in codes if (found := _SEVENTH.fullmatch(code))}


def _is_open(item: AssertedConcept, recognizer: Recognizer) -> bool:
    """Whether a code names an open fracture: by "B" in ICD-10-CM, else as its classification says it."""
    return "B" in _seventh_characters(item) or any(
        _OPEN.get(recognizer.system_name(coding.system), _OPEN_IN_ANY_NATION).fullmatch(icd_code(coding.code))
        for coding in item.concept.codings
    )


def _is_healed(item: AssertedConcept, recognizer: Recognizer) -> bool:
    """Whether another code or the words of the entry say that the fracture is past, or that there is none."""
    if RuleValueSet.HEALED_FRACTURE in item.value_sets:
        return True
    return recognizer.denied_in_words(item.concept.text, FRACTURE_IN_WORDS)


def _was_known(record: _Record, records: Iterable[_Record], calendar: Calendar) -> bool:
    """Whether the same fracture may have been recorded in the clean days, before the window."""
    start = record.day or calendar.today
    first = start - timedelta(days=calendar.clean_days)
    return any(
        other.day is not None and first <= other.day < calendar.window_start and record.may_be_the_same(other)
        for other in records
        if other is not record
    )


def _is_for_the_trauma_pathway(record: _Record, causes_of_injury: Iterable[AssertedConcept]) -> bool:
    """Whether a fracture is open, or its visit records an injury with much force; a tumor is looked for anyway."""
    if record.cause is Cause.TUMOR:
        return False
    return record.is_open or any(item.same_visit(record.item) for item in causes_of_injury)
