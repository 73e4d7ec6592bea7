"""Advice against routine imaging for distant disease in a patient without symptoms.

Only where such a study is being ordered, and only where everything says that it is routine: breast cancer at least
a year ago, no metastasis, no symptom on record, no reason on the order. Silent in every other case.
"""

from __future__ import annotations

from datetime import timedelta

from cds_service.clinical.evidence import Evidence
from cds_service.clinical.findings import Removal
from cds_service.clinical.orders import removable
from cds_service.clinical.pain_records import CHRONIC, CHRONIC_ANY_SITE, GENERIC_PAIN, INJURY, PAIN

# Studies that look for distant disease, and what the wording calls them.
_SEARCHES = {
    "imaging-bone-scan-whole-body": "bone-scan",
    "imaging-bone-scan-unstated-extent": "bone-scan",
    "imaging-ct-chest-abdomen-pelvis": "ct",
    "imaging-pet-ct-fdg": "pet-ct",
    "imaging-pet-ct-sodium-fluoride": "pet-ct",
}
_SYMPTOM_PREFIXES = (
    PAIN, CHRONIC, CHRONIC_ANY_SITE, GENERIC_PAIN, INJURY, "sign-", "nonspecific-sign-", "cord-compression",
    "brain-symptom", "systemic-flag", "spinal-infection", "pathological-fracture", "vertebral-collapse", "metastasis-",
    "pain-quality",
)  # fmt: skip

# Work-up and treatment of a new cancer take most of a year; imaging before that is not surveillance.
_SURVEILLANCE_FROM_DAYS = 365


def routine_searches(evidence: Evidence) -> tuple[Removal, ...]:
    """The selected orders that look like routine surveillance; none where anything says otherwise."""
    if evidence.options.surveillance_advice == "off" or not _is_long_past(evidence):
        return ()
    if evidence.records or _has_symptom(evidence):
        return ()
    searches = removable(evidence.chart.drafts, _SEARCHES, evidence.recognizer)
    if any(order.reason_given for order, _ in searches):
        return ()
    return tuple(removal for _, removal in searches)


def _is_long_past(evidence: Evidence) -> bool:
    """Whether the cancer was certainly on record a year ago."""
    latest = evidence.calendar.today - timedelta(days=_SURVEILLANCE_FROM_DAYS)
    return any(finding.when and finding.when.latest <= latest for finding in evidence.history.proven)


def _has_symptom(evidence: Evidence) -> bool:
    return any(name.startswith(_SYMPTOM_PREFIXES) for item in evidence.statements for name in item.sets)
