"""When chronic back pain is new: where it is worse, and where another region hurts. Every patient had breast cancer."""

from __future__ import annotations

import pytest

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from tests.builders import (
    BACK_PAIN,
    LOW_BACK_PAIN,
    LUMBAR_SPINE,
    NECK_PAIN,
    PAIN_ANYWHERE,
    SYMPTOM,
    THORACIC_PAIN,
    Json,
    concept,
    condition,
    day,
    observation,
)
from tests.pain_calls import (
    CHRONIC_BACK_PAIN,
    CHRONIC_LOW_BACK_PAIN,
    CHRONIC_NECK_PAIN,
    CHRONIC_PAIN,
    LOW_BACK_PAIN_SNOMED,
    assessment_of,
    is_new,
    low_back_pain,
)


# Decision 2.7.
@pytest.mark.parametrize("code", [CHRONIC_LOW_BACK_PAIN, CHRONIC_NECK_PAIN, CHRONIC_BACK_PAIN, "snomed 307177001"])
@pytest.mark.parametrize("days_ago", [None, 3, 2000])
def test_pain_that_is_coded_as_chronic_is_never_new_by_itself(code: str, days_ago: int | None) -> None:
    assert not is_new(condition(code, recorded=None if days_ago is None else day(days_ago)))


# Decision 2.7.
@pytest.mark.parametrize(
    ("chronic", "fresh", "expected"),
    [
        (CHRONIC_LOW_BACK_PAIN, LOW_BACK_PAIN, False),
        (CHRONIC_LOW_BACK_PAIN, BACK_PAIN, False),
        (CHRONIC_LOW_BACK_PAIN, THORACIC_PAIN, True),
        (CHRONIC_LOW_BACK_PAIN, NECK_PAIN, True),
        (CHRONIC_NECK_PAIN, NECK_PAIN, False),
        (CHRONIC_NECK_PAIN, LOW_BACK_PAIN, True),
        (CHRONIC_BACK_PAIN, LOW_BACK_PAIN, False),
        (CHRONIC_BACK_PAIN, THORACIC_PAIN, False),
        (CHRONIC_PAIN, LOW_BACK_PAIN, True),
        ("icd10cm G89.29", LOW_BACK_PAIN, True),
        ("icd10cm G89.4", NECK_PAIN, True),
    ],
)
def test_an_old_chronic_code_makes_later_pain_of_its_region_old_and_of_no_other(
    chronic: str, fresh: str, expected: bool
) -> None:
    assert is_new(condition(chronic, recorded=day(2000)), condition(fresh, recorded=day(0))) is expected


# Decision 2.7.
def test_chronic_pain_that_ended_long_ago_does_not_make_pain_old() -> None:
    ended = condition(CHRONIC_LOW_BACK_PAIN, onset=day(3000), clinical="resolved", abatementDateTime=day(1000))
    assert is_new(ended, low_back_pain(5))


# Decision 2.8.
@pytest.mark.parametrize("text", ["Low back pain, worse", "Worsening low back pain", "Acute on chronic low back pain"])
def test_chronic_pain_that_is_recorded_as_worse_is_new_and_the_card_says_so(text: str) -> None:
    found = assessment_of(low_back_pain(2000), condition(LOW_BACK_PAIN, recorded=day(1), text=text))
    assert found.outcome is Outcome.FIRED
    assert Note.PAIN_CHANGED in found.notes


# Decision 2.8.
def test_the_card_quotes_the_words_that_call_a_coded_pain_worse() -> None:
    worse = condition(LOW_BACK_PAIN, recorded=day(1), text="Low back pain, much worse since Monday")
    found = assessment_of(worse, low_back_pain(2000))
    assert found.course_words == "Low back pain, much worse since Monday"


def test_pain_that_was_recorded_as_worse_years_ago_is_not_new() -> None:
    assert not is_new(condition(LOW_BACK_PAIN, onset=day(2000), text="Worsening low back pain"))


# Decision 2.8.
@pytest.mark.parametrize(
    "trend",
    [concept(text="Worsening"), concept("local W", display="Worsening"), concept("local W", text="worse")],
    ids=["text", "display", "code and text"],
)
def test_chronic_pain_whose_trend_is_worse_is_new(trend: Json) -> None:
    chronic = condition(CHRONIC_LOW_BACK_PAIN, recorded=day(2000))
    worse = observation(
        SYMPTOM,
        day(1),
        valueCodeableConcept=concept(LOW_BACK_PAIN_SNOMED),
        component=[{"code": concept(text="Trend"), "valueCodeableConcept": trend}],
    )
    assert is_new(chronic, worse)


# Decision 2.23.
def test_acute_pain_by_code_is_new_at_a_site_of_the_spine_beside_chronic_pain() -> None:
    chronic = condition(CHRONIC_LOW_BACK_PAIN, onset=day(900))
    assert is_new(chronic, condition("snomed 274663001", sites=[LUMBAR_SPINE], recorded=day(0)))
    assert not is_new(chronic, condition(PAIN_ANYWHERE, sites=[LUMBAR_SPINE], recorded=day(0)))


# Decisions 2.8 and 2.13.
@pytest.mark.parametrize(("words", "expected"), [("Worsening pain", True), ("Pain", False)])
def test_words_of_pain_are_read_with_the_body_site_of_their_entry(words: str, expected: bool) -> None:
    at_the_back = condition(text=words, recorded=day(0)) | {"bodySite": [{"text": "Lower back"}]}
    assert is_new(at_the_back)
    assert is_new(condition(CHRONIC_LOW_BACK_PAIN, onset=day(900)), at_the_back) is expected
    assert not is_new(condition(text=words, recorded=day(0)) | {"bodySite": [{"text": "Left knee"}]})


# Decision 2.22.
@pytest.mark.parametrize("chronic", ["icd10cm G89.29", CHRONIC_PAIN, CHRONIC_LOW_BACK_PAIN])
def test_a_chronic_code_beside_a_pain_code_in_one_entry_makes_the_entry_chronic(chronic: str) -> None:
    assert not is_new(condition(LOW_BACK_PAIN, chronic, recorded=day(0)))


@pytest.mark.parametrize("text", ["Chronic low back pain", "Chronic bilateral low back pain without sciatica"])
def test_a_coded_pain_whose_text_calls_it_chronic_is_not_new(text: str) -> None:
    assert not is_new(condition(LOW_BACK_PAIN, recorded=day(0), text=text))


@pytest.mark.parametrize("text", ["Chronic low back pain, not worse", "Chronic low back pain, no new symptoms"])
def test_chronic_pain_in_text_that_is_not_worse_is_not_new(text: str) -> None:
    assert not is_new(condition(text=text, recorded=day(0)))
