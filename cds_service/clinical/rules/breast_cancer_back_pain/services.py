"""The three CDS services of this rule, one for each hook, and what each asks an EHR for."""

from __future__ import annotations

from cds_service.content.model import Content
from cds_service.protocol.services import Service

_PATIENT = "patient={{context.patientId}}"
_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"

_WHAT = (
    "Notices a history of breast cancer together with new back pain and proposes MRI of the spine without and with"
    " IV contrast, whole-body bone scan and CT chest/abdomen/pelvis."
)

_NEEDS = (
    "patient, conditions and observations decide and must be supplied;"
    " the other prefetch keys refine the advice and may be missing."
)

SERVICES: tuple[Service, ...] = (
    Service(
        "breast-cancer-back-pain-patient-view",
        "patient-view",
        "Breast cancer history and new back pain: opening the chart",
        f"{_WHAT} Speaks when the chart is opened.",
        _NEEDS,
    ),
    Service(
        "breast-cancer-back-pain-order-select",
        "order-select",
        "Breast cancer history and new back pain: choosing an order",
        f"{_WHAT} Speaks when an order for the back, an analgesic or a search for metastases is selected.",
        _NEEDS,
    ),
    Service(
        "breast-cancer-back-pain-order-sign",
        "order-sign",
        "Breast cancer history and new back pain: signing orders",
        f"{_WHAT} A last look before orders for the back, analgesics or a search for metastases are signed.",
        _NEEDS,
    ),
)


def prefetch_templates(content: Content) -> dict[str, str]:
    """The prefetch templates by key, the same for every service.

    Each is a plain FHIR search that a site can type by hand: no parameter twice (the public sandbox merges
    them to an "or"), no token but `context.patientId` (the only one every client resolves). Observations are
    asked for by code only, because a chart holds thousands that say nothing of pain.
    """
    codes = dict.fromkeys(
        code
        for set_id in content.rule.prefetch_observations
        for system in (_LOINC, _SNOMED)
        for code in content.terminology.codes(set_id, system)
    )
    return {
        "patient": "Patient/{{context.patientId}}",
        "conditions": f"Condition?{_PATIENT}&_count=500",
        "observations": f"Observation?{_PATIENT}&code={','.join(codes)}&_sort=-date&_count=200",
        "serviceRequests": f"ServiceRequest?{_PATIENT}&_sort=-authored&_count=100",
        "diagnosticReports": f"DiagnosticReport?{_PATIENT}&_sort=-date&_count=100",
        "procedures": f"Procedure?{_PATIENT}&_sort=-date&_count=100",
        "allergies": f"AllergyIntolerance?{_PATIENT}&_count=100",
        "devices": f"Device?{_PATIENT}&_count=50",
        "encounters": f"Encounter?{_PATIENT}&_sort=-date&_count=50",
    }
