"""The wire format: which calls are read, which are refused and in which words, what may be sent."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cds_service import errors
from cds_service.errors import CdsError, InvalidRequest
from cds_service.protocol import validation
from cds_service.protocol.feedback import read_feedback
from cds_service.protocol.hook_request import read_hook_request
from cds_service.protocol.json_body import decode
from cds_service.protocol.outcome import operation_outcome
from cds_service.protocol.validation import Problem, problem

Json = dict[str, Any]
Change = Callable[[Json], object]

# Stands for a patient's data in every bad call: it must not come back in an error.
MARKER = "Marker-7351"
UUID = "5b0f2c1e-8d0a-4c1b-9a53-0e6f0a4d7c11"


# --- Calls, in the shapes that the public sandbox sends


def a_draft() -> Json:
    """An imaging draft in which nothing has been chosen yet: not valid FHIR, but sent."""
    return {
        "resourceType": "ServiceRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "plan",
        "code": {"coding": [{}]},
        "subject": {"reference": f"Patient/{MARKER}"},
        "reasonCode": [],
    }


def a_call(hook: str = "patient-view") -> Json:
    context: Json = {"patientId": MARKER, "userId": "Practitioner/user-1"}
    if hook != "patient-view":
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": a_draft()}]}
    if hook == "order-select":
        context["selections"] = ["ServiceRequest/draft-1"]
    return {
        "hookInstance": UUID,
        "hook": hook,
        "fhirServer": "http://127.0.0.1:9400/fhir",
        "context": context,
        "prefetch": {"patient": {"resourceType": "Patient", "id": MARKER}},
    }


def authorization(**members: object) -> Json:
    return {"access_token": f"token-{MARKER}", "token_type": "Bearer", "expires_in": 3600} | members


def put(path: str, value: object) -> Change:
    """Return a change that sets the member at a dotted path."""
    return lambda document: _parent(document, path).__setitem__(path.split(".")[-1], value)


def drop(path: str) -> Change:
    """Return a change that removes the member at a dotted path."""
    return lambda document: _parent(document, path).pop(path.split(".")[-1])


def _parent(document: Json, path: str) -> Any:
    target: Any = document
    for part in path.split(".")[:-1]:
        target = target[int(part)] if part.isdigit() else target[part]
    return target


def both(*changes: Change) -> Change:
    return lambda document: [change(document) for change in changes]


def names(table: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the first column of a table of cases: what each is called."""
    return [row[0] for row in table]


def changes(table: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return a table of cases without its first column."""
    return [row[1:] for row in table]


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

ID_RULE = "must be a FHIR id (letters, digits, '-' and '.', at most 64)"
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


# --- Feedback


REASON = {"code": "r-1", "system": "http://example.org/r"}


def an_entry(**members: object) -> Json:
    return {"card": UUID, "outcome": "overridden"} | members


def test_an_accepted_suggestion_is_read() -> None:
    body = an_entry(
        outcome="accepted",
        acceptedSuggestions=[{"id": "s-1"}, {"id": "s-2"}],
        outcomeTimestamp="2026-11-22T16:18:37.108Z",
    )
    (feedback,) = read_feedback({"feedback": [body]})
    assert (feedback.card, feedback.outcome, feedback.accepted) == (UUID, "accepted", ("s-1", "s-2"))
    assert feedback.timestamp == datetime(2026, 11, 22, 16, 18, 37, 108000, tzinfo=UTC)


@pytest.mark.parametrize(
    "overridden",
    [
        {"overrideReason": {"reason": REASON, "userComment": "why"}},
        {"overrideReasons": {"reason": REASON, "userComment": "why"}},
        {"overrideReasons": [{"reason": REASON, "userComment": "why"}]},
        {"overrideReasons": [{"extension": {}, "userComment": "why"}, {"reason": REASON}]},
    ],
    ids=["singular", "plural object", "plural list", "comment and reason apart"],
)
def test_the_reason_of_an_override_is_read_under_its_singular_and_plural_name(overridden: Json) -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(**overridden)]})
    assert (feedback.reason_code, feedback.reason_system) == ("r-1", "http://example.org/r")
    assert feedback.comment == "why"


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"overrideReason": None, "acceptedSuggestions": None, "outcomeTimestamp": None},
        {"overrideReason": "text", "acceptedSuggestions": "text", "outcomeTimestamp": 5},
        {"overrideReasons": [None, 5, []], "acceptedSuggestions": [None, "s-1", {"id": 5}, {}]},
        {"overrideReason": {"extension": {"a": "b"}}, "outcomeTimestamp": "yesterday"},
        {"overrideReason": {"reason": {"code": 5, "system": "x"}, "userComment": " "}},
        {"extension": {"com.example": 1}, "unknown": None},
    ],
    ids=repr,
)
def test_what_is_optional_in_feedback_and_not_well_formed_counts_as_not_sent(members: Json) -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(**members)]})
    assert (feedback.card, feedback.outcome, feedback.accepted) == (UUID, "overridden", ())
    assert (feedback.reason_code, feedback.reason_system, feedback.comment) == (None, None, None)
    assert feedback.timestamp is None


def test_a_reason_without_a_system_is_kept() -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(overrideReason={"reason": {"code": "r-1"}})]})
    assert (feedback.reason_code, feedback.reason_system) == ("r-1", None)


def test_a_time_without_a_zone_is_utc() -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(outcomeTimestamp="2026-11-22T16:18:37")]})
    assert feedback.timestamp == datetime(2026, 11, 22, 16, 18, 37, tzinfo=UTC)


def test_a_batch_keeps_order_repetitions_contradictions_and_unknown_cards() -> None:
    batch = [an_entry(outcome="accepted"), an_entry(), an_entry(), an_entry(card="../123456")]
    read = read_feedback({"feedback": batch})
    assert [entry.outcome for entry in read] == ["accepted", "overridden", "overridden", "overridden"]
    assert [entry.card for entry in read] == [UUID, UUID, UUID, "../123456"]


def test_the_comment_of_a_person_stays_out_of_the_repr() -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(overrideReason={"userComment": MARKER})]})
    assert feedback.comment == MARKER
    assert MARKER not in repr(feedback)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (None, "body: must be a JSON object with feedback"),
        ([an_entry(card=MARKER)], "body: must be a JSON object with feedback"),
        (an_entry(card=MARKER), "feedback: is missing; it must be a list of 1 to 1000 entries"),
        ({"feedback": []}, "feedback: must be a list of 1 to 1000 entries"),
        ({"feedback": an_entry(card=MARKER)}, "feedback: must be a list of 1 to 1000 entries"),
        ({"feedback": [an_entry()] * 1001}, "feedback: must be a list of 1 to 1000 entries"),
        ({"feedback": [MARKER]}, "feedback[0]: must be an object with card and outcome"),
        ({"feedback": [{"outcome": "accepted"}]}, "feedback[0].card: is missing; it must be the uuid"),
        ({"feedback": [an_entry(card=7351)]}, "feedback[0].card: must be the uuid of a card"),
        ({"feedback": [an_entry(card=MARKER * 30)]}, "feedback[0].card: must be the uuid of a card"),
        ({"feedback": [an_entry(), {"card": MARKER}]}, "feedback[1].outcome: is missing"),
        ({"feedback": [an_entry(outcome=MARKER)]}, "feedback[0].outcome: must be 'accepted' or 'overridden'"),
    ],
)
def test_feedback_without_list_card_or_outcome_is_refused(body: object, text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_feedback(body)
    assert caught.value.text.startswith(text)
    assert "7351" not in caught.value.text


# --- Answers


def a_response() -> Json:
    """An answer that uses every member."""
    order = {"resourceType": "ServiceRequest", "status": "draft", "subject": {"reference": "Patient/1"}}
    return {
        "cards": [
            {
                "uuid": UUID,
                "summary": "One line",
                "detail": "More **text**",
                "indicator": "warning",
                "source": {
                    "label": "Who says so",
                    "url": "https://example.org/evidence",
                    "icon": "https://example.org/icon.png",
                    "topic": {"code": "topic1", "system": "https://example.org/topics", "display": "Topic"},
                },
                "suggestions": [
                    {
                        "label": "Order",
                        "uuid": UUID,
                        "isRecommended": True,
                        "actions": [{"type": "create", "description": "Order it", "resource": order}],
                    },
                    {
                        "label": "Replace",
                        "actions": [
                            {"type": "update", "description": "Change it", "resource": order | {"id": "1"}},
                            {"type": "delete", "description": "Drop it", "resourceId": "ServiceRequest/1"},
                        ],
                    },
                ],
                "selectionBehavior": "any",
                "overrideReasons": [{"code": "r1", "system": "https://example.org/r", "display": "Reason"}],
                "links": [
                    {"label": "Evidence", "url": "https://example.org/evidence", "type": "absolute"},
                    {
                        "label": "App",
                        "url": "https://example.org/launch",
                        "type": "smart",
                        "appContext": "abc",
                        "autolaunchable": False,
                    },
                ],
            }
        ],
        "extension": {"org.example.decision": {"id": "1"}},
    }


@pytest.mark.parametrize("response", [a_response(), {"cards": []}], ids=["every member", "no advice"])
def test_a_good_answer_is_accepted(response: Json) -> None:
    assert problem("response", response) is None


@pytest.mark.parametrize("summary", ["a", "a" * 139, "ä€" * 69])
def test_a_summary_of_139_characters_fits_whatever_their_bytes(summary: str) -> None:
    response = a_response()
    response["cards"][0]["summary"] = summary
    assert problem("response", response) is None


CARD = "cards.0"
CREATE = f"{CARD}.suggestions.0.actions.0"
UPDATE = f"{CARD}.suggestions.1.actions.0"
DELETE = f"{CARD}.suggestions.1.actions.1"
AT_CREATE = "cards[0].suggestions[0].actions[0]"
AT_UPDATE = "cards[0].suggestions[1].actions[0]"
AT_DELETE = "cards[0].suggestions[1].actions[1]"

MISTAKES: list[tuple[str, Change, str]] = [
    ("no cards", drop("cards"), "cards"),
    ("cards null", put("cards", None), "cards"),
    ("unknown member", put("card", []), "body"),
    ("unknown card member", put(f"{CARD}.details", "x"), "cards[0]"),
    ("140 characters", put(f"{CARD}.summary", "a" * 140), "cards[0].summary"),
    ("empty summary", put(f"{CARD}.summary", ""), "cards[0].summary"),
    ("blank summary", put(f"{CARD}.summary", "  "), "cards[0].summary"),
    ("two lines of summary", put(f"{CARD}.summary", "a\nb"), "cards[0].summary"),
    ("summary ending with a line break", put(f"{CARD}.summary", "a\n"), "cards[0].summary"),
    ("no summary", drop(f"{CARD}.summary"), "cards[0].summary"),
    ("empty detail", put(f"{CARD}.detail", ""), "cards[0].detail"),
    ("null detail", put(f"{CARD}.detail", None), "cards[0].detail"),
    ("old indicator", put(f"{CARD}.indicator", "hard-stop"), "cards[0].indicator"),
    ("no indicator", drop(f"{CARD}.indicator"), "cards[0].indicator"),
    ("no source", drop(f"{CARD}.source"), "cards[0].source"),
    ("no source label", drop(f"{CARD}.source.label"), "cards[0].source.label"),
    ("no source topic", drop(f"{CARD}.source.topic"), "cards[0].source.topic"),
    ("topic without system", drop(f"{CARD}.source.topic.system"), "cards[0].source.topic.system"),
    ("relative source url", put(f"{CARD}.source.url", "/evidence"), "cards[0].source.url"),
    ("upper-case uuid", put(f"{CARD}.uuid", UUID.upper()), "cards[0].uuid"),
    ("prefixed uuid", put(f"{CARD}.uuid", f"urn:uuid:{UUID}"), "cards[0].uuid"),
    ("no selectionBehavior", drop(f"{CARD}.selectionBehavior"), "cards[0].selectionBehavior"),
    ("unknown selectionBehavior", put(f"{CARD}.selectionBehavior", "all"), "cards[0].selectionBehavior"),
    ("no suggestions in the list", put(f"{CARD}.suggestions", []), "cards[0].suggestions"),
    (
        "two recommended of at most one",
        both(
            put(f"{CARD}.selectionBehavior", "at-most-one"),
            put(f"{CARD}.suggestions.1.isRecommended", True),
        ),
        "cards[0].suggestions",
    ),
    ("no suggestion label", drop(f"{CARD}.suggestions.0.label"), "cards[0].suggestions[0].label"),
    (
        "isRecommended as text",
        put(f"{CARD}.suggestions.0.isRecommended", "true"),
        "cards[0].suggestions[0].isRecommended",
    ),
    ("actionSelectionBehavior", put(f"{CARD}.suggestions.0.actionSelectionBehavior", "any"), "cards[0].suggestions[0]"),
    ("no actions in the list", put(f"{CARD}.suggestions.0.actions", []), "cards[0].suggestions[0].actions"),
    ("upper-case action", put(f"{CREATE}.type", "CREATE"), f"{AT_CREATE}.type"),
    ("no description", drop(f"{CREATE}.description"), f"{AT_CREATE}.description"),
    ("create without resource", drop(f"{CREATE}.resource"), f"{AT_CREATE}.resource"),
    ("resource as text", put(f"{CREATE}.resource", "{}"), f"{AT_CREATE}.resource"),
    ("untyped resource", drop(f"{CREATE}.resource.resourceType"), f"{AT_CREATE}.resource.resourceType"),
    (
        "null in a resource",
        put(f"{CREATE}.resource.subject", {"display": None}),
        f"{AT_CREATE}.resource.subject.display",
    ),
    ("empty list in a resource", put(f"{CREATE}.resource.note", []), f"{AT_CREATE}.resource.note"),
    ("create with resourceId", put(f"{CREATE}.resourceId", "ServiceRequest/1"), f"{AT_CREATE}.resourceId"),
    ("update of an unnamed resource", drop(f"{UPDATE}.resource.id"), f"{AT_UPDATE}.resource.id"),
    ("delete without resourceId", drop(f"{DELETE}.resourceId"), f"{AT_DELETE}.resourceId"),
    ("delete with resource", put(f"{DELETE}.resource", {"resourceType": "ServiceRequest"}), f"{AT_DELETE}.resource"),
    ("no override reasons in the list", put(f"{CARD}.overrideReasons", []), "cards[0].overrideReasons"),
    (
        "override reason without display",
        drop(f"{CARD}.overrideReasons.0.display"),
        "cards[0].overrideReasons[0].display",
    ),
    ("override reason without system", drop(f"{CARD}.overrideReasons.0.system"), "cards[0].overrideReasons[0].system"),
    ("no links in the list", put(f"{CARD}.links", []), "cards[0].links"),
    ("link without type", drop(f"{CARD}.links.0.type"), "cards[0].links[0].type"),
    ("link to a script", put(f"{CARD}.links.0.url", "javascript:alert(1)"), "cards[0].links[0].url"),
    ("appContext and absolute", put(f"{CARD}.links.0.appContext", "x"), "cards[0].links[0].appContext"),
    ("misspelled autolaunchable", put(f"{CARD}.links.1.autoLaunchable", True), "cards[0].links[1]"),
    ("no system actions in the list", put("systemActions", []), "systemActions"),
    (
        "system action that creates",
        put("systemActions", [{"type": "create", "description": "x", "resource": {"resourceType": "Task"}}]),
        "systemActions[0].type",
    ),
    ("empty extension", put("extension", {}), "extension"),
    ("extension as in FHIR", put("extension", [{"url": "x"}]), "extension"),
    ("null in an extension", put("extension", {"a": {"b": [None]}}), "extension.a.b[0]"),
]


@pytest.mark.parametrize(("change", "path"), changes(MISTAKES), ids=names(MISTAKES))
def test_a_mistake_seen_in_other_services_does_not_leave_this_one(change: Change, path: str) -> None:
    response = a_response()
    change(response)
    found = problem("response", response)
    assert found is not None
    assert found.path == path
    assert found.expected.startswith(("must be", "must have", "is missing"))


def test_an_unknown_member_is_answered_with_the_members_there_are() -> None:
    response = a_response()
    response["cards"][0]["source"]["name"] = "x"
    expected = "must have no other members than extension, icon, label, topic, url"
    assert problem("response", response) == Problem("cards[0].source", expected)


def test_a_system_action_may_change_or_delete_an_order() -> None:
    response = a_response()
    response["systemActions"] = [{"type": "delete", "description": "Drop it", "resourceId": "ServiceRequest/1"}]
    assert problem("response", response) is None


# --- Discovery


def a_service() -> Json:
    return {
        "hook": "patient-view",
        "title": "Title",
        "description": "What it does",
        "id": "some-service",
        "prefetch": {
            "patient": "Patient/{{context.patientId}}",
            "conditions": "Condition?patient={{context.patientId}}&_count=100",
        },
        "usageRequirements": "None",
        "version": "2.0.1",
    }


@pytest.mark.parametrize("services", [[], [a_service()]], ids=["none", "one"])
def test_a_good_discovery_is_accepted(services: list[Json]) -> None:
    assert problem("discovery", {"services": services}) is None


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (put("hook", "patient-viewed"), "services[0].hook"),
        (drop("hook"), "services[0].hook"),
        (drop("description"), "services[0].description"),
        (drop("title"), "services[0].title"),
        (put("id", "Some Service"), "services[0].id"),
        (put("id", "some/service"), "services[0].id"),
        (put("hookVersion", "1.0"), "services[0]"),
        (put("version", "STU2"), "services[0].version"),
        (put("prefetch", {}), "services[0].prefetch"),
        (put("prefetch", {"a b": "Patient/{{context.patientId}}"}), "services[0].prefetch"),
        (put("prefetch.patient", ""), "services[0].prefetch.patient"),
        (put("prefetch.patient", "Patient/{{Patient.id}}"), "services[0].prefetch.patient"),
        (put("prefetch.patient", "Encounter/{{context.encounterId}}"), "services[0].prefetch.patient"),
        (put("prefetch.patient", "Patient/{{context.patientId}"), "services[0].prefetch.patient"),
        (put("usageRequirements", None), "services[0].usageRequirements"),
    ],
)
def test_a_discovery_that_clients_cannot_use_is_refused(change: Change, path: str) -> None:
    service = a_service()
    change(service)
    found = problem("discovery", {"services": [service]})
    assert found is not None
    assert found.path == path


# --- Errors and the outcome

EVERY_ERROR: list[tuple[CdsError, int, str]] = [
    (errors.InvalidRequest("context.patientId", ID_RULE), 400, "invalid"),
    (errors.UnknownService(), 404, "not-found"),
    (errors.NotAllowed(["POST", "OPTIONS"]), 405, "not-supported"),
    (errors.NotAllowed(), 405, "not-supported"),
    (errors.MissingData([("conditions", "was not sent")]), 412, "required"),
    (errors.MissingData([("conditions", "the FHIR server did not answer")], failed=True), 412, "processing"),
    (errors.TooLarge(1000), 413, "too-long"),
    (errors.TooLarge(), 413, "too-long"),
    (errors.WrongMediaType(), 415, "not-supported"),
    (errors.CdsError("Something failed.", "decision 1"), 500, "exception"),
]


@pytest.mark.parametrize(("error", "status", "code"), EVERY_ERROR)
def test_every_error_has_its_status_and_a_valid_outcome(error: CdsError, status: int, code: str) -> None:
    outcome = operation_outcome(error)
    assert error.status == status
    assert problem("operation-outcome", outcome) is None
    (issue,) = outcome["issue"]
    assert (issue["severity"], issue["code"], issue["details"]) == ("error", code, {"text": str(error)})


def test_an_error_without_diagnostics_sends_none() -> None:
    assert "diagnostics" not in operation_outcome(errors.UnknownService())["issue"][0]


def test_missing_data_names_each_key_with_its_cause_and_that_nothing_was_concluded() -> None:
    missing = [("conditions", "was not sent"), ("observations", "the FHIR server answered 503")]
    error = errors.MissingData(missing)
    assert "conditions: was not sent; observations: the FHIR server answered 503" in error.text
    assert "Nothing was concluded" in error.text
    assert error.diagnostics == "Missing prefetch keys: conditions, observations"
    assert error.missing == tuple(missing)


def test_one_processing_failure_does_not_change_the_code_of_later_errors() -> None:
    errors.MissingData([("patient", "the FHIR server did not answer")], failed=True)
    assert errors.MissingData([("patient", "was not sent")]).code == "required"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (drop("issue.0.details"), "issue[0].details"),
        (put("issue.0.diagnostics", None), "issue[0].diagnostics"),
        (put("issue", []), "issue"),
        (put("resourceType", "Outcome"), "resourceType"),
    ],
)
def test_an_outcome_with_gaps_is_refused(change: Change, path: str) -> None:
    outcome = operation_outcome(errors.UnknownService())
    change(outcome)
    found = problem("operation-outcome", outcome)
    assert found is not None
    assert found.path == path


# --- The schemas themselves


KEYWORDS = {"type", "pattern", "enum", "const", "not", "minItems", "maxItems", "minLength", "maxLength"}


def parts(schema: object) -> Iterator[Json]:
    """Yield every object inside a schema, itself included."""
    if isinstance(schema, dict):
        yield schema
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(child)


@pytest.mark.parametrize("name", validation.SCHEMAS)
def test_a_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = validation.load(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://cds-service.example.org/schemas/{name}.json"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", validation.SCHEMAS)
def test_every_reference_of_a_schema_leads_somewhere(name: str) -> None:
    for reference in (part["$ref"] for part in parts(validation.load(name)) if "$ref" in part):
        file, _, definition = reference.partition(".json#/$defs/")
        assert definition in validation.load(file)["$defs"]


@pytest.mark.parametrize("name", validation.SCHEMAS)
def test_whatever_is_checked_has_words_for_its_error(name: str) -> None:
    schema = validation.load(name)
    tested = [part[key] for part in parts(schema) for key in ("if", "contains") if key in part]
    silent = [id(part) for test in tested for part in parts(test)]
    for part in parts(schema):
        # A member that happens to be named "type" makes its parent look like a part with that keyword.
        names_members = isinstance(part.get("type"), dict)
        if KEYWORDS & part.keys() and not names_members and id(part) not in silent:
            assert part.get("x-expected"), part


@pytest.mark.parametrize("name", [name for name in validation.SCHEMAS if name.startswith("request-")])
def test_a_request_schema_never_looks_into_members_that_the_client_names(name: str) -> None:
    def reached(schema: Json) -> Iterator[Json]:
        for part in parts(schema):
            yield part
            if "$ref" in part:
                yield from reached(validation.load("common")["$defs"][part["$ref"].rsplit("/", 1)[1]])

    for part in reached(validation.load(name)):
        assert not {"additionalProperties", "patternProperties", "propertyNames"} & part.keys()


def test_checking_a_document_does_not_change_it() -> None:
    call = a_call("order-select")
    before = copy.deepcopy(call)
    problem("request-order-select", call)
    assert call == before
