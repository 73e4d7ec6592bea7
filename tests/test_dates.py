"""Dates as spans: what a date says for certain, onsets written as text, and when a condition began."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.chart.records import Concept, Condition
from cds_service.chart.span import Span, lies_in_future, read_date
from cds_service.clinical.reading.findings import DateSource
from cds_service.clinical.reading.onset import Calendar, start_of
from cds_service.clinical.reading.onset_text import date_onset_text
from tests.builders import NOW, day

TODAY = NOW.date()
WRITTEN = date(2026, 11, 20)


def span(first: str, last: str = "") -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last or first))


# --- FHIR dates


# Decision 11.3.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2014", span("2014-01-01", "2014-12-31")),
        ("2026-09", span("2026-09-01", "2026-09-30")),
        ("2028-02", span("2028-02-01", "2028-02-29")),
        ("2026-02", span("2026-02-01", "2026-02-28")),
        ("2026-11-17", span("2026-11-17")),
        (" 2026-11-17 ", span("2026-11-17")),
        ("2026-11-17T10:30:00Z", span("2026-11-17")),
        ("2026-11-17T10:30:00.123Z", span("2026-11-17")),
        ("2026-11-17T10:30:00", span("2026-11-17")),
        ("2026-11-17T23:30:00-05:00", span("2026-11-18")),
        ("2026-11-17T00:30:00+02:00", span("2026-11-16")),
        ("2026-12-31T23:59:59-00:01", span("2027-01-01")),
    ],
)
def test_a_fhir_date_is_the_span_of_utc_days_it_covers(text: str, expected: Span) -> None:
    assert read_date(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "last spring",
        "2026-13",
        "2026-02-30",
        "2026-00-10",
        "0000",
        "17/11/2026",
        "11-17-2026",
        "2026-11-17T25:00:00Z",
        "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+05:00",
    ],
)
def test_what_is_no_date_is_refused_and_never_guessed(text: str) -> None:
    with pytest.raises(ValueError):
        read_date(text)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", fullmatch=True))
def test_any_text_is_a_span_or_refused(text: str) -> None:
    try:
        found = read_date(text)
    except ValueError:
        return
    assert found.earliest <= found.latest


@pytest.mark.parametrize("text", ["2014", "2026-09", "2028-02", "2026-11-17"])
def test_a_date_is_printed_as_precisely_as_it_was_recorded(text: str) -> None:
    assert str(read_date(text)) == text


def test_a_span_of_several_months_is_printed_with_both_ends() -> None:
    assert str(span("2014-03-01", "2014-05-31")) == "2014-03-01 to 2014-05-31"


def test_a_period_reaches_from_the_start_of_the_first_date_to_the_end_of_the_last() -> None:
    assert Span.between(read_date("2014"), read_date("2015-02")) == span("2014-01-01", "2015-02-28")


def test_a_period_that_ends_before_it_starts_keeps_its_start() -> None:
    assert Span.between(read_date("2015"), read_date("2013")) == span("2015-01-01")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-11-22", False), ("2026-11-24", True), ("2027", True), ("2026", False), ("2026-11", False)],
)
def test_only_a_span_wholly_after_now_lies_in_the_future(text: str, expected: bool) -> None:
    assert lies_in_future(read_date(text), NOW) is expected


def test_a_bare_date_that_is_today_in_the_east_is_not_in_the_future() -> None:
    assert not lies_in_future(read_date(day(-1)), NOW.replace(hour=13))
    assert lies_in_future(read_date(day(-1)), NOW.replace(hour=9))


# --- Onsets as text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", span("2026-11-20")),
        ("since yesterday", span("2026-11-19")),
        ("3 days ago", span("2026-11-17")),
        ("3 days", span("2026-11-17")),
        ("x3d", span("2026-11-17")),
        ("for the past 3 days", span("2026-11-17")),
        ("Started about three days ago.", span("2026-11-17")),
        ("3 days prior to this visit", span("2026-11-17")),
        ("2 weeks", span("2026-11-03", "2026-11-09")),
        ("a week ago", span("2026-11-10", "2026-11-16")),
        ("~2 wks", span("2026-11-03", "2026-11-09")),
        ("  2   Weeks  ago ", span("2026-11-03", "2026-11-09")),
        ("2-3 weeks", span("2026-10-27", "2026-11-09")),
        ("a few days ago", span("2026-11-14", "2026-11-18")),
        ("since Monday", span("2026-11-13", "2026-11-20")),
        ("last night", span("2026-11-19")),
        ("4 months ago", span("2026-07-08", "2026-08-07")),
        ("half a year ago", span("2026-02-20", "2026-08-21")),
        ("2 years ago", span("2024-05-22", "2025-05-21")),
        ("two years ago", span("2024-05-22", "2025-05-21")),
        ("for about fifteen years", span("2011-05-26", "2012-05-24")),
        ("forty years", span("1986-06-01", "1987-05-31")),
        ("approximately November 2012", span("2012-11-01", "2012-11-30")),
        ("since Feb 2024", span("2024-02-01", "2024-02-29")),
        ("2026-09-01", span("2026-09-01")),
        ("2019", span("2019-01-01", "2019-12-31")),
        ("since 2019", span("2019-01-01", "2019-12-31")),
        ("in 2019", span("2019-01-01", "2019-12-31")),
        ("last year", span("2025-01-01", "2025-12-31")),
        ("in the 1990s", span("1990-01-01", "1999-12-31")),
        ("20 Nov 2025", span("2025-11-20")),
        ("November 2nd, 2025", span("2025-11-02")),
        ("03/15/2019", span("2019-03-15")),
        ("15/03/2019", span("2019-03-15")),
        ("03.04.2019", span("2019-04-03")),
        ("03/2019", span("2019-03-01", "2019-03-31")),
        ("3.2019", span("2019-03-01", "2019-03-31")),
        ("15-Mar-2019", span("2019-03-15")),
        ("2019/03/15", span("2019-03-15")),
        ("fall of 2016", span("2016-01-01", "2016-12-31")),
        ("since the summer 2019", span("2019-01-01", "2019-12-31")),
    ],
)
def test_an_onset_written_as_text_counts_back_from_the_day_it_was_written(text: str, expected: Span) -> None:
    assert date_onset_text(text, WRITTEN) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "some time ago",
        "after lunch",
        "not 2 weeks ago",
        "2 weeks ago and again 3 years ago",
        "two hundred weeks ago",
        "Smarch 2026",
        "31/31/2026",
        "13/2026",
        "999 years ago for a day",
    ],
)
def test_an_onset_text_that_is_not_certain_is_not_dated(text: str) -> None:
    assert date_onset_text(text, WRITTEN) is None


@pytest.mark.parametrize(
    "text",
    ["several years", "years", "for many years", "since childhood", "lifelong", "over 10 years", ">5 yrs", "20+ years"],
)
def test_years_that_nobody_counted_date_a_pain_as_old(text: str) -> None:
    """Clinical decision 2.5."""
    found = date_onset_text(text, WRITTEN)
    assert found is not None and found.latest <= date(2025, 11, 20)


def test_a_date_that_reads_two_ways_is_the_span_of_both() -> None:
    """Clinical decision 2.5."""
    assert date_onset_text("03/04/2020", WRITTEN) == span("2020-03-04", "2020-04-03")


@pytest.mark.parametrize("written", [date.min, date(1, 12, 31), date(2026, 11, 20), date.max], ids=str)
@pytest.mark.parametrize(
    "text", ["today", "1 day ago", "12 months ago", "1 year ago", "999 years ago", "years", "last year"]
)
def test_an_onset_text_never_leads_beyond_the_calendar(text: str, written: date) -> None:
    found = date_onset_text(text, written)
    assert found is None or found.latest <= written


# --- When a condition began


def calendar(new_window_days: int = 84, clean_days: int = 180, now: datetime = NOW) -> Calendar:
    return Calendar(now, new_window_days, clean_days)


def pain(onset: str = "", recorded: str = "", onset_text: str = "", clinical_status: str = "active") -> Condition:
    return Condition(
        reference="Condition/1",
        concept=Concept(text="low back pain"),
        clinical_status=clinical_status,
        onset=read_date(onset) if onset else None,
        onset_text=onset_text,
        recorded=read_date(recorded) if recorded else None,
    )


def visit(first: str, last: str = "") -> Span:
    return Span(read_date(first).earliest, read_date(last or first).latest)


# Decision 2.4.
@pytest.mark.parametrize(
    ("condition", "visited", "when", "date_source"),
    [
        (pain(onset=day(1500), recorded=day(0)), None, day(1500), DateSource.ONSET),
        (pain(recorded=day(3)), visit(day(2)), day(3), DateSource.RECORDED),
        (pain(), visit(day(9), day(2)), day(9), DateSource.ENCOUNTER),
        (pain(onset_text="3 days ago", recorded=day(10)), None, day(13), DateSource.ONSET),
        (pain(onset_text="3 days ago"), visit(day(20)), day(23), DateSource.ONSET),
        (pain(onset_text="3 days ago"), None, day(3), DateSource.ONSET),
        (pain(onset_text="a while ago", recorded=day(10)), None, day(10), DateSource.RECORDED),
    ],
    ids=[
        "onset before day of recording",
        "day of recording before visit",
        "first day of the visit",
        "onset text from day of recording",
        "onset text from visit",
        "onset text from today",
        "onset text that cannot be dated",
    ],
)
def test_a_condition_began_at_its_onset_else_when_recorded_else_at_the_visit(
    condition: Condition, visited: Span | None, when: str, date_source: DateSource
) -> None:
    start = start_of(condition, visited, calendar())
    assert (str(start.when), start.date_source) == (when, date_source)


def test_a_condition_without_any_date_has_no_start() -> None:
    start = start_of(pain(), None, calendar())
    assert (start.when, start.date_source) == (None, DateSource.UNKNOWN)


# Decision 2.5.
def test_an_onset_in_the_future_is_passed_over() -> None:
    start = start_of(pain(onset=day(-2), recorded=day(400)), None, calendar())
    assert (str(start.when), start.date_source) == (day(400), DateSource.RECORDED)


def test_a_day_of_recording_in_the_future_is_passed_over() -> None:
    start = start_of(pain(recorded=day(-30)), visit(day(7)), calendar())
    assert (str(start.when), start.date_source) == (day(7), DateSource.ENCOUNTER)


def test_a_partial_date_ends_today_at_the_latest() -> None:
    start = start_of(pain(onset="2026-11"), None, calendar())
    assert start.when == Span(date(2026, 11, 1), TODAY)


# Decision 2.5.
def test_an_onset_that_may_be_new_or_old_gives_way_to_the_day_of_recording() -> None:
    start = start_of(pain(onset="2026", recorded=day(0)), None, calendar())
    assert (str(start.when), start.date_source, start.vague) == (day(0), DateSource.RECORDED, "2026")


def test_an_onset_that_is_vague_but_surely_old_is_used() -> None:
    start = start_of(pain(onset="2019", recorded=day(0)), None, calendar())
    assert (str(start.when), start.date_source, start.vague) == ("2019", DateSource.ONSET, "")


def test_a_vague_onset_early_in_the_year_is_new() -> None:
    january = datetime(2027, 1, 10, 12, tzinfo=UTC)
    start = start_of(pain(onset="2027"), None, calendar(now=january))
    assert (start.when, start.date_source) == (Span(date(2027, 1, 1), date(2027, 1, 10)), DateSource.ONSET)


@pytest.mark.parametrize("status", ["recurrence", "relapse"])
def test_a_condition_that_came_back_began_when_it_was_recorded_again(status: str) -> None:
    start = start_of(pain(onset=day(3000), recorded=day(4), clinical_status=status), None, calendar())
    assert (str(start.when), start.date_source) == (day(4), DateSource.RECORDED)


# --- The windows


# Decisions 2.1 and 11.3.
@pytest.mark.parametrize(("days_ago", "expected"), [(0, True), (84, True), (85, False)])
def test_both_ends_of_the_window_are_inside(days_ago: int, expected: bool) -> None:
    assert calendar().in_window(read_date(day(days_ago))) is expected


def test_a_month_whose_last_day_is_in_the_window_may_be_new() -> None:
    assert calendar().window_start == date(2026, 8, 30)
    assert calendar().in_window(read_date("2026-08"))
    assert not calendar().in_window(read_date("2026-07"))


def test_the_day_of_the_call_is_that_of_its_own_calendar() -> None:
    late = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    assert calendar(now=late).today == date(2026, 11, 22)
    assert calendar(now=late + timedelta(seconds=1)).today == date(2026, 11, 23)


def test_an_instant_with_a_far_zone_falls_on_its_utc_day() -> None:
    east = datetime(2026, 8, 30, 1, tzinfo=timezone(timedelta(hours=5)))
    assert not calendar().in_window(read_date(east.isoformat()))


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-11-17", "2026-11-17", "on 2026-11-17"),
        ("2026-09", "2026-09", "in 2026-09"),
        ("2023", "2023", "in 2023"),
        ("2014-03", "2014-05", "between 2014-03-01 and 2014-05-31"),
    ],
)
def test_a_sentence_says_when_that_was(first: str, last: str, words: str) -> None:
    span = Span.between(read_date(first), read_date(last))
    assert span is not None and span.in_words == words
