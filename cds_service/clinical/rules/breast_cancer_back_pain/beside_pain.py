"""What else is recorded and named in a line each, without ever silencing the card (decisions 7.12 and 7.13).

Another cause of pain in the same visit, procedures of the spine and radiotherapy of the last months, and anticoagulants
beside signs of cord compression.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta

from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.breast_cancer_back_pain.evidence import Evidence
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import RuleValueSet

_PROCEDURE = "Procedure"


@dataclass(frozen=True, slots=True)
class BesidePain:
    """What is named beside the pain, the newest first.

    Attributes:
        aorta: aneurysm or dissection of the aorta, recorded in the visit of the pain, also where it is only suspected.
        other_causes: an aneurysm that is known, and another cause of pain in the visit of the pain.
        spinal_procedures, radiotherapy: of the last months.
        anticoagulants: in use, where there are signs of cord compression.
    """

    aorta: tuple[Finding, ...] = ()
    other_causes: tuple[Finding, ...] = ()
    spinal_procedures: tuple[Finding, ...] = ()
    radiotherapy: tuple[Finding, ...] = ()
    anticoagulants: tuple[Finding, ...] = ()

    def named(self) -> Iterator[tuple[str, tuple[Finding, ...]]]:
        """The findings by the names of their fields."""
        return ((item.name, getattr(self, item.name)) for item in fields(self))


def beside_pain(evidence: Evidence, pain_sources: Collection[str]) -> BesidePain:
    """Read what is named beside the pain.

    Args:
        evidence: the chart.
        pain_sources: references of the entries that tell of the new pain.
    """
    stated = evidence.asserted
    pains = [item for item in stated if item.finding.source in pain_sources]
    aortas = _holding(stated, RuleValueSet.AORTIC_ANEURYSM)
    in_the_visit = [item for item in aortas if _of_one_visit(item, pains)]
    known = [item for item in aortas if item not in in_the_visit and not item.point and not item.suspected]
    causes = _holding(stated, RuleValueSet.PAIN_WITH_ANOTHER_CAUSE)
    others = [item for item in causes if not item.suspected and _of_one_visit(item, pains)]
    anticoagulants = _holding(stated, RuleValueSet.ANTICOAGULANT_USE) if evidence.flags.neurological else []
    return BesidePain(
        aorta=_newest_first(in_the_visit),
        other_causes=_newest_first([] if in_the_visit else known) + _newest_first(others),
        spinal_procedures=_newest_first(_done_lately(evidence, RuleValueSet.SPINAL_PROCEDURE)),
        radiotherapy=_newest_first(_done_lately(evidence, RuleValueSet.RADIOTHERAPY)),
        anticoagulants=_newest_first(item for item in anticoagulants if not item.suspected),
    )


def _holding(stated: Sequence[AssertedConcept], name: str) -> list[AssertedConcept]:
    return [item for item in stated if name in item.value_sets and item.holds]


def _of_one_visit(item: AssertedConcept, pains: Iterable[AssertedConcept]) -> bool:
    """Whether something is told by an entry of the pain, or by another of the same visit or day."""
    return any(item.finding.source == pain.finding.source or item.same_visit(pain) for pain in pains)


def _done_lately(evidence: Evidence, name: str) -> Iterator[AssertedConcept]:
    """Procedures of the last months, and visits that a code says to be one; words of a diagnosis are of any time."""
    first = evidence.calendar.today - timedelta(days=evidence.number(Threshold.AFTER_PROCEDURE_DAYS))
    for item in evidence.asserted:
        is_procedure = item.finding.kind == _PROCEDURE or (item.point and not item.finding.from_text)
        told = item.day or item.finding.when
        if name in item.value_sets and is_procedure and not item.suspected and told and told.latest >= first:
            yield item


def _newest_first(statements: Iterable[AssertedConcept]) -> tuple[Finding, ...]:
    """The findings; of one entry the code speaks and not its words, and the same words are said once."""
    found = sorted(
        (item.finding for item in statements),
        key=lambda item: (-item.last_day.toordinal(), item.from_text, item.source),
    )
    return tuple({(item.label, item.quote): item for item in reversed(found)}.values())[::-1]
