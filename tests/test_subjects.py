"""Whose an entry is: this patient's, another's, or nobody knows (decision 6.4)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.chart.build import build_chart
from cds_service.chart.records import Chart, Gap
from cds_service.clinical.rules.assessment import Outcome
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, PATIENT_ID, condition, day, patient, prefetch
from tests.builders import assess as assessment_of

Json = dict[str, Any]

SERVER = "https://ehr.example.org/fhir"
MRN = {"system": "https://ids.example.org/mrn", "value": "000412"}
CANCER = condition(BREAST_CANCER, onset="2018", id="cancer")
PAIN = condition(LOW_BACK_PAIN, onset=day(6), id="pain")
UUID = "urn:uuid:6a0e7a54-96a1-4f0e-8f0b-0d1f2f3a4b5c"

OWN, ANOTHER, NOBODY = "this patient's", "another's", "nobody's"

# The cancer's subject, and whose it is where the entries stand at `SERVER` and the call names no server.
SUBJECTS: list[tuple[object, str]] = [
    ({"reference": "Patient/pt-1"}, OWN),
    ({"reference": "Patient/pt-1/_history/3"}, OWN),
    ({"reference": "/Patient/pt-1"}, OWN),
    ({"reference": " Patient/pt-1 "}, OWN),
    ({"reference": f"{SERVER}/Patient/pt-1"}, OWN),
    ({"reference": f"{SERVER}/Patient/pt-1/_history/12"}, OWN),
    ({"reference": "HTTPS://EHR.example.org:443/fhir/Patient/pt-1"}, OWN),
    ({"reference": "urn:uuid:pt-1"}, OWN),
    ({"reference": "patient/pt-1"}, OWN),
    ({"reference": "PATIENT/pt-1/_history/3"}, OWN),
    ({"reference": "Patient/pt%2D1"}, OWN),
    ({"reference": "Patient%2Fpt-1"}, OWN),
    ({"reference": "Patient/pt-1%20"}, OWN),
    ({"reference": "Patient/pt-1?_format=json"}, OWN),
    ({"reference": "Patient/pt-1#top"}, OWN),
    ({"reference": f"{SERVER}/patient/pt%2d1?_format=json"}, OWN),
    ({"reference": "patient/pt-2"}, ANOTHER),
    ({"reference": "Patient/pt%2D2"}, ANOTHER),
    ({"reference": "Patient/pt-2?_id=pt-1"}, ANOTHER),
    ({"reference": "Patient/pt%252D1"}, NOBODY),
    ({"reference": "Patient/pt-1;v=2"}, NOBODY),
    ({"reference": "Patient/pt%2F1"}, NOBODY),
    ({"reference": "Pt/pt-1"}, NOBODY),
    ([{"reference": "Patient/pt-1"}], OWN),
    ([None, {"reference": "Patient/pt-1"}], OWN),
    ({"reference": "Patient/pt-1", "identifier": {"system": "x", "value": "another"}}, OWN),
    ({"type": "Patient", "identifier": MRN}, OWN),
    ({"identifier": MRN | {"value": " 000412 "}}, OWN),
    ({"reference": "https://elsewhere.example.net/r4/Patient/9", "identifier": MRN}, OWN),
    ({"reference": "#somebody", "identifier": MRN}, OWN),
    ({"reference": "Patient/pt-2"}, ANOTHER),
    ({"reference": "Patient/pt-11"}, ANOTHER),
    ({"reference": "Patient/xpt-1"}, ANOTHER),
    ({"reference": "Patient/PT-1"}, ANOTHER),
    ({"reference": "Patient/pt-2/_history/pt-1"}, ANOTHER),
    ({"reference": f"{SERVER}/Patient/pt-2"}, ANOTHER),
    ({"reference": f"{SERVER}/Practitioner/pt-1"}, ANOTHER),
    ({"reference": "Device/pt-1"}, ANOTHER),
    ({"reference": "Patient/pt-2", "identifier": MRN}, ANOTHER),
    ({"reference": "https://elsewhere.example.net/r4/Patient/pt-1"}, NOBODY),
    ({"reference": f"{SERVER}/tenant/Patient/pt-1"}, NOBODY),
    ({"reference": "https://elsewhere.example.net/r4/Patient/pt-2"}, NOBODY),
    ({"reference": "https://[::1/Patient/pt-1"}, NOBODY),
    ({"reference": "https://ehr.example.org:x/fhir/Patient/pt-1"}, NOBODY),
    ({"reference": "Group/pt-1"}, NOBODY),
    ({"reference": UUID}, NOBODY),
    ({"reference": "urn:uuid:pt-2"}, NOBODY),
    ({"reference": "#pt-1"}, NOBODY),
    ({"reference": "pt-1"}, NOBODY),
    ({"reference": "Patient"}, NOBODY),
    ({"reference": "Patient/"}, NOBODY),
    ({"reference": "Patient?identifier=000412"}, NOBODY),
    ({"reference": ""}, NOBODY),
    ({"reference": None}, NOBODY),
    ({"reference": 7}, NOBODY),
    ({"reference": {"reference": "Patient/pt-1"}}, NOBODY),
    ({"display": "Patient/pt-1"}, NOBODY),
    ({"type": "Patient", "identifier": MRN | {"value": "000777"}}, NOBODY),
    ({"identifier": {"value": "000412"}}, NOBODY),
    ({"identifier": {"system": MRN["system"]}}, NOBODY),
    ({"identifier": "000412"}, NOBODY),
    ("Patient/pt-1", NOBODY),
    ({}, NOBODY),
    ([], NOBODY),
    (None, NOBODY),
]


def chart(*conditions: Json, server: str = "", **more: Json) -> Chart:
    known = prefetch(patient(identifier=[MRN, {"value": "x"}, None]), *conditions) | more
    return build_chart(PATIENT_ID, known, fhir_server=server)


def owner(known: Chart) -> str:
    """Whose the one condition of a chart is, by the counts and the gap that it leaves."""
    result = known.conditions
    counts = (len(result.items), result.of_others, result.of_nobody)
    kind = {(1, 0, 0): OWN, (0, 1, 0): ANOTHER, (0, 0, 1): NOBODY}[counts]
    assert result.gap is {OWN: None, ANOTHER: Gap.OTHER_PATIENT, NOBODY: Gap.SUBJECT_UNKNOWN}[kind]
    return kind


@pytest.mark.parametrize(("subject", "expected"), SUBJECTS, ids=[str(subject) for subject, _ in SUBJECTS])
def test_an_entry_is_this_patients_another_s_or_nobody_knows_whose(subject: object, expected: str) -> None:
    assert owner(chart(CANCER | {"subject": subject})) == expected


@pytest.mark.parametrize(("subject", "expected"), SUBJECTS, ids=[str(subject) for subject, _ in SUBJECTS])
def test_an_entry_of_nobody_known_is_never_read_as_no(subject: object, expected: str) -> None:
    answer = assessment_of(chart(CANCER | {"subject": subject}, PAIN))
    outcomes = {OWN: Outcome.FIRED, ANOTHER: Outcome.NOT_APPLICABLE, NOBODY: Outcome.UNDETERMINED}
    assert answer.outcome is outcomes[expected]
    assert answer.missing == (("conditions",) if expected == NOBODY else ())


@pytest.mark.parametrize(("subject", "expected"), SUBJECTS, ids=[str(subject) for subject, _ in SUBJECTS])
def test_what_is_this_patients_settles_the_question_whatever_stands_beside_it(subject: object, expected: str) -> None:
    answer = assessment_of(chart(CANCER, PAIN, CANCER | {"id": "second", "subject": subject}))
    assert answer.outcome is Outcome.FIRED
    sources = {finding.source for item in answer.criteria for finding in item.findings}
    assert expected == OWN or "Condition/second" not in sources


# --- Servers


def with_addresses(resource: Json, base: str) -> Json:
    """A search result with one entry at a server."""
    entry = {"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}", "resource": resource}
    return {"resourceType": "Bundle", "type": "searchset", "entry": [entry]}


ABSOLUTE = CANCER | {"subject": {"reference": f"{SERVER}/Patient/pt-1"}}


@pytest.mark.parametrize(
    "server", [SERVER, f"{SERVER}/", "https://EHR.example.org:443/fhir", "HTTPS://ehr.example.org/fhir"]
)
def test_an_address_at_the_server_of_the_call_is_this_patients(server: str) -> None:
    alone = {"resourceType": "Bundle", "entry": [{"resource": ABSOLUTE}]}
    assert owner(chart(server=server, conditions=alone)) == OWN
    assert owner(chart(server=server, conditions=ABSOLUTE)) == OWN


@pytest.mark.parametrize(
    "server", ["", "https://ehr.example.org", "http://ehr.example.org/fhir", "https://ehr.example.org/r4"]
)
def test_an_address_at_another_server_or_at_none_that_is_known_is_nobodys(server: str) -> None:
    alone = {"resourceType": "Bundle", "entry": [{"resource": ABSOLUTE}]}
    assert owner(chart(server=server, conditions=alone)) == NOBODY
    assert (
        owner(chart(server=server, conditions=with_addresses(ABSOLUTE, "https://elsewhere.example.net/r4"))) == NOBODY
    )


def test_the_server_of_one_search_result_says_nothing_of_another() -> None:
    observations = with_addresses({"resourceType": "Observation", "id": "o"}, SERVER)
    alone = {"resourceType": "Bundle", "entry": [{"resource": ABSOLUTE}]}
    assert owner(chart(conditions=alone, observations=observations)) == NOBODY


# --- Names by fullUrl


def test_the_patient_may_be_named_by_the_address_of_the_record() -> None:
    record = {"resourceType": "Bundle", "entry": [{"fullUrl": UUID, "resource": patient()}]}
    named = CANCER | {"subject": {"reference": UUID}}
    assert owner(chart(named, patient=record)) == OWN
    inside = {"resourceType": "Bundle", "entry": [{"fullUrl": UUID, "resource": patient()}, {"resource": named}]}
    assert owner(chart(conditions=inside)) == OWN


def test_the_address_of_another_patients_record_is_anothers() -> None:
    other = {"fullUrl": UUID, "resource": patient(id="pt-2")}
    named = CANCER | {"subject": {"reference": UUID}}
    inside = {"resourceType": "Bundle", "entry": [other, {"resource": named}]}
    assert owner(chart(conditions=inside)) == ANOTHER


def test_a_record_without_an_id_is_the_patients_by_its_address() -> None:
    bare = {name: value for name, value in patient().items() if name != "id"}
    at_home = {"resourceType": "Bundle", "entry": [{"fullUrl": f"{SERVER}/Patient/pt-1", "resource": bare}]}
    assert len(build_chart(PATIENT_ID, {"patient": at_home}).patient.items) == 1
    alone = build_chart(PATIENT_ID, {"patient": bare}).patient
    assert (alone.items, alone.gap) == ((), Gap.SUBJECT_UNKNOWN)


def test_the_identifiers_of_another_patients_record_are_not_this_patients() -> None:
    stranger = patient(id="pt-2", identifier=[MRN])
    known = {"patient": stranger, "conditions": CANCER | {"subject": {"identifier": MRN}}}
    assert build_chart(PATIENT_ID, known).conditions.of_nobody == 1


# --- Diagnoses in and beside visits


def visit(**elements: object) -> Json:
    made = {"resourceType": "Encounter", "id": "v", "subject": {"reference": "Patient/pt-1"}, "status": "finished"}
    return made | elements


@pytest.mark.parametrize(("subject", "expected"), SUBJECTS, ids=[str(subject) for subject, _ in SUBJECTS])
def test_a_diagnosis_beside_a_visit_is_judged_like_any_other(subject: object, expected: str) -> None:
    diagnosis = {"fullUrl": f"{SERVER}/Condition/beside", "resource": CANCER | {"subject": subject}}
    beside = {"resourceType": "Bundle", "entry": [{"resource": visit()}, diagnosis]}
    answer = assessment_of(chart(PAIN, encounters=beside))
    outcomes = {OWN: Outcome.FIRED, ANOTHER: Outcome.NOT_APPLICABLE, NOBODY: Outcome.UNDETERMINED}
    assert answer.outcome is outcomes[expected]


@pytest.mark.parametrize(
    "subject", [None, {}, {"display": "x"}, {"reference": "#p"}, {"reference": "Patient/pt-1"}], ids=str
)
def test_a_diagnosis_inside_a_visit_is_of_the_patient_of_the_visit(subject: object) -> None:
    inside = visit(contained=[CANCER | {"subject": subject}])
    stays = {"resourceType": "Bundle", "entry": [{"resource": inside}]}
    assert assessment_of(chart(PAIN, encounters=stays)).outcome is Outcome.FIRED


def test_a_diagnosis_inside_a_visit_that_names_another_patient_is_anothers() -> None:
    inside = visit(contained=[CANCER | {"subject": {"reference": "Patient/pt-2"}}])
    stays = {"resourceType": "Bundle", "entry": [{"resource": inside}]}
    assert assessment_of(chart(PAIN, encounters=stays)).outcome is Outcome.NOT_APPLICABLE


# --- What is said of it


def test_every_entry_that_is_passed_over_is_counted_and_named_without_its_content() -> None:
    others = [CANCER | {"id": f"o-{place}", "subject": {"reference": "Patient/pt-2"}} for place in range(3)]
    nobodys = [CANCER | {"id": f"n-{place}", "subject": {"display": "Marker-7351"}} for place in range(2)]
    result = chart(CANCER, *others, *nobodys).conditions
    assert (len(result.items), result.of_others, result.of_nobody) == (1, 3, 2)
    assert [entry.where for entry in result.unread] == [f"Condition/{item['id']}" for item in (*others, *nobodys)]
    assert "Marker-7351" not in str(result.unread)


@pytest.mark.parametrize("kind", ["Device", "Procedure"])
def test_what_refines_leaves_a_gap_too_where_nobody_knows_whose_it_is(kind: str) -> None:
    stray: Json = {"resourceType": kind, "id": "stray", "status": "active", "code": {"text": "x"}}
    assert chart(procedures={"resourceType": "Bundle", "entry": [{"resource": stray}]}).procedures.gap is (
        Gap.SUBJECT_UNKNOWN
    )
