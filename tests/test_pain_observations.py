"""Pain and signs as Observations tell them: complaints, places in words, scores in every form, components."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.assessment import Outcome
from tests.builders import (
    BACK_PAIN,
    LOWER_BACK,
    PAIN_ANYWHERE,
    PAIN_LOCATION,
    PAIN_SCORE,
    SYMPTOM,
    Json,
    concept,
    condition,
    day,
    draft,
    encounter,
    observation,
)
from tests.pain_calls import LOW_BACK_PAIN_SNOMED, assessment_of, is_new

PANEL = "local vitals"


def in_words(*sites: str) -> Json:
    return {"bodySite": [{"text": site} for site in sites]}


def observed(code: str, **elements: Any) -> bool:
    """Whether an Observation of two days ago says that there is new back pain."""
    return is_new(observation(code, day(2), **elements))


def called(code: Json, **elements: Any) -> Json:
    """An Observation of today with a code that has words or is the site's own."""
    return observation(PANEL, day(0)) | {"code": code, **elements}


# --- Complaints (decision 2.11)


@pytest.mark.parametrize("code", ["10154-3", "29299-5", "8661-1", "46239-0", "75322-8"])
def test_a_complaint_is_read_under_every_code_that_means_one(code: str) -> None:
    assert observed(f"loinc {code}", valueString="Low back pain for 3 days")
    assert observed(f"loinc {code}", valueCodeableConcept=concept(LOW_BACK_PAIN_SNOMED))
    assert not observed(f"loinc {code}", valueString="Denies back pain")
    assert not observed(f"loinc {code}", valueString="Flu shot")


@pytest.mark.parametrize(
    "name",
    [
        "Chief complaint",
        "ED_CHIEF_COMPLAINT",
        "chief-complaint",
        "ChiefComplaint",
        "REASON_FOR_VISIT",
        "Reason\N{NO-BREAK SPACE}for  visit",
        "ED CHIEF COMPLAINT (TRIAGE)",
        "Presenting complaint",
        "Main complaint",
        "Reason for visit",
        "Reason for the encounter",
        "Reason for consultation",
        "CC",
    ],
)
def test_a_complaint_under_a_code_of_the_site_is_known_by_its_name(name: str) -> None:
    for code in (concept("local 5511", text=name), concept("local 5511", display=name), {"text": name}):
        assert is_new(called(code, valueString="Low back pain for 3 days"))
        assert not is_new(called(code, valueString="Denies back pain"))
        assert not is_new(called(code))


@pytest.mark.parametrize("name", ["Allergies", "Nurse's note", "Complaint procedure given", "Reason for no show"])
def test_other_observations_of_the_site_are_no_complaints(name: str) -> None:
    assert not is_new(called(concept("local 5512", text=name), valueString="Low back pain for 3 days"))


def test_a_complaint_under_a_code_of_the_site_is_also_read_for_signs() -> None:
    name = concept("local 5511", text="Chief complaint")
    complaint = called(name, valueString="Low back pain, saddle anesthesia")
    assert assessment_of(complaint).indicator == "critical"


# --- Places (decision 2.13)


@pytest.mark.parametrize(
    ("words", "region"),
    [
        ("Lower back", "lumbar"),
        ("Lumbar region", "lumbar"),
        ("Neck", "cervical"),
        ("Thoracic spine", "thoracic"),
        ("Mid back", "thoracic"),
        ("Sacrum", "sacral"),
        ("Back", "unspecified"),
    ],
)
def test_a_body_site_in_words_names_the_region(words: str, region: str) -> None:
    assert assessment_of(condition(PAIN_ANYWHERE, onset=day(3)) | in_words(words)).region == region
    assert assessment_of(condition(BACK_PAIN, onset=day(3)) | in_words(words)).region == region
    assert assessment_of(observation(PAIN_SCORE, day(2), valueInteger=7, bodySite={"text": words})).region == region
    assert assessment_of(observation(PAIN_LOCATION, day(2), valueCodeableConcept={"text": words})).region == region


@pytest.mark.parametrize(
    "words", ["Right knee", "Chest", "Left breast", "Back of hand", "Back of left knee", "Abdomen"]
)
def test_pain_at_another_site_in_words_is_no_back_pain(words: str) -> None:
    assert not is_new(condition(PAIN_ANYWHERE, onset=day(3)) | in_words(words))
    assert not observed(PAIN_SCORE, valueInteger=7, bodySite={"text": words})
    assert not observed(PAIN_LOCATION, valueCodeableConcept={"text": words})


def test_the_words_of_the_site_are_quoted_and_ours_are_not() -> None:
    quoted = assessment_of(condition(PAIN_ANYWHERE, onset=day(3)) | in_words("LOWER back, left")).criterion(
        "new-back-pain"
    )
    assert [(item.label, item.quote) for item in quoted.findings] == [("", "Pain, LOWER back, left")]
    ours = assessment_of(condition(PAIN_ANYWHERE, onset=day(3), sites=[LOWER_BACK])).criterion("new-back-pain")
    assert [item.quote for item in ours.findings] == [""]


# --- Scores (decision 2.13)


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": {"value": 7}},
        {"valueInteger": 7},
        {"valueString": "7"},
        {"valueString": "7/10"},
        {"valueString": "10/10"},
        {"valueString": "Severe"},
        {"valueCodeableConcept": concept("loinc LA10139-6")},
        {"valueCodeableConcept": concept("loinc LA13942-0")},
        {"valueCodeableConcept": concept("loinc LA6751-7", display="Moderate")},
        {"valueCodeableConcept": concept("local 8", display="8")},
        {"valueCodeableConcept": {"text": "8/10"}},
    ],
    ids=str,
)
def test_a_pain_score_counts_in_every_form_with_a_site_of_the_spine(value: Json) -> None:
    assert observed(PAIN_SCORE, site=LOWER_BACK, **value)
    assert not observed(PAIN_SCORE, **value)


@pytest.mark.parametrize(
    "value",
    [
        {"valueInteger": 0},
        {"valueString": "0"},
        {"valueString": "0/10"},
        {"valueString": "None"},
        {"valueString": "No pain"},
        {"valueCodeableConcept": concept("loinc LA6111-4")},
        {"valueCodeableConcept": concept("loinc LA6111-4", display="0")},
        {"valueCodeableConcept": concept("loinc LA131-5", display="No pain")},
        {"valueCodeableConcept": concept("local x", display="Unable to answer")},
        {"dataAbsentReason": concept(text="asked-declined")},
        {},
    ],
    ids=str,
)
def test_a_pain_score_of_zero_or_without_an_answer_is_no_pain(value: Json) -> None:
    assert not observed(PAIN_SCORE, site=LOWER_BACK, **value)


# --- Components (decision 2.11)


def part(code: Json, **value: object) -> Json:
    return {"code": code, **value}


@pytest.mark.parametrize(
    "component",
    [
        part(concept(SYMPTOM), valueCodeableConcept=concept(LOW_BACK_PAIN_SNOMED)),
        part(concept(LOW_BACK_PAIN_SNOMED), valueBoolean=True),
        part(concept("local ros-7", text="Back pain"), valueString="Yes"),
        part({"text": "Low back pain"}, valueCodeableConcept={"text": "present"}),
        part(concept("local 5511", text="Chief complaint"), valueString="Low back pain"),
        part(concept(PAIN_LOCATION), valueCodeableConcept=concept(LOWER_BACK)),
    ],
    ids=str,
)
def test_a_symptom_in_a_component_counts(component: Json) -> None:
    other = part(concept("loinc 8867-4"), valueQuantity={"value": 72})
    assert observed(PANEL, component=[other, component])


@pytest.mark.parametrize(
    "component",
    [
        part(concept(SYMPTOM), valueCodeableConcept=concept("snomed 38341003")),
        part(concept(LOW_BACK_PAIN_SNOMED), valueBoolean=False),
        part(concept(LOW_BACK_PAIN_SNOMED)),
        part(concept(LOW_BACK_PAIN_SNOMED), dataAbsentReason=concept(text="not-asked")),
        part(concept("local ros-7", text="Back pain"), valueString="No"),
        part(concept("loinc 111551-8"), valueCodeableConcept=concept(LOW_BACK_PAIN_SNOMED)),
    ],
    ids=str,
)
def test_a_component_that_denies_or_does_not_answer_does_not_count(component: Json) -> None:
    assert not observed(PANEL, component=[component])


def test_components_of_what_is_absent_do_not_count() -> None:
    component = part(concept(SYMPTOM), valueCodeableConcept=concept(LOW_BACK_PAIN_SNOMED))
    assert not observed("loinc 111551-8", component=[component])
    assert not observed(PANEL, valueBoolean=False, component=[component])


def test_a_place_of_pain_beside_a_score_of_zero_is_no_pain() -> None:
    place = part(concept(PAIN_LOCATION), valueCodeableConcept=concept(LOWER_BACK))
    assert observed(PANEL, component=[part(concept(PAIN_SCORE), valueInteger=4), place])
    assert not observed(PANEL, component=[part(concept(PAIN_SCORE), valueInteger=0), place])


def test_a_sign_in_a_component_makes_the_card_critical() -> None:
    def review(sphincter: bool) -> Json:
        pain = part(concept(LOW_BACK_PAIN_SNOMED), valueBoolean=True)
        return observation(PANEL, day(0), component=[pain, part(concept("icd10cm R32"), valueBoolean=sphincter)])

    assert assessment_of(review(True)).indicator == "critical"
    assert assessment_of(review(False)).indicator == "warning"


# --- Dates and later versions of FHIR


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"event": [day(2)]}, True),
        ({"event": [day(400), day(2)]}, False),
        ({"repeat": {"boundsPeriod": {"start": day(2)}}}, True),
        ({"repeat": {"boundsPeriod": {"start": day(400)}}}, False),
    ],
)
def test_a_timing_dates_an_observation_by_its_beginning(timing: Json, expected: bool) -> None:
    assert is_new(observation(LOW_BACK_PAIN_SNOMED, effectiveTiming=timing)) is expected


def test_reasons_are_read_where_the_next_version_of_fhir_puts_them() -> None:
    visit = encounter(when=day(1)) | {"reason": [{"value": [{"concept": concept(LOW_BACK_PAIN_SNOMED)}]}]}
    visit.pop("reasonCode", None)
    assert is_new(visit)
    order = draft("loinc 30679-5") | {"reason": [{"concept": concept(LOW_BACK_PAIN_SNOMED)}]}
    order.pop("reasonCode", None)
    assert assessment_of(drafts=[order]).outcome is Outcome.FIRED
