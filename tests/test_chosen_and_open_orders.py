"""What the card says of the order that was chosen and of open ones: right, in part, elsewhere, in conflict."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    Json,
    condition,
    created,
    day,
    decision,
    draft,
    observation,
    only_card,
    patient,
    removed,
    section,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
CAUDA = condition("icd10cm G83.4", onset=day(1))
BONE = condition("icd10cm C79.51", onset=day(400))
LIVER = condition("icd10cm C78.7", onset=day(400))
PACEMAKER = condition("icd10cm Z95.0", onset=day(900))
LUMBAR, PLAIN_LUMBAR, WHOLE = draft("loinc 24967-2"), draft("loinc 30679-5"), draft("loinc 30855-1")
CERVICAL = draft("loinc 24937-5")
BONE_SCAN, CT = draft("loinc 39818-0"), draft("loinc 72254-6")
PET_CT = draft("cpt 78815")
IBUPROFEN = draft("rxnorm 5640", kind="MedicationRequest")


def card(*drafts: Json, beside: tuple[Json, ...] = (), **more: Any) -> Json:
    return only_card(decision(CANCER, PAIN, *beside, hook="order-select", drafts=drafts, **more))


def first_words(*drafts: Json, **more: Any) -> str:
    """What stands before everything else on the card."""
    return str(card(*drafts, **more)["detail"]).partition("\n\n")[0]


# Decision 7.16.
def test_the_mri_that_is_wanted_is_called_right() -> None:
    assert first_words(LUMBAR) == "- The MRI is right."


@pytest.mark.parametrize("beside", [CAUDA, BONE], ids=["emergency", "known bone metastasis"])
def test_an_mri_of_a_part_is_not_called_right_where_the_whole_spine_is_wanted(beside: Json) -> None:
    shown = card(LUMBAR, beside=(beside,))
    assert "does not show all of the spine that is wanted" in shown["detail"].partition("\n\n")[0]
    assert created(shown)[0]["code"]["coding"][0]["code"] == "30855-1"


def test_an_mri_of_another_region_is_told_from_one_of_a_part() -> None:
    assert first_words(CERVICAL) == "- The chosen MRI shows another region than the one that hurts."


def test_in_an_emergency_nothing_calls_an_mri_right_that_is_not_stat() -> None:
    shown = card(WHOLE, beside=(CAUDA,))["detail"]
    assert "The MRI is right" not in shown and "make it an emergency" in shown


def test_an_mri_is_not_called_right_beside_a_caution_on_a_device() -> None:
    shown = card(LUMBAR, beside=(PACEMAKER,))["detail"]
    assert "The MRI is right" not in shown and "**Caution**" in shown


# Decision 5.9.
def test_an_open_order_of_a_part_is_to_be_replaced_and_never_brought_forward_in_an_emergency() -> None:
    order = study("ServiceRequest", "loinc 24967-2", status="active", when=day(1))
    shown = only_card(decision(CANCER, PAIN, CAUDA, order))["detail"]
    assert "does not show all of the spine that is wanted: replace it" in shown and "bring it forward" not in shown


def test_a_drafted_mri_without_contrast_is_no_conflict_with_a_pregnancy() -> None:
    pregnant = condition("icd10cm Z33.1", recorded=day(5))
    young = patient(birth="1992-05-04")
    drafts = (PLAIN_LUMBAR,)
    assert decision(young, CANCER, PAIN, pregnant, hook="order-select", drafts=drafts).response["cards"] == []


def test_a_drafted_mri_with_contrast_is_a_conflict_with_a_pregnancy() -> None:
    pregnant = condition("icd10cm Z33.1", recorded=day(5))
    young = patient(birth="1992-05-04")
    shown = only_card(decision(young, CANCER, PAIN, pregnant, hook="order-select", drafts=(LUMBAR,)))
    assert shown["indicator"] == "warning" and "conflicts with a caution" in shown["summary"]


def test_pet_ct_is_said_to_stand_for_bone_scan_and_ct() -> None:
    said = section(card(PET_CT), "Proposed")
    assert "- PET/CT (already drafted) stands for whole-body bone scan and CT chest/abdomen/pelvis." in said
    assert "Not offered again: " not in said


def test_a_drug_against_the_pain_brings_no_advice_of_its_own_in_an_emergency() -> None:
    assert first_words(IBUPROFEN) == "- While the pain is treated, look for metastasis."
    assert "While the pain" not in card(IBUPROFEN, beside=(CAUDA,))["detail"]


def test_a_radiograph_for_something_else_is_not_talked_out_of() -> None:
    stone = draft("cpt 72100", reasons=(condition("icd10cm N20.0")["code"],))
    shown = card(stone, IBUPROFEN)
    assert "MRI instead" not in shown["detail"] and not removed(shown)


def test_metastatic_disease_that_is_known_is_not_called_a_suspected_recurrence() -> None:
    said = section(only_card(decision(CANCER, PAIN, LIVER)), "Proposed")
    assert "if not done recently" in said and "suspected recurrence" not in said


def test_neutropenia_beside_fever_is_listed_with_its_date() -> None:
    fever = observation("loinc 8310-5", when=day(0), valueQuantity={"value": 38.9, "unit": "Cel"})
    neutropenia = condition("icd10cm D70.1", recorded=day(2))
    assert day(2) in section(only_card(decision(CANCER, PAIN, fever, neutropenia)), "Why this patient")


def test_a_child_with_a_sign_is_to_be_examined_and_nobody_is_called_for_a_metastasis() -> None:
    shown = only_card(decision(patient(birth=day(9 * 365)), CANCER, PAIN, CAUDA))["detail"]
    assert "Neurological examination" in shown and "radiation oncology" not in shown
