"""The service over HTTP: bodies that are no call, calls that break the protocol, and what comes in the prefetch."""

from __future__ import annotations

import io
import json
import re

import pytest
from flask.testing import FlaskClient

from tests.builders import SERVICES
from tests.http_calls import (
    CANCER,
    ICD_10_CM,
    ORDER_SELECT,
    ORDER_SIGN,
    PAIN,
    PATIENT,
    PATIENT_VIEW,
    Json,
    a_call,
    assert_refused,
    bundle,
    card_of,
    condition,
    draft,
    post,
    with_context,
    without,
)

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
    ("patient id with slash", with_context(a_call(), patientId=f"{PATIENT}/"), "context.patientId"),
    ("patient id that climbs", with_context(a_call(), patientId="../metadata"), "context.patientId"),
    ("patient id with a query", with_context(a_call(), patientId="1?_count=9"), "context.patientId"),
    ("patient id a number", with_context(a_call(), patientId=7), "context.patientId"),
    ("patient id with a line end", with_context(a_call(), patientId=f"{PATIENT}\n"), "context.patientId"),
    ("prefetch a text", a_call() | {"prefetch": "none"}, "prefetch"),
    ("prefetch a list", a_call() | {"prefetch": []}, "prefetch"),
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
    conditions = bundle(own, foreign | {"subject": {"reference": "Patient/pt-2"}})
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
