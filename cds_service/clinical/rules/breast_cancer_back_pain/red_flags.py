"""Red flags beside back pain, and known metastases (chapter 3 of docs/clinical-decisions.md).

Red flags are signs of now: they count when they hold and began inside the window of the pain, or are undated and
belong to the current visit (decision 3.1). An old paraplegia is history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import CORD_SIGNS, NONSPECIFIC_SIGNS, RuleValueSet

_UNCLEAR = (*NONSPECIFIC_SIGNS, RuleValueSet.NONSPECIFIC_SIGN_FRACTURE)


@dataclass(frozen=True, slots=True)
class RedFlags:
    """What is recorded beside the pain, by what it means.

    Attributes:
        cord: new signs of cord or cauda equina compression (NICE's list): an emergency.
        nonspecific: new signs that may be one (weakness, falls ...): look for cord compression today.
        infection, pathological_fracture: emergencies of their own.
        cord_metastasis: known metastasis of the spinal cord or its meninges: an emergency with new pain.
        vertebral_compression_fracture: new vertebral collapse, the equivalent of pain.
        systemic: weight loss, hypercalcemia.
        bone_metastasis, other_metastasis: known, at any time.
    """

    cord: tuple[Finding, ...] = ()
    nonspecific: tuple[Finding, ...] = ()
    infection: tuple[Finding, ...] = ()
    pathological_fracture: tuple[Finding, ...] = ()
    cord_metastasis: tuple[Finding, ...] = ()
    vertebral_compression_fracture: tuple[Finding, ...] = ()
    systemic: tuple[Finding, ...] = ()
    bone_metastasis: tuple[Finding, ...] = ()
    other_metastasis: tuple[Finding, ...] = ()
    nonspecific_is_critical: bool = False

    @property
    def neurological(self) -> bool:
        """Whether there are signs of cord compression, from one clear or two unclear ones."""
        return bool(self.cord) or self.nonspecific_is_critical

    @property
    def critical(self) -> bool:
        """Whether the card is an emergency, once there is back pain."""
        return self.neurological or bool(self.infection or self.pathological_fracture or self.cord_metastasis)

    @property
    def emergencies(self) -> tuple[Finding, ...]:
        unclear = self.nonspecific if self.nonspecific_is_critical else ()
        return (*self.cord, *unclear, *self.pathological_fracture, *self.infection, *self.cord_metastasis)

    def named(self) -> Iterator[tuple[str, tuple[Finding, ...]]]:
        """The findings by the names of their fields."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple):
                yield item.name, value

    @property
    def whole_spine(self) -> bool:
        """Whether the whole spine is imaged, whatever the painful region."""
        return self.critical or bool(self.bone_metastasis or self.vertebral_compression_fracture)


def red_flags(
    asserted: Sequence[AssertedConcept], calendar: Calendar, options: RuleOptions, emergency_groups: int
) -> RedFlags:
    """Sort what a chart states into red flags.

    Args:
        asserted: what the chart states.
        calendar: the day of the call.
        options: the site's choices.
        emergency_groups: nonspecific signs of so many groups together are an emergency.
    """
    known = [item for item in asserted if not item.suspected]
    stated = [item for item in known if RuleValueSet.RED_FLAG_EXCLUSION not in item.value_sets]
    fresh = [item for item in stated if item.is_new(calendar)]
    holding = [item for item in stated if item.holds]
    groups = {NONSPECIFIC_SIGNS[name] for item in fresh for name in item.value_sets if name in NONSPECIFIC_SIGNS}
    unclear = _in(fresh, _UNCLEAR)
    return RedFlags(
        cord=_gravest_first(fresh),
        nonspecific=unclear,
        infection=_in(fresh, {RuleValueSet.SPINAL_INFECTION}),
        pathological_fracture=_in(fresh, {RuleValueSet.PATHOLOGICAL_FRACTURE}),
        cord_metastasis=_in(holding, {RuleValueSet.METASTASIS_SPINAL_CORD}),
        vertebral_compression_fracture=_in(fresh, {RuleValueSet.VERTEBRAL_COLLAPSE}),
        systemic=_in(fresh, {RuleValueSet.SYSTEMIC_FLAG}),
        bone_metastasis=_in(known, {RuleValueSet.METASTASIS_BONE}),
        other_metastasis=_in(known, {RuleValueSet.METASTASIS_BRAIN, RuleValueSet.METASTASIS_OTHER}),
        nonspecific_is_critical=len(groups) >= emergency_groups
        or bool(unclear and options.nonspecific_signs == "critical"),
    )


def _gravest_first(fresh: Sequence[AssertedConcept]) -> tuple[Finding, ...]:
    """New signs of cord compression, the gravest first, each once."""
    return _each_once([finding for name in CORD_SIGNS for finding in _in(fresh, {name})])


def _in(asserted: Iterable[AssertedConcept], value_sets: Iterable[str]) -> tuple[Finding, ...]:
    """The findings in any of the sets, newest first, the same words once."""
    wanted = frozenset(value_sets)
    found = [item.finding for item in asserted if item.value_sets & wanted]
    found.sort(key=lambda item: (item.from_text, -(item.when.latest.toordinal() if item.when else 0), item.source))
    return _each_once(found)


def _each_once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same words once, and no words of an entry whose code says it already."""
    coded = {item.source for item in findings if not item.from_text}
    told = [item for item in findings if not (item.from_text and item.source in coded)]
    return tuple({(item.label, item.quote): item for item in reversed(told)}.values())[::-1]
