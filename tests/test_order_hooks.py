"""order-select and order-sign: which drafts are looked at, what they are, and what may be removed."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    Json,
    concept,
    condition,
    created,
    day,
    decision,
    draft,
    name_of,
    only_card,
    reference,
    removed,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
RADIOGRAPH, SPINE_CT = draft("cpt 72100"), draft("cpt 72131")
MRI, BONE_SCAN, CT = draft("loinc 24967-2"), draft("loinc 39818-0"), draft("loinc 72254-6")
IBUPROFEN = draft("rxnorm 5640", kind="MedicationRequest")
LIPIDS = draft(text="Lipid panel")

STANDARD = ["24967-2", "39818-0", "72254-6"]


def cards(*drafts: Json, hook: str = "order-select", resources: tuple[Json, ...] = (PAIN,), **more: Any) -> list[Json]:
    return list(decision(CANCER, *resources, hook=hook, drafts=drafts, **more).response["cards"])


def offered(*drafts: Json, **more: Any) -> list[str]:
    """The LOINC codes that the card offers; none where there is no card."""
    return [order["code"]["coding"][0]["code"] for card in cards(*drafts, **more) for order in created(card)]


# --- Which drafts are looked at


def test_order_select_looks_at_the_selected_drafts_only() -> None:
    assert offered(LIPIDS, RADIOGRAPH, selections=[name_of(RADIOGRAPH)]) == STANDARD
    assert offered(LIPIDS, RADIOGRAPH, selections=[name_of(LIPIDS)]) == []


def test_order_sign_looks_at_all_drafts() -> None:
    assert offered(LIPIDS, RADIOGRAPH, hook="order-sign") == STANDARD
    assert offered(LIPIDS, hook="order-sign") == []


# Decision 5.4.
def test_a_draft_that_is_not_selected_still_counts_as_being_ordered() -> None:
    assert offered(IBUPROFEN, MRI, selections=[name_of(IBUPROFEN)]) == STANDARD[1:]


def test_of_several_selected_orders_one_that_matters_is_enough() -> None:
    assert offered(LIPIDS, IBUPROFEN, RADIOGRAPH) == STANDARD


def test_where_a_selection_leads_to_no_draft_any_draft_may_be_meant() -> None:
    assert offered(LIPIDS, RADIOGRAPH, selections=["ServiceRequest/elsewhere"]) == STANDARD
    assert offered(LIPIDS, RADIOGRAPH, selections=[name_of(LIPIDS), "ServiceRequest/elsewhere"]) == STANDARD
    assert offered(LIPIDS, selections=["ServiceRequest/elsewhere"]) == []


def test_an_id_longer_than_64_characters_is_understood() -> None:
    long = RADIOGRAPH | {"id": "order-" + "x" * 120}
    (card,) = cards(long)
    assert removed(card) == [name_of(long)]


@pytest.mark.parametrize(
    "elements",
    [{"subject": reference("Patient", "pt-2")}, {"status": "revoked"}, {"status": "entered-in-error"}],
    ids=str,
)
def test_a_draft_for_another_patient_or_withdrawn_is_neither_an_occasion_nor_an_order(elements: Json) -> None:
    assert offered(RADIOGRAPH | elements) == []
    assert offered(IBUPROFEN, MRI | elements) == STANDARD


def test_a_draft_not_to_perform_a_study_is_no_order_for_it() -> None:
    assert offered(IBUPROFEN, MRI | {"doNotPerform": True}) == STANDARD


def test_a_draft_without_a_patient_is_the_one_of_the_call() -> None:
    bare = {name: value for name, value in RADIOGRAPH.items() if name != "subject"}
    assert offered(bare) == STANDARD


# --- What a draft is


def medication(**elements: object) -> Json:
    made = {name: value for name, value in IBUPROFEN.items() if name != "medicationCodeableConcept"}
    return made | elements


DRAFTED_DRUG: Json = {"resourceType": "Medication", "id": "drug-1", "code": concept("rxnorm 5640")}


# Decision 7.6.
@pytest.mark.parametrize(
    "drafts",
    [
        [IBUPROFEN],
        [draft(kind="MedicationRequest", text="Ibuprofen 600 mg oral tablet")],
        [
            draft("local 600", kind="MedicationRequest")
            | {"medicationCodeableConcept": concept("local 600", display="IBUPROFEN 600 MG TABS")}
        ],
        [medication(medicationReference={"reference": "#d"}, contained=[DRAFTED_DRUG | {"id": "d"}])],
        [DRAFTED_DRUG, medication(medicationReference={"reference": "Medication/drug-1"})],
        [
            DRAFTED_DRUG,
            medication(medicationReference={"reference": "https://ehr.example.org/fhir/Medication/drug-1"}),
        ],
        [draft("rxnorm 21949", kind="MedicationRequest", text="cyclobenzaprine")],
        [draft("snomed 91251008")],
        [draft(text="Physical therapy referral")],
        [draft("snomed 840361000")],
        [draft(text="Lumbar_Xray")],
        [draft(text="DX LUMBAR SPINE")],
        [SPINE_CT],
        [draft(text="CT lumbar spine without contrast")],
    ],
    ids=[
        "drug code",
        "product name",
        "product name as display",
        "contained drug",
        "drafted drug",
        "absolute reference",
        "muscle relaxant",
        "physical therapy",
        "physical therapy in words",
        "radiograph",
        "radiograph in words",
        "radiograph in the words of a catalogue",
        "spine CT",
        "spine CT in words",
    ],
)
def test_orders_for_back_pain_are_recognized(drafts: list[Json]) -> None:
    assert offered(*drafts) == STANDARD


# Decision 7.6.
@pytest.mark.parametrize(
    "product",
    [
        "Advil 200 mg tablet",
        "Aleve 220 mg",
        "Flexeril 10 mg",
        "Medrol Dosepak 4 mg",
        "Ultracet",
        "Amrix 15 mg",
        "Celebrex",
    ],
)
def test_a_drug_against_pain_is_known_by_its_brand_name(product: str) -> None:
    assert offered(draft(kind="MedicationRequest", text=product)) == STANDARD


# Decision 7.6.
@pytest.mark.parametrize(
    "text",
    [
        "Lumbar epidural steroid injection",
        "ESI, L4-L5",
        "TFESI left L5",
        "LESI L4-L5",
        "Z-joint injection, lumbar",
        "Translaminar epidural",
        "Epidural steroids",
        "Injection, facet joint, lumbar",
        "Facet joint injection L4/5",
        "Medial branch block",
        "Sacroiliac joint injection",
        "Lumbar transforaminal injection",
        "Radiofrequency ablation of lumbar medial branches",
    ],
)
def test_an_injection_against_pain_of_the_back_is_an_occasion(text: str) -> None:
    assert offered(draft(text=text)) == STANDARD


# Decision 7.6.
@pytest.mark.parametrize(
    "order",
    [
        draft(text="Epidural analgesia in labor"),
        draft(text="Lumbar epidural steroid injection", reasons=[concept(text="Spinal stenosis of the neck in 2012")]),
        draft(text="Radiofrequency ablation of the liver"),
        draft(text="Influenza vaccine injection"),
        draft(text="Knee joint injection"),
        draft(kind="MedicationRequest", text="Lipitor 40 mg"),
        draft(kind="MedicationRequest", text="Advil 200 mg", reasons=[concept(text="Migraine")]),
    ],
    ids=lambda order: str(order.get("code", order.get("medicationCodeableConcept"))["text"]),
)
def test_an_injection_or_drug_for_something_else_is_no_occasion(order: Json) -> None:
    assert offered(order) == []


# Decision 7.6.
@pytest.mark.parametrize(
    "order",
    [
        LIPIDS,
        draft(text="CT head"),
        draft(text="Chest x-ray"),
        draft(kind="MedicationRequest", text="Metformin 500 mg"),
    ],
    ids=["lipids", "CT head", "chest", "metformin"],
)
def test_other_orders_are_no_occasion(order: Json) -> None:
    assert offered(order) == []


def test_a_drug_that_the_medication_reference_does_not_lead_to_is_no_occasion() -> None:
    assert offered(medication(medicationReference={"reference": "Medication/elsewhere"})) == []


# Decision 7.6.
def test_back_pain_as_the_reason_of_any_order_is_an_occasion_and_evidence() -> None:
    order = LIPIDS | {"reasonCode": [concept(LOW_BACK_PAIN)]}
    assert offered(order, resources=()) == STANDARD
    assert offered(order, IBUPROFEN, resources=(), selections=[name_of(IBUPROFEN)]) == []


def test_a_radiograph_without_any_pain_brings_no_imaging() -> None:
    assert cards(RADIOGRAPH, resources=()) == []


# --- Drafted already


@pytest.mark.parametrize(
    ("drafts", "left"),
    [
        ([MRI], STANDARD[1:]),
        ([BONE_SCAN], ["24967-2", "72254-6"]),
        ([CT], ["24967-2", "39818-0"]),
        ([MRI, CT], ["39818-0"]),
        ([draft("loinc 24937-5")], STANDARD),
        ([draft("loinc 81555-5")], ["24967-2"]),
        ([draft(text="MRI lumbar spine")], STANDARD[1:]),
    ],
    ids=["MRI", "bone scan", "CT", "MRI and CT", "MRI of the neck", "PET/CT", "MRI in words"],
)
def test_what_is_drafted_is_not_offered_again(drafts: list[Json], left: list[str]) -> None:
    assert offered(*drafts) == left


# Decision 5.4.
def test_all_three_drafted_is_no_card() -> None:
    decided = decision(CANCER, PAIN, hook="order-sign", drafts=[MRI, BONE_SCAN, CT])
    assert (decided.response["cards"], decided.assessment.reason) == ([], Reason.ALREADY_DRAFTED)


# Decision 5.6.
def test_a_drafted_mri_without_contrast_is_adequate_and_no_reason_to_block() -> None:
    (card,) = cards(draft("loinc 30679-5"))
    assert card["indicator"] == "info"
    assert "MRI without contrast is adequate (ACR)" in card["detail"]


# --- Removals


# Decision 5.7.
@pytest.mark.parametrize("order", [RADIOGRAPH, SPINE_CT], ids=["radiograph", "spine CT"])
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_study_that_does_not_answer_the_question_may_be_removed_by_a_suggestion_of_its_own(
    order: Json, hook: str
) -> None:
    (card,) = cards(order, hook=hook)
    kinds = [[action["type"] for action in item["actions"]] for item in card["suggestions"]]
    assert kinds == [["create"], ["create"], ["create"], ["delete"]]
    assert removed(card) == [name_of(order)]
    assert [bool(item.get("isRecommended")) for item in card["suggestions"]] == [True, False, False, False]


def test_each_selected_study_has_its_own_removal_and_its_own_id() -> None:
    (card,) = cards(RADIOGRAPH, SPINE_CT)
    assert removed(card) == [name_of(RADIOGRAPH), name_of(SPINE_CT)]
    assert len({item["uuid"] for item in card["suggestions"]}) == len(card["suggestions"]) == 5


def test_a_draft_that_is_not_selected_is_not_offered_for_removal() -> None:
    (card,) = cards(IBUPROFEN, RADIOGRAPH, selections=[name_of(IBUPROFEN)])
    assert removed(card) == []


# Decision 5.7.
@pytest.mark.parametrize(
    "order", [IBUPROFEN, draft("snomed 91251008"), BONE_SCAN], ids=["drug", "therapy", "bone scan"]
)
def test_treatment_and_staging_are_never_removed(order: Json) -> None:
    (card,) = cards(order)
    assert removed(card) == []


# Decision 5.7.
@pytest.mark.parametrize(
    "mri",
    [
        study("DiagnosticReport", "loinc 24967-2", when=day(3)),
        study("ServiceRequest", "loinc 24967-2", when=day(3), status="active"),
    ],
    ids=["done", "ordered"],
)
def test_nothing_is_removed_where_no_mri_is_proposed(mri: Json) -> None:
    (card,) = cards(RADIOGRAPH, resources=(PAIN, mri))
    assert removed(card) == []
    (card,) = cards(RADIOGRAPH, MRI)
    assert removed(card) == []


def test_a_draft_without_an_id_cannot_be_removed_but_is_an_occasion() -> None:
    bare = {name: value for name, value in RADIOGRAPH.items() if name != "id"}
    card = only_card(decision(CANCER, PAIN, hook="order-sign", drafts=[bare]))
    assert removed(card) == []
    assert len(created(card)) == 3


def test_opening_the_chart_removes_nothing() -> None:
    assert removed(only_card(decision(CANCER, PAIN))) == []
