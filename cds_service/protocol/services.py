"""The three CDS services, and what discovery says of them (CDS Hooks 2.0.1, Discovery)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.content.model import Content

# The version of the specification that requests and responses follow. Announced for CDS Hooks 3 clients; others
# pass over it.
SPECIFICATION_VERSION = "2.0.1"

_PATIENT = "patient={{context.patientId}}"
_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"


@dataclass(frozen=True, slots=True)
class Service:
    """One CDS service: one hook, one stable id."""

    id: str
    hook: str
    title: str
    description: str

    @property
    def has_orders(self) -> bool:
        return self.hook != "patient-view"


_WHAT = (
    "Notices a history of breast cancer together with new back pain and proposes MRI of the spine without and with"
    " IV contrast, whole-body bone scan and CT chest/abdomen/pelvis."
)

SERVICES: Mapping[str, Service] = {
    service.id: service
    for service in (
        Service(
            "breast-cancer-back-pain-patient-view",
            "patient-view",
            "Breast cancer history and new back pain: opening the chart",
            f"{_WHAT} Speaks when the chart is opened.",
        ),
        Service(
            "breast-cancer-back-pain-order-select",
            "order-select",
            "Breast cancer history and new back pain: choosing an order",
            f"{_WHAT} Speaks when an order for the back, an analgesic or a search for metastases is selected.",
        ),
        Service(
            "breast-cancer-back-pain-order-sign",
            "order-sign",
            "Breast cancer history and new back pain: signing orders",
            f"{_WHAT} A last look before orders for the back, analgesics or a search for metastases are signed.",
        ),
    )
}


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
        "encounters": f"Encounter?{_PATIENT}&_sort=-date&_count=50",
    }


def discovery(content: Content) -> dict[str, Any]:
    """The discovery document."""
    templates = prefetch_templates(content)
    return {
        "services": [
            {
                "hook": service.hook,
                "title": service.title,
                "description": service.description,
                "id": service.id,
                "version": SPECIFICATION_VERSION,
                "prefetch": templates,
                "usageRequirements": (
                    "patient, conditions and observations decide and must be supplied;"
                    " the other prefetch keys refine the advice and may be missing."
                ),
            }
            for service in SERVICES.values()
        ]
    }
