"""Calls that are answered with what the tests' own FHIR server holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from cds_service import Settings
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.errors import MissingData
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    PATIENT_ID,
    SERVICES,
    SYMPTOM,
    Json,
    concept,
    condition,
    day,
    observation,
    outcome,
    prefetch,
    reference,
    request,
    rule,
)
from tests.wire_fhir_server import Handler

TOKEN = "token-5f0c7a"
TEMPLATES = {key: template.replace("{{context.patientId}}", PATIENT_ID) for key, template in rule().prefetch.items()}
DECIDING = ("patient", "conditions", "observations")

CANCER = condition(BREAST_CANCER, onset=day(4000))
PAIN = condition(LOW_BACK_PAIN, onset=day(5))
PAIN_OBSERVED = observation(SYMPTOM, day(3), valueCodeableConcept=concept(LOW_BACK_PAIN))
OF_ANOTHER = {"subject": reference("Patient", "pt-2")}


def queries(*keys: str) -> list[str]:
    """What is asked of a server to complete these prefetch keys, sorted."""
    return sorted(TEMPLATES[key] for key in keys)


def decide(
    base: str,
    prefetch: Mapping[str, Any] | None = None,
    hook: str = "patient-view",
    drafts: Sequence[Json] = (),
    token: str = "",
    settings: Mapping[str, Any] | None = None,
    authorization: Mapping[str, str] | None = None,
    **context: object,
) -> Decision:
    """The answer to a call that names the FHIR server with this base address, which the settings allow."""
    call = request(hook, prefetch, drafts, None, **context) | {"fhirServer": base}
    if token:
        call["fhirAuthorization"] = {"access_token": token, "token_type": "Bearer"} | dict(authorization or {})
    service = next(item for item in SERVICES.values() if item.hook == hook)
    # In rounds: what is read ahead besides depends on the pace of the machine.
    reading = {"fhir_servers": (base,), "fhir_read_ahead": "never"}
    support = DecisionSupport(Settings(**reading | dict(settings or {})))
    return support.decide(HookCall(service, NOW), call)


def refusal(decision: Decision) -> str:
    """The text of the error of a call to which nothing can be concluded."""
    with pytest.raises(MissingData) as raised:
        decision.response_or_error()
    return raised.value.text


def fails(status: int) -> Handler:
    return lambda exchange: exchange.resource(outcome(), status)


def prefetch_without(*keys: str, of: Collection[Json] = ()) -> Json:
    """A prefetch with these resources in which some keys are missing."""
    return {key: value for key, value in prefetch(*of).items() if key not in keys}


def first_page(after: str | None, *resources: Json, **elements: object) -> Json:
    """The first page of a search; `after` is the address of the next one."""
    page = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in resources]}
    return page | ({"link": [{"relation": "next", "url": after}]} if after else {}) | elements
