"""One proposed order as a FHIR R4 ServiceRequest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from typing import Any

from cds_service.advice.call import DecidedCall, OrderOptions
from cds_service.clinical.reading.findings import Finding
from cds_service.content.model import OrderDefinition

_REFERENCE = re.compile(r"(Condition|Observation)/[A-Za-z0-9\-.]{1,64}")
_REQUESTERS = ("Practitioner/", "PractitionerRole/")

# As many reasons as a card names findings; more would only repeat them.
_MOST_REASONS = 6


def service_request(
    order: OrderDefinition, priority: str, findings: Iterable[Finding], call: DecidedCall, options: OrderOptions
) -> dict[str, Any]:
    """A draft order for `order`, for the patient of the call, with the findings as its reasons.

    Its `code` holds the codings of the content (LOINC first), then the site's own. It has no `id`: the EHR
    gives one when it creates the order.
    """
    findings = list(findings)[:_MOST_REASONS]
    request: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": options.intent,
        "priority": priority,
        "code": {
            "coding": [dict(coding) for coding in (*order.codings, *options.codings.get(order.slug, ()))],
            "text": order.label,
        },
        "subject": {"reference": f"Patient/{call.request.patient_id}"},
        "authoredOn": call.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if call.request.encounter_id:
        request["encounter"] = {"reference": f"Encounter/{call.request.encounter_id}"}
    if call.request.user_id.startswith(_REQUESTERS):
        request["requester"] = {"reference": call.request.user_id}
    if reasons := [_reason(finding) for finding in findings]:
        request["reasonCode"] = reasons
    if references := [_reference(finding) for finding in findings if _REFERENCE.fullmatch(finding.source)]:
        request["reasonReference"] = references
    if order.body_site:
        request["bodySite"] = [{"coding": [dict(order.body_site)]}]
    return request


def _reason(finding: Finding) -> dict[str, Any]:
    text = finding.label or finding.quote
    if finding.coding is None or not finding.coding.system:
        return {"text": text}
    coding = {"system": finding.coding.system, "code": finding.coding.code}
    if display := finding.coding.display or finding.label:
        coding["display"] = display
    return {"coding": [coding], "text": text}


def _reference(finding: Finding) -> dict[str, str]:
    return {"reference": finding.source}
