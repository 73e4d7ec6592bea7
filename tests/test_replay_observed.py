"""For how long patients count as observed, and what odd dates of recording do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, Json, condition, day, encounter, patient, study
from tests.replays import Found, replayed

LUMBAR_MRI = "loinc 24967-2"


def visit(days_ago: int, **elements: Any) -> Json:
    start = f"{day(days_ago)}T10:00:00Z"
    return encounter(period={"start": start, "end": start}, **elements)


def days_of(tmp_path: Path, *resources: Json) -> int:
    """The days for which the patient with these resources was observed, in data that end today with another's visit."""
    last = [patient() | {"id": "last"}, visit(0) | {"id": "visit-last", "subject": {"reference": "Patient/last"}}]
    found = replayed(tmp_path, *resources, *last, moments="visits")
    years: float = found.summary["patients"]["years_observed"]
    return round(years * 365.25) - 1


def test_a_procedure_of_long_ago_does_not_begin_the_observation(tmp_path: Path) -> None:
    old = study("Procedure", LUMBAR_MRI, when="1985-03-01")
    assert days_of(tmp_path / "with", patient(), old, visit(15)) == 16
    assert days_of(tmp_path / "alone", patient(), old) == 0


def test_the_first_own_date_of_recording_begins_the_observation_too(tmp_path: Path) -> None:
    recorded = condition(BREAST_CANCER, onset="1985-03-01", recorded=f"{day(40)}T10:00:00Z")
    assert days_of(tmp_path, patient(), recorded, visit(15)) == 41


def test_a_visit_that_did_not_take_place_does_not_begin_the_observation(tmp_path: Path) -> None:
    assert days_of(tmp_path, patient(), visit(30, status="cancelled"), visit(15)) == 16


@pytest.mark.parametrize("dead", [{"deceasedDateTime": f"{day(10)}T10:00:00Z"}, {"deceasedBoolean": True}])
def test_nobody_is_observed_after_death_or_the_last_visit_before_an_undated_one(
    tmp_path: Path, dead: dict[str, Any]
) -> None:
    assert days_of(tmp_path, patient(**dead), visit(15), visit(10)) == 6


def with_pain(tmp_path: Path, **options: Any) -> Found:
    cancer = condition(BREAST_CANCER, recorded=day(900))
    pain = condition(LOW_BACK_PAIN, onset=day(8), **options)
    return replayed(tmp_path, patient(), cancer, pain, visit(5), visit(0), moments="visits")


@pytest.mark.parametrize("written", [day(0)[:4], day(0)[:7]])
def test_an_entry_recorded_in_a_month_or_year_that_is_not_over_is_seen_at_the_end(tmp_path: Path, written: str) -> None:
    found = with_pain(tmp_path, recorded=written)
    assert [row["outcome"] for row in found.rows] == ["not-applicable", "not-applicable", "fired"]
    assert found.summary["knowledge"]["recorded_imprecisely"] == {"Condition": 1}
    assert found.summary["knowledge"]["recorded_after_end"] == {}


def test_an_entry_recorded_after_the_end_of_the_data_is_dated_by_what_comes_next(tmp_path: Path) -> None:
    found = with_pain(tmp_path, recorded="2062-11-20", meta={"lastUpdated": f"{day(3)}T10:00:00Z"})
    assert [row["outcome"] for row in found.rows] == ["not-applicable", "fired", "fired"]
    assert found.summary["knowledge"]["recorded_after_end"] == {"Condition": 1}
    assert found.summary["knowledge"]["known_by"]["Condition"] == {"recorded": 1, "updated": 1}
    report = (found.folder / "report.html").read_text()
    assert "Condition: after the end of the data; another date took its place" in report


def test_an_entry_of_the_last_day_in_a_time_zone_where_it_lasts_longer_is_no_slip_of_the_pen(tmp_path: Path) -> None:
    found = with_pain(tmp_path, recorded=f"{day(0)}T23:00:00-05:00")
    assert [row["outcome"] for row in found.rows] == ["not-applicable", "not-applicable", "fired"]
    assert found.summary["knowledge"]["recorded_after_end"] == {}
