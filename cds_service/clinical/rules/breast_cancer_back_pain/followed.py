"""What a replay follows: the new pain, MRI of the spine that was done, and codes of metastasis of bone or cord."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.chart.records import Study
from cds_service.clinical.rules.assessment import Answer
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import CANCER_HISTORY, PAIN, Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.evidence import Evidence
from cds_service.clinical.rules.breast_cancer_back_pain.studies import spine_mri_sets
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import RuleValueSet
from cds_service.clinical.rules.followed import Followed
from cds_service.clinical.rules.imaging_history import is_done

# What the card looks for. Metastasis elsewhere is none that an MRI of the spine shows, and a history of metastasis
# says nothing of when it was found.
_FOUND = frozenset({RuleValueSet.METASTASIS_BONE, RuleValueSet.METASTASIS_SPINAL_CORD})


def followed(assessment: Assessment) -> Followed:
    """What there is to follow in the chart of an assessment; nothing where the chart was not read."""
    if assessment.read is None:
        return Followed()
    evidence = assessment.read()
    asked = {item.id: item.answer for item in assessment.criteria}
    return Followed(
        at_risk=asked.get(CANCER_HISTORY) is Answer.MET,
        place=assessment.region,
        complaint=tuple(dict.fromkeys(item.source for item in assessment.findings_by_kind()[PAIN])),
        imaging=tuple(dict.fromkeys(_imaging(evidence))),
        disease=tuple(dict.fromkeys(_disease(evidence))),
    )


def _imaging(evidence: Evidence) -> Iterator[str]:
    """MRI of the spine, of any part of it, with or without contrast."""
    wanted, ordered = spine_mri_sets(evidence.content), evidence.recognizer.ordered
    studies: tuple[Study, ...] = (*evidence.chart.diagnostic_reports.items, *evidence.chart.procedures.items)
    for study in studies:
        if is_done(study) and any(wanted & ordered(concept) for concept in study.concepts):
            yield study.reference


def _disease(evidence: Evidence) -> Iterator[str]:
    """Entries with a code of metastasis, asserted and not suspected; words alone are read less surely."""
    for item in evidence.asserted:
        if item.value_sets & _FOUND and not item.suspected and not item.finding.from_text:
            yield item.finding.source
