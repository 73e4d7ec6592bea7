"""Infection of the spine beside new back pain: what is an emergency, what is a line, and febrile neutropenia."""

from __future__ import annotations

import pytest

from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    ON_THE_LIST,
    Json,
    assessment,
    condition,
    day,
    decision,
    observation,
    only_card,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(5))
FEVER = "icd10cm R50.9"
MRI = "mri-whole-spine"


def at_visit(days_ago: int, code: str) -> Json:
    return condition(code, recorded=day(days_ago), **OF_A_VISIT)


def temperature(days_ago: int, value: float, unit: str) -> Json:
    return observation("loinc 8310-5", when=day(days_ago), valueQuantity={"value": value, "unit": unit})


def is_emergency(*resources: Json) -> bool:
    """Whether the MRI of the whole spine is proposed as an emergency, and nothing else."""
    found = assessment(CANCER, PAIN, *resources)
    assert found.critical is (found.studies == (MRI,))
    return found.critical


def text(*resources: Json) -> str:
    return str(only_card(decision(CANCER, PAIN, *resources))["detail"])


# Decision 3.7.
@pytest.mark.parametrize("code", [FEVER, "icd10 R50.9", "icd10 R50.8"])
@pytest.mark.parametrize(("days_ago", "expected"), [(0, True), (7, True), (8, False)])
def test_fever_is_an_emergency_for_seven_days(days_ago: int, code: str, expected: bool) -> None:
    assert is_emergency(at_visit(days_ago, code)) is expected


# Decision 3.16.
@pytest.mark.parametrize(("days_ago", "named"), [(30, True), (31, False)])
def test_a_neutropenia_of_a_visit_long_ago_says_nothing_of_a_fever_of_now(days_ago: int, named: bool) -> None:
    fever = at_visit(0, FEVER)
    assert ("Febrile neutropenia" in text(at_visit(days_ago, "icd10cm D70.1"), fever)) is named
    listed = condition("icd10cm D70.1", onset=day(days_ago), **ON_THE_LIST)
    assert "Febrile neutropenia" in text(listed, fever)


# Decision 3.7.
@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(38.0, "Cel", True), (37.9, "Cel", False), (100.4, "[degF]", True), (100.3, "[degF]", False), (101, "Cel", False)],
)
def test_a_measured_temperature_is_read_with_its_unit(value: float, unit: str, expected: bool) -> None:
    assert is_emergency(temperature(1, value, unit)) is expected


# Decision 3.7.
@pytest.mark.parametrize(("days_ago", "expected"), [(84, True), (85, False)])
def test_an_infection_of_the_spine_is_an_emergency_inside_the_window(days_ago: int, expected: bool) -> None:
    assert is_emergency(condition("icd10cm M46.46", onset=day(days_ago))) is expected


# Decision 3.7.
def test_an_infection_beside_a_sign_of_the_cord_is_said_with_it_and_staging_waits() -> None:
    both = at_visit(1, FEVER), at_visit(0, "icd10cm M21.371")
    assert is_emergency(*both)
    assert "blood cultures now" in text(*both)
    assert "MSCC coordinator now" in text(*both)


# Decision 3.7.
@pytest.mark.parametrize("code", ["icd10cm R50.2", "icd10 R50.2"])
def test_fever_from_a_drug_is_named_only(code: str) -> None:
    assert not is_emergency(at_visit(1, code))
    assert "Also recorded" in text(at_visit(1, code))


# Decision 3.15.
@pytest.mark.parametrize(
    "records",
    [
        (at_visit(1, FEVER), at_visit(1, "icd10cm N39.0")),
        (at_visit(30, FEVER),),
        (at_visit(90, "icd10cm A41.9"),),
        (at_visit(90, "icd10 A41.9"),),
        (at_visit(90, "icd10 A40.3"),),
        (at_visit(90, "icd10 I33.0"),),
        (study("Procedure", when=day(90), text="Lumbar epidural steroid injection"),),
    ],
)
def test_what_makes_an_infection_possible_is_a_line_and_changes_no_order(records: tuple[Json, ...]) -> None:
    found = assessment(CANCER, PAIN, *records)
    assert (found.indicator, found.studies) == ("warning", assessment(CANCER, PAIN).studies)
    assert "Spinal infection is possible" in text(*records)


# Decisions 3.15 and 11.1.
@pytest.mark.parametrize(
    "code",
    ["N39.0", "N10", "N30.0", "J06.9", "J11.1", "J18.9", "J20.9", "J22", "U07.1", "B34.9", "A08.4", "A09", "A09.0"],
)
def test_another_source_of_a_fever_counts_in_the_classification_of_the_who(code: str) -> None:
    assert not is_emergency(at_visit(1, "icd10 R50.9"), at_visit(1, f"icd10 {code}"))


# Decision 3.15.
@pytest.mark.parametrize("record", [at_visit(31, FEVER), at_visit(91, "icd10cm A41.9")])
def test_what_lies_longer_ago_is_not_spoken_of(record: Json) -> None:
    assert "infection" not in text(record)


# Decision 3.16.
@pytest.mark.parametrize("code", ["icd10cm D70.1", "icd10 D70"])
def test_febrile_neutropenia_is_the_first_thing_on_the_card(code: str) -> None:
    assert text(at_visit(1, FEVER), at_visit(1, code)).startswith("**Febrile neutropenia: antibiotics within the hour")
    assert "eutropenia" not in text(at_visit(1, code))
