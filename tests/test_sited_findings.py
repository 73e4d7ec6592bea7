"""What the site of an entry adds to its code: numbness at the saddle; metastasis and pain of a tumor in words."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    SYMPTOM,
    Json,
    assessment,
    concept,
    condition,
    day,
    decision,
    observation,
    only_card,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
NUMB = ["icd10cm R20.1", "icd10cm R20.2", "icd10cm R20.8", "icd10cm R20.9"]


def beside(*resources: Json, **arguments: Any) -> Assessment:
    """The assessment of a patient with breast cancer, low back pain of 10 days and these resources."""
    return assessment(CANCER, PAIN, *resources, **arguments)


def site(text: str) -> list[Json]:
    return [{"text": text}]


# --- Numbness (decision 3.3)


@pytest.mark.parametrize("code", NUMB)
@pytest.mark.parametrize(
    "words",
    [
        "Perineum",
        "Perineal structure",
        "Saddle area",
        "Left groin",
        "Inguinal region",
        "Medial side of thigh",
        "Both lower limbs",
        "Trunk",
        "T10 dermatome",
        "Between the legs",
    ],
)
def test_a_disturbance_of_sensation_at_the_saddle_both_legs_or_trunk_is_an_emergency(code: str, words: str) -> None:
    assert beside(condition(code, onset=day(0), bodySite=site(words))).critical


@pytest.mark.parametrize("code", NUMB)
@pytest.mark.parametrize("words", ["Left hand", "Right leg", "Toes", "Face", "Left thigh", "Breast", "Both feet"])
def test_elsewhere_it_is_named_and_no_emergency(code: str, words: str) -> None:
    card = only_card(decision(CANCER, PAIN, condition(code, onset=day(0), bodySite=site(words))))
    assert card["indicator"] == "warning" and "examine for cord compression" in card["detail"]


def test_the_card_names_the_site() -> None:
    numb = condition("icd10cm R20.8", onset=day(0), bodySite=site("Perineum"))
    detail = only_card(decision(CANCER, PAIN, numb))["detail"]
    assert "Other disturbances of skin sensation, Perineum" in detail


def test_the_site_of_an_observation_counts_as_that_of_a_diagnosis() -> None:
    seen: dict[str, Any] = {"valueCodeableConcept": concept("icd10cm R20.2"), "bodySite": {"text": "Saddle area"}}
    assert beside(observation(SYMPTOM, day(0), **seen)).critical


def test_a_site_makes_no_sign_of_a_code_of_something_else() -> None:
    assert not beside(condition("icd10cm L29.0", onset=day(0), bodySite=site("Perineum"))).critical


# --- Known metastasis in words (decision 3.9)


@pytest.mark.parametrize(
    "cancer",
    [
        condition(BREAST_CANCER, text="Breast cancer metastatic to spine", onset=day(700)),
        condition(BREAST_CANCER, text="Breast ca with bone mets", onset=day(700)),
        condition(text="MBC to bone", recorded=day(1100)),
        condition("icd10cm Z85.3", text="hx breast cancer, spinal metastases 2024", recorded=day(700)),
    ],
)
def test_a_metastasis_of_spine_or_bone_in_words_takes_the_whole_spine(cancer: Json) -> None:
    found = assessment(cancer, PAIN)
    assert (found.critical, found.studies[0]) == (False, "mri-whole-spine")


@pytest.mark.parametrize(
    "text",
    [
        "Metastatic breast cancer",
        "Breast cancer, no bone mets",
        "Breast cancer, r/o bone metastasis",
        "Breast cancer, mets to liver",
        "Breast cancer. Mother had bone mets",
    ],
)
def test_no_metastasis_or_one_of_elsewhere_leaves_the_region(text: str) -> None:
    found = assessment(condition(BREAST_CANCER, text=text, onset=day(700)), PAIN)
    assert found.studies[0] == "mri-lumbar-spine"


# --- Pain from a tumor (decision 3.10)


@pytest.mark.parametrize(
    ("code", "name"),
    [("icd10cm G89.3", "Neoplasm related pain"), ("snomed 98921000119102", "Pain due to neoplastic disease")],
)
def test_pain_from_a_tumor_is_quoted_beside_the_pain_and_does_not_make_it_old(code: str, name: str) -> None:
    card = only_card(decision(CANCER, PAIN, condition(code, onset=day(700))))
    assert f"Also recorded: {name}" in card["detail"]
    assert not beside(condition(code, onset=day(700), clinical="resolved")).flags.neoplasm_related_pain
