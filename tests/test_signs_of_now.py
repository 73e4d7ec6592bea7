"""Signs of now, signs that are asked for, signs that were known, and signs that a neuropathy explains."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.red_flags import RedFlags
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, OF_A_VISIT, ON_THE_LIST, Json, assessment, condition, day

CANCER = condition(BREAST_CANCER, onset=day(3000))
FOOT_DROP = "icd10cm M21.371"
INCONTINENCE = "icd10cm R32"
TINGLING, UNSTEADY = "icd10cm R20.2", "icd10cm R26.89"


def flags(pain_days: int, *resources: Json) -> RedFlags:
    """The red flags of a patient with breast cancer, low back pain for so many days, and these resources."""
    return assessment(CANCER, condition(LOW_BACK_PAIN, onset=day(pain_days)), *resources).flags


def at_visit(days_ago: int, code: str, **elements: Any) -> Json:
    return condition(code, recorded=day(days_ago), **OF_A_VISIT, **elements)


# Decisions 3.1 and 3.12.
@pytest.mark.parametrize(
    ("days_ago", "critical", "asked"), [(0, True, False), (14, True, False), (15, False, True), (41, False, False)]
)
def test_a_sign_of_a_visit_is_of_now_for_14_days_and_then_asked_for_since_the_pain_began(
    days_ago: int, critical: bool, asked: bool
) -> None:
    found = flags(40, at_visit(days_ago, FOOT_DROP))
    assert (found.critical, bool(found.asked), found.whole_spine) == (critical, asked, critical or asked)


# Decision 3.1.
@pytest.mark.parametrize(("days_ago", "critical"), [(40, True), (54, True), (55, False)])
def test_a_lasting_sign_counts_from_14_days_before_the_pain(days_ago: int, critical: bool) -> None:
    assert flags(40, condition(FOOT_DROP, onset=day(days_ago), **ON_THE_LIST)).critical is critical


# Decision 3.13.
def test_a_sign_that_was_known_before_the_window_is_named() -> None:
    found = flags(5, at_visit(2000, INCONTINENCE), at_visit(0, INCONTINENCE))
    assert not found.critical
    assert len(found.known) == 1


# Decision 3.13.
@pytest.mark.parametrize("now", [at_visit(0, INCONTINENCE, text="Incontinence, worse"), at_visit(0, FOOT_DROP)])
def test_a_known_sign_that_became_worse_or_another_kind_of_sign_is_an_emergency(now: Json) -> None:
    known = condition("icd10cm N39.41", text="Urge incontinence", recorded=day(2000), **OF_A_VISIT)
    assert flags(5, known, at_visit(2000, INCONTINENCE), now).critical


RETENTION, FECAL_INCONTINENCE = "icd10cm R33.9", "icd10cm R15.9"


# Decision 3.13.
@pytest.mark.parametrize(
    ("known", "now", "critical"),
    [
        (INCONTINENCE, RETENTION, True),
        (INCONTINENCE, FECAL_INCONTINENCE, True),
        (INCONTINENCE, "icd10cm N39.42", False),
        ("icd10cm N31.9", RETENTION, False),
        (FOOT_DROP, "icd10cm M21.372", True),
        (FOOT_DROP, FOOT_DROP, False),
        ("icd10cm R29.2", FOOT_DROP, True),
        ("snomed 26544005", "icd10cm G83.10", True),
        ("icd10cm G83.10", "snomed 26544005", False),
        ("icd10cm R53.1", "snomed 26544005", True),
        ("icd10cm R39.14", RETENTION, True),
    ],
)
def test_what_was_known_of_one_function_or_side_or_was_unclear_makes_no_clear_sign_of_another_known(
    known: str, now: str, critical: bool
) -> None:
    assert flags(5, at_visit(2000, known), at_visit(0, now)).critical is critical


# Decision 3.13.
def test_retention_in_words_is_new_beside_a_known_incontinence() -> None:
    now = condition(text="Cannot urinate since last night", recorded=day(0), **OF_A_VISIT)
    assert flags(5, at_visit(2000, INCONTINENCE), now).critical


# Decision 3.3.
@pytest.mark.parametrize(
    ("also", "critical"),
    [
        ((), True),
        (("icd10cm G62.0",), False),
        (("icd10cm E11.42",), False),
        (("icd10cm E08.42",), False),
        (("icd10cm E09.40",), False),
        (("icd10cm E10.41",), False),
        (("icd10cm E13.49",), False),
        (("icd10cm G63",), False),
        (("icd10 G62.9",), False),
        (("icd10 E10.4",), False),
        (("icd10 E14.4",), False),
        (("icd10 G63.2",), False),
        (("icd10cm G56.21",), True),
        (("icd10cm G62.0", FOOT_DROP), True),
    ],
)
def test_a_neuropathy_explains_numbness_with_unsteadiness_and_no_clear_sign(
    also: tuple[str, ...], critical: bool
) -> None:
    assert flags(5, *(at_visit(1, code) for code in (TINGLING, UNSTEADY, *also))).critical is critical


# Decision 3.3.
@pytest.mark.parametrize(
    ("words", "critical"),
    [
        ("CIPN", False),
        ("Chemotherapy-induced peripheral neuropathy, grade 2", False),
        ("Peripheral neuropathy", False),
        ("Neuropathy", False),
        ("Median neuropathy at the wrist", True),
        ("Possible neuropathy", True),
        ("Diabetic neuropathy", False),
        ("Polyneuropathy", False),
        ("Ulnar neuropathy at elbow", True),
        ("Optic neuropathy", True),
        ("No peripheral neuropathy", True),
        ("Rule out CIPN", True),
        ("Mother has diabetic neuropathy", True),
    ],
)
def test_a_neuropathy_in_words_explains_what_a_coded_one_does(words: str, critical: bool) -> None:
    signs = [at_visit(1, code) for code in (TINGLING, UNSTEADY)]
    assert flags(5, *signs, condition(text=words, onset=day(200), **ON_THE_LIST)).critical is critical


# Decision 3.13.
@pytest.mark.parametrize("days_ago", [60, 100, 2000, None])
def test_a_lasting_sign_from_well_before_the_pain_is_named_and_is_no_emergency(days_ago: int | None) -> None:
    sign = condition(FOOT_DROP, onset=None if days_ago is None else day(days_ago), **ON_THE_LIST)
    found = flags(10, sign)
    assert [item.label for item in found.known] == [item.label for item in flags(10, at_visit(0, FOOT_DROP)).cord]
    assert not found.critical


# Decisions 3.3 and 11.4.
def test_a_neuropathy_in_the_words_of_a_coded_sign_explains_the_signs() -> None:
    assert not flags(5, at_visit(1, TINGLING, text="Tingling of both feet, CIPN"), at_visit(1, UNSTEADY)).critical
