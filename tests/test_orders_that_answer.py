"""Which open orders and studies answer the pain, which are named, and which a newer sign outdates."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.studies import spine_mri_of
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    Json,
    assessment,
    condition,
    day,
    decision,
    only_card,
    reference,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
SINCE_5_DAYS = condition(LOW_BACK_PAIN, onset=day(5))
RECORDED_5_DAYS_AGO = condition(LOW_BACK_PAIN, recorded=day(5), **OF_A_VISIT)
SIGN_OF_TODAY = condition("icd10cm M21.371", recorded=day(0), **OF_A_VISIT)
LUMBAR, WHOLE = "loinc 24967-2", "loinc 30855-1"


def beside(*resources: Json, pain: Json = SINCE_5_DAYS, **arguments: Any) -> Assessment:
    return assessment(CANCER, pain, *resources, **arguments)


def text(*resources: Json) -> str:
    card = only_card(decision(CANCER, SINCE_5_DAYS, *resources))
    return f"{card['summary']}\n{card['detail']}"


def ordered(days_ago: int, code: str = LUMBAR, **elements: Any) -> Json:
    return study("ServiceRequest", code, status="active", when=day(days_ago), **elements)


def is_answered(*resources: Json, pain: Json = SINCE_5_DAYS) -> bool:
    """Whether no MRI of the spine is proposed."""
    return not spine_mri_of(beside(*resources, pain=pain).studies)


# Decisions 5.3 and 5.9.
@pytest.mark.parametrize(
    ("pain", "days_ago", "expected"),
    [
        (RECORDED_5_DAYS_AGO, 35, True),
        (RECORDED_5_DAYS_AGO, 36, False),
        (SINCE_5_DAYS, 12, True),
        (SINCE_5_DAYS, 13, False),
    ],
)
def test_an_order_answers_from_30_days_before_the_first_record_or_7_before_the_onset(
    pain: Json, days_ago: int, expected: bool
) -> None:
    found = beside(ordered(days_ago), pain=pain)
    assert (not spine_mri_of(found.studies)) is expected
    assert (not found.open_orders) is expected


# Decision 5.3.
@pytest.mark.parametrize(("due", "expected"), [(30, True), (31, False)])
def test_an_order_answers_where_it_is_due_within_30_days(due: int, expected: bool) -> None:
    assert is_answered(ordered(0, occurrenceDateTime=day(-due))) is expected


# Decision 5.3.
@pytest.mark.parametrize(("due", "expected"), [(1, True), (2, False)])
def test_in_an_emergency_an_order_answers_where_it_is_due_within_a_day(due: int, expected: bool) -> None:
    assert is_answered(SIGN_OF_TODAY, ordered(0, WHOLE, occurrenceDateTime=day(-due))) is expected


# Decision 5.3.
@pytest.mark.parametrize(
    ("timing", "answers"),
    [
        ({"event": [day(-10)]}, True),
        ({"event": [day(-60)]}, False),
        ({"repeat": {"boundsPeriod": {"start": day(-60)}}}, False),
    ],
    ids=["in time", "an event too late", "a period too late"],
)
def test_a_timing_says_when_an_order_is_due(timing: Json, answers: bool) -> None:
    assert is_answered(ordered(0, occurrenceTiming=timing)) is answers


# Decision 5.3.
def test_an_order_on_which_a_report_is_based_is_no_open_order() -> None:
    order = ordered(4)
    report = study("DiagnosticReport", LUMBAR, when=day(300), basedOn=[reference("ServiceRequest", order["id"])])
    assert not is_answered(order, report)


# Decision 5.9.
def test_an_order_that_does_not_answer_is_named() -> None:
    assert f"An MRI order of {day(40)} is open: bring it forward" in text(ordered(40))


# Decision 5.5.
def test_an_order_from_before_a_sign_is_critical_even_if_it_is_stat() -> None:
    found = beside(SIGN_OF_TODAY, ordered(4, WHOLE, priority="stat"))
    assert (found.indicator, spine_mri_of(found.studies)) == ("critical", "")
    said = text(SIGN_OF_TODAY, ordered(4, WHOLE))
    assert "Upgrade the spine MRI to stat." in said
    assert f"- Spine MRI is already ordered ({day(4)}), before Foot drop, right foot was recorded: upgrade" in said


# Decision 5.5.
def test_a_study_from_before_a_sign_is_proposed_again_and_both_are_named() -> None:
    done = study("DiagnosticReport", WHOLE, when=day(3))
    found = beside(SIGN_OF_TODAY, done)
    assert (found.indicator, spine_mri_of(found.studies)) == ("critical", "mri-whole-spine")
    assert f"The spine MRI of {day(3)} is older than" in text(SIGN_OF_TODAY, done)


# Decision 5.10.
@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("FDG PET/CT", ()),
        ("PET/CT skull base to thigh", ()),
        ("FES PET/CT", ()),
        ("NaF PET/CT", ("ct-chest-abdomen-pelvis",)),
        ("PSMA PET/CT", ("bone-scan-whole-body", "ct-chest-abdomen-pelvis")),
        ("Ga-68 DOTATATE PET/CT", ("bone-scan-whole-body", "ct-chest-abdomen-pelvis")),
    ],
)
def test_kinds_of_pet_are_told_apart_by_word(words: str, left: tuple[str, ...]) -> None:
    assert beside(study("DiagnosticReport", when=day(2), text=words)).studies[1:] == left


# Decision 5.10.
@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("PET/CT skull base to mid-thigh", ()),
        ("NaF PET/CT", ("ct-chest-abdomen-pelvis",)),
        ("PSMA PET/CT", ("bone-scan-whole-body", "ct-chest-abdomen-pelvis")),
        ("PET/CT with Ga-68 DOTATATE", ("bone-scan-whole-body", "ct-chest-abdomen-pelvis")),
    ],
)
def test_words_tell_the_tracer_of_a_pet_that_its_billing_code_leaves_open(words: str, left: tuple[str, ...]) -> None:
    assert beside(study("DiagnosticReport", "cpt 78815", when=day(2), text=words)).studies[1:] == left


# Decision 5.2.
@pytest.mark.parametrize(("days_apart", "whole"), [(30, True), (31, False)])
def test_two_parts_of_a_ct_are_the_whole_where_they_lie_close_together(days_apart: int, whole: bool) -> None:
    chest = study("DiagnosticReport", "loinc 24628-0", when=day(0))
    rest = study("DiagnosticReport", "loinc 36813-4", when=day(days_apart))
    assert ("ct-chest-abdomen-pelvis" not in beside(chest, rest).studies) is whole


# Decision 5.2.
def test_a_part_that_was_done_and_one_that_is_ordered_are_the_whole() -> None:
    chest = study("DiagnosticReport", "loinc 24628-0", when=day(2))
    rest = ordered(1, "loinc 36813-4")
    assert "ct-chest-abdomen-pelvis" not in beside(chest, rest).studies


# Decision 5.10.
@pytest.mark.parametrize(
    ("code", "words", "whole"),
    [
        ("", "NM bone scan", True),
        ("", "NM bone scan 3-phase foot", False),
        ("", "NM bone scan limited", False),
        ("cpt 78306", "Bone scan", True),
        ("cpt 78306", "Bone scan 3 phase left foot", False),
        ("", "DEXA bone density", False),
    ],
)
def test_a_bone_scan_of_a_part_is_no_whole_body_scan(code: str, words: str, whole: bool) -> None:
    done = study("DiagnosticReport", *filter(None, [code]), when=day(2), text=words)
    assert ("bone-scan-whole-body" not in beside(done).studies) is whole


# Decision 7.1.
def test_sacral_pain_takes_lumbar_spine_and_sacrum() -> None:
    sacral = condition("icd10cm M53.3", recorded=day(3), **OF_A_VISIT)
    assert spine_mri_of(assessment(CANCER, sacral).studies) == "mri-lumbar-spine-and-sacrum"


# Decision 7.1.
def test_a_site_may_have_the_whole_spine_in_every_case() -> None:
    found = beside(options=RuleOptions(mri_extent="whole-spine"))
    assert (found.indicator, spine_mri_of(found.studies)) == ("warning", "mri-whole-spine")
