"""What is new back pain, and what is old, over, denied or elsewhere. Every patient here had breast cancer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cds_service.chart.build import build_chart
from cds_service.clinical.reading.findings import DateSource
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from tests.builders import (
    BACK_PAIN,
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    LOWER_BACK,
    LUMBAR_SPINE,
    NECK_PAIN,
    ON_THE_LIST,
    PAIN_ANYWHERE,
    PAIN_LOCATION,
    PAIN_SCORE,
    PATIENT_ID,
    SYMPTOM,
    THORACIC_PAIN,
    THORACIC_SPINE,
    Json,
    assess,
    assessment,
    bundle,
    coding,
    concept,
    condition,
    day,
    draft,
    encounter,
    name_of,
    observation,
    patient,
    prefetch,
    reference,
    status,
)

LOW_BACK_PAIN_SNOMED = "snomed 279039007"
CHRONIC_LOW_BACK_PAIN = "snomed 278860009"
CHRONIC_NECK_PAIN = "snomed 1121000119107"
CHRONIC_BACK_PAIN = "snomed 134407002"
CHRONIC_PAIN = "snomed 82423001"
CHEST = "snomed 51185008"

CANCER = condition(BREAST_CANCER, onset=day(3000))


def assessment_of(*resources: Json, **arguments: Any) -> Assessment:
    """The assessment of a patient with breast cancer and these resources."""
    return assessment(CANCER, *resources, **arguments)


def is_new(*resources: Json, **arguments: Any) -> bool:
    """Whether these resources are new back pain, so that the card is shown."""
    found = assessment_of(*resources, **arguments)
    assert found.outcome in (Outcome.FIRED, Outcome.NOT_APPLICABLE)
    if found.outcome is Outcome.NOT_APPLICABLE:
        assert found.reason in (Reason.NO_BACK_PAIN, Reason.PAIN_NOT_NEW)
    return found.outcome is Outcome.FIRED


def low_back_pain(days_ago: int, **elements: Any) -> Json:
    return condition(LOW_BACK_PAIN, onset=day(days_ago), **elements)


# --- The window of 84 days


# Decision 2.1.
@pytest.mark.parametrize(("days_ago", "expected"), [(0, True), (5, True), (84, True), (85, False), (89, False)])
def test_pain_is_new_up_to_day_84(days_ago: int, expected: bool) -> None:
    assert is_new(low_back_pain(days_ago)) is expected


# Decision 2.1.
@pytest.mark.parametrize(("days_ago", "expected"), [(30, True), (31, False)])
def test_a_site_may_choose_another_window(days_ago: int, expected: bool) -> None:
    assert is_new(low_back_pain(days_ago), options=RuleOptions(new_window_days=30)) is expected


@pytest.mark.parametrize(
    ("onset", "expected"),
    [
        ("2026-08-29T23:30:00-05:00", True),
        ("2026-08-30T00:00:00Z", True),
        ("2026-08-29T23:59:59Z", False),
        ("2026-08-30T01:00:00+05:00", False),
        ("2026-08-30T09:00:00+05:00", True),
    ],
)
def test_the_first_day_of_the_window_is_a_day_in_utc(onset: str, expected: bool) -> None:
    assert is_new(condition(LOW_BACK_PAIN, onset=onset)) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 23, tzinfo=UTC), False),
        (datetime(2026, 11, 22, 22, tzinfo=timezone(timedelta(hours=-5))), False),
        (datetime(2026, 11, 23, 8, tzinfo=timezone(timedelta(hours=9))), True),
    ],
    ids=str,
)
def test_the_day_of_the_call_is_a_day_in_utc(now: datetime, expected: bool) -> None:
    assert is_new(low_back_pain(84), now=now) is expected


# --- When it began


# Decision 2.4.
def test_an_old_onset_beats_a_fresh_record() -> None:
    assert not is_new(low_back_pain(1500, recorded=day(0)))


def test_a_fresh_record_without_onset_is_new() -> None:
    assert is_new(condition(LOW_BACK_PAIN, recorded=day(3)))


def test_a_record_without_dates_takes_the_day_of_its_visit() -> None:
    recent, old = encounter(when=day(10)), encounter(when=day(200))
    assert is_new(condition(LOW_BACK_PAIN, encounter={"reference": name_of(recent)}), recent)
    assert not is_new(condition(LOW_BACK_PAIN, encounter={"reference": name_of(old)}), old)


# Decision 2.6.
def test_a_record_without_dates_of_the_current_visit_is_of_today() -> None:
    pain = condition(LOW_BACK_PAIN, encounter=reference("Encounter", "today"))
    [finding] = assessment_of(pain, encounter_id="today").criterion("new-back-pain").findings
    assert (str(finding.when), finding.date_source) == (day(0), DateSource.ENCOUNTER)


# Decision 2.6.
def test_pain_without_any_date_is_new_and_the_card_says_that_its_onset_is_not_recorded() -> None:
    found = assessment_of(condition(LOW_BACK_PAIN))
    assert found.outcome is Outcome.FIRED
    assert Note.ONSET_NOT_RECORDED in found.notes


# Decision 2.6.
def test_a_site_may_choose_silence_for_pain_without_any_date() -> None:
    assert not is_new(condition(LOW_BACK_PAIN), options=RuleOptions(undated_pain="silent"))


# Decision 2.20.
def test_pain_without_a_date_beside_an_old_entry_brings_a_card_that_says_that_its_onset_is_not_recorded() -> None:
    found = assessment_of(condition(LOW_BACK_PAIN), low_back_pain(900))
    assert found.outcome is Outcome.FIRED
    assert Note.ONSET_NOT_RECORDED in found.notes


# Decision 2.7.
def test_pain_without_a_date_beside_old_chronic_pain_of_the_same_region_is_not_new() -> None:
    assert not is_new(condition(LOW_BACK_PAIN), condition(CHRONIC_LOW_BACK_PAIN, onset=day(900)))


# Decision 2.5.
@pytest.mark.parametrize(("recorded", "expected"), [(day(0), True), (day(900), False), (None, True)])
def test_an_onset_in_the_future_is_passed_over(recorded: str | None, expected: bool) -> None:
    assert is_new(low_back_pain(-3, recorded=recorded)) is expected


@pytest.mark.parametrize(
    ("onset", "expected"),
    [("2026-11", True), ("2026-08", True), ("2026-07", False), ("2026", True), ("2025", False), ("2019", False)],
)
def test_a_partial_onset_is_new_where_its_end_is_in_the_window(onset: str, expected: bool) -> None:
    assert is_new(condition(LOW_BACK_PAIN, onset=onset, recorded=day(0))) is expected


@pytest.mark.parametrize(
    ("onset", "expected"),
    [("2026-11", True), ("2026-08", True), ("2026-07", False), ("2026", True), ("2025", False)],
)
def test_a_period_that_starts_at_a_partial_date_is_read_like_an_onset(onset: str, expected: bool) -> None:
    assert is_new(condition(LOW_BACK_PAIN, onsetPeriod={"start": onset}, recorded=day(0))) is expected


# Decision 2.5.
def test_a_year_alone_gives_way_to_the_day_of_recording_and_the_card_says_so() -> None:
    found = assessment_of(condition(LOW_BACK_PAIN, onset="2026", recorded=day(0)))
    assert Note.ONSET_IMPRECISE in found.notes
    assert not is_new(condition(LOW_BACK_PAIN, onset="2026", recorded=day(100)))


# Decision 2.4.
@pytest.mark.parametrize(
    ("element", "value", "expected"),
    [
        ("onsetPeriod", {"start": day(14)}, True),
        ("onsetPeriod", {"start": day(14), "end": day(2)}, True),
        ("onsetPeriod", {"start": day(400), "end": day(2)}, False),
        ("onsetPeriod", {"end": day(2)}, True),
        ("onsetAge", {"value": 58, "unit": "years", "code": "a"}, True),
        ("onsetAge", {"value": 57, "unit": "years", "code": "a"}, True),
        ("onsetAge", {"value": 50, "unit": "years", "code": "a"}, False),
        ("onsetAge", {"value": 58, "unit": "dog years"}, True),
        ("onsetRange", {"low": {"value": 45, "code": "a"}, "high": {"value": 50, "code": "a"}}, False),
        ("onsetString", "2 weeks ago", True),
        ("onsetString", "since yesterday", True),
        ("onsetString", "approximately November 2012", False),
        ("onsetString", "5 years", False),
        ("onsetString", "since 2019", False),
        ("onsetString", "after gardening", True),
    ],
)
def test_an_onset_is_read_in_every_form(element: str, value: Any, expected: bool) -> None:
    person = patient(birth="1968-11-01")
    assert is_new(person, condition(LOW_BACK_PAIN, recorded=day(1), **{element: value})) is expected


@pytest.mark.parametrize("onset", ["last spring", "2026-13-40", 20261122, ["2026-11-20"], {"start": "2026-11-20"}])
def test_an_onset_that_cannot_be_read_never_hides_the_pain(onset: Any) -> None:
    found = assessment_of(condition(LOW_BACK_PAIN, onset=onset, recorded=day(1)))
    assert found.outcome is Outcome.FIRED
    assert any("onsetDateTime" in entry for entry in found.unread)


# --- Is it there now?


# Decision 2.16.
@pytest.mark.parametrize(
    ("clinical", "expected"),
    [
        ("active", True),
        (None, True),
        ("recurrence", True),
        ("relapse", True),
        ("inactive", False),
        ("remission", False),
        ("resolved", False),
    ],
)
def test_pain_that_is_over_is_not_new(clinical: str | None, expected: bool) -> None:
    assert is_new(low_back_pain(5, clinical=clinical)) is expected


@pytest.mark.parametrize(
    "abatement",
    [
        {"abatementDateTime": day(3)},
        {"abatementPeriod": {"start": day(4), "end": day(3)}},
        {"abatementString": "last week"},
        {"abatementBoolean": True},
    ],
    ids=lambda value: next(iter(value)),
)
def test_pain_that_has_abated_is_not_new(abatement: dict[str, Any]) -> None:
    assert not is_new(low_back_pain(10, clinical=None, **abatement))


def test_pain_that_will_abate_one_day_is_there_now() -> None:
    assert is_new(low_back_pain(10, abatementDateTime=day(-20)))


def test_pain_that_is_marked_as_not_abated_is_there_now() -> None:
    assert is_new(low_back_pain(10, abatementBoolean=False))


# Decision 2.16.
@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_refuted_or_mistaken_pain_is_none(verification: str) -> None:
    assert not is_new(low_back_pain(5, verification=verification))


# Decision 2.16.
@pytest.mark.parametrize("verification", ["confirmed", "unconfirmed", "provisional", "differential", None])
def test_pain_counts_however_sure_its_record_is(verification: str | None) -> None:
    assert is_new(low_back_pain(5, verification=verification))


def test_a_resolved_status_after_a_local_coding_is_read() -> None:
    both = {"coding": [coding("local R"), *status("clinical", "resolved")["coding"]]}
    assert not is_new(low_back_pain(5, clinical=None, clinicalStatus=both))


# --- 180 clean days


# Decision 2.2.
@pytest.mark.parametrize(("days_before", "expected"), [(179, False), (180, False), (181, True)])
@pytest.mark.parametrize("kind", ["resolved diagnosis", "visit", "observation"])
def test_pain_is_a_new_episode_after_180_days_without_a_record(kind: str, days_before: int, expected: bool) -> None:
    when = day(5 + days_before)
    earlier = {
        "resolved diagnosis": condition(LOW_BACK_PAIN, onset=when, clinical="resolved"),
        "visit": encounter(concept(LOW_BACK_PAIN), when=when),
        "observation": observation(LOW_BACK_PAIN_SNOMED, when, valueBoolean=True),
    }
    assert is_new(low_back_pain(5), earlier[kind]) is expected


# Decision 2.2.
@pytest.mark.parametrize(("days_before", "expected"), [(179, False), (180, False), (181, True)])
def test_the_clean_days_count_from_the_end_of_the_last_episode(days_before: int, expected: bool) -> None:
    ended = {"clinical": "resolved", "abatementDateTime": day(5 + days_before)}
    assert is_new(low_back_pain(5), low_back_pain(900, **ON_THE_LIST, **ended)) is expected


# Decision 2.19.
def test_an_end_that_is_recorded_on_an_entry_of_no_category_does_not_make_pain_old() -> None:
    assert is_new(low_back_pain(5), low_back_pain(900, clinical="resolved", abatementDateTime=day(100)))


def test_a_new_episode_years_after_the_last_is_new() -> None:
    assert is_new(low_back_pain(5), low_back_pain(3000, clinical="resolved", abatementDateTime=day(2900)))


# Decision 2.2.
def test_a_visit_for_the_same_pain_every_two_months_for_three_years_is_not_new() -> None:
    visits = [condition(LOW_BACK_PAIN, recorded=day(60 * number), clinical=None) for number in range(18)]
    assert not is_new(*visits)


# Decision 2.3.
def test_an_earlier_record_of_no_named_region_is_of_the_same_pain() -> None:
    assert not is_new(low_back_pain(5), condition(BACK_PAIN, onset=day(150), clinical="resolved"))


# Decision 2.3.
def test_an_earlier_record_of_another_region_is_of_another_pain() -> None:
    assert is_new(low_back_pain(5), condition(THORACIC_PAIN, onset=day(150), clinical="resolved"))


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_an_earlier_record_that_was_mistaken_does_not_make_pain_old(verification: str) -> None:
    assert is_new(low_back_pain(5), low_back_pain(900, verification=verification))


@pytest.mark.parametrize(("clean_days", "expected"), [(30, True), (0, True), (365, False)])
def test_a_site_may_choose_other_clean_days(clean_days: int, expected: bool) -> None:
    earlier = low_back_pain(250, clinical="resolved")
    assert is_new(low_back_pain(5), earlier, options=RuleOptions(clean_days=clean_days)) is expected


# Decision 2.4.
@pytest.mark.parametrize("clinical", ["recurrence", "relapse"])
def test_pain_that_came_back_is_dated_by_its_return(clinical: str) -> None:
    returned = low_back_pain(3000, recorded=day(4), clinical=clinical)
    assert is_new(returned)
    assert not is_new(returned, condition(LOW_BACK_PAIN, onset=day(100), clinical="resolved"))


# --- Chronic pain


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


# --- Regions


# Decision 7.1.
@pytest.mark.parametrize(
    ("codes", "region", "mri"),
    [
        ([LOW_BACK_PAIN], "lumbar", "mri-lumbar-spine"),
        (["icd9cm 724.2"], "lumbar", "mri-lumbar-spine"),
        (["icd10cm M54.41"], "lumbar", "mri-lumbar-spine"),
        ([THORACIC_PAIN], "thoracic", "mri-thoracic-spine"),
        ([NECK_PAIN], "cervical", "mri-cervical-spine"),
        (["icd10cm M54.13"], "cervical", "mri-cervical-spine"),
        (["icd10cm M53.3"], "sacral", "mri-lumbar-spine-and-sacrum"),
        ([BACK_PAIN], "unspecified", "mri-whole-spine"),
        (["icd9cm 724.5"], "unspecified", "mri-whole-spine"),
        (["icd10cm M54.15"], "several", "mri-whole-spine"),
        ([THORACIC_PAIN, LOW_BACK_PAIN], "several", "mri-whole-spine"),
        ([NECK_PAIN, LOW_BACK_PAIN], "several", "mri-whole-spine"),
        ([LOW_BACK_PAIN, "icd10cm M54.31"], "lumbar", "mri-lumbar-spine"),
        ([BACK_PAIN, LOW_BACK_PAIN], "lumbar", "mri-lumbar-spine"),
    ],
)
def test_the_painful_region_is_imaged_and_two_regions_are_the_whole_spine(
    codes: list[str], region: str, mri: str
) -> None:
    found = assessment_of(*(condition(code, onset=day(5)) for code in codes))
    assert (found.region, found.studies[0]) == (region, mri)


# Decision 2.3.
def test_new_pain_beside_old_pain_of_another_region_is_imaged_alone() -> None:
    found = assessment_of(low_back_pain(1000), condition(THORACIC_PAIN, onset=day(5)))
    assert (found.region, found.studies[0]) == ("thoracic", "mri-thoracic-spine")


# Decision 2.13.
@pytest.mark.parametrize(
    ("sites", "region"),
    [
        ([LUMBAR_SPINE], "lumbar"),
        ([LOWER_BACK], "lumbar"),
        ([THORACIC_SPINE], "thoracic"),
        (["snomed 1217257000"], "several"),
        (["snomed 77568009"], "unspecified"),
        ([CHEST, LUMBAR_SPINE], "lumbar"),
        ([THORACIC_SPINE, LUMBAR_SPINE], "several"),
    ],
)
@pytest.mark.parametrize("code", [PAIN_ANYWHERE, "icd10cm G89.3", "snomed 12584003", BACK_PAIN])
def test_the_body_site_names_the_region(code: str, sites: list[str], region: str) -> None:
    assert assessment_of(condition(code, onset=day(3), sites=sites)).region == region


# Decision 2.13.
@pytest.mark.parametrize("code", [PAIN_ANYWHERE, "icd10cm R52", "icd10cm G89.3", "snomed 282743009"])
@pytest.mark.parametrize("sites", [[], [CHEST], ["local knee"]])
def test_pain_of_no_spine_site_is_no_back_pain(code: str, sites: list[str]) -> None:
    assert not is_new(condition(code, onset=day(3), sites=sites))


# Decision 2.17.
@pytest.mark.parametrize("code", ["snomed 91957002", "snomed 9121000119106"])
def test_back_pain_in_pregnancy_is_imaged_without_contrast_and_radiation(code: str) -> None:
    assert assessment_of(condition(code, onset=day(3))).studies == ("mri-lumbar-spine-without-contrast",)


# --- What is no back pain


# Decision 2.14.
@pytest.mark.parametrize(
    "code",
    [
        "icd10cm M54.81",
        "icd10cm F45.41",
        "icd10cm M79.7",
        "icd10cm Z87.39",
        "icd10cm S39.012A",
        "snomed 300960003",
        "snomed 249938007",
        "snomed 53430007",
        "icd10cm M51.361",
        "icd10cm M79.18",
        "snomed 302258001",
        "snomed 161882006",
        "snomed 267067009",
        "snomed 183868005",
        "local M54.50",
        " M54.50",
    ],
)
def test_codes_of_other_and_of_ambiguous_diseases_are_no_back_pain(code: str) -> None:
    assert not is_new(condition(code, onset=day(3)))


# Decision 2.18.
@pytest.mark.parametrize(
    ("code", "region"),
    [
        ("snomed 298253002", "cervical"),
        ("snomed 473007007", "cervical"),
        ("snomed 298478001", "cervical"),
        ("snomed 279030006", "cervical"),
        ("snomed 298254008", "thoracic"),
        ("snomed 103015000", "thoracic"),
        ("snomed 608831003", "thoracic"),
        ("snomed 41321000119101", "thoracic"),
        ("snomed 279063004", "lumbar"),
        ("snomed 608832005", "lumbar"),
        ("snomed 298674008", "lumbar"),
        ("snomed 279041008", "lumbar"),
        ("snomed 608830002", "unspecified"),
        ("snomed 87381000119101", "unspecified"),
        ("snomed 3200003", "sacral"),
        ("icd10cm M51.16", "lumbar"),
        ("icd10cm M51.17", "lumbar"),
        ("icd10cm M51.360", "lumbar"),
        ("icd10cm M51.370", "lumbar"),
        ("icd10cm M62.830", "unspecified"),
        ("icd10 M54.1", "unspecified"),
        ("icd10 M54.3", "lumbar"),
        ("icd10 M54.4", "lumbar"),
        ("icd10 M54.8", "unspecified"),
    ],
)
def test_spine_pain_counts_under_every_name_that_it_has(code: str, region: str) -> None:
    assert assessment_of(condition(code, onset=day(3))).region == region


@pytest.mark.parametrize(
    ("chronic", "new"),
    [
        ("snomed 136791000119103", "icd10cm M54.6"),
        ("snomed 38811000087102", "icd10cm M54.6"),
        ("snomed 129511000119105", "icd10cm M53.3"),
        ("snomed 782661001", "icd10cm M53.3"),
        ("snomed 38741000087105", "icd10cm M54.2"),
        ("snomed 38781000087100", LOW_BACK_PAIN),
    ],
)
def test_pain_recorded_as_chronic_by_its_code_is_not_new(chronic: str, new: str) -> None:
    assert not is_new(condition(chronic, onset=day(200)), condition(new, onset=day(3)))


# Decision 2.14.
@pytest.mark.parametrize("code", ["snomed 302258001", "snomed 161882006", "snomed 36427004", "snomed 262995003"])
def test_the_words_beside_a_disorder_of_the_back_say_whether_it_is_back_pain(code: str) -> None:
    assert is_new(condition(code, onset=day(3), text="Severe low back pain"))
    assert not is_new(condition(code, onset=day(3), text="Denies back pain"))


# Decision 2.14.
def test_a_code_of_psychological_pain_in_the_same_entry_takes_the_pain_away() -> None:
    assert not is_new(condition(LOW_BACK_PAIN, "icd10cm F45.41", onset=day(3)))


@pytest.mark.parametrize("code", ["icd10cm M5450", "icd10cm m54.50", "icd10 M54.5"])
def test_pain_codes_are_matched_as_ehrs_spell_them(code: str) -> None:
    assert is_new(condition(code, onset=day(3)))


# Decision 2.15.
def test_a_recent_injury_does_not_explain_the_pain_away_and_is_named() -> None:
    found = assessment_of(low_back_pain(3), condition("icd10cm S39.012A", onset=day(3)))
    assert found.outcome is Outcome.FIRED
    assert [finding.source.split("/")[0] for finding in found.injuries] == ["Condition"]


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
