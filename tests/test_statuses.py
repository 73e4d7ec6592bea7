"""Statuses in the codes and words of real charts (decision 11.8), and the German Diagnosesicherheit (decision 11.9)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.chart.build import build_chart
from cds_service.chart.elements import Reading
from cds_service.chart.records import Chart
from cds_service.chart.statuses import CONDITION, ENCOUNTER, OBSERVATION, ORDER, STUDIES, StatusCodes, key_of
from cds_service.clinical.rules.assessment import Outcome
from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    NOW,
    OF_A_VISIT,
    PATIENT_ID,
    allergy,
    assess,
    assessed,
    bundle,
    condition,
    day,
    observation,
    patient,
    prefetch,
    reference,
    study,
)

Json = dict[str, Any]

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
SNOMED = "http://snomed.info/sct"
LOCAL = "urn:oid:2.16.840.1.113883.3.9999.4.2"


def coded(system: str, code: str, display: str = "", text: str = "") -> Json:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


def statuses(**elements: object) -> tuple[str, str, int]:
    """Clinical status, verification status, and how many statuses nobody understands, of a condition."""
    entry = condition(BREAST_CANCER, clinical=None, verification=None) | elements
    result = build_chart(PATIENT_ID, {"conditions": bundle(entry)}).conditions
    return result.items[0].clinical_status, result.items[0].verification_status, result.unknown_statuses


# --- Clinical statuses

CLINICAL_STATUSES: list[tuple[object, str]] = [
    (coded(CLINICAL, "resolved"), "resolved"),
    (coded("http://hl7.org/fhir/condition-clinical", "resolved", "Resolved", "Resolved"), "resolved"),
    (coded(CLINICAL, "Resolved"), "resolved"),
    (coded(CLINICAL, " resolved "), "resolved"),
    (coded(CLINICAL, "413322009", "Resolved"), "resolved"),
    (coded(SNOMED, "413322009"), "resolved"),
    (coded("urn:oid:2.16.840.1.113883.6.96", "413322009"), "resolved"),
    (coded("", "413322009"), "resolved"),
    (coded(SNOMED, "55561003"), "active"),
    (coded(SNOMED, "73425007"), "inactive"),
    (coded(SNOMED, "277022003"), "remission"),
    (coded(SNOMED, "246455001"), "recurrence"),
    (coded(SNOMED, "263855007"), "relapse"),
    (coded(LOCAL, "3301", "Resolved"), "resolved"),
    (coded(LOCAL, "3301", text="Resolved"), "resolved"),
    (coded(LOCAL, "RESOLVED"), "resolved"),
    (coded(LOCAL, "3301", "Problem resolved (finding)"), "resolved"),
    ({"coding": [{"display": "Resolved"}]}, "resolved"),
    ({"coding": [None, {"system": CLINICAL, "code": "resolved"}]}, "resolved"),
    ({"coding": [{"system": LOCAL, "code": "1"}, {"system": CLINICAL, "code": "resolved"}]}, "resolved"),
    ({"text": "Resolved"}, "resolved"),
    ({"text": " RESOLVED. "}, "resolved"),
    ({"text": "Status: resolved"}, "resolved"),
    ({"text": "Resolved 2024"}, "resolved"),
    ({"text": "Closed"}, "resolved"),
    ({"text": "Historical"}, "resolved"),
    ({"text": "no longer present"}, "resolved"),
    ({"text": "In remission"}, "remission"),
    ({"text": "not active"}, "inactive"),
    ({"text": "Not resolved"}, "active"),
    ({"text": "Ongoing"}, "active"),
    ({"text": "Current"}, "active"),
    ("resolved", "resolved"),
    ("Active", "active"),
    (["resolved"], "resolved"),
    ([{"text": "Resolved"}], "resolved"),
    ([None, {"text": "Resolved"}], "resolved"),
    (coded(CLINICAL, "active", text="Resolved"), "active"),
    (coded(CLINICAL, "unknown"), ""),
    ({"text": "Not recorded"}, ""),
]


@pytest.mark.parametrize(("sent", "read"), CLINICAL_STATUSES, ids=[str(sent) for sent, _ in CLINICAL_STATUSES])
def test_a_clinical_status_is_read_by_code_display_and_text(sent: object, read: str) -> None:
    assert statuses(clinicalStatus=sent) == (read, "", 0)


# --- Verification statuses

VERIFICATION_STATUSES: list[tuple[object, str]] = [
    (coded(VERIFICATION, "refuted"), "refuted"),
    (coded(VERIFICATION, "entered-in-error", "Entered in Error"), "entered-in-error"),
    (coded(VERIFICATION, "confirmed", text="Ruled out"), "refuted"),
    (coded(VERIFICATION, "confirmed", "Refuted"), "refuted"),
    (coded(VERIFICATION, "confirmed", text="Entered in error"), "entered-in-error"),
    (coded(VERIFICATION, "refuted", text="Confirmed"), "refuted"),
    (coded(VERIFICATION, "confirmed", text="Confirmed diagnosis"), "confirmed"),
    ({"coding": [{"system": VERIFICATION, "code": "confirmed"}, {"system": SNOMED, "code": "410516002"}]}, "refuted"),
    (coded(SNOMED, "410516002", "Known absent"), "refuted"),
    (coded(SNOMED, "410594000"), "refuted"),
    (coded(SNOMED, "410605003"), "confirmed"),
    (coded(SNOMED, "410515003"), "confirmed"),
    (coded(SNOMED, "415684004"), "provisional"),
    (coded(SNOMED, "410590009"), "provisional"),
    (coded(SNOMED, "410592001"), "provisional"),
    (coded(SNOMED, "261665006"), ""),
    (coded(LOCAL, "3301", "Refuted"), "refuted"),
    (coded(LOCAL, "R/O", text="Ruled out"), "refuted"),
    ({"text": "Ruled out"}, "refuted"),
    ({"text": "RULED-OUT"}, "refuted"),
    ({"text": "ruled out 03/2024"}, "refuted"),
    ({"text": "Diagnosis excluded"}, "refuted"),
    ({"text": "Not present"}, "refuted"),
    ({"text": "Refuted by biopsy"}, "refuted"),
    ({"text": "Ruled out (MRI)"}, "refuted"),
    ({"text": "Confirmed per pathology"}, "confirmed"),
    ({"text": "Error"}, "entered-in-error"),
    ({"text": "Entered in error"}, "entered-in-error"),
    ({"text": "entered-in-error"}, "entered-in-error"),
    ({"text": "Erroneous"}, "entered-in-error"),
    ({"text": "Rule out"}, "provisional"),
    ({"text": "R/O"}, "provisional"),
    ({"text": "Suspected"}, "provisional"),
    ({"text": "Probable"}, "provisional"),
    ({"text": "Working diagnosis"}, "provisional"),
    ({"text": "Differential diagnosis"}, "differential"),
    ({"text": "Not confirmed"}, "unconfirmed"),
    ({"text": "Unverified"}, "unconfirmed"),
    ({"text": "Definite"}, "confirmed"),
    ({"text": "Unknown"}, ""),
]


@pytest.mark.parametrize(("sent", "read"), VERIFICATION_STATUSES, ids=[str(sent) for sent, _ in VERIFICATION_STATUSES])
def test_a_verification_status_is_read_by_code_display_and_text_and_refuted_wins(sent: object, read: str) -> None:
    assert statuses(verificationStatus=sent) == ("", read, 0)


@pytest.mark.parametrize("element", ["clinicalStatus", "verificationStatus"])
@pytest.mark.parametrize(
    "sent",
    [None, "", " ", {}, [], [None], {"text": ""}, {"coding": []}, {"coding": [{}]}, {"coding": [None]}],
    ids=repr,
)
def test_an_empty_status_is_none(element: str, sent: object) -> None:
    assert statuses(**{element: sent}) == ("", "", 0)


@pytest.mark.parametrize("element", ["clinicalStatus", "verificationStatus"])
@pytest.mark.parametrize(
    "sent",
    [
        coded(LOCAL, "Z9"),
        coded(LOCAL, "A"),
        coded(SNOMED, "254837009"),
        {"text": "see letter"},
        {"text": "not ruled out"},
        {"text": "cannot be excluded"},
        {"text": "resolved " * 40},
        "Z9",
    ],
    ids=str,
)
def test_a_status_that_nobody_knows_counts_as_missing_and_is_counted(element: str, sent: object) -> None:
    assert statuses(**{element: sent}) == ("", "", 1)


def test_the_entry_behind_an_unknown_status_still_counts() -> None:
    cancer = condition(BREAST_CANCER, onset="2018", verification=None, verificationStatus={"text": "status 17"})
    pain = condition(LOW_BACK_PAIN, onset=day(6), clinical=None, clinicalStatus=coded(LOCAL, "Z9"))
    assert assessed(cancer, pain).outcome is Outcome.FIRED


def test_a_status_in_the_place_of_the_other_is_put_where_it_belongs() -> None:
    assert statuses(clinicalStatus={"text": "Ruled out"}) == ("", "refuted", 0)
    assert statuses(clinicalStatus="entered-in-error", verificationStatus="confirmed") == ("", "entered-in-error", 0)
    assert statuses(verificationStatus={"text": "Resolved"}) == ("resolved", "", 0)
    assert statuses(clinicalStatus="active", verificationStatus={"text": "Resolved"}) == ("active", "", 0)
    assert statuses(clinicalStatus="confirmed", verificationStatus="provisional") == ("", "provisional", 0)


@pytest.mark.parametrize("codes", [CONDITION, OBSERVATION, ENCOUNTER, ORDER, *STUDIES.values()], ids=range(9))
def test_every_code_of_r4_reads_as_itself_in_every_spelling(codes: StatusCodes) -> None:
    for code in codes.known - {"unknown"}:
        for spelling in (code, code.upper(), code.replace("-", " "), f" {code} ", f"Status: {code}"):
            assert codes.meaning(spelling) == code


@pytest.mark.parametrize("codes", [CONDITION, OBSERVATION, ENCOUNTER, ORDER, *STUDIES.values()], ids=range(9))
def test_no_letter_with_or_without_a_figure_is_a_word(codes: StatusCodes) -> None:
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        assert [codes.meaning(f"{letter}{figure}", LOCAL) for figure in ("", "1", "9", "-2")] == [None] * 4


def test_fillers_are_left_out_but_never_all_that_was_said() -> None:
    assert key_of("The problem is now resolved (finding), 2024-03-01") == "resolved"
    assert key_of("Status") == "status"


# --- Statuses of odd types


@pytest.mark.parametrize(
    "value",
    [
        {"code": "refuted"},
        {"system": VERIFICATION, "code": "refuted", "display": "Refuted"},
        {"display": "Refuted"},
        {"text": ["refuted"]},
        {"value": "refuted"},
        {"value": {"coding": [{"code": "refuted"}]}},
        ["refuted"],
        ["confirmed", "refuted"],
        [None, {"text": "confirmed"}, coded(VERIFICATION, "refuted")],
    ],
    ids=str,
)
def test_a_status_is_read_from_a_bare_coding_and_from_all_of_a_list(value: object) -> None:
    assert statuses(verificationStatus=value) == ("", "refuted", 0)
    assert statuses(clinicalStatus=value) == ("", "refuted", 0)


@pytest.mark.parametrize("value", [True, False, 0, 7, [True], {"coding": [7]}, {"code": 7}, {"value": 0}], ids=str)
@pytest.mark.parametrize("element", ["clinicalStatus", "verificationStatus"])
def test_a_status_of_which_nothing_can_be_read_is_counted(element: str, value: object) -> None:
    assert statuses(**{element: value}) == ("", "", 1)


@pytest.mark.parametrize(
    "value", [None, "", " ", [], {}, {"coding": []}, {"text": ""}, [None], {"coding": [{}]}], ids=str
)
def test_a_status_that_is_empty_is_none_and_not_counted(value: object) -> None:
    assert statuses(clinicalStatus=value, verificationStatus=value) == ("", "", 0)


@pytest.mark.parametrize("table", [CONDITION, ENCOUNTER, OBSERVATION, ORDER, *STUDIES.values()])
def test_an_entry_made_in_error_is_known_in_every_spelling_and_with_its_reason(table: StatusCodes) -> None:
    written = [
        "enteredInError",
        "EnteredInError",
        "EIE",
        "Entered in error - wrong patient",
        "Marked as entered in error",
    ]
    written.append("Entered in error: " + "this belongs to somebody else, " * 5)
    assert {table.meaning(text) for text in written} == {"entered-in-error"}
    assert table.meaning("not entered in error") is None


# --- Abatements, booleans, figures

OPEN = {"abatementBoolean": "false"}


@pytest.mark.parametrize(
    "elements",
    [
        {"abatementBoolean": False},
        {"abatementBoolean": "false"},
        {"abatementBoolean": "FALSE"},
        {"abatementBoolean": "no"},
        {"abatementBoolean": 0},
        {"abatementBoolean": ""},
        {"abatementDateTime": ""},
        {"abatementDateTime": None},
        {"abatementString": ""},
        {"abatementString": " "},
        {"abatementString": "ongoing"},
        {"abatementString": "Not resolved"},
        {"abatementString": "unknown"},
        {"abatementString": "false"},
        {"abatementString": "N"},
        {"abatementDateTime": "no"},
        {"abatementString": "recurring"},
        {"abatementPeriod": {}},
        {"abatementRange": []},
        {"onsetDateTime": day(0), "abatementDateTime": day(0)},
        {"onsetDateTime": NOW.isoformat(), "abatementDateTime": NOW.isoformat()},
        {"abatementDateTime": day(-30)},
    ],
    ids=str,
)
def test_a_pain_without_an_end_is_there(elements: Json) -> None:
    pain = condition(LOW_BACK_PAIN, **({"onset": day(6)} | elements))
    assert assessed(condition(BREAST_CANCER, onset="2018"), pain).outcome is Outcome.FIRED


@pytest.mark.parametrize(
    "elements",
    [
        {"abatementBoolean": True},
        {"abatementBoolean": "true"},
        {"abatementBoolean": "Yes"},
        {"abatementBoolean": 1},
        {"abatementDateTime": day(2)},
        {"abatementString": "two days ago"},
        {"abatementString": "resolved"},
        {"abatementString": "yes"},
        {"abatementString": "Ended in May"},
        {"abatementString": "no longer bothers her"},
        {"abatementString": "resolved without treatment"},
        {"abatementString": "11/02/2026"},
        {"abatementString": day(2)},
        {"abatementPeriod": {"end": "11/2026"}},
        {"abatementAge": {"value": "58", "unit": "years"}},
        {"abatementAge": {"value": 58, "unit": "years"}},
        {"onsetDateTime": day(3), "abatementDateTime": day(3)},
    ],
    ids=str,
)
def test_a_pain_with_an_end_is_over(elements: Json) -> None:
    pain = condition(LOW_BACK_PAIN, **({"onset": day(6)} | elements))
    assert assessed(condition(BREAST_CANCER, onset="2018"), pain).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    "elements",
    [
        {"abatementString": "n/a"},
        {"abatementString": "-"},
        {"abatementString": "?"},
        {"abatementString": "see note"},
        {"abatementString": "still there"},
        {"abatementString": "still sore, began in 2024"},
        {"abatementString": "continues"},
        {"abatementString": "pending"},
        {"abatementString": "unbekannt"},
        {"abatementString": "not yet gone"},
        {"abatementString": "no end in sight"},
        {"abatementString": "expected to be over in May"},
        {"abatementString": "since May"},
        {"abatementString": "0001-01-01"},
        {"abatementDateTime": "bad"},
        {"abatementDateTime": "0001-01-01"},
        {"abatementPeriod": "bad"},
        {"abatementPeriod": {"end": "bad"}},
        {"abatementAge": {"unit": "a"}},
        {"abatementRange": [None, "x"]},
        {"abatementBoolean": 7},
    ],
    ids=str,
)
def test_an_end_that_nobody_understands_ends_no_pain_and_is_counted(elements: Json) -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(6)) | elements
    assert assessed(condition(BREAST_CANCER, onset="2018"), pain).outcome is Outcome.FIRED
    assert build_chart(PATIENT_ID, prefetch(pain)).conditions.unknown_statuses == 1


def test_an_end_in_the_future_is_read_from_words_too() -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(6)) | {"abatementString": day(-30)}
    assert assessed(condition(BREAST_CANCER, onset="2018"), pain).outcome is Outcome.FIRED


@pytest.mark.parametrize(
    ("sent", "read"),
    [("true", True), ("False", False), ("yes", True), ("0", False), (1, True), ("", None), (" ", None), (None, None)],
    ids=repr,
)
def test_a_boolean_is_read_as_text_too(sent: object, read: bool | None) -> None:
    reading = Reading("here")
    assert (reading.truth(sent, "element"), reading.unread) == (read, [])


@pytest.mark.parametrize("sent", ["perhaps", 2, 1.0, [], {}], ids=repr)
def test_what_is_no_boolean_is_named(sent: object) -> None:
    reading = Reading("here")
    assert reading.truth(sent, "element") is None
    assert [item.where for item in reading.unread] == ["here.element"]


@pytest.mark.parametrize(("sent", "read"), [("7", 7.0), (" 7.5 ", 7.5), ("1e2", 100.0), ("", None), (3, 3.0)], ids=repr)
def test_a_number_is_read_as_text_too(sent: object, read: float | None) -> None:
    reading = Reading("here")
    assert (reading.number(sent, "element"), reading.unread) == (read, [])


@pytest.mark.parametrize("sent", ["seven", "1e400", float("inf"), float("nan"), 10**400, True, [7]], ids=repr)
def test_a_number_that_cannot_be_kept_is_named(sent: object) -> None:
    reading = Reading("here")
    assert reading.number(sent, "element") is None
    assert [item.where for item in reading.unread] == ["here.element"]


@pytest.mark.parametrize(
    "value", [{"deceasedBoolean": "true"}, {"deceasedBoolean": "Yes"}, {"active": "false"}], ids=str
)
def test_a_patient_may_be_dead_or_merged_away_in_words(value: Json) -> None:
    known = prefetch(patient(**value), condition(BREAST_CANCER, onset="2018"), condition(LOW_BACK_PAIN, onset=day(6)))
    assert assess(build_chart(PATIENT_ID, known)).outcome is Outcome.NOT_APPLICABLE


# --- Other resources


def one(resource: Json) -> Chart:
    return build_chart(PATIENT_ID, prefetch(resource))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("final", "final"),
        ("Final", "final"),
        (" FINAL ", "final"),
        ("F", "final"),
        ("completed", "final"),
        ("P", "preliminary"),
        ("C", "corrected"),
        ("Correction", "corrected"),
        ("X", "cancelled"),
        ("Canceled", "cancelled"),
        ("W", "entered-in-error"),
        ("entered in error", "entered-in-error"),
        (coded("http://terminology.hl7.org/CodeSystem/v2-0085", "F"), "final"),
        (coded("http://hl7.org/fhir/observation-status", "final", "Final"), "final"),
        (coded(LOCAL, "F"), ""),
        (coded(LOCAL, "17", "Final result"), "final"),
        ("", ""),
        (None, ""),
        ("17", ""),
    ],
    ids=str,
)
def test_the_status_of_an_observation_is_read_in_every_form(sent: object, read: str) -> None:
    found = one(observation(CHIEF_COMPLAINT, day(1), status=sent, valueString="back pain"))  # type: ignore[arg-type]
    assert found.observations.items[0].status == read
    assert found.observations.unknown_statuses == (not read and bool(sent))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("finished", "finished"),
        ("Completed", "finished"),
        ("discharged", "finished"),
        ("No Show", "cancelled"),
        ("noshow", "cancelled"),
        ("canceled", "cancelled"),
        ("In Progress", "in-progress"),
        ("in_progress", "in-progress"),
        ("scheduled", "planned"),
    ],
)
def test_the_status_of_a_visit_is_read_in_every_form(sent: str, read: str) -> None:
    visit = {"resourceType": "Encounter", "id": "v", "status": sent, "subject": reference("Patient", PATIENT_ID)}
    assert one(visit).encounters.items[0].status == read


@pytest.mark.parametrize(
    ("kind", "sent", "read"),
    [
        ("DiagnosticReport", "F", "final"),
        ("DiagnosticReport", "A", "partial"),
        ("DiagnosticReport", "Final report", "final"),
        ("Procedure", "Done", "completed"),
        ("Procedure", "Not performed", "not-done"),
        ("ServiceRequest", "Ordered", "active"),
        ("ServiceRequest", "Canceled", "cancelled"),
        ("ServiceRequest", "performed", "completed"),
    ],
)
def test_the_status_of_a_study_is_read_in_every_form(kind: str, sent: str, read: str) -> None:
    found = build_chart(PATIENT_ID, prefetch(study(kind, "loinc 24967-2", when=day(1), status=sent)))
    (item,) = (*found.diagnostic_reports.items, *found.procedures.items, *found.service_requests.items)
    assert item.status == read


@pytest.mark.parametrize(
    ("elements", "read"),
    [
        ({"clinicalStatus": coded(SNOMED, "413322009", "Resolved")}, ("resolved", "confirmed")),
        ({"clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/v2-0438", "E")}, ("", "entered-in-error")),
        ({"verificationStatus": coded("http://terminology.hl7.org/CodeSystem/v2-0438", "I")}, ("active", "confirmed")),
        ({"verificationStatus": {"text": "Refuted"}}, ("active", "refuted")),
        ({"clinicalStatus": None, "verificationStatus": None, "status": "resolved"}, ("resolved", "")),
        ({"clinicalStatus": None, "verificationStatus": None, "status": "refuted"}, ("", "refuted")),
    ],
    ids=str,
)
def test_the_statuses_of_an_allergy_are_read_in_every_form(elements: Json, read: tuple[str, str]) -> None:
    (item,) = one(allergy("snomed 293637006", **elements)).allergies.items
    assert (item.clinical_status, item.verification_status) == read


# --- Diagnosesicherheit

ICD_10_GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
URL = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"
LETTERS = "https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_DIAGNOSESICHERHEIT"


def german(code: str, **where: object) -> Json:
    """A condition coded in ICD-10-GM without any status; `where` says where the letter stands."""
    coding: Json = {"system": ICD_10_GM, "code": code}
    extension = where.pop("extension", None)
    if extension:
        coding["extension"] = [extension]
    return {
        "resourceType": "Condition",
        "id": f"german-{code}",
        "code": {"coding": [coding]},
        "recordedDate": day(6),
        "subject": reference("Patient", PATIENT_ID),
    } | where


def extension(letter: str, value: str = "valueCoding") -> Json:
    return {"url": URL, value: {"system": LETTERS, "code": letter} if value == "valueCoding" else letter}


FORMS = [
    lambda code, letter: german(code, extension=extension(letter)),
    lambda code, letter: german(code, extension=extension(letter.lower())),
    lambda code, letter: german(code, extension=extension(letter, "valueCode")),
    lambda code, letter: german(code, extension=extension(letter, "valueString")),
    lambda code, letter: german(code, extension={"url": URL, "valueCodeableConcept": {"coding": [{"code": letter}]}}),
    lambda code, letter: german(code) | {"extension": [extension(letter)]},
    lambda code, letter: (
        german(code) | {"code": {"coding": [{"system": ICD_10_GM, "code": code}], "extension": [extension(letter)]}}
    ),
    lambda code, letter: german(f"{code}{letter}"),
    lambda code, letter: german(f"{code} {letter}"),
]
MEANINGS = {"A": ("", "refuted"), "V": ("", "provisional"), "Z": ("resolved", ""), "G": ("", "confirmed")}


@pytest.mark.parametrize("letter", MEANINGS)
@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_the_letter_of_a_german_diagnosis_says_how_sure_it_is(form: Any, letter: str) -> None:
    (item,) = one(form("C50.9", letter)).conditions.items
    assert (item.clinical_status, item.verification_status) == MEANINGS[letter]
    assert [coding.code for coding in item.concept.codings] == ["C50.9"]


@pytest.mark.parametrize(("letter", "outcome"), [("A", "n"), ("V", "n"), ("Z", "f"), ("G", "f"), ("", "f")])
def test_a_german_cancer_counts_unless_it_is_excluded_or_suspected(letter: str, outcome: str) -> None:
    cancer = german("C50.9", extension=extension(letter)) if letter else german("C50.9")
    answer = assessed(cancer, condition(LOW_BACK_PAIN, onset=day(6)))
    assert answer.outcome is (Outcome.FIRED if outcome == "f" else Outcome.NOT_APPLICABLE)


def test_a_german_pain_of_before_is_none_of_now_in_the_diagnosis_of_a_visit_of_today() -> None:
    past = german("M54.5", extension=extension("Z")) | OF_A_VISIT | {"recordedDate": day(0)}
    assert assessed(condition(BREAST_CANCER), past).outcome is Outcome.NOT_APPLICABLE
    confirmed = german("M54.5", extension=extension("G")) | OF_A_VISIT | {"recordedDate": day(0)}
    assert assessed(condition(BREAST_CANCER), confirmed).outcome is Outcome.FIRED


@pytest.mark.parametrize(("letter", "outcome"), [("A", "n"), ("V", "f"), ("Z", "n"), ("G", "f"), ("", "f")])
def test_a_german_pain_counts_unless_it_is_excluded_or_past(letter: str, outcome: str) -> None:
    pain = german("M54.5", extension=extension(letter)) if letter else german("M54.5")
    answer = assessed(condition(BREAST_CANCER, onset="2018"), pain)
    assert answer.outcome is (Outcome.FIRED if outcome == "f" else Outcome.NOT_APPLICABLE)


@pytest.mark.parametrize(("letter", "counts"), [("A", False), ("Z", False), ("V", True), ("G", True)])
def test_the_reason_of_a_visit_has_its_letter_too(letter: str, counts: bool) -> None:
    reason = german("M54.5", extension=extension(letter))["code"]
    visit = {
        "resourceType": "Encounter",
        "id": "v",
        "status": "finished",
        "reasonCode": [reason],
        "period": {"start": day(3), "end": day(3)},
        "subject": reference("Patient", PATIENT_ID),
    }
    answer = assessed(condition(BREAST_CANCER, onset="2018"), visit)
    assert (answer.outcome is Outcome.FIRED) is counts


def test_a_letter_and_a_status_that_contradict_each_other_leave_what_says_less() -> None:
    refuted = german("C50.9", extension=extension("G"), verificationStatus=coded(VERIFICATION, "refuted"))
    excluded = german("C50.9", extension=extension("A"), verificationStatus=coded(VERIFICATION, "confirmed"))
    assert [one(entry).conditions.items[0].verification_status for entry in (refuted, excluded)] == ["refuted"] * 2


@pytest.mark.parametrize("system", ["http://hl7.org/fhir/sid/icd-10-cm", SNOMED, LOCAL])
def test_a_letter_behind_a_code_of_another_system_is_part_of_the_code(system: str) -> None:
    entry = german("X") | {"code": {"coding": [{"system": system, "code": "T14.8XXA"}]}}
    (item,) = one(entry).conditions.items
    assert (item.concept.codings[0].code, item.verification_status) == ("T14.8XXA", "")


@pytest.mark.parametrize(
    "extensions",
    [
        None,
        "x",
        [],
        [None],
        ["x"],
        [{}],
        [{"url": 7}],
        [{"url": URL}],
        [{"url": URL, "valueCoding": {"code": {"code": 1}}}],
    ],
    ids=repr,
)
def test_an_extension_that_says_no_letter_says_nothing(extensions: object) -> None:
    entry = german("C50.9") | {"extension": extensions}
    assert one(entry).conditions.items[0].verification_status == ""
