"""Calls as CDS Hooks demands them: the bytes of a body, calls that are read, and calls that are refused."""

import json
from typing import Any

import pytest

from cds_service.errors import CdsError, InvalidRequest
from cds_service.protocol import validation
from cds_service.protocol.hook_request import read_hook_request
from cds_service.protocol.json_body import decode
from cds_service.protocol.outcome import operation_outcome
from cds_service.protocol.validation import Problem, problem
from tests.protocol_calls import (
    ID_RULE,
    MARKER,
    UUID,
    Change,
    Json,
    a_call,
    a_draft,
    both,
    changes,
    drop,
    names,
    put,
)


def authorization(**members: object) -> Json:
    return {"access_token": f"token-{MARKER}", "token_type": "Bearer", "expires_in": 3600} | members


def refusal(call: Json, hook: str) -> CdsError:
    with pytest.raises(InvalidRequest) as caught:
        read_hook_request(call, hook)
    return caught.value


# --- The bytes of the body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"[" * 200_000,
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"name": "Marker-7351",}',
        b'{"name": "Marker-7351"} // comment',
        b"name=Marker-7351",
        b'{"name": "Marker-7351 \xff"}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_not_json_is_refused_without_quoting_it(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body)
    response = json.dumps(operation_outcome(caught.value))
    assert caught.value.text.startswith("body: must be")
    assert MARKER not in response


def test_the_error_of_the_parser_with_the_body_in_it_is_not_kept() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(b'{"name": "Marker-7351"')
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_malformed_body_is_answered_with_the_place_where_reading_stopped() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(b'{\n  "hook": oops}')
    assert caught.value.diagnostics == "Reading stopped at line 2, column 11."


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"7", b"true"])
@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_json_that_is_not_an_object_is_refused(body: bytes, hook: str) -> None:
    error = refusal(decode(body), hook)  # type: ignore[arg-type]  # what a client might send
    assert error.text == "body: must be a JSON object (a CDS Hooks call)"


@pytest.mark.parametrize("place", ["body", "prefetch"])
def test_nesting_that_the_parser_just_bears_is_an_error_of_the_client(place: str) -> None:
    deep = decode(b"[" * 1000 + b"]" * 1000)
    call: Any = a_call("order-select")
    if place == "body":
        call = deep
    else:
        put(place, deep)(call)
    assert isinstance(problem("request-order-select", call), Problem)


# --- Calls that are read


@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_a_call_as_the_sandbox_sends_it_is_read(hook: str) -> None:
    request = read_hook_request(decode(json.dumps(a_call(hook)).encode()), hook)
    assert (request.hook, request.hook_instance) == (hook, UUID)
    assert (request.patient_id, request.user_id) == (MARKER, "Practitioner/user-1")
    assert request.encounter_id is None
    assert request.fhir_server == "http://127.0.0.1:9400/fhir"
    assert request.fhir_authorization is None
    assert request.prefetch == {"patient": {"resourceType": "Patient", "id": MARKER}}
    assert request.drafts == (() if hook == "patient-view" else (a_draft(),))
    assert request.selections == (("ServiceRequest/draft-1",) if hook == "order-select" else ())


LONG_ID = "Aa.9-" * 40

TOLERATED: list[tuple[str, str, Change]] = [
    ("unknown members", "patient-view", both(put("surprise", None), put("context.surprise", [MARKER]))),
    ("an extension", "patient-view", put("extension", {"com.example.trigger": "60"})),
    ("an extension written as in FHIR", "patient-view", put("extension", [])),
    ("an upper-case instance", "patient-view", put("hookInstance", UUID.upper())),
    ("an instance with its prefix", "patient-view", put("hookInstance", f"urn:uuid:{UUID}")),
    ("an instance that is no UUID", "patient-view", put("hookInstance", "call-1")),
    ("no prefetch", "patient-view", drop("prefetch")),
    ("prefetch null", "patient-view", put("prefetch", None)),
    ("prefetch of any kind of value", "patient-view", put("prefetch", {"a": None, "b": 1, "c": [[]]})),
    ("no FHIR server", "patient-view", drop("fhirServer")),
    ("authorization null", "patient-view", both(drop("fhirServer"), put("fhirAuthorization", None))),
    ("more in the authorization", "patient-view", put("fhirAuthorization", authorization(extra={"a": []}))),
    ("authorization of the token only", "patient-view", put("fhirAuthorization", {"access_token": "t"})),
    ("an encounter", "patient-view", put("context.encounterId", "enc-1")),
    ("encounter null", "patient-view", put("context.encounterId", None)),
    ("a patient as the user", "patient-view", put("context.userId", "Patient/p-1")),
    ("a role as the user", "order-select", put("context.userId", "PractitionerRole/r-1")),
    ("a long user id", "order-sign", put("context.userId", f"Practitioner/{LONG_ID}")),
    ("a long selection", "order-select", put("context.selections", [f"MedicationRequest/{LONG_ID}"])),
    ("a selection of nothing", "order-select", put("context.selections", ["ServiceRequest/none"])),
    ("a Bundle without entries", "order-sign", put("context.draftOrders", {"resourceType": "Bundle"})),
    ("entries null", "order-sign", put("context.draftOrders.entry", None)),
    ("entries that are none", "order-select", put("context.draftOrders.entry", {"resource": a_draft()})),
    ("drafts in a chart opening", "patient-view", put("context.draftOrders", MARKER)),
]


# What clients send in members on which no decision rests (decision 6.8): the member, what was sent, and what
# is read of it.
HARMLESS: list[tuple[str, object, str, object]] = [
    ("context.patientId", f"Patient/{MARKER}", "patient_id", MARKER),
    ("context.patientId", f"https://ehr.example.org/fhir/Patient/{MARKER}", "patient_id", MARKER),
    ("context.patientId", f"Patient/{MARKER}/_history/2", "patient_id", MARKER),
    ("context.encounterId", "", "encounter_id", None),
    ("context.encounterId", "Encounter/9", "encounter_id", "9"),
    ("context.encounterId", "https://ehr.example.org/fhir/Encounter/9/_history/1", "encounter_id", "9"),
    ("context.encounterId", "a b", "encounter_id", None),
    ("context.encounterId", "Appointment/9", "encounter_id", None),
    ("context.encounterId", 9, "encounter_id", "9"),
    ("context.encounterId", {"reference": "Encounter/9"}, "encounter_id", None),
    ("context.encounterId", f"urn:uuid:{UUID}", "encounter_id", None),
    ("context.encounterId", f"urn:uuid:{UUID}", "encounter", f"urn:uuid:{UUID}"),
    ("context.userId", "https://ehr.example.org/fhir/Practitioner/dr-1", "user_id", "Practitioner/dr-1"),
    ("context.userId", "Practitioner/dr_1", "user_id", "Practitioner/dr_1"),
    ("context.userId", "PractitionerRole/1/_history/4", "user_id", "PractitionerRole/1"),
    ("context.userId", "RelatedPerson/1", "user_id", "RelatedPerson/1"),
    ("context.userId", "dr-1", "user_id", ""),
    ("context.userId", "Device/1", "user_id", ""),
    ("context.userId", "", "user_id", ""),
    ("context.userId", None, "user_id", ""),
    ("context.userId", ["Practitioner/1"], "user_id", ""),
    ("fhirServer", "", "fhir_server", None),
    ("fhirServer", " ", "fhir_server", None),
    ("fhirServer", {"url": "https://ehr.example.org/fhir"}, "fhir_server", None),
    ("fhirServer", "HTTPS://ehr.example.org/fhir", "fhir_server", "https://ehr.example.org/fhir"),
    ("fhirServer", "x" * 3_000, "fhir_server", None),
    ("fhirAuthorization", "", "fhir_authorization", None),
    ("fhirAuthorization", {}, "fhir_authorization", None),
    ("fhirAuthorization", [], "fhir_authorization", None),
    ("fhirAuthorization", authorization(access_token=""), "fhir_authorization", None),
    ("fhirAuthorization", authorization(access_token=None), "fhir_authorization", None),
    ("fhirAuthorization", authorization(access_token="a\r\nX-Header: 1"), "fhir_authorization", None),
    ("extension", "", "hook", "order-select"),
    ("surprise", {"a": [None]}, "hook", "order-select"),
]


@pytest.mark.parametrize(("path", "sent", "member", "read"), HARMLESS)
def test_a_member_on_which_no_decision_rests_never_refuses_a_call(
    path: str, sent: object, member: str, read: object
) -> None:
    call = a_call("order-select")
    put(path, sent)(call)
    request = read_hook_request(call, "order-select")
    assert (getattr(request, member), request.patient_id) == (read, MARKER)


@pytest.mark.parametrize("expires", ["3600", "", None, 3600.5, [], "soon"])
def test_the_token_is_used_whatever_is_said_of_its_end(expires: object) -> None:
    call = a_call()
    call["fhirAuthorization"] = authorization(expires_in=expires, scope=7, token_type=None)
    read = read_hook_request(call, "patient-view").fhir_authorization
    assert read is not None and read["access_token"] == f"token-{MARKER}"


@pytest.mark.parametrize(("sent", "read"), [("7", "7"), ("Patient/7", "7"), ("Patient/7/_history/1", "7"), ("", None)])
def test_the_patient_of_a_token_is_read_with_and_without_its_type(sent: str, read: str | None) -> None:
    call = a_call()
    call["fhirAuthorization"] = authorization(patient=sent)
    assert (read_hook_request(call, "patient-view").fhir_authorization or {})["patient"] == read


def test_an_authorization_without_a_server_is_no_reason_to_refuse_the_call() -> None:
    call = a_call()
    del call["fhirServer"]
    call["fhirAuthorization"] = authorization()
    assert read_hook_request(call, "patient-view").fhir_server is None


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ([f"urn:uuid:{UUID}"], (f"urn:uuid:{UUID}",)),
        (["https://ehr.example.org/fhir/ServiceRequest/1"], ("https://ehr.example.org/fhir/ServiceRequest/1",)),
        (["draft-1", {"reference": "ServiceRequest/1"}, None], ("draft-1", "", "")),
    ],
)
def test_selections_are_read_in_every_form(sent: list[object], read: tuple[str, ...]) -> None:
    call = a_call("order-select")
    call["context"]["selections"] = sent
    assert read_hook_request(call, "order-select").selections == read


def test_the_address_of_a_draft_is_kept_beside_it() -> None:
    call = a_call("order-sign")
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": a_draft()},
        {"fullUrl": 7, "resource": a_draft()},
        {"fullUrl": "x"},
    ]
    call["context"]["draftOrders"]["entry"] = entries
    request = read_hook_request(call, "order-sign")
    assert (len(request.drafts), request.draft_urls, request.skipped_drafts) == (2, ("urn:uuid:1", ""), 1)


@pytest.mark.parametrize(("hook", "change"), changes(TOLERATED), ids=names(TOLERATED))
def test_what_clients_do_beyond_the_letter_is_tolerated(hook: str, change: Change) -> None:
    call = a_call(hook)
    change(call)
    request = read_hook_request(call, hook)
    assert request.patient_id == MARKER


def test_null_for_what_is_optional_reads_as_left_out() -> None:
    call = a_call()
    call |= {"prefetch": None, "fhirServer": None, "fhirAuthorization": None}
    call["context"]["encounterId"] = None
    request = read_hook_request(call, "patient-view")
    assert request.prefetch == {}
    assert (request.fhir_server, request.fhir_authorization, request.encounter_id) == (None, None, None)


def test_prefetch_keeps_null_apart_from_a_key_that_was_not_sent() -> None:
    call = a_call()
    call["prefetch"] = {"conditions": None}
    assert read_hook_request(call, "patient-view").prefetch == {"conditions": None}


def test_a_draft_that_cannot_be_used_is_counted_and_does_not_hide_the_others() -> None:
    call = a_call("order-sign")
    bad: list[object] = [None, 5, {}, {"resource": None}, {"resource": "text"}, {"resource": {"id": "1"}}]
    call["context"]["draftOrders"]["entry"] = [*bad, {"resource": a_draft()}]
    request = read_hook_request(call, "order-sign")
    assert request.drafts == (a_draft(),)
    assert request.skipped_drafts == len(bad)


def test_one_draft_in_place_of_the_list_is_a_list_of_one() -> None:
    call = a_call("order-sign")
    call["context"]["draftOrders"]["entry"] = {"fullUrl": "urn:uuid:1", "resource": a_draft()}
    request = read_hook_request(call, "order-sign")
    assert (request.drafts, request.draft_urls, request.skipped_drafts) == ((a_draft(),), ("urn:uuid:1",), 0)


def test_the_access_token_and_all_ids_stay_out_of_the_repr() -> None:
    call = a_call("order-select")
    call["fhirAuthorization"] = authorization()
    call["context"] |= {"encounterId": f"enc-{MARKER}", "userId": f"Practitioner/{MARKER}"}
    call["context"]["selections"] = [f"ServiceRequest/{MARKER}"]
    shown = repr(read_hook_request(call, "order-select"))
    assert MARKER not in shown
    assert "127.0.0.1" not in shown
    assert UUID in shown


# --- Calls that are refused
SELECTIONS_RULE = "must be a list of 1 to 1000 references such as 'ServiceRequest/id'"

REFUSED: list[tuple[str, Change, str]] = [
    ("patient-view", put("hook", "order-select"), "hook: must be 'patient-view' at this address"),
    ("order-sign", put("hook", MARKER), "hook: must be 'order-sign' at this address"),
    ("patient-view", both(put("hook", MARKER), drop("context")), "hook: must be 'patient-view'"),
    ("patient-view", drop("hook"), "hook: is missing; it must be 'patient-view' at this address"),
    ("patient-view", drop("hookInstance"), "hookInstance: is missing; it must be a UUID"),
    ("patient-view", put("hookInstance", ""), "hookInstance: must be a UUID"),
    ("patient-view", put("hookInstance", 7351), "hookInstance: must be"),
    ("patient-view", put("hookInstance", MARKER * 20), "hookInstance: must be"),
    ("patient-view", put("hookInstance", f"{MARKER}\nline"), "hookInstance: must be"),
    ("patient-view", drop("context"), "context: is missing; it must be an object with userId and patientId"),
    ("patient-view", put("context", None), "context: must be an object with userId and patientId"),
    ("patient-view", put("context", [MARKER]), "context: must be an object"),
    ("patient-view", drop("context.patientId"), f"context.patientId: is missing; it {ID_RULE}"),
    ("patient-view", put("context.patientId", f"../{MARKER}"), f"context.patientId: {ID_RULE}"),
    ("patient-view", put("context.patientId", f"{MARKER}\n"), f"context.patientId: {ID_RULE}"),
    ("patient-view", put("context.patientId", f"{MARKER}?x"), f"context.patientId: {ID_RULE}"),
    ("patient-view", put("context.patientId", MARKER * 6), f"context.patientId: {ID_RULE}"),
    ("patient-view", put("context.patientId", 7351), f"context.patientId: {ID_RULE}"),
    ("patient-view", put("context.patientId", None), f"context.patientId: {ID_RULE}"),
    ("patient-view", put("context.patientId", ""), f"context.patientId: {ID_RULE}"),
    ("patient-view", drop("context.userId"), "context.userId: is missing; it must be a reference such as"),
    ("patient-view", put("prefetch", MARKER), "prefetch: must be an object, or left out"),
    ("patient-view", put("prefetch", [MARKER]), "prefetch: must be an object, or left out"),
    ("order-select", drop("context.selections"), f"context.selections: is missing; it {SELECTIONS_RULE}"),
    ("order-select", put("context.selections", []), f"context.selections: {SELECTIONS_RULE}"),
    ("order-select", put("context.selections", f"a/{MARKER}"), f"context.selections: {SELECTIONS_RULE}"),
    ("order-select", put("context.selections", ["a/1"] * 1001), f"context.selections: {SELECTIONS_RULE}"),
    ("order-select", drop("context.draftOrders"), "context.draftOrders: is missing; it must be a"),
    ("order-sign", drop("context.draftOrders"), "context.draftOrders: is missing; it must be a"),
    ("order-sign", put("context.draftOrders", [a_draft()]), "context.draftOrders: must be a FHIR Bundle"),
    ("order-sign", put("context.draftOrders", a_draft()), "context.draftOrders.resourceType: must be"),
    ("order-sign", put("context.draftOrders", {}), "context.draftOrders.resourceType: is missing"),
]


@pytest.mark.parametrize(("hook", "change", "text"), REFUSED, ids=[f"{row[0]}: {row[2]}" for row in REFUSED])
def test_a_bad_call_is_refused_in_words_that_name_the_field_and_no_value(hook: str, change: Change, text: str) -> None:
    call = a_call(hook)
    change(call)
    error = refusal(call, hook)
    response = json.dumps(operation_outcome(error))
    assert error.text.startswith(text)
    assert MARKER not in response
    assert "7351" not in response
    assert "user-1" not in response


def test_the_missing_member_nearest_to_the_top_is_reported_before_other_errors() -> None:
    call = a_call("order-select")
    both(drop("hookInstance"), drop("context.userId"), put("context.selections", [1]))(call)
    assert refusal(call, "order-select").text.startswith("hookInstance: is missing")


def test_a_hostile_list_is_given_up_at_its_length() -> None:
    call = a_call("order-select")
    call["context"]["selections"] = ["a/1"] * 1_000_000
    validator = validation._validators()["request-order-select"]
    assert [error.validator for error in validation._some_errors(validator, call)] == ["maxItems"]
