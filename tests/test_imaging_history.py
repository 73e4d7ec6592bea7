"""Which earlier studies and orders answer new back pain, so that they are not proposed again."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.assessment import Outcome, State
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import (
    BACK_PAIN,
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    NECK_PAIN,
    SYMPTOM,
    THORACIC_PAIN,
    Json,
    allergy,
    assessed,
    bundle,
    concept,
    condition,
    created,
    day,
    decision,
    observation,
    only_card,
    reference,
    section,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
MRI, BONE_SCAN, CT = "mri-lumbar-spine", "bone-scan-whole-body", "ct-chest-abdomen-pelvis"
STANDARD = (MRI, BONE_SCAN, CT)
STAGING = (BONE_SCAN, CT)

LUMBAR, LUMBAR_PLAIN, CERVICAL, THORACIC, WHOLE = (
    "loinc 24967-2",
    "loinc 30679-5",
    "loinc 24937-5",
    "loinc 24981-3",
    "loinc 30855-1",
)
BONE_SCAN_CODE, CT_CODE = "loinc 39818-0", "loinc 72254-6"
CT_CHEST, CT_ABDOMEN_PELVIS, CT_CHEST_ABDOMEN = "loinc 24628-0", "loinc 36813-4", "loinc 42275-8"
FDG_PET_CT, FLUORIDE_PET_CT = "loinc 81555-5", "loinc 81552-2"
LEG_WEAKNESS = "snomed 309774006"


def beside(*resources: Json, pain: Json = PAIN, **arguments: Any) -> Assessment:
    """The assessment of a patient with breast cancer, low back pain of 10 days and these resources."""
    return assessed(CANCER, pain, *resources, **arguments)


def studies(*resources: Json, pain: Json = PAIN) -> tuple[str, ...]:
    return beside(*resources, pain=pain).studies


def report(code: str, days: int, **elements: Any) -> Json:
    return study("DiagnosticReport", code, when=day(days), **elements)


def ordered(code: str, days: int = 2, status: str = "active", **elements: Any) -> Json:
    return study("ServiceRequest", code, when=day(days), status=status, **elements)


# --- Since when


# Decision 5.1.
@pytest.mark.parametrize(("days", "wanted"), [(0, STAGING), (10, STAGING), (11, STANDARD), (365, STANDARD)])
def test_an_mri_answers_the_pain_from_the_day_of_its_onset(days: int, wanted: tuple[str, ...]) -> None:
    assert studies(report(LUMBAR, days)) == wanted


@pytest.mark.parametrize(("days", "wanted"), [(10, (MRI, CT)), (11, STANDARD)])
def test_a_bone_scan_answers_the_pain_from_the_day_of_its_onset(days: int, wanted: tuple[str, ...]) -> None:
    assert studies(report(BONE_SCAN_CODE, days)) == wanted


# Decision 5.1.
@pytest.mark.parametrize(("days", "wanted"), [(40, (MRI, BONE_SCAN)), (41, STANDARD)])
def test_a_ct_answers_it_from_30_days_before_the_onset(days: int, wanted: tuple[str, ...]) -> None:
    assert studies(report(CT_CODE, days)) == wanted


# Decision 5.1.
@pytest.mark.parametrize(("days", "wanted"), [(30, STAGING), (31, STANDARD)])
def test_for_undated_pain_an_mri_of_the_last_30_days_counts(days: int, wanted: tuple[str, ...]) -> None:
    assert studies(report(LUMBAR, days), pain=condition(LOW_BACK_PAIN)) == wanted


def test_a_report_dated_in_the_future_answers_nothing() -> None:
    assert studies(report(LUMBAR, -5)) == STANDARD


def test_a_report_without_a_date_answers_nothing() -> None:
    assert studies(study("DiagnosticReport", LUMBAR)) == STANDARD


def test_an_mri_from_before_long_standing_pain_became_worse_does_not_answer_it() -> None:
    old_pain = condition(LOW_BACK_PAIN, onset=day(1100))
    worse = observation(CHIEF_COMPLAINT, day(2), valueString="low back pain, worse since Monday")
    found = beside(worse, report(LUMBAR, 700), report(BONE_SCAN_CODE, 700), report(CT_CODE, 700), pain=old_pain)
    assert found.studies == STANDARD


# --- An emergency sign newer than the study


# Decision 5.5.
def test_an_mri_from_before_an_emergency_sign_does_not_answer_the_sign() -> None:
    sign = condition(LEG_WEAKNESS, onset=day(2))
    assert beside(sign, report(WHOLE, 5)).studies[0] == "mri-whole-spine"
    assert "mri-whole-spine" not in beside(sign, report(WHOLE, 1)).studies


def test_an_mri_from_before_an_undated_sign_of_the_current_visit_does_not_answer_it() -> None:
    visit = reference("Encounter", "visit-today")
    sign = observation(SYMPTOM, valueCodeableConcept=concept(LEG_WEAKNESS), encounter=visit)
    found = beside(sign, report(WHOLE, 5), encounter_id="visit-today")
    assert (found.critical, found.studies[0]) == (True, "mri-whole-spine")


# Decision 5.5.
def test_a_regional_mri_does_not_answer_an_emergency_sign() -> None:
    assert beside(condition(LEG_WEAKNESS, onset=day(2)), report(LUMBAR, 1)).studies[0] == "mri-whole-spine"


# Decision 5.5.
def test_an_order_from_before_an_emergency_sign_is_to_be_made_an_emergency() -> None:
    card = only_card(decision(CANCER, PAIN, condition(LEG_WEAKNESS, onset=day(1)), ordered(WHOLE, 4)))
    assert card["summary"].startswith("EMERGENCY")
    assert "Upgrade the spine MRI to stat." in card["summary"]
    assert "upgrade to emergency, within 24 hours. Do not wait for laboratory results." in section(card, "Now")


@pytest.mark.parametrize(
    ("urgent", "silent"), [(WHOLE, True), (CT_CODE, False)], ids=["the MRI itself", "another study"]
)
def test_only_a_stat_order_of_the_mri_itself_settles_an_emergency(urgent: str, silent: bool) -> None:
    orders = [
        ordered(code, 1, priority="stat" if code == urgent else "routine") for code in (WHOLE, BONE_SCAN_CODE, CT_CODE)
    ]
    found = beside(condition(LEG_WEAKNESS, onset=day(1)), *orders)
    assert (found.outcome is Outcome.SUPPRESSED) is silent


def test_staging_of_years_ago_does_not_count_for_chronic_pain_with_a_new_sign() -> None:
    chronic = condition("snomed 134407002", onset=day(2200))
    sign = condition(LEG_WEAKNESS, onset=day(2))
    found = beside(sign, report(BONE_SCAN_CODE, 1500), report(CT_CODE, 1500), pain=chronic)
    assert found.studies == ("mri-whole-spine", *STAGING)


def test_an_imaged_emergency_says_to_assess_now() -> None:
    card = only_card(decision(CANCER, PAIN, condition(LEG_WEAKNESS, onset=day(2)), report(WHOLE, 1)))
    assert card["indicator"] == "warning"
    assert card["summary"].startswith("EMERGENCY") and "Assess now" in card["summary"]


# --- Orders


# Decision 5.3.
def test_an_active_order_is_not_offered_again() -> None:
    found = beside(ordered(LUMBAR))
    assert found.studies == STAGING
    assert [(item.slug, item.state) for item in found.covered] == [(MRI, State.ORDERED)]


@pytest.mark.parametrize(
    ("priority", "summary", "detail"),
    [
        ("routine", "Make the spine MRI stat.", "make it an emergency, within 24 hours."),
        ("stat", "Spine MRI is ordered stat.", "as an emergency and is not offered again."),
    ],
)
def test_an_emergency_says_whether_its_mri_still_has_to_be_made_stat(priority: str, summary: str, detail: str) -> None:
    sign = condition("icd10cm G95.20", onset=day(1))
    card = only_card(decision(CANCER, PAIN, sign, ordered(WHOLE, 1, priority=priority)))
    assert card["summary"].endswith(summary)
    assert f"{detail} Do not wait for laboratory results." in section(card, "Now")


# Decision 5.3.
@pytest.mark.parametrize("status", ["revoked", "on-hold", "draft", "entered-in-error", "unknown"])
def test_an_order_that_is_not_active_is_no_order(status: str) -> None:
    assert studies(ordered(LUMBAR, status=status)) == STANDARD


def test_an_order_not_to_perform_a_study_is_no_order() -> None:
    assert studies(ordered(LUMBAR, doNotPerform=True)) == STANDARD


def test_an_active_order_that_is_due_in_the_future_counts() -> None:
    assert studies(ordered(LUMBAR, occurrenceDateTime=day(-14))) == STAGING


# Decision 5.3.
def test_an_order_still_open_after_a_year_is_forgotten() -> None:
    card = only_card(decision(CANCER, PAIN, ordered(LUMBAR, 366)))
    assert "is open" not in card["detail"]


def test_a_completed_order_counts_as_done() -> None:
    found = beside(ordered(LUMBAR, 3, status="completed"))
    assert [(item.slug, item.state) for item in found.covered] == [(MRI, State.DONE)]


def test_when_everything_is_done_or_ordered_there_is_no_card() -> None:
    found = beside(report(LUMBAR, 3), ordered(BONE_SCAN_CODE), ordered(CT_CODE))
    assert (found.outcome, found.reason) == (Outcome.SUPPRESSED, Reason.ALREADY_IMAGED)


# --- Statuses and kinds of record


# Decision 5.2.
@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("final", True),
        ("amended", True),
        ("corrected", True),
        ("appended", True),
        ("preliminary", True),
        ("registered", True),
        ("partial", True),
        ("cancelled", False),
        ("entered-in-error", False),
        ("unknown", False),
    ],
)
def test_a_report_counts_once_the_study_is_under_way(status: str, counts: bool) -> None:
    assert studies(report(LUMBAR, 3, status=status)) == (STAGING if counts else STANDARD)


@pytest.mark.parametrize(
    ("made", "counts"),
    [
        (study("ImagingStudy", LUMBAR, when=day(3)), True),
        (study("ImagingStudy", when=day(3), description="MRI lumbar spine WO+W"), True),
        (study("ImagingStudy", LUMBAR, when=day(3), status="cancelled"), False),
        (study("Procedure", LUMBAR, when=day(3)), True),
        (study("Procedure", "cpt 72158", when=day(3)), True),
        (study("Procedure", LUMBAR, when=day(3), status="not-done"), False),
        (study("Procedure", LUMBAR, when=day(3), status="stopped"), False),
    ],
    ids=["imaging study", "described", "cancelled", "procedure", "billing code", "not done", "stopped"],
)
def test_imaging_studies_and_procedures_count_as_well(made: Json, counts: bool) -> None:
    assert studies(made) == (STAGING if counts else STANDARD)


def test_an_imaging_study_beside_the_procedures_counts() -> None:
    beside_procedures = {"procedures": bundle(study("ImagingStudy", LUMBAR, when=day(3)))}
    assert beside(replaced=beside_procedures).studies == STAGING


# --- Which study answers which


# Decision 5.2.
@pytest.mark.parametrize(
    ("codes", "left"),
    [
        ([LUMBAR], STAGING),
        ([LUMBAR_PLAIN], STAGING),
        ([WHOLE], STAGING),
        (["loinc 36400-0"], STAGING),
        (["loinc 91716-1"], STAGING),
        (["cpt 72148"], STAGING),
        ([CERVICAL], STANDARD),
        ([THORACIC], STANDARD),
        (["loinc 24587-8"], STANDARD),
        (["loinc 24972-2"], STANDARD),
        (["cpt 72131"], STANDARD),
        ([BONE_SCAN_CODE], (MRI, CT)),
        (["loinc 39816-4"], (MRI, CT)),
        (["loinc 39627-5"], STANDARD),
        (["cpt 78300"], STANDARD),
        ([FDG_PET_CT], (MRI,)),
        ([FLUORIDE_PET_CT], (MRI, CT)),
        ([CT_CODE], (MRI, BONE_SCAN)),
        ([CT_CHEST, CT_ABDOMEN_PELVIS], (MRI, BONE_SCAN)),
        (["cpt 71260", "cpt 74177"], (MRI, BONE_SCAN)),
        ([CT_CHEST], STANDARD),
        ([CT_ABDOMEN_PELVIS], STANDARD),
        ([CT_CHEST_ABDOMEN], STANDARD),
    ],
    ids=[
        "lumbar MRI",
        "without contrast",
        "whole spine",
        "spine",
        "lumbar and sacrum",
        "billing code",
        "cervical",
        "thoracic",
        "brain",
        "radiograph",
        "CT lumbar",
        "bone scan",
        "SPECT whole body",
        "limited bone scan",
        "limited, billing code",
        "FDG PET/CT",
        "fluoride PET/CT",
        "CT",
        "CT in two parts",
        "CT parts, billing codes",
        "CT chest only",
        "CT abdomen/pelvis only",
        "CT without pelvis",
    ],
)
def test_a_done_study_answers_only_what_it_shows(codes: list[str], left: tuple[str, ...]) -> None:
    assert studies(*(report(code, 3) for code in codes)) == left


PARTS = [[CERVICAL, THORACIC, LUMBAR], ["loinc 43456-3", LUMBAR], [CERVICAL, "loinc 94088-2"]]


# Decision 5.2.
@pytest.mark.parametrize("parts", PARTS, ids=["three regions", "two and lumbar", "cervical and two"])
def test_parts_of_the_spine_answer_for_the_whole(parts: list[str]) -> None:
    pain = condition(BACK_PAIN, onset=day(10))
    assert studies(*(report(code, 3) for code in parts), pain=pain) == STAGING
    assert studies(*(report(code, 3) for code in parts[:-1]), pain=pain)[0] == "mri-whole-spine"


@pytest.mark.parametrize("parts", PARTS, ids=["three regions", "two and lumbar", "cervical and two"])
def test_parts_of_the_spine_answer_for_the_whole_without_contrast_too(parts: list[str]) -> None:
    found = beside(
        allergy("snomed 58281002"),
        *(report(code, 3) for code in parts),
        pain=condition(BACK_PAIN, onset=day(10)),
    )
    assert found.studies == STAGING


def test_one_part_done_and_one_ordered_is_ordered() -> None:
    found = beside(report(CT_CHEST, 3), ordered(CT_ABDOMEN_PELVIS))
    assert [(item.slug, item.state) for item in found.covered] == [(CT, State.ORDERED)]


@pytest.mark.parametrize(
    ("text", "pain", "counts"),
    [
        ("MRI lumbar spine", LOW_BACK_PAIN, True),
        ("MR L-spine w/o contrast", LOW_BACK_PAIN, True),
        ("Lumbar spine MRI", LOW_BACK_PAIN, True),
        ("MRI whole spine", LOW_BACK_PAIN, True),
        ("MRI thoracic spine", THORACIC_PAIN, True),
        ("MRI cervical spine", NECK_PAIN, True),
        ("MRI brain", LOW_BACK_PAIN, False),
        ("MRI thoracic spine", LOW_BACK_PAIN, False),
        ("Lumbar spine x-ray", LOW_BACK_PAIN, False),
        ("CT lumbar spine", LOW_BACK_PAIN, False),
        ("MR angiogram neck", NECK_PAIN, False),
        ("MRI pelvis, cervical cancer", NECK_PAIN, False),
        ("MRI thoracic aorta", THORACIC_PAIN, False),
    ],
)
def test_an_order_in_words_alone_counts_for_what_it_names(text: str, pain: str, counts: bool) -> None:
    found = beside(
        study("ServiceRequest", when=day(2), status="active", text=text), pain=condition(pain, onset=day(10))
    )
    assert any("spine" in item.slug for item in found.covered) is counts


def test_an_order_in_words_does_not_count_where_the_site_reads_no_text() -> None:
    order = study("ServiceRequest", when=day(2), status="active", text="MRI lumbar spine")
    assert beside(order, options=RuleOptions(text_match=False)).studies == STANDARD


# --- What the card says of it


# Decision 7.4.
def test_a_card_for_staging_alone_is_information_and_names_the_mri() -> None:
    card = only_card(decision(CANCER, PAIN, report(LUMBAR, 3)))
    assert card["indicator"] == "info"
    assert "MRI is done" in card["summary"]
    assert f", {day(3)}, final: read the report." in section(card, "Recent imaging")
    assert "if the MRI shows or suggests metastasis" in section(card, "Proposed")
    assert [order["code"]["coding"][0]["code"] for order in created(card)] == ["39818-0", "72254-6"]
    assert not any(item.get("isRecommended") for item in card["suggestions"])


# Decision 5.6.
def test_an_mri_without_contrast_is_called_adequate() -> None:
    assert "adequate" in section(only_card(decision(CANCER, PAIN, report(LUMBAR_PLAIN, 3))), "Proposed")


def test_an_mri_with_contrast_is_not_called_one_without_because_of_another_region() -> None:
    card = only_card(decision(CANCER, PAIN, report(LUMBAR, 3), report("loinc 30667-0", 2)))
    assert "Spine MRI without contrast" not in card["detail"]


# Decision 5.8.
def test_the_limits_of_a_bone_scan_and_a_radiograph_are_told() -> None:
    card = only_card(decision(CANCER, PAIN, report(BONE_SCAN_CODE, 3), report("loinc 24972-2", 4)))
    assert "negative bone scan does not exclude" in card["detail"]
    assert f"The radiograph ({day(4)}" in card["detail"]
