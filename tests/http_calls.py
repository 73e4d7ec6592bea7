"""Calls to the service over HTTP, and what tests read from its answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.protocol.validation import problem
from tests.builders import SERVICES

Json = dict[str, Any]

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
PATIENT = "pt-1"
PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN = SERVICES

# Stands for everything that could identify a patient, and for tokens. No UUID can hold it by chance.
MARK = "Zq7351Zq"

ORIGIN = "https://sandbox.example.org"
MRI = "24967-2"  # lumbar spine, the LOINC code of the content


def condition(code: str, /, **elements: object) -> Json:
    """A Condition of the patient with an ICD-10-CM code (or, where `code` is empty, without any)."""
    resource: Json = {
        "resourceType": "Condition",
        "id": f"c-{code or 'text'}",
        "code": {"coding": [{"system": ICD_10_CM, "code": code}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
    }
    return resource | elements


CANCER = condition("C50.911", onsetDateTime="2014")
PAIN = condition("M54.50", onsetDateTime="2026-11-17")


def bundle(*resources: object, **members: object) -> Json:
    entries = [{"resource": item} for item in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries} | members


def a_call(hook: str = "patient-view", **prefetch: object) -> Json:
    """A call about a patient with breast cancer and new low back pain, with `prefetch` over what it brings."""
    context: Json = {"userId": "Practitioner/dr-1", "patientId": PATIENT}
    if hook != "patient-view":
        context["draftOrders"] = bundle(draft("ibuprofen"))
    if hook == "order-select":
        context["selections"] = ["ServiceRequest/ibuprofen"]
    known: Json = {
        "patient": {"resourceType": "Patient", "id": PATIENT},
        "conditions": bundle(CANCER, PAIN),
        "observations": None,
    }
    return {
        "hookInstance": "5b0f2c1e-8d0a-4c1b-9a53-0e6f0a4d7c11",
        "hook": hook,
        "context": context,
        "prefetch": known | prefetch,
    }


def draft(name: str, /, **elements: object) -> Json:
    """A draft order named by `name`, which is also its text."""
    resource: Json = {
        "resourceType": "ServiceRequest",
        "id": name,
        "status": "draft",
        "intent": "plan",
        "code": {"text": name},
        "subject": {"reference": f"Patient/{PATIENT}"},
    }
    return resource | elements


def without(document: Json, key: str) -> Json:
    return {name: value for name, value in document.items() if name != key}


def with_context(call: Json, **members: object) -> Json:
    return call | {"context": call["context"] | members}


def post(client: FlaskClient, call: object, service: str = PATIENT_VIEW) -> TestResponse:
    return client.post(f"/cds-services/{service}", json=call)


def card_of(response: TestResponse) -> Json:
    """The one card of an answer."""
    assert response.status_code == 200
    body = response.get_json()
    assert problem("response", body) is None
    [card] = body["cards"]
    assert isinstance(card, dict)
    return card


def cards_of(response: TestResponse) -> list[Json]:
    """The cards of an answer, whether or not they follow the schema."""
    cards: list[Json] = response.get_json()["cards"]
    return cards


def orders_of(card: Json) -> list[Json]:
    return [action["resource"] for suggestion in card["suggestions"] for action in suggestion["actions"]]


def assert_refused(response: TestResponse, status: int, *words: str) -> None:
    """The answer is an OperationOutcome in JSON with this status, and its text has these words."""
    assert response.status_code == status
    assert response.mimetype == "application/json"
    body = response.get_json()
    assert problem("operation-outcome", body) is None
    text = body["issue"][0]["details"]["text"]
    assert [word for word in words if word not in text] == []
    assert not re.search(r"</?\w+>|Traceback", response.get_data(as_text=True))
