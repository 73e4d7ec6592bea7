"""At a moment of a replay nothing is seen that was recorded later, whatever it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    PATIENT_ID,
    Json,
    allergy,
    concept,
    condition,
    day,
    device,
    encounter,
    observation,
    patient,
    reference,
    study,
)
from tests.replays import Found, replayed

# The visits at which the question is asked, in days before the end of the data, and a day between them.
BEFORE, BETWEEN, AFTER = 8, 5, 2

LUMBAR_MRI = "loinc 24967-2"
EGFR = "loinc 98979-8"


def at(days_ago: int, hour: int = 9) -> str:
    return f"{day(days_ago)}T{hour:02}:00:00Z"


def visit(days_ago: int, **elements: Any) -> Json:
    start = at(days_ago)
    return encounter(**{"period": {"start": start, "end": start}, **elements})


CANCER = condition(BREAST_CANCER, recorded=day(2000))
PAIN = condition(LOW_BACK_PAIN, onset=day(20), recorded=day(18))
VISITS = (visit(BEFORE), visit(AFTER), visit(0))


def seen(tmp_path: Path, *resources: Json, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of the visit before and of the one after, of a patient with these records and both visits."""
    found = replayed(tmp_path, patient(), *VISITS, *resources, moments="visits", **options)
    before, after = (row for row in found.rows if row["moment"] == "visit" and row["at"].day != 22)
    return dict(before), dict(after)


def outcomes(tmp_path: Path, *resources: Json, **options: Any) -> tuple[str, str]:
    before, after = seen(tmp_path, *resources, **options)
    return before["outcome"], after["outcome"]


def test_a_chart_that_was_complete_before_both_visits_has_a_card_at_both(tmp_path: Path) -> None:
    assert outcomes(tmp_path, CANCER, PAIN) == ("fired", "fired")


def test_a_cancer_recorded_after_the_moment_is_not_seen(tmp_path: Path) -> None:
    late = condition(BREAST_CANCER, onset=day(2000), recorded=at(BETWEEN))
    assert outcomes(tmp_path, late, PAIN) == ("not-applicable", "fired")


def test_a_pain_recorded_after_the_moment_is_not_seen_though_it_began_before(tmp_path: Path) -> None:
    late = condition(LOW_BACK_PAIN, onset=day(20), recorded=at(BETWEEN))
    assert outcomes(tmp_path, CANCER, late) == ("not-applicable", "fired")


@pytest.mark.parametrize("element", ["assertedDate", "dateRecorded"])
def test_older_names_of_the_day_of_recording_count_too(tmp_path: Path, element: str) -> None:
    late = condition(LOW_BACK_PAIN, onset=day(20), **{element: at(BETWEEN)})
    assert outcomes(tmp_path, CANCER, late) == ("not-applicable", "fired")


def test_a_diagnosis_without_a_date_is_seen_from_its_visit_on(tmp_path: Path) -> None:
    between = visit(BETWEEN)
    late = condition(LOW_BACK_PAIN, encounter=reference("Encounter", between["id"]))
    found = replayed(tmp_path, patient(), *VISITS, between, CANCER, late, moments="visits")
    assert [row["outcome"] for row in found.rows if row["moment"] == "visit"][:1] == ["not-applicable"]
    assert found.rows[-1]["outcome"] == "fired"


def test_the_last_change_dates_an_entry_only_where_nothing_else_does(tmp_path: Path) -> None:
    changed: Json = {"meta": {"lastUpdated": at(BETWEEN)}}
    assert outcomes(tmp_path / "with", CANCER, PAIN | changed) == ("fired", "fired")
    bare = condition(LOW_BACK_PAIN) | changed
    assert outcomes(tmp_path / "without", CANCER, bare) == ("not-applicable", "fired")


def test_an_entry_that_nothing_dates_is_seen_at_the_end_of_the_data_only(tmp_path: Path) -> None:
    found = replayed(tmp_path, patient(), *VISITS, CANCER, condition(LOW_BACK_PAIN), moments="visits")
    assert [row["outcome"] for row in found.rows] == ["not-applicable"] * 3 + ["fired"]
    assert found.summary["knowledge"]["known_by"]["Condition"] == {"nothing": 1, "recorded": 1}


def test_a_date_without_a_time_counts_from_the_end_of_its_day_on(tmp_path: Path) -> None:
    same_day = condition(LOW_BACK_PAIN, onset=day(20), recorded=day(BEFORE))
    assert outcomes(tmp_path, CANCER, same_day) == ("not-applicable", "fired")


def test_an_order_written_after_the_moment_is_not_seen(tmp_path: Path) -> None:
    order = study("ServiceRequest", LUMBAR_MRI, when=at(BETWEEN), status="active")
    before, after = seen(tmp_path, CANCER, PAIN, order)
    assert "mri-lumbar-spine" in before["orders"] and not before["covered"]
    assert "mri-lumbar-spine" in after["covered"]


def test_a_report_issued_after_the_moment_is_not_seen_though_it_tells_of_a_day_before(tmp_path: Path) -> None:
    report = study("DiagnosticReport", LUMBAR_MRI, when=at(BEFORE + 1), issued=at(BETWEEN))
    before, after = seen(tmp_path, CANCER, PAIN, report)
    assert "mri-lumbar-spine" in before["orders"]
    assert "mri-lumbar-spine" in after["covered"]


@pytest.mark.parametrize("kind", ["Procedure", "ImagingStudy"])
def test_a_study_done_after_the_moment_is_not_seen(tmp_path: Path, kind: str) -> None:
    done = study(kind, LUMBAR_MRI, when=at(BETWEEN))
    before, after = seen(tmp_path, CANCER, PAIN, done)
    assert "mri-lumbar-spine" in before["orders"]
    assert "mri-lumbar-spine" in after["covered"]


def test_a_result_issued_after_the_moment_is_not_seen(tmp_path: Path) -> None:
    low = {"value": 20, "unit": "mL/min/{1.73_m2}"}
    result = observation(EGFR, at(BEFORE + 1), valueQuantity=low, issued=at(BETWEEN))
    before, after = seen(tmp_path, CANCER, PAIN, result)
    assert (before["cautions"], after["cautions"]) == ([], ["egfr-below-30"])


def test_an_allergy_recorded_after_the_moment_is_not_seen(tmp_path: Path) -> None:
    late = allergy(text="Gadolinium contrast", recordedDate=at(BETWEEN))
    before, after = seen(tmp_path, CANCER, PAIN, late)
    assert not before["cautions"] and after["cautions"]


def test_a_device_last_changed_after_the_moment_is_not_seen(tmp_path: Path) -> None:
    late = device(text="Cardiac pacemaker", meta={"lastUpdated": at(BETWEEN)})
    before, after = seen(tmp_path, CANCER, PAIN, late)
    assert not before["cautions"] and after["cautions"]


def test_a_visit_after_the_moment_is_not_seen(tmp_path: Path) -> None:
    late = visit(BETWEEN, reasonCode=[concept(LOW_BACK_PAIN)])
    found = replayed(tmp_path, patient(), *VISITS, late, CANCER, moments="visits")
    assert [row["outcome"] for row in found.rows][:2] == ["not-applicable", "fired"]


def test_a_diagnosis_of_a_visit_is_seen_once_the_visit_is_over(tmp_path: Path) -> None:
    # Named by the visit alone: the entry itself has no date.
    late = condition(LOW_BACK_PAIN, meta={"lastUpdated": at(BETWEEN, 17)})
    named = {"diagnosis": [{"condition": reference("Condition", late["id"])}]}
    around = visit(BETWEEN, period={"start": at(BETWEEN), "end": at(BETWEEN, 17)}, **named)
    found = replayed(tmp_path, patient(), *VISITS, around, late, CANCER, moments="visits")
    assert [row["outcome"] for row in found.rows] == ["not-applicable", "not-applicable", "fired", "fired", "fired"]


def test_an_answer_given_after_the_moment_is_not_known_then(tmp_path: Path) -> None:
    before, after = seen(tmp_path, CANCER, PAIN, answers="ignore")
    assert (before["outcome"], before["answered"]) == ("fired", "")
    assert (after["outcome"], after["reason"]) == ("suppressed", "answered-earlier")


def test_orders_taken_from_a_card_stand_in_the_chart_from_then_on(tmp_path: Path) -> None:
    before, after = seen(tmp_path, CANCER, PAIN, answers="accept")
    assert before["outcome"] == "fired"
    assert (after["outcome"], after["reason"]) == ("suppressed", "already-imaged-or-ordered")


def test_without_an_answer_the_card_comes_back_and_counts_as_repeated(tmp_path: Path) -> None:
    before, after = seen(tmp_path, CANCER, PAIN)
    assert (before["repeated"], after["repeated"]) == (False, True)


# --- Statuses that changed later


def test_a_pain_that_ended_after_the_moment_was_there_at_the_moment(tmp_path: Path) -> None:
    over = condition(
        LOW_BACK_PAIN, onset=day(20), recorded=day(18), clinical="resolved", abatementDateTime=day(BETWEEN)
    )
    assert outcomes(tmp_path, CANCER, over) == ("fired", "not-applicable")


def test_an_order_that_a_later_report_answers_was_open_at_the_moment(tmp_path: Path) -> None:
    order = study("ServiceRequest", LUMBAR_MRI, when=at(15), status="completed")
    based = [reference("ServiceRequest", order["id"])]
    report = study("DiagnosticReport", "loinc 75490-3", when=at(BETWEEN), basedOn=based)
    found = replayed(tmp_path, patient(), *VISITS, CANCER, PAIN, order, report, moments="visits")
    assert "ServiceRequest.status" not in found.summary["knowledge"]["could_not_be_told"]
    assert found.rows[0]["covered"] == ["mri-lumbar-spine"]


def test_a_patient_who_died_after_the_moment_was_alive_at_the_moment(tmp_path: Path) -> None:
    found = replayed(
        tmp_path, patient(deceasedDateTime=at(BETWEEN)), visit(BEFORE), visit(AFTER), CANCER, PAIN, moments="visits"
    )
    assert [row["reason"] for row in found.rows] == ["imaging-advised", "patient-deceased", "patient-deceased"]


def test_a_patient_who_died_on_an_unknown_day_lived_at_the_visits(tmp_path: Path) -> None:
    found = replayed(
        tmp_path, patient(deceasedBoolean=True), visit(BEFORE), visit(AFTER), CANCER, PAIN, moments="visits"
    )
    assert [row["reason"] for row in found.rows] == ["imaging-advised", "patient-deceased", "patient-deceased"]
    assert found.summary["knowledge"]["could_not_be_told"] == {"Patient.deceased": 1}


def test_a_status_that_nothing_dates_is_left_and_named(tmp_path: Path) -> None:
    refuted = condition(LOW_BACK_PAIN, onset=day(20), recorded=day(18), verification="refuted")
    found = replayed(tmp_path, patient(), *VISITS, CANCER, refuted, moments="visits")
    assert {row["outcome"] for row in found.rows} == {"not-applicable"}
    assert found.summary["knowledge"]["could_not_be_told"] == {"Condition.verificationStatus": 1}


def test_of_several_versions_the_one_of_the_moment_is_seen(tmp_path: Path) -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(20), recorded=day(18))
    versions = [
        pain | {"meta": {"versionId": "1", "lastUpdated": at(18)}},
        pain
        | condition(LOW_BACK_PAIN, onset=day(20), recorded=day(18), verification="refuted")
        | {"id": pain["id"], "meta": {"versionId": "2", "lastUpdated": at(BETWEEN)}},
    ]
    assert outcomes(tmp_path, CANCER, *versions) == ("fired", "not-applicable")


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_two_versions_of_one_moment_the_higher_number_is_the_newer(tmp_path: Path, newest_first: bool) -> None:
    refuted = condition(LOW_BACK_PAIN, onset=day(20), recorded=day(18), verification="refuted")
    versions = [
        PAIN | {"meta": {"versionId": "9", "lastUpdated": at(18)}},
        refuted | {"id": PAIN["id"], "meta": {"versionId": "10", "lastUpdated": at(18)}},
    ]
    told = outcomes(tmp_path, CANCER, *(reversed(versions) if newest_first else versions))
    assert told == ("not-applicable", "not-applicable")


def rows_of(found: Found) -> list[str]:
    return [row["outcome"] for row in found.of(PATIENT_ID)]


def test_at_the_end_of_a_period_that_ends_before_the_data_later_entries_are_not_seen(tmp_path: Path) -> None:
    late = condition(LOW_BACK_PAIN, onset=day(20), recorded=at(BETWEEN))
    until = (NOW - timedelta(days=BEFORE)).date()
    early = replayed(tmp_path / "early", patient(), *VISITS, CANCER, late, until=until)
    assert rows_of(early) == ["not-applicable"]
    assert rows_of(replayed(tmp_path / "late", patient(), *VISITS, CANCER, late)) == ["fired"]
