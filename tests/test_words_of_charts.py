"""Words of charts whose reading decides the card, each beside words that look alike and must not."""

from __future__ import annotations

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from tests.builders import (
    BREAST_CANCER,
    BREAST_CANCER_HISTORY,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    ON_THE_LIST,
    Json,
    assessment,
    condition,
    day,
    draft,
    observation,
    study,
)

CANCER = condition(BREAST_CANCER, recorded=day(2000), **ON_THE_LIST)
PAIN = condition(LOW_BACK_PAIN, recorded=day(0), **OF_A_VISIT)
CHRONIC_LOW_BACK_PAIN = "snomed 278860009"


def answer(*resources: Json, cancer: Json = CANCER) -> str:
    """`critical`, `warning`, or `none`."""
    found = assessment(cancer, *resources)
    return found.indicator if found.outcome == "fired" else "none"


def complaint(words: str) -> Json:
    return observation(CHIEF_COMPLAINT, day(0), valueString=words)


# --- Decision 1.7.


@pytest.mark.parametrize("code", [BREAST_CANCER, BREAST_CANCER_HISTORY])
@pytest.mark.parametrize(
    "words",
    [
        "suspected progression",
        "suspected disease progression",
        "possible bone metastases",
        "r/o bone mets",
        "r/o metastatic disease",
        "rule out metastases",
        "suspected recurrence",
        "r/o recurrence",
        "rule out spread to bone",
        "possible liver metastasis",
    ],
)
def test_doubt_about_the_course_leaves_a_coded_cancer_standing(code: str, words: str) -> None:
    assert answer(PAIN, cancer=condition(code, text=words, recorded=day(400), **ON_THE_LIST)) == "warning"


@pytest.mark.parametrize(
    "words", ["suspected", "r/o", "possible malignancy", "r/o breast ca", "Mother", "mother had recurrence"]
)
def test_doubt_about_the_cancer_or_a_relative_takes_a_coded_cancer_back(words: str) -> None:
    assert answer(PAIN, cancer=condition(BREAST_CANCER, text=words, recorded=day(400), **ON_THE_LIST)) == "none"


# --- Decision 3.3.

AT_A_GRAVE_PLACE = [
    "paresthesia in the saddle area",
    "perineal paresthesia",
    "perianal hypoesthesia",
    "tingling in the perineum",
    "tingling in the groin",
    "loss of sensation inner thighs",
    "paresthesia of both legs",
    "tingling in both lower extremities",
    "pins and needles in both legs",
    "bilateral leg paresthesia",
    "hypoesthesia below T10",
    "paresthesia at T10 level",
    "altered sensation around anus",
    "pins and needles below the waist",
]


@pytest.mark.parametrize("words", AT_A_GRAVE_PLACE)
def test_disturbed_sensation_at_the_saddle_in_both_legs_or_below_a_level_is_an_emergency(words: str) -> None:
    assert answer(PAIN, complaint(words)) == "critical"
    assert answer(PAIN, condition("icd10cm R20.2", text=words, recorded=day(0), **OF_A_VISIT)) == "critical"


@pytest.mark.parametrize(
    "words", ["paralysis of legs", "paralysed from the waist down", "can't feel her bottom", "no feeling in bottom"]
)
def test_paralysis_of_the_legs_and_a_bottom_without_feeling_are_emergencies(words: str) -> None:
    assert answer(PAIN, complaint(words)) == "critical"


@pytest.mark.parametrize(
    "words",
    [
        "tingling in the left leg",
        "tingling in both feet, known neuropathy",
        "pins and needles in fingers",
        "perineal pain",
        "facial paralysis",
        "no tingling in the groin",
        "denies paresthesia of both legs",
        "return if tingling in both legs",
        "history of paresthesia of both legs",
        "numb after groin block",
    ],
)
def test_other_places_and_denied_or_conditional_signs_are_no_emergencies(words: str) -> None:
    assert answer(PAIN, complaint(words)) == "warning"


@pytest.mark.parametrize(
    "words",
    [
        "no red flags such as saddle anesthesia or urinary retention",
        "No red flags (saddle anesthesia, urinary retention)",
        "no warning signs, e.g. saddle anesthesia",
        "Red flags: none (saddle anesthesia, urinary retention)",
        "No s/s of cauda equina e.g. urinary retention, saddle numbness",
    ],
)
def test_examples_of_red_flags_that_are_denied_are_denied(words: str) -> None:
    assert answer(PAIN, complaint(words)) == "warning"


@pytest.mark.parametrize(
    "words",
    [
        "red flags such as saddle anesthesia",
        "no fever, but red flags: saddle anesthesia",
        "no red flags yesterday, now urinary retention",
    ],
)
def test_examples_of_red_flags_that_are_there_are_emergencies(words: str) -> None:
    assert answer(PAIN, complaint(words)) == "critical"


# --- Decision 2.8.


def listed(words: str) -> Json:
    return condition(CHRONIC_LOW_BACK_PAIN, text=words, onset="2018", recorded=day(20), **ON_THE_LIST)


@pytest.mark.parametrize(
    "words",
    [
        "low back pain is not getting worse",
        "low back pain isn't getting worse",
        "back pain no longer worse",
        "low back pain, not any worse",
        "low back pain has not become worse",
        "low back pain neither better nor worse",
        "low back pain, does not wake her",
        "low back pain does not keep her awake",
        "no change in low back pain",
        "low back pain unchanged in character",
    ],
)
def test_a_change_that_is_denied_is_none(words: str) -> None:
    assert answer(listed(words)) == "none"


@pytest.mark.parametrize(
    "words",
    [
        "Low back pain, changed in character",
        "low back pain, changed",
        "change in low back pain",
        "low back pain, character changed",
        "low back pain getting worse",
        "low back pain not better, worse",
    ],
)
def test_chronic_pain_that_changed_is_new(words: str) -> None:
    assert answer(listed(words)) == "warning"


# --- Decision 2.7.


@pytest.mark.parametrize(
    "words",
    [
        "Chronic knee and low back pain",
        "chronic shoulder, hip and low back pain",
        "low back pain since age 30",
        "low back pain since her 30s",
        "low back pain since high school",
        "low back pain for over a decade",
        "low back pain most of her life",
    ],
)
def test_chronic_pain_of_several_parts_and_pain_of_half_a_life_make_a_new_record_old(words: str) -> None:
    assert answer(condition(text=words, recorded="2018-03-01", **ON_THE_LIST), PAIN) == "none"


@pytest.mark.parametrize(
    "words",
    ["chronic knee pain, low back pain 2 days", "chronic kidney disease and low back pain", "chronic knee pain"],
)
def test_chronic_pain_of_another_part_says_nothing_of_the_back(words: str) -> None:
    assert answer(condition(text=words, recorded="2018-03-01", **ON_THE_LIST), PAIN) == "warning"


def test_a_device_that_is_there_for_years_is_in_place() -> None:
    found = assessment(CANCER, PAIN, condition(text="pacemaker since age 30", **ON_THE_LIST))
    assert "mri-device" in {item.caution.id for item in found.cautions}


# --- Decision 2.4.


@pytest.mark.parametrize(
    "words",
    [
        "long-standing",
        "since age 30",
        "since she was 20",
        "in her 40s",
        "over a decade",
        "more than ten years",
        "since high school",
    ],
)
def test_an_onset_of_years_ago_in_words_is_old(words: str) -> None:
    assert answer(condition(LOW_BACK_PAIN, recorded=day(0), onsetString=words, **OF_A_VISIT)) == "none"


@pytest.mark.parametrize(
    "words", ["since age 58", "over the weekend", "over a week", "since school yesterday", "a while"]
)
def test_an_onset_of_this_year_or_of_nobody_knows_when_is_not_old(words: str) -> None:
    assert answer(condition(LOW_BACK_PAIN, recorded=day(0), onsetString=words, **OF_A_VISIT)) == "warning"


# --- Decision 3.9.


def with_spread(words: str) -> Assessment:
    return assessment(CANCER, PAIN, condition(text=words, recorded=day(100), **ON_THE_LIST))


@pytest.mark.parametrize(
    "words",
    [
        "T8 metastasis",
        "L3 metastasis",
        "metastasis T8",
        "metastasis to L3",
        "mets spine",
        "bone met L2",
        "mets T5 and T6",
        "T2 metastasis",
    ],
)
def test_a_metastasis_at_a_level_of_the_spine_has_the_whole_spine_imaged(words: str) -> None:
    found = with_spread(words)
    assert found.flags.bone_metastasis
    assert found.orders[0].slug == "mri-whole-spine"


@pytest.mark.parametrize(
    "words",
    [
        "metastatic breast cancer",
        "no T8 metastasis",
        "possible L3 metastasis",
        "T3N1 metastatic disease",
        "stage T4 metastasis",
        "mets to liver, T2 disease",
        "met with patient L3",
        "met criteria for spine clinic",
    ],
)
def test_stages_doubt_and_spread_elsewhere_are_no_metastasis_of_bone(words: str) -> None:
    assert not with_spread(words).flags.bone_metastasis


# --- Decisions 1.8, 2.10, 4.8, 5.10, 7.6 and 2.21.


@pytest.mark.parametrize(
    "words",
    [
        "Paget's disease of the breast",
        "mammary Paget's disease",
        "breast cancer, mother also had breast cancer",
        "BrCa left",
    ],
)
def test_a_cancer_of_the_breast_in_words_counts(words: str) -> None:
    assert answer(PAIN, cancer=condition(text=words, recorded=day(400), **ON_THE_LIST)) == "warning"


@pytest.mark.parametrize(
    "words",
    [
        "Paget's disease of bone",
        "extramammary Paget's disease",
        "brca",
        "breast cancer: mother",
        "mother also had breast cancer",
    ],
)
def test_another_paget_a_gene_and_a_relative_are_no_cancer(words: str) -> None:
    assert answer(PAIN, cancer=condition(text=words, recorded=day(400), **ON_THE_LIST)) == "none"


@pytest.mark.parametrize(
    "words", ["sacral insufficiency fracture", "S2 insufficiency fracture", "lumbar fragility fracture"]
)
def test_an_insufficiency_fracture_of_the_sacrum_in_words_stands_for_pain(words: str) -> None:
    assert answer(condition(text=words, recorded=day(2), **OF_A_VISIT)) == "warning"


@pytest.mark.parametrize(
    "words", ["old sacral insufficiency fracture", "pubic insufficiency fracture", "sacral insufficiency"]
)
def test_a_healed_fracture_or_one_of_another_bone_does_not(words: str) -> None:
    assert answer(condition(text=words, recorded=day(2), **OF_A_VISIT)) == "none"


def test_a_pain_pump_is_a_device_and_a_proton_pump_none() -> None:
    def raised(words: str) -> set[str]:
        found = assessment(CANCER, PAIN, condition(text=words, recorded=day(900), **ON_THE_LIST))
        return {item.caution.id for item in found.cautions}

    assert "mri-device" in raised("pain pump")
    assert "mri-device" not in raised("proton pump inhibitor") | raised("pain pump removed")


@pytest.mark.parametrize("words", ["Piflufolastat PET/CT", "PET/CT Pylarify", "PET/CT with fluciclovine"])
def test_pet_with_a_tracer_of_another_cancer_answers_nothing(words: str) -> None:
    found = assessment(CANCER, PAIN, study("DiagnosticReport", text=words, when=day(0)))
    assert found.covered == ()


def test_pet_with_fdg_still_answers_the_staging() -> None:
    found = assessment(CANCER, PAIN, study("DiagnosticReport", text="FDG PET/CT", when=day(0)))
    assert {item.slug for item in found.covered} == {"bone-scan-whole-body", "ct-chest-abdomen-pelvis"}


@pytest.mark.parametrize(
    "drug", ["prednisolone eye drops", "dexamethasone ophthalmic", "ciprofloxacin/dexamethasone otic"]
)
def test_drops_for_eye_or_ear_are_no_order_about_the_back(drug: str) -> None:
    found = assessment(CANCER, PAIN, drafts=[draft(kind="MedicationRequest", text=drug)])
    assert found.reason == "unrelated-order"


@pytest.mark.parametrize("drug", ["prednisolone 20 mg tablet", "diclofenac gel", "ketorolac injection"])
def test_the_same_drug_for_pain_is_one(drug: str) -> None:
    found = assessment(CANCER, PAIN, drafts=[draft(kind="MedicationRequest", text=drug)])
    assert found.outcome == "fired"


@pytest.mark.parametrize(
    "words", ["Lumbar puncture", "epidural anesthesia for labor", "Labor epidural", "spinal anesthesia"]
)
def test_a_puncture_or_anesthesia_of_the_spine_tells_of_no_earlier_pain(words: str) -> None:
    assert answer(PAIN, study("Procedure", text=words, when=day(100))) == "warning"


def test_an_injection_against_pain_still_does() -> None:
    assert answer(PAIN, study("Procedure", text="lumbar epidural steroid injection", when=day(100))) == "none"
