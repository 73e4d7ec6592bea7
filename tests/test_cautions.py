"""Cautions together, and what the card says that was not checked."""

from __future__ import annotations

import pytest

from tests.builders import (
    CHIEF_COMPLAINT,
    Json,
    allergy,
    bundle,
    concept,
    condition,
    day,
    device,
    observation,
    patient,
)
from tests.cautioned import PREGNANT, YOUNG, card_beside, caution_section, egfr, not_checked, studies

PREGNANCY_STATUS, HCG, IS_NOT_PREGNANT = "loinc 82810-3", "loinc 2106-3", "snomed 60001007"


# Decision 4.1.
def test_no_combination_of_cautions_drops_the_mri() -> None:
    everything = [
        YOUNG,
        condition("icd10cm Z33.1", onset=day(5)),
        egfr(12),
        condition("icd10cm Z99.2"),
        allergy("snomed 293637006"),
        device("snomed 14106009"),
        condition(text="Tissue expander"),
        condition("icd10cm N17.9", onset=day(1)),
    ]
    assert studies(*everything) == PREGNANT
    assert caution_section(*everything).startswith("- MRI, CT and bone scan: Pregnant (")


# --- What was not checked


# Decision 6.3.
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("allergies", "contrast allergy"),
        ("procedures", "implants"),
        ("diagnosticReports", "earlier imaging"),
        ("serviceRequests", "earlier orders"),
        ("encounters", "visits"),
        ("observations", "laboratory"),
    ],
)
def test_a_part_of_the_chart_that_was_not_supplied_is_named(key: str, words: str) -> None:
    assert words in not_checked(without=[key])
    assert words not in not_checked()


def test_laboratory_that_was_not_supplied_is_not_called_free_of_an_egfr() -> None:
    assert "no egfr" not in not_checked(without=["observations"]).lower()


def test_a_missing_egfr_is_named_where_contrast_is_proposed() -> None:
    assert "no egfr in the last 90 days" in not_checked().lower()
    assert "egfr" not in not_checked(condition("icd10cm Z99.2")).lower()
    assert "egfr" not in not_checked(egfr(80)).lower()


# Decision 4.7.
@pytest.mark.parametrize(
    ("who", "named"),
    [
        (patient(birth="2008-11-22"), True),
        (patient(birth="1971-11-22"), True),
        (patient(birth="1970-11-23"), True),
        (patient(birth="1970-11-22"), False),
        (patient(birth="1992-05-04", gender="male"), False),
        (patient(birth="1992-05-04", gender="unknown"), True),
    ],
    ids=["18", "55", "55, the day before 56", "56", "man", "gender unknown"],
)
def test_pregnancy_is_named_for_whoever_may_be_pregnant(who: Json, named: bool) -> None:
    assert ("pregnancy" in not_checked(who).lower()) is named


@pytest.mark.parametrize(
    "known",
    [
        observation(PREGNANCY_STATUS, day(2), valueCodeableConcept=concept(IS_NOT_PREGNANT)),
        observation(HCG, day(2), valueString="negative"),
    ],
    ids=["not pregnant", "negative test"],
)
def test_pregnancy_that_was_just_excluded_is_not_named(known: Json) -> None:
    assert "pregnancy" not in not_checked(YOUNG, known).lower()


@pytest.mark.parametrize(
    "old",
    [
        observation(HCG, day(3600), valueString="negative"),
        observation(PREGNANCY_STATUS, day(3600), valueCodeableConcept=concept(IS_NOT_PREGNANT)),
        condition("icd10cm Z33.1", onset=day(3600), clinical="resolved"),
        condition("icd10cm Z33.1", onset=day(301)),
    ],
    ids=["negative test", "not pregnant", "pregnancy that ended", "pregnancy that nobody closed"],
)
def test_a_record_of_an_earlier_time_does_not_check_pregnancy_today(old: Json) -> None:
    assert "pregnancy" in not_checked(YOUNG, old).lower()


# Decision 6.3.
def test_entries_that_could_not_be_read_are_counted() -> None:
    odd = observation(CHIEF_COMPLAINT, day(1), valueString=7)
    assert "unreadable chart entries: 1" in not_checked(odd).lower()


def test_a_second_page_that_was_not_read_is_named() -> None:
    known = bundle(allergy(text="Penicillin"), next_page=True)
    assert "contrast allergy" in not_checked(replaced={"allergies": known})


# Decision 7.14.
def test_a_complete_chart_takes_no_line_for_what_was_not_checked() -> None:
    assert "Not checked" not in card_beside(egfr(80))["detail"]
