"""Calls that read from a FHIR server which is slow, broken or hostile."""

from __future__ import annotations

import time
from collections.abc import Mapping
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
    SERVICES,
    Json,
    condition,
    day,
    prefetch,
    request,
)
from tests.local_http_server import IDLE_SECONDS
from tests.wire_fhir_server import Handler

TOKEN = "token-5f0c7a"
DEADLINE_SECONDS = 0.6

# What a busy machine may add to the deadline; a reading that did not end would last for IDLE_SECONDS.
GRACE_SECONDS = IDLE_SECONDS / 2

CANCER = condition(BREAST_CANCER, onset=day(4000))
PAIN = condition(LOW_BACK_PAIN, onset=day(5))
KIND = "Condition"
NOT_ALLOWED = "not allowed"


def decide(
    base: str,
    brought: Mapping[str, Any] | None = None,
    token: str = TOKEN,
    deadline: float = DEADLINE_SECONDS,
    **settings: Any,
) -> Decision:
    """The answer to a call that may read this FHIR server; it must come in time."""
    support = DecisionSupport(Settings(fhir_servers=(base,), fhir_deadline_seconds=deadline, **settings))
    call = request(prefetch=brought) | {"fhirServer": base}
    if token:
        call["fhirAuthorization"] = {"access_token": token}
    began = time.monotonic()
    decision = support.decide(HookCall(SERVICES["breast-cancer-back-pain-patient-view"], NOW), call)
    assert time.monotonic() - began < deadline + GRACE_SECONDS
    return decision


def lacking(key: str, *resources: Json) -> Json:
    """A prefetch in which one key is missing."""
    return {name: value for name, value in prefetch(*resources).items() if name != key}


def why_unknown(decision: Decision) -> str:
    """Why the conditions are not known, in a call that is refused for them."""
    with pytest.raises(MissingData) as raised:
        decision.response_or_error()
    assert raised.value.status == 412
    (why,) = [why for key, why in raised.value.missing if key == "conditions"]
    return why


def page(*resources: Json, after: str | None = None) -> Json:
    """A search page; `after` is the address of the next one."""
    made: Json = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in resources]}
    if after is not None:
        made["link"] = [{"relation": "next", "url": after}]
    return made


def sends_json(value: object, status: int = 200, **headers: str) -> Handler:
    return lambda exchange: exchange.resource(value, status, **headers)
