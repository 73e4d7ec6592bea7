"""Types made from the JSON Schemas of received messages accept what the schemas accept, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from cds_service.errors import InvalidRequest
from cds_service.protocol import validation
from cds_service.protocol.envelope import is_of, type_of
from cds_service.protocol.json_body import decode
from tests.fuzz_mutations import broken_trees, places, put
from tests.protocol_calls import UUID, Json, a_call

EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True, database=None)

FEEDBACK: Json = {
    "feedback": [
        {"card": UUID, "outcome": "accepted", "acceptedSuggestions": [{"id": UUID}]},
        {"card": "c" * 256, "outcome": "overridden", "overrideReason": {"userComment": "why"}},
    ]
}
MESSAGES: dict[str, Json] = {
    **{f"request-{hook}": a_call(hook) for hook in ("patient-view", "order-select", "order-sign")},
    "feedback": FEEDBACK,
}

# On the borders of what the schemas say, and beside them.
VALUES: list[Any] = [
    *(None, True, 0, 1, 1.5, float("inf"), "", " ", "a", "a\n", "a b", "ä", "Bundle", "bundle", "accepted"),
    *("patient-view", "order-select", "Patient/7", "https://ehr.example.org/fhir/Patient/7/_history/2", "Patient/7\n"),
    *("x" * 64, "x" * 65, "x" * 128, "x" * 129, "é" * 256, "é" * 257),
    *([], {}, ["a"], [None] * 1000, [None] * 1001, {"resourceType": "Bundle"}, {"resourceType": "bundle"}),
    [{"card": "c", "outcome": "accepted"}] * 1000,
    [{"card": "c", "outcome": "accepted"}] * 1001,
]


def agrees(name: str, document: object) -> bool:
    """Whether a type and its schema say the same of a document, and what they say."""
    valid = is_of(validation._types()[name], document)
    assert valid is (validation.problem(name, document) is None)
    return valid


@pytest.mark.parametrize("name", validation.RECEIVED)
def test_what_a_client_sends_is_valid_by_its_type(name: str) -> None:
    assert agrees(name, MESSAGES[name])


@pytest.mark.parametrize("name", validation.RECEIVED)
def test_every_value_at_every_place_is_judged_as_the_schema_judges_it(name: str) -> None:
    said = set()
    for place in places(MESSAGES[name]):
        for value in VALUES:
            said.add(agrees(name, put(copy.deepcopy(MESSAGES[name]), place, value) if place else value))
    assert said == {True, False}


@pytest.mark.parametrize("name", validation.RECEIVED)
@EXAMPLES
@given(data=st.data())
def test_a_broken_message_is_judged_as_the_schema_judges_it(name: str, data: DataObject) -> None:
    body = data.draw(broken_trees(MESSAGES[name])).body
    try:
        document = decode(body)
    except InvalidRequest:
        assume(False)
    agrees(name, document)


@EXAMPLES
@given(
    hook=st.sampled_from(["patient-view", "order-select", "order-sign"]),
    instance=st.text(max_size=130),
    patient=st.one_of(st.text(max_size=70), st.from_regex(r"(Patient/)?[\w.-]{1,66}(/_history/\w*)?")),
)
def test_texts_are_judged_as_the_schema_judges_them(hook: str, instance: str, patient: str) -> None:
    call = a_call(hook) | {"hookInstance": instance}
    agrees(f"request-{hook}", call)
    agrees(f"request-{hook}", put(a_call(hook), ("context", "patientId"), patient))


def test_half_of_a_surrogate_pair_is_judged_by_the_schema() -> None:
    half = {"\ud800": "\ud800"}
    assert validation.checked("request-patient-view", a_call() | half)
    with pytest.raises(InvalidRequest):
        validation.checked("request-patient-view", a_call() | {"hookInstance": "\ud800"})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "required": ["a"], "properties": {"b": {}}},
        {"type": "string", "format": "uuid"},
        {"properties": {"a": {}}},
        {"$ref": "#", "type": "string"},
    ],
)
def test_a_schema_that_says_more_than_a_type_can_is_refused(schema: Json) -> None:
    with pytest.raises(ValueError, match="no type says"):
        type_of(schema, lambda _: {"type": "object"}, str)
