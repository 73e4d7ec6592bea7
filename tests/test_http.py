"""The service over HTTP: hostile input, what CDS Hooks and HTTP demand, and the card.

The tests named `test_mistake_…` each stand for a mistake that was found in other CDS Hooks services.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service import Settings
from cds_service.app import make_app
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.decision.caller import Caller
from cds_service.decision.decision_id import decision_id
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import read_request
from cds_service.protocol.hook_request import HookRequest
from cds_service.protocol.services import Service
from cds_service.protocol.validation import problem
from cds_service.settings import make_settings
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


# --- Calls


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


@pytest.fixture
def client() -> FlaskClient:
    """The service at a fixed moment, since the calls of this file have fixed dates."""
    return make_app(Settings(), lambda: NOW).test_client()


@pytest.fixture
def browser_client() -> FlaskClient:
    """The service as it answers one web origin."""
    return make_app(make_settings({"cors_origins": [ORIGIN]}), lambda: NOW).test_client()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours, with patient data in its text."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"no such patient: {MARK}")

    monkeypatch.setattr(DecisionSupport, "decide", fail)


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


# --- Hostile bodies


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"[]", b"null", b'"x"', b"7", b"{}", b"[" * 200_000, b'{"a":' * 200_000, b'{"hook": NaN}', b"\xff\xfe"],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("service", SERVICES)
def test_a_body_that_is_no_call_is_refused(client: FlaskClient, service: str, body: bytes) -> None:
    response = client.post(f"/cds-services/{service}", data=body, content_type="application/json")
    assert_refused(response, 400)


@pytest.mark.parametrize("depth", [100, 900])
def test_deep_nesting_inside_a_resource_does_not_break_the_answer(client: FlaskClient, depth: int) -> None:
    nested: object = "x"
    for _ in range(depth):
        nested = [nested]
    call = a_call(conditions=bundle(CANCER, PAIN, condition("", note=nested, code=nested)))
    assert post(client, call).status_code == 200


def test_a_body_of_20_megabytes_is_refused(client: FlaskClient) -> None:
    response = client.post(f"/cds-services/{PATIENT_VIEW}", data=b" " * 20_000_000, content_type="application/json")
    assert_refused(response, 413, "10000000 bytes")


def test_a_body_of_20_megabytes_in_chunks_is_refused(client: FlaskClient) -> None:
    response = client.post(
        f"/cds-services/{PATIENT_VIEW}",
        input_stream=io.BytesIO(b" " * 20_000_000),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert_refused(response, 413)


@pytest.mark.parametrize(
    "media_type",
    ["", "json", "text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded", "multipart/mixed"],
)
def test_a_body_that_is_not_declared_as_json_is_refused(client: FlaskClient, media_type: str) -> None:
    response = client.post(
        f"/cds-services/{PATIENT_VIEW}", data=json.dumps(a_call()), headers={"Content-Type": media_type}
    )
    assert_refused(response, 415, "application/json")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "Application/JSON",
        "application/fhir+json",
        "application/fhir+json; fhirVersion=4.0",
        "application/json+fhir",
    ],
)
def test_json_is_read_under_each_of_its_names(client: FlaskClient, media_type: str) -> None:
    response = client.post(f"/cds-services/{PATIENT_VIEW}", data=json.dumps(a_call()), content_type=media_type)
    assert card_of(response)["indicator"] == "warning"


# --- Calls that break the protocol

BAD_CALLS: list[tuple[str, Json, str]] = [
    ("no hook", without(a_call(), "hook"), "hook"),
    ("no instance", without(a_call(), "hookInstance"), "hookInstance"),
    ("no context", without(a_call(), "context"), "context"),
    ("context null", a_call() | {"context": None}, "context"),
    ("no patient", a_call() | {"context": {"userId": "Practitioner/dr-1"}}, "context.patientId"),
    ("no user", a_call() | {"context": {"patientId": PATIENT}}, "context.userId"),
    ("patient id with slash", with_context(a_call(), patientId=f"Patient/{PATIENT}"), "context.patientId"),
    ("patient id that climbs", with_context(a_call(), patientId="../metadata"), "context.patientId"),
    ("patient id with a query", with_context(a_call(), patientId="1?_count=9"), "context.patientId"),
    ("patient id a number", with_context(a_call(), patientId=7), "context.patientId"),
    ("patient id with a line end", with_context(a_call(), patientId=f"{PATIENT}\n"), "context.patientId"),
    ("user without type", with_context(a_call(), userId="dr-1"), "context.userId"),
    ("encounter with slash", with_context(a_call(), encounterId="Encounter/1"), "context.encounterId"),
    ("prefetch a text", a_call() | {"prefetch": "none"}, "prefetch"),
    ("prefetch a list", a_call() | {"prefetch": []}, "prefetch"),
    ("a token without a server", a_call() | {"fhirAuthorization": {"access_token": "t"}}, "fhirServer"),
]


@pytest.mark.parametrize(("call", "field"), [row[1:] for row in BAD_CALLS], ids=[row[0] for row in BAD_CALLS])
def test_a_call_that_breaks_the_protocol_is_refused_by_the_name_of_the_field(
    client: FlaskClient, call: Json, field: str
) -> None:
    assert_refused(post(client, call), 400, f"{field}: ")


@pytest.mark.parametrize("missing", ["selections", "draftOrders"])
def test_an_order_hook_without_its_orders_is_refused(client: FlaskClient, missing: str) -> None:
    call = a_call("order-select")
    call["context"] = without(call["context"], missing)
    assert_refused(post(client, call, ORDER_SELECT), 400, f"context.{missing}: ")


# --- What comes in the prefetch

UNKNOWN_CONDITIONS: list[tuple[str, object]] = [
    ("an error page", "<html><body>Bad gateway</body></html>"),
    ("a list", [CANCER, PAIN]),
    ("an error", {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}),
    ("an error entry", bundle({"resourceType": "OperationOutcome", "issue": [{"severity": "fatal"}]})),
    ("an entry without resource", bundle(entry=[{"fullUrl": "urn:uuid:1"}])),
    ("a code that cannot be read", bundle(condition("", code={"coding": [{"system": ICD_10_CM, "code": 50}]}), PAIN)),
    ("another patient's cancer", bundle(CANCER | {"subject": {"reference": "Patient/pt-2"}})),
    ("another kind of resource", {"resourceType": "Observation", "id": "o-1", "status": "final"}),
    ("a first page", bundle(PAIN, link=[{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}])),
    ("a first page, its link no list", bundle(PAIN, link={"relation": "next", "url": "https://ehr.example.org/2"})),
]


@pytest.mark.parametrize("value", [row[1] for row in UNKNOWN_CONDITIONS], ids=[row[0] for row in UNKNOWN_CONDITIONS])
def test_conditions_that_are_not_all_known_are_no_empty_problem_list(client: FlaskClient, value: object) -> None:
    assert_refused(post(client, a_call(conditions=value)), 412, "conditions: ", "Nothing was concluded")


@pytest.mark.parametrize("extra", [{}, {"fullUrl": "urn:uuid:1"}, None, "x", {"resource": None}], ids=repr)
def test_an_entry_without_resource_hides_nothing_that_stands_beside_it(client: FlaskClient, extra: object) -> None:
    conditions = bundle(entry=[extra, {"resource": CANCER}, {"resource": PAIN}])
    assert unread(card_of(post(client, a_call(conditions=conditions)))) == 1


def unread(card: Json) -> int:
    """How many chart entries could not be read, by the words of the card."""
    found = re.search(r"unreadable chart entries: (\d+)", card["detail"], re.IGNORECASE)
    assert found
    return int(found[1])


def test_the_card_counts_every_entry_that_could_not_be_read(client: FlaskClient) -> None:
    conditions = bundle(CANCER, PAIN, *[None] * 100)
    assert unread(card_of(post(client, a_call(conditions=conditions)))) == 100


def test_an_entry_with_several_bad_elements_counts_once(client: FlaskClient) -> None:
    stray = condition("M54.50", recordedDate="2026-11-18", onsetDateTime="x", abatementPeriod="y", note=1)
    assert unread(card_of(post(client, a_call(conditions=bundle(CANCER, PAIN, stray))))) == 1


@pytest.mark.parametrize("severity", ["information", "warning"])
def test_a_harmless_outcome_among_the_entries_is_no_gap(client: FlaskClient, severity: str) -> None:
    remark = {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "informational"}]}
    assert post(client, a_call(conditions=bundle(remark, total=0))).get_json() == {"cards": []}


@pytest.mark.parametrize("foreign", [CANCER, PAIN], ids=["cancer", "pain"])
def test_a_finding_of_another_patient_never_counts(client: FlaskClient, foreign: Json) -> None:
    own = PAIN if foreign is CANCER else CANCER
    conditions = bundle(own, foreign | {"subject": {"reference": "https://ehr.example.org/fhir/Patient/pt-2"}})
    assert post(client, a_call(conditions=conditions)).get_json() == {"cards": []}


@pytest.mark.parametrize(
    "patient",
    [None, bundle(), {"resourceType": "Patient", "id": "pt-2"}, {"resourceType": "Patient"}, "<html>", [], {}],
    ids=["null", "nobody found", "another id", "no id", "an error page", "a list", "an empty object"],
)
def test_without_the_record_of_this_patient_there_is_no_card_but_a_reason(client: FlaskClient, patient: object) -> None:
    assert_refused(post(client, a_call(patient=patient)), 412, "patient: ")


# Values that no FHIR element has, as interfaces send them all the same, and dates at the ends of the calendar.
JUNK: list[object] = [
    None, 0, -1, 1e308, 10**18, True, "", "x", [], {}, [[]], [None], ["x"], [{}], {"value": 1e308, "code": "a"},
    {"coding": "x", "text": 1}, {"reference": 1}, {"start": 1, "end": []}, "0001-01-01", "9999-12-31", "0000",
    "9999-12-31T23:59:59-14:00", {"start": "9999-12-31", "end": "0001-01-01"}, {"low": {"value": -9e9, "unit": "a"}},
]  # fmt: skip

ELEMENTS = {
    "conditions": ["id", "code", "subject", "clinicalStatus", "verificationStatus", "onsetDateTime", "onsetPeriod",
                   "onsetAge", "onsetRange", "onsetString", "abatementDateTime", "abatementPeriod", "abatementAge",
                   "recordedDate", "bodySite", "encounter", "note", "category"],
    "observations": ["id", "code", "subject", "status", "effectiveDateTime", "effectivePeriod", "issued", "bodySite",
                     "component", "interpretation", "valueQuantity", "valueCodeableConcept", "valueString",
                     "valueBoolean", "valueInteger", "encounter", "dataAbsentReason"],
    "encounters": ["id", "subject", "status", "reasonCode", "reason", "period", "diagnosis", "contained"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "element"), [(key, element) for key, elements in ELEMENTS.items() for element in elements]
)
def test_no_value_of_any_element_of_another_entry_takes_the_card_away(
    client: FlaskClient, key: str, element: str
) -> None:
    first = [CANCER, PAIN] if key == "conditions" else []
    stray = condition("C50.911", id="stray", recordedDate="2026-11-20") | {"resourceType": key[:-1].capitalize()}
    for junk in JUNK:
        call = a_call()
        call["prefetch"][key] = bundle(*first, stray | {element: junk})
        response = post(client, call)
        assert (response.status_code, len(response.get_json()["cards"])) == (200, 1), junk


@pytest.mark.parametrize(
    "element", ["birthDate", "gender", "active", "link", "deceasedBoolean", "deceasedDateTime", "name", "meta"]
)
def test_no_value_of_any_element_of_the_patient_breaks_the_service(client: FlaskClient, element: str) -> None:
    aged = PAIN | {"onsetDateTime": None, "onsetAge": {"value": 58, "code": "a"}, "recordedDate": "2026-11-20"}
    for junk in JUNK:
        patient = {"resourceType": "Patient", "id": PATIENT, element: junk}
        response = post(client, a_call(patient=patient, conditions=bundle(CANCER, aged)))
        assert response.status_code == 200, junk


@pytest.mark.parametrize(
    "element",
    ["id", "code", "subject", "status", "reasonCode", "reason", "authoredOn", "medicationCodeableConcept",
     "medicationReference", "contained", "resourceType"],
)  # fmt: skip
@pytest.mark.parametrize("service", [ORDER_SELECT, ORDER_SIGN])
def test_no_value_of_any_element_of_a_draft_hides_the_order_beside_it(
    client: FlaskClient, service: str, element: str
) -> None:
    for junk in JUNK:
        call = a_call(SERVICES[service].hook)
        call["context"]["draftOrders"] = bundle(draft("walk") | {element: junk}, draft("ibuprofen"))
        response = post(client, call, service)
        assert (response.status_code, len(response.get_json()["cards"])) == (200, 1), junk


# --- Addresses and methods


@pytest.mark.parametrize("path", ["/cds-services/none", "/cds-services/none/", "/no", "/cds-services/a/b/c", "/%00"])
def test_an_unknown_address_is_not_found_and_not_html(client: FlaskClient, path: str) -> None:
    assert_refused(client.post(path, json=a_call()), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/cds-services", "GET"),
        ("DELETE", "/cds-services", "GET"),
        ("GET", f"/cds-services/{PATIENT_VIEW}", "POST"),
        ("PUT", f"/cds-services/{PATIENT_VIEW}", "POST"),
        ("PATCH", f"/cds-services/{ORDER_SIGN}", "POST"),
    ],
)
def test_another_method_is_refused_with_those_that_are_allowed(
    client: FlaskClient, method: str, path: str, allowed: str
) -> None:
    response = client.open(path, method=method, json=a_call())
    assert_refused(response, 405)
    assert allowed in response.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    [
        f"/cds-services/{PATIENT_VIEW}",
        f"/cds-services/{PATIENT_VIEW}/",
        f"/cds-services//{PATIENT_VIEW}",
        f"//cds-services/{PATIENT_VIEW}",
        f"//cds-services///{PATIENT_VIEW}//",
    ],
)
def test_slashes_too_many_lead_to_the_service_without_a_redirect(client: FlaskClient, path: str) -> None:
    # The address as a web server hands it over; the test client would take `//host` for a host.
    assert card_of(client.post("/", json=a_call(), environ_overrides={"PATH_INFO": path}))


@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/", "//cds-services", "/cds-services//"])
def test_discovery_is_found_with_and_without_slashes_too_many(client: FlaskClient, path: str) -> None:
    response = client.get("/", environ_overrides={"PATH_INFO": path})
    assert response.status_code == 200
    assert problem("discovery", response.get_json()) is None


# --- Manners: discovery, caching, browsers


def _found(template: str, store: list[Json]) -> object:
    """What a FHIR server that holds `store` answers to a prefetch template of the discovery document."""
    kind = template.split("?")[0].split("/")[0]
    assert "{{" not in template.replace("{{context.patientId}}", "")
    if "?" not in template:
        return next(resource for resource in store if resource["resourceType"] == kind)
    return bundle(*(resource for resource in store if resource["resourceType"] == kind))


@pytest.mark.parametrize("service", SERVICES)
def test_mistake_3_a_call_built_from_the_discovery_document_succeeds(client: FlaskClient, service: str) -> None:
    discovered = {entry["id"]: entry for entry in client.get("/cds-services").get_json()["services"]}[service]
    store = [{"resourceType": "Patient", "id": PATIENT}, CANCER, PAIN]
    prefetch = {key: _found(template, store) for key, template in discovered["prefetch"].items()}
    call = a_call(discovered["hook"]) | {"prefetch": prefetch}
    detail = card_of(post(client, call, discovered["id"]))["detail"]
    assert "Not available to this service" not in detail


def test_no_template_names_a_parameter_twice(client: FlaskClient) -> None:
    """The public sandbox would merge the two into an "or"."""
    for entry in client.get("/cds-services").get_json()["services"]:
        for template in entry["prefetch"].values():
            names = [part.split("=")[0] for part in template.partition("?")[2].split("&")]
            assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("GET", "/cds-services", None),
        ("POST", f"/cds-services/{PATIENT_VIEW}", a_call()),
        ("POST", f"/cds-services/{PATIENT_VIEW}", {}),
        ("POST", f"/cds-services/{PATIENT_VIEW}", a_call(conditions="x")),
        ("POST", "/cds-services/none", a_call()),
        ("PUT", "/cds-services", a_call()),
    ],
    ids=["discovery", "card", "invalid", "missing data", "not found", "not allowed"],
)
def test_no_answer_may_be_stored(client: FlaskClient, method: str, path: str, call: Json | None) -> None:
    assert client.open(path, method=method, json=call).headers["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("broken")
def test_the_answer_to_a_fault_of_ours_may_not_be_stored(client: FlaskClient) -> None:
    assert post(client, a_call()).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "method"),
    [("/cds-services", "GET"), (f"/cds-services/{PATIENT_VIEW}", "POST"), (f"/cds-services//{ORDER_SELECT}/", "POST")],
)
def test_a_browser_may_call_after_a_preflight_without_credentials(
    browser_client: FlaskClient, path: str, method: str
) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    response = browser_client.options(path, headers=headers)
    assert response.status_code in (200, 204)
    assert response.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]
    assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in response.headers


ANSWERS: list[tuple[str, int, Json]] = [
    ("card", 200, a_call()),
    ("invalid", 400, {}),
    ("missing data", 412, a_call(conditions="x")),
    ("too large", 413, {"pad": "x" * 10_000_001}),
]


@pytest.mark.parametrize(("status", "call"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_browser_can_read_every_answer(browser_client: FlaskClient, status: int, call: Json) -> None:
    response = browser_client.post(f"/cds-services/{PATIENT_VIEW}", json=call, headers={"Origin": ORIGIN})
    assert response.status_code == status
    assert response.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(("path", "status"), [("/cds-services/none", 404), ("/cds-services", 405)])
def test_a_browser_can_read_that_an_address_is_wrong(browser_client: FlaskClient, path: str, status: int) -> None:
    response = browser_client.post(path, json={}, headers={"Origin": ORIGIN})
    assert response.status_code == status
    assert response.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]


@pytest.mark.usefixtures("broken")
def test_a_browser_can_read_that_the_service_failed(browser_client: FlaskClient) -> None:
    response = browser_client.post(f"/cds-services/{PATIENT_VIEW}", json=a_call(), headers={"Origin": ORIGIN})
    assert response.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]


@pytest.mark.parametrize(
    "origin",
    [
        "https://other.example.org",
        "http://sandbox.example.org",
        "https://sandbox.example.org:8443",
        "https://sandbox.example.org.evil.example",
        "https://sandbox-example.org",
        "https://evil.example/https://sandbox.example.org",
        "null",
        "*",
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_another_origin_gets_no_permission(browser_client: FlaskClient, method: str, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    response = browser_client.open(f"/cds-services/{PATIENT_VIEW}", method=method, json=a_call(), headers=headers)
    assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


def test_an_origin_that_is_an_ipv6_address_means_that_address_and_no_other() -> None:
    origin = "http://[::1]:8080"
    client = make_app(make_settings({"cors_origins": [origin]}), lambda: NOW).test_client()
    allowed = [
        client.get("/cds-services", headers={"Origin": asked}).headers.get("Access-Control-Allow-Origin")
        for asked in (origin, "http://1:8080.evil.example")
    ]
    assert allowed == [origin, None]


def test_a_caller_that_is_no_browser_is_not_told_the_origins_of_others(browser_client: FlaskClient) -> None:
    assert "Access-Control-Allow-Origin" not in browser_client.get("/cds-services").headers


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_by_default_no_browser_gets_permission(client: FlaskClient, method: str) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    response = client.open(f"/cds-services/{PATIENT_VIEW}", method=method, json=a_call(), headers=headers)
    assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


# --- Faults of ours, and what must not be told


@pytest.mark.usefixtures("broken")
def test_mistake_1_a_fault_of_ours_is_an_error_and_never_an_empty_answer(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = post(client, a_call())
    assert_refused(response, 500, "nothing was concluded")
    decision = UUID(response.headers["X-Decision-Id"])
    assert str(decision) in response.get_data(as_text=True)
    told = [record for record in caplog.records if str(decision) in record.getMessage()]
    assert [record.levelname for record in told if record.name == "cds_service.web.failures"] == ["ERROR"]


@pytest.mark.usefixtures("broken")
def test_mistake_16_the_answer_to_a_fault_shows_neither_its_text_nor_its_trace(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    text = post(client, a_call()).get_data(as_text=True)
    assert [word for word in (MARK, "Traceback", "RuntimeError", ".py") if word in text] == []
    assert MARK not in caplog.text


def marked(call: Json) -> Json:
    """The call with the mark in everything that identifies the patient, the user or the session."""
    text = json.dumps(call).replace(PATIENT, f"pt-{MARK}").replace("dr-1", f"dr-{MARK}")
    text = text.replace('"code": {"coding"', f'"code": {{"text": "words {MARK}", "coding"')
    call = json.loads(text)
    call["fhirServer"] = "https://ehr.example.org/fhir"
    call["fhirAuthorization"] = {"access_token": f"token-{MARK}", "token_type": "Bearer", "scope": MARK}
    call["prefetch"]["patient"]["name"] = [{"family": MARK}]
    return call


MARKED_CALLS: list[tuple[str, int, str, str, object]] = [
    ("card", 200, "POST", PATIENT_VIEW, marked(a_call())),
    ("silence", 200, "POST", PATIENT_VIEW, marked(a_call(conditions=bundle(PAIN)))),
    ("order", 200, "POST", ORDER_SELECT, marked(a_call("order-select"))),
    ("missing data", 412, "POST", PATIENT_VIEW, marked(a_call(conditions=bundle(PAIN, link=[{"relation": "next"}])))),
    ("an error page", 412, "POST", PATIENT_VIEW, marked(a_call()) | {"prefetch": {"conditions": f"<p>{MARK}"}}),
    ("another patient", 412, "POST", PATIENT_VIEW, with_context(marked(a_call()), patientId=f"other-{MARK}")),
    ("wrong hook", 400, "POST", ORDER_SIGN, marked(a_call()) | {"hook": MARK}),
    ("wrong patient id", 400, "POST", PATIENT_VIEW, with_context(marked(a_call()), patientId=f"{MARK}/")),
    ("wrong user", 400, "POST", PATIENT_VIEW, with_context(marked(a_call()), userId=MARK)),
    ("wrong encounter", 400, "POST", PATIENT_VIEW, with_context(marked(a_call()), encounterId=f"{MARK} ")),
    ("wrong instance", 400, "POST", PATIENT_VIEW, marked(a_call()) | {"hookInstance": f"{MARK} {MARK}"}),
    ("wrong server", 400, "POST", PATIENT_VIEW, marked(a_call()) | {"fhirServer": MARK}),
    ("wrong token", 400, "POST", PATIENT_VIEW, marked(a_call()) | {"fhirAuthorization": {MARK: MARK}}),
    ("prefetch a text", 400, "POST", PATIENT_VIEW, marked(a_call()) | {"prefetch": MARK}),
    ("a text", 400, "POST", PATIENT_VIEW, MARK),
    ("unknown service", 404, "POST", MARK, marked(a_call())),
    ("wrong method", 405, "PUT", PATIENT_VIEW, marked(a_call())),
    ("too large", 413, "POST", PATIENT_VIEW, marked(a_call()) | {"pad": MARK * 2_000_000}),
]


def _without_a_mark(response: TestResponse, caplog: pytest.LogCaptureFixture) -> bool:
    said = response.get_data(as_text=True) if response.status_code != 200 else ""
    written = [caplog.text, *(str(record.__dict__) for record in caplog.records)]
    headers = str(response.headers)
    return all(MARK.lower() not in text.lower() for text in (said, headers, *written))


@pytest.mark.parametrize(
    ("status", "method", "service", "call"), [row[1:] for row in MARKED_CALLS], ids=[row[0] for row in MARKED_CALLS]
)
def test_a_patient_leaves_no_mark_in_any_error_or_log(
    browser_client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    status: int,
    method: str,
    service: str,
    call: object,
) -> None:
    caplog.set_level(logging.DEBUG)
    response = browser_client.open(
        f"/cds-services/{service}", method=method, json=call, headers={"Authorization": f"Bearer {MARK}"}
    )
    assert response.status_code == status
    assert _without_a_mark(response, caplog)


@pytest.mark.parametrize(
    ("status", "body", "media_type"),
    [(400, f'{{"name": "{MARK}"', "application/json"), (415, MARK, f"text/{MARK}"), (400, MARK, "application/json")],
    ids=["malformed", "wrong media type", "bare words"],
)
def test_a_body_that_cannot_be_read_leaves_no_mark_either(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, status: int, body: str, media_type: str
) -> None:
    caplog.set_level(logging.DEBUG)
    response = client.post(f"/cds-services/{PATIENT_VIEW}", data=body, content_type=media_type)
    assert response.status_code == status
    assert _without_a_mark(response, caplog)


# --- The mistakes of others


@pytest.mark.parametrize(
    ("prefetch", "missing"),
    [
        (None, ["patient", "conditions", "observations"]),
        ({}, ["patient", "conditions", "observations"]),
        ({"patient": {"resourceType": "Patient", "id": PATIENT}}, ["conditions", "observations"]),
        ({"patient": {"resourceType": "Patient", "id": PATIENT}, "conditions": bundle(CANCER)}, ["observations"]),
    ],
    ids=["null", "empty", "the patient only", "no observations"],
)
def test_mistake_2_a_missing_prefetch_is_refused_by_the_names_of_the_keys(
    client: FlaskClient, prefetch: Json | None, missing: list[str]
) -> None:
    response = post(client, a_call() | {"prefetch": prefetch})
    assert_refused(response, 412)
    assert response.get_json()["issue"][0]["diagnostics"] == f"Missing prefetch keys: {', '.join(missing)}"


def test_mistake_2_a_call_without_the_member_prefetch_is_refused_and_does_not_crash(client: FlaskClient) -> None:
    assert_refused(post(client, without(a_call(), "prefetch")), 412, "conditions: not supplied")


def test_mistake_2_conditions_null_are_known_to_be_empty(client: FlaskClient) -> None:
    assert post(client, a_call(conditions=None)).get_json() == {"cards": []}


def test_mistake_2_what_is_missing_but_cannot_change_the_answer_is_not_missed(client: FlaskClient) -> None:
    call = a_call(conditions=bundle(PAIN))
    call["prefetch"] = without(call["prefetch"], "observations")
    assert post(client, call).get_json() == {"cards": []}


@pytest.mark.parametrize("url", ["https://ehr.example.org/fhir?page=2", "http://169.254.169.254/latest", "file:///etc"])
def test_mistake_4_a_first_page_is_not_the_chart_and_no_link_is_followed_blindly(client: FlaskClient, url: str) -> None:
    page = bundle(PAIN, link=[{"relation": "next", "url": url}])
    response = post(client, a_call(conditions=page))
    assert_refused(response, 412, "conditions: only the first page was supplied")
    assert url not in response.get_data(as_text=True)


def a_session(*selected: str) -> Json:
    """An order session with a walk (unrelated), then ibuprofen, and these of them selected."""
    call = a_call("order-select")
    call["context"]["draftOrders"] = bundle(draft("walk"), draft("ibuprofen"))
    call["context"]["selections"] = [f"ServiceRequest/{name}" for name in selected]
    return call


def test_mistake_5_a_draft_that_is_not_selected_brings_no_card(client: FlaskClient) -> None:
    assert post(client, a_session("walk"), ORDER_SELECT).get_json() == {"cards": []}


@pytest.mark.parametrize("selected", [["ibuprofen"], ["walk", "ibuprofen"]], ids=["alone", "as the second"])
def test_mistake_5_the_second_draft_is_read_when_it_is_selected(client: FlaskClient, selected: list[str]) -> None:
    assert card_of(post(client, a_session(*selected), ORDER_SELECT))


def test_mistake_5_a_selection_of_nothing_is_no_card_and_no_crash(client: FlaskClient) -> None:
    assert post(client, a_session("none"), ORDER_SELECT).get_json() == {"cards": []}


def test_mistake_5_every_order_says_why_by_code_and_by_reference(client: FlaskClient) -> None:
    for order in orders_of(card_of(post(client, a_call()))):
        assert {reason["coding"][0]["code"] for reason in order["reasonCode"]} == {"C50.911", "M54.50"}
        assert {item["reference"] for item in order["reasonReference"]} == {"Condition/c-C50.911", "Condition/c-M54.50"}


def test_mistake_6_every_suggestion_is_one_create_of_a_resource_that_is_an_object(client: FlaskClient) -> None:
    card = card_of(post(client, a_call()))
    assert card["selectionBehavior"] == "any"
    for suggestion in card["suggestions"]:
        [action] = suggestion["actions"]
        assert action["type"] == "create"
        assert ServiceRequest.model_validate(action["resource"]).status == "draft"


def ids_of(card: Json) -> list[str]:
    return [card["uuid"], *(suggestion["uuid"] for suggestion in card["suggestions"])]


def test_mistake_7_a_repeated_call_gets_the_same_ids(client: FlaskClient) -> None:
    assert ids_of(card_of(post(client, a_call()))) == ids_of(card_of(post(client, a_call())))


def test_mistake_7_no_two_ids_of_one_answer_are_the_same(client: FlaskClient) -> None:
    ids = ids_of(card_of(post(client, a_call())))
    assert len(set(ids)) == len(ids) == 4


def _others() -> Iterator[tuple[str, Json]]:
    yield PATIENT_VIEW, json.loads(json.dumps(a_call()).replace(PATIENT, "pt-2"))
    yield PATIENT_VIEW, a_call() | {"hookInstance": "5b0f2c1e-8d0a-4c1b-9a53-0e6f0a4d7c12"}
    yield ORDER_SELECT, a_call("order-select")
    yield ORDER_SIGN, a_call("order-sign")


@pytest.mark.parametrize(
    ("service", "call"), list(_others()), ids=["patient", "hook instance", "order-select", "order-sign"]
)
def test_mistake_7_another_call_gets_other_ids(client: FlaskClient, service: str, call: Json) -> None:
    first = ids_of(card_of(post(client, a_call())))
    assert not set(first) & set(ids_of(card_of(post(client, call, service))))


def test_mistake_7_the_id_of_a_decision_is_the_same_in_every_process_and_release() -> None:
    call = HookCall(Service("service", "patient-view", "", "", ""), NOW, Caller("client"))
    request = HookRequest("patient-view", "instance", PATIENT, "Practitioner/dr-1")
    found = decision_id(call, request, ["mri-lumbar-spine"], "1.0.0")
    assert str(found) == "269e0fa4-9615-54f9-8970-f79b45a86a25"


_ANSWER_ALL = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from cds_service.demo.scenarios import read_request
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
now = datetime(2026, 11, 22, 12, tzinfo=UTC)
support = DecisionSupport()
for folder in sorted(Path(sys.argv[1]).iterdir()):
    call = read_request(folder, now)
    print(json.dumps(support.decide(HookCall(support.service_for(call), now), call).response))
"""


def test_mistake_7_two_processes_answer_every_patient_letter_for_letter_alike() -> None:
    command = [sys.executable, "-c", _ANSWER_ALL, str(ROOT / "fixtures" / "scenarios")]
    answers = [
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1]
    assert '"uuid"' in answers[0]


def test_mistake_12_unknown_members_and_extensions_are_passed_over(client: FlaskClient) -> None:
    extension = {"com.example.trigger": "18", "deep": [{"a": None}]}
    call = with_context(a_call(), extension=extension, surprise=[1]) | {"extension": extension, "surprise": None}
    call["prefetch"]["extension"] = extension
    call["prefetch"]["questionnaires"] = None
    assert card_of(post(client, call))["indicator"] == "warning"


def test_mistake_12_an_unknown_service_is_not_found(client: FlaskClient) -> None:
    assert_refused(post(client, a_call(), "breast-cancer"), 404, "GET /cds-services")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_mistakes_12_and_14_every_service_answers_its_own_hook_and_refuses_the_others(
    client: FlaskClient, service: str, hook: str
) -> None:
    response = post(client, a_call(hook), service)
    if SERVICES[service].hook == hook:
        assert card_of(response)
    else:
        assert_refused(response, 400, "hook: ")


def test_mistake_14_no_two_services_share_an_id(client: FlaskClient) -> None:
    ids = [entry["id"] for entry in client.get("/cds-services").get_json()["services"]]
    assert sorted(ids) == sorted(set(ids)) == sorted(SERVICES)


@pytest.mark.parametrize(
    "row",
    ["037-family-history-code", "038-1-family-member-history", "043-1-cancer-refuted", "043-2-cancer-entered-in-error",
     "046-cancer-unconfirmed"],
)  # fmt: skip
def test_mistake_18_what_is_not_the_patients_own_proven_cancer_does_not_count(client: FlaskClient, row: str) -> None:
    call = read_request(ROOT / "fixtures" / "scenarios" / f"row-{row}", NOW)
    assert post(client, call).get_json() == {"cards": []}


# --- The card

HOSTILE = "breast cancer <img src=x onerror=alert(1)> [x](http://evil) **bold** | table `tick` \\ end"


@pytest.mark.parametrize(
    "elements",
    [{"code": {"text": HOSTILE}}, {"code": {"coding": [{"system": ICD_10_CM, "code": "X", "display": HOSTILE}]}}],
    ids=["text", "display"],
)
def test_mistake_16_words_of_the_chart_stand_in_one_code_span_without_html(client: FlaskClient, elements: Json) -> None:
    card = card_of(post(client, a_call(conditions=bundle(condition("") | elements, PAIN))))
    [line] = [line for line in card["detail"].splitlines() if "img src" in line]
    [span] = re.findall(r"`([^`]*)`", line)
    assert span.startswith("breast cancer ‹img src=x onerror=alert(1)› [x](ht")
    assert not re.search(r"[<>*\[\]|]", line.replace(span, "").removeprefix("- "))


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE.replace("breast cancer", "low back pain"),
        "low back pain\n\n# Heading\n\n- list\n1. one",
        "low back pain\u2028<b>x</b>",
        "low back pain ``` fence",
        "low back pain \u202e reversed",
        "low back pain " + "<" * 500,
    ],
    ids=["markup", "lines", "line separator", "fence", "direction", "long"],
)
def test_mistake_16_no_word_of_the_chart_changes_the_form_of_the_card(client: FlaskClient, text: str) -> None:
    plain = card_of(post(client, a_call(conditions=bundle(CANCER, condition("", code={"text": "low back pain"})))))
    card = card_of(post(client, a_call(conditions=bundle(CANCER, condition("", code={"text": text})))))
    assert "<" not in card["detail"]
    assert re.sub(r"`[^`]*`", "`…`", card["detail"]) == re.sub(r"`[^`]*`", "`…`", plain["detail"])
    assert card["summary"] == plain["summary"]


def test_no_words_of_the_chart_stand_in_labels_descriptions_or_summary(client: FlaskClient) -> None:
    own = condition("", code={"text": f"breast cancer {MARK}"})
    card = card_of(post(client, a_call(conditions=bundle(own, PAIN | {"code": {"text": f"low back pain {MARK}"}}))))
    shown = [card["summary"], *(suggestion["label"] for suggestion in card["suggestions"])]
    shown += [action["description"] for suggestion in card["suggestions"] for action in suggestion["actions"]]
    assert MARK in card["detail"]
    assert [text for text in shown if MARK in text] == []


# For each region that a card names: the value sets whose first ICD-10-CM code stands for the pain.
REGIONS = {
    "cervical": ["back-pain-cervical"],
    "thoracic": ["back-pain-thoracic"],
    "lumbar": ["back-pain-lumbar"],
    "sacral": ["back-pain-sacral"],
    "several": ["back-pain-cervical", "back-pain-lumbar"],
    "unspecified": ["back-pain-unspecified"],
}


@pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
@pytest.mark.parametrize("unspecified", ["whole-spine", "spine"])
@pytest.mark.parametrize("region", REGIONS)
def test_no_summary_is_longer_than_139_characters_whatever_is_drafted(
    region: str, unspecified: str, dated: bool
) -> None:
    content = load_content()
    codes = [content.terminology.codes(name, ICD_10_CM)[0] for name in REGIONS[region]]
    pain = [condition(code, onsetDateTime="2026-11-17" if dated else None) for code in codes]
    client = make_app(make_settings({"region_unspecified": unspecified}), lambda: NOW).test_client()
    call = a_call("order-sign", conditions=bundle(CANCER, *pain))
    studies = [order["code"] for order in orders_of(cards_of(post(client, call, ORDER_SIGN))[0])]
    for count in range(len(studies)):
        for drafted in combinations(studies, count):
            drafts = [draft(f"draft-{place}", code=code) for place, code in enumerate(drafted)]
            call["context"]["draftOrders"] = bundle(draft("ibuprofen"), *drafts)
            [card] = cards_of(post(client, call, ORDER_SIGN))
            assert len(card["summary"]) <= 139, card["summary"]


STUDIES = ["mri-lumbar-spine", "bone-scan-whole-body", "ct-chest-abdomen-pelvis"]


@pytest.mark.parametrize(
    "drafted",
    [combination for count in range(3) for combination in combinations(STUDIES, count)],
    ids=lambda drafted: ", ".join(drafted) or "none",
)
def test_each_missing_study_is_one_create_and_the_mri_alone_is_recommended(
    client: FlaskClient, drafted: tuple[str, ...]
) -> None:
    orders = load_content().orders
    call = a_call("order-sign")
    drafts = [draft(slug, code={"coding": [dict(orders[slug].codings[0])]}) for slug in drafted]
    call["context"]["draftOrders"] = bundle(draft("ibuprofen"), *drafts)
    card = card_of(post(client, call, ORDER_SIGN))
    wanted = [orders[slug].codings[0]["code"] for slug in STUDIES if slug not in drafted]
    assert [order["code"]["coding"][0]["code"] for order in orders_of(card)] == wanted
    assert all(len(suggestion["actions"]) == 1 for suggestion in card["suggestions"])
    assert [suggestion.get("isRecommended", False) for suggestion in card["suggestions"]] == [
        code == MRI for code in wanted
    ]
    assert card["selectionBehavior"] == "any"


def test_where_every_study_is_drafted_there_is_no_card(client: FlaskClient) -> None:
    orders = load_content().orders
    call = a_call("order-sign")
    drafts = [draft(slug, code={"coding": [dict(orders[slug].codings[0])]}) for slug in STUDIES]
    call["context"]["draftOrders"] = bundle(*drafts)
    assert post(client, call, ORDER_SIGN).get_json() == {"cards": []}


def test_the_topic_is_letters_and_digits_and_the_same_for_every_card(client: FlaskClient) -> None:
    topics = [card_of(post(client, a_call(SERVICES[service].hook), service))["source"]["topic"] for service in SERVICES]
    assert re.fullmatch(r"[A-Za-z0-9]{1,100}", topics[0]["code"])
    assert topics == [topics[0]] * len(topics)


def test_every_override_reason_has_code_system_and_display(client: FlaskClient) -> None:
    reasons = card_of(post(client, a_call()))["overrideReasons"]
    assert all(reason[member] for reason in reasons for member in ("code", "system", "display"))
    assert len({reason["code"] for reason in reasons}) == len(reasons)


@pytest.mark.parametrize("code", [" M54.50", "M54.50 ", "M54. 50", "m54.50", "M5450"])
def test_an_order_is_valid_fhir_however_the_chart_spells_its_codes(client: FlaskClient, code: str) -> None:
    pain = PAIN | {"code": {"coding": [{"system": ICD_10_CM, "code": code, "display": " "}]}}
    for order in orders_of(card_of(post(client, a_call(conditions=bundle(CANCER, pain))))):
        ServiceRequest.model_validate(order)


def test_an_order_names_patient_visit_and_physician_of_the_call(client: FlaskClient) -> None:
    call = with_context(a_call(), encounterId="enc-1")
    for order in orders_of(card_of(post(client, call))):
        references = {name: order[name]["reference"] for name in ("subject", "encounter", "requester")}
        assert references == {
            "subject": f"Patient/{PATIENT}",
            "encounter": "Encounter/enc-1",
            "requester": "Practitioner/dr-1",
        }


@pytest.mark.parametrize("user", ["Patient/pt-1", "RelatedPerson/r-1"])
def test_a_user_who_may_not_order_is_no_requester(client: FlaskClient, user: str) -> None:
    card = card_of(post(client, with_context(a_call(), userId=user)))
    assert [order for order in orders_of(card) if "requester" in order] == []
