"""What is new back pain, and what is old, over or denied. Every patient here had breast cancer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cds_service.clinical.reading.findings import DateSource
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from tests.builders import (
    BACK_PAIN,
    LOW_BACK_PAIN,
    ON_THE_LIST,
    THORACIC_PAIN,
    coding,
    concept,
    condition,
    day,
    encounter,
    name_of,
    observation,
    patient,
    reference,
    status,
)
from tests.pain_calls import CHRONIC_LOW_BACK_PAIN, LOW_BACK_PAIN_SNOMED, assessment_of, is_new, low_back_pain

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
