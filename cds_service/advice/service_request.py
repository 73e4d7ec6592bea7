"""One proposed order as a FHIR R4 ServiceRequest.

What it holds beyond FHIR's own demands are those of US Core and of Da Vinci CRD, as far as a hook call tells
(decision 7.10).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from cds_service.advice.call import DecidedCall, OrderOptions
from cds_service.advice.plain_text import plain_line
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.assessment import ProposedOrder
from cds_service.content.model import Content

_REFERENCE = re.compile(r"(Condition|Observation)/[A-Za-z0-9\-.]{1,64}")
_REQUESTERS = ("Practitioner/", "PractitionerRole/")

# As many reasons as a card names findings; more would only repeat them.
_MOST_REASONS = 6

# Words of the EHR as a reason: the display of a code is about as long.
_LONGEST_REASON = 200


def service_request(
    proposal: ProposedOrder, content: Content, call: DecidedCall, options: OrderOptions, question: str = ""
) -> dict[str, Any]:
    """A draft order for the patient of the call, with the clinical question and the findings as its reasons.

    Its `code` holds the codings of the content (LOINC first), then the site's own. It has no `id`: the EHR gives one
    when it creates the order.

    Args:
        proposal: which study, how urgent, within which time from the call, and what for.
        question: what the radiologist is asked, as plain text of one line; it stands in the first `reasonCode` and in
            `note`, since EHRs show the one or the other.
    """
    order = content.orders[proposal.slug]
    findings = proposal.reasons[:_MOST_REASONS]
    request: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": options.intent,
        "priority": proposal.priority,
        "code": {
            "coding": [dict(coding) for coding in (*order.codings, *options.codings.get(order.slug, ()))],
            "text": order.label,
        },
        "subject": {"reference": f"Patient/{call.request.patient_id}"},
        "authoredOn": _instant(call.at),
    }
    if category := content.rule.order_category:
        request["category"] = [{"coding": [dict(category)]}]
    if call.request.encounter_id:
        request["encounter"] = {"reference": f"Encounter/{call.request.encounter_id}"}
    if proposal.within:
        request["occurrencePeriod"] = {"start": _instant(call.at), "end": _instant(call.at + proposal.within)}
    if call.request.user_id.startswith(_REQUESTERS):
        request["requester"] = {"reference": call.request.user_id}
    asked = [{"text": question}] if question else []
    if reasons := [*asked, *(_reason(finding) for finding in findings)]:
        request["reasonCode"] = reasons
    if references := [_reference(finding) for finding in findings if _REFERENCE.fullmatch(finding.source)]:
        request["reasonReference"] = references
    if order.body_site:
        request["bodySite"] = [{"coding": [dict(order.body_site)]}]
    if question:
        request["note"] = [{"text": question}]
    return request


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _reason(finding: Finding) -> dict[str, Any]:
    text = finding.label or plain_line(finding.quote, _LONGEST_REASON)
    if finding.coding is None or not finding.coding.system:
        return {"text": text}
    coding = {"system": finding.coding.system, "code": finding.coding.code}
    if display := finding.coding.display or finding.label:
        coding["display"] = display
    return {"coding": [coding], "text": text}


def _reference(finding: Finding) -> dict[str, str]:
    return {"reference": finding.source}
