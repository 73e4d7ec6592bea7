"""New back pain wherever it is recorded: observations, visits, drafts, long lists. Every patient had breast cancer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.chart.build import build_chart
from cds_service.clinical.reading.findings import DateSource
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import (
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    LOWER_BACK,
    LUMBAR_SPINE,
    PAIN_ANYWHERE,
    PAIN_LOCATION,
    PAIN_SCORE,
    PATIENT_ID,
    SYMPTOM,
    assess,
    assessment,
    bundle,
    concept,
    condition,
    day,
    draft,
    encounter,
    name_of,
    observation,
    prefetch,
    reference,
)
from tests.pain_calls import (
    CANCER,
    CHEST,
    CHRONIC_LOW_BACK_PAIN,
    LOW_BACK_PAIN_SNOMED,
    assessment_of,
    is_new,
    low_back_pain,
)

# --- Observations


# Decision 2.12.
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, True),
        ({"valueBoolean": True}, True),
        ({"valueQuantity": {"value": 3}}, True),
        ({"valueInteger": 3}, True),
        ({"valueString": "severe"}, True),
        ({"valueCodeableConcept": concept("snomed 10828004")}, True),
        ({"valueCodeableConcept": concept(text="Present")}, True),
        ({"valueCodeableConcept": concept("local Y", display="Yes")}, True),
        ({"valueBoolean": False}, False),
        ({"valueQuantity": {"value": 0}}, False),
        ({"valueInteger": 0}, False),
        ({"valueString": "No"}, False),
        ({"valueString": " absent. "}, False),
        ({"valueString": "denies back pain"}, False),
        ({"valueString": "No low back pain"}, False),
        ({"valueCodeableConcept": concept("snomed 260385009")}, False),
        ({"valueCodeableConcept": concept("loinc LA6577-6")}, False),
        ({"valueCodeableConcept": concept(text="Absent")}, False),
        ({"valueCodeableConcept": concept("local N", display="No")}, False),
        ({"dataAbsentReason": concept(text="asked but unknown")}, False),
    ],
    ids=str,
)
def test_an_observation_whose_code_is_back_pain_is_pain_unless_its_value_says_no(
    value: dict[str, Any], expected: bool
) -> None:
    assert is_new(observation(LOW_BACK_PAIN_SNOMED, day(2), **value)) is expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("final", True),
        ("amended", True),
        ("corrected", True),
        ("preliminary", True),
        ("entered-in-error", False),
        ("cancelled", False),
        ("registered", False),
        ("unknown", False),
    ],
)
def test_an_observation_counts_by_its_status(state: str, expected: bool) -> None:
    assert is_new(observation(LOW_BACK_PAIN_SNOMED, day(2), status=state, valueBoolean=True)) is expected


# Decision 2.11.
@pytest.mark.parametrize(
    ("code", "elements", "expected"),
    [
        (SYMPTOM, {"valueCodeableConcept": concept(LOW_BACK_PAIN_SNOMED)}, True),
        (SYMPTOM, {"valueCodeableConcept": concept(PAIN_ANYWHERE), "site": LOWER_BACK}, True),
        (SYMPTOM, {"valueCodeableConcept": concept(text="low back pain")}, True),
        (SYMPTOM, {"valueCodeableConcept": concept(PAIN_ANYWHERE)}, False),
        (SYMPTOM, {"valueCodeableConcept": concept(PAIN_ANYWHERE), "site": CHEST}, False),
        (SYMPTOM, {"valueBoolean": False}, False),
        (SYMPTOM, {"dataAbsentReason": concept(text="unknown")}, False),
        ("loinc 111551-8", {"valueCodeableConcept": concept(LOW_BACK_PAIN_SNOMED)}, False),
        (CHIEF_COMPLAINT, {"valueString": "new low back pain x 2 wks"}, True),
        (CHIEF_COMPLAINT, {"valueString": "Denies back pain. Here for flu shot"}, False),
        ("loinc 29299-5", {"valueString": "Low back pain"}, True),
        (PAIN_LOCATION, {"valueCodeableConcept": concept(LOWER_BACK)}, True),
        (PAIN_LOCATION, {"valueCodeableConcept": concept(CHEST)}, False),
        (PAIN_LOCATION, {"valueString": "lower back"}, True),
        (PAIN_LOCATION, {"valueString": "left lower back"}, True),
        (PAIN_LOCATION, {"valueString": "mid-back"}, True),
        (PAIN_LOCATION, {"valueString": "knee"}, False),
        (PAIN_LOCATION, {"valueString": "back of the knee"}, False),
        (PAIN_SCORE, {"valueQuantity": {"value": 7}}, False),
        (PAIN_SCORE, {"valueQuantity": {"value": 7}, "site": LOWER_BACK}, True),
        (PAIN_SCORE, {"valueInteger": 7, "site": LUMBAR_SPINE}, True),
        (PAIN_SCORE, {"valueQuantity": {"value": 0}, "site": LOWER_BACK}, False),
        (PAIN_SCORE, {"valueQuantity": {"value": 7}, "site": CHEST}, False),
        (
            PAIN_SCORE,
            {
                "valueInteger": 7,
                "component": [{"code": concept(PAIN_LOCATION), "valueCodeableConcept": concept(LOWER_BACK)}],
            },
            True,
        ),
    ],
    ids=lambda value: str(value)[:70],
)
def test_pain_is_read_from_symptoms_complaints_locations_and_located_scores(
    code: str, elements: dict[str, Any], expected: bool
) -> None:
    assert is_new(observation(code, day(2), **elements)) is expected


@pytest.mark.parametrize(("days_ago", "expected"), [(84, True), (85, False)])
def test_an_observation_tells_of_its_own_day(days_ago: int, expected: bool) -> None:
    assert is_new(observation(LOW_BACK_PAIN_SNOMED, day(days_ago))) is expected


def test_observations_of_pain_before_the_window_make_pain_old() -> None:
    assert not is_new(*(observation(LOW_BACK_PAIN_SNOMED, day(ago)) for ago in (2, 100)))


# --- Visits and drafts


# Decision 2.11.
@pytest.mark.parametrize(("days_ago", "expected"), [(0, True), (84, True), (85, False)])
def test_the_reason_of_a_visit_is_pain_on_that_day(days_ago: int, expected: bool) -> None:
    assert is_new(encounter(concept(LOW_BACK_PAIN), when=day(days_ago))) is expected


def test_the_reason_of_a_visit_may_be_text() -> None:
    assert is_new(encounter(concept(text="Low back pain"), when=day(0)))


# Decision 2.11.
@pytest.mark.parametrize("state", ["cancelled", "entered-in-error", "noshow"])
@pytest.mark.parametrize("days_ago", [-7, 0, 3])
def test_a_visit_that_was_not_held_tells_nothing(state: str, days_ago: int) -> None:
    assert not is_new(encounter(concept(LOW_BACK_PAIN), when=day(days_ago), status=state))


def test_a_visit_that_was_planned_and_has_passed_tells_nothing() -> None:
    assert not is_new(encounter(concept(LOW_BACK_PAIN), when=day(3), status="planned"))


# Decision 2.11.
def test_the_reason_of_a_draft_order_is_pain_of_today() -> None:
    film = draft("cpt 72100", reasons=[concept(LOW_BACK_PAIN)])
    [finding] = assessment_of(drafts=[film]).criterion("new-back-pain").findings
    assert (finding.source, str(finding.when), finding.date_source) == (name_of(film), day(0), DateSource.ORDERED)


def test_a_draft_order_without_a_reason_is_no_pain() -> None:
    assert assessment_of(drafts=[draft("cpt 72100")]).reason is Reason.NO_BACK_PAIN


def test_the_reason_of_another_patients_draft_is_no_pain() -> None:
    film = draft("cpt 72100", reasons=[concept(LOW_BACK_PAIN)]) | {"subject": reference("Patient", "pt-2")}
    assert assessment_of(drafts=[film, draft("cpt 72100")]).reason is Reason.NO_BACK_PAIN


# Decision 2.20.
def test_a_draft_for_pain_is_a_new_record_beside_an_old_entry_and_none_beside_chronic_pain() -> None:
    film = draft("cpt 72100", reasons=[concept(LOW_BACK_PAIN)])
    assert assessment_of(low_back_pain(900), drafts=[film]).outcome is Outcome.FIRED
    chronic = condition(CHRONIC_LOW_BACK_PAIN, onset=day(900))
    assert assessment_of(chronic, drafts=[film]).reason is Reason.PAIN_NOT_NEW


# --- Many records


# Decision 11.6.
def test_five_thousand_conditions_give_the_same_answer() -> None:
    found = [CANCER, low_back_pain(5)]
    others = [condition(f"local {number}", text=f"Finding {number}", onset=day(number)) for number in range(5000)]
    values = prefetch(*others[:2500], found[0], *others[2500:], found[1])
    crowded = assess(build_chart(PATIENT_ID, values))
    assert crowded.understanding[0].not_understood == {"https://ehr.example.org/codes": 5000}
    alone = assessment(*found)
    assert replace(crowded, understanding=()) == replace(alone, understanding=())


# Decision 11.5.
def test_pain_in_conditions_that_stand_beside_or_inside_a_visit_is_read() -> None:
    pain = condition(LOW_BACK_PAIN)
    beside = encounter(when=day(3), diagnosis=[{"condition": {"reference": name_of(pain)}}])
    inside = encounter(
        when=day(3),
        contained=[pain | {"id": "pain"}],
        diagnosis=[{"condition": {"reference": "#pain"}}],
    )
    for encounters in (bundle(beside, pain), bundle(inside)):
        values = prefetch(CANCER) | {"encounters": encounters}
        found = assess(build_chart(PATIENT_ID, values))
        [finding] = found.criterion("new-back-pain").findings
        assert (str(finding.when), finding.date_source) == (day(3), DateSource.ENCOUNTER)
