"""Advice against routine imaging for distant disease: when it is given, and everything that silences it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import (
    BREAST_CANCER,
    BREAST_CANCER_HISTORY,
    CHIEF_COMPLAINT,
    IN_SITU,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    ON_THE_LIST,
    SYMPTOM,
    Json,
    concept,
    condition,
    created,
    day,
    decision,
    draft,
    encounter,
    name_of,
    observation,
    only_card,
    patient,
    reference,
    removed,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
BONE_SCAN = draft("loinc 39818-0")
CT = draft("loinc 72254-6")
PET_CT = draft("loinc 81555-5")


def cards(*resources: Json, drafts: list[Json] | None = None, **arguments: Any) -> list[Json]:
    """The cards while a whole-body bone scan is being ordered for a patient with cancer of long ago."""
    settings = {"hook": "order-select"} | arguments
    return list(decision(*resources, drafts=drafts or [BONE_SCAN], **settings).response["cards"])


# --- Given


# Decisions 9.1 and 9.2.
@pytest.mark.parametrize(
    "order", [BONE_SCAN, CT, PET_CT, draft("loinc 81552-2")], ids=["bone scan", "CT", "FDG", "NaF"]
)
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_routine_imaging_without_any_symptom_is_advised_against(order: Json, hook: str) -> None:
    (card,) = cards(CANCER, drafts=[order], hook=hook)
    assert card["indicator"] == "info"
    assert "not recommended" in card["summary"]
    assert removed(card) == [name_of(order)]


def test_the_advice_orders_nothing_and_offers_to_say_that_there_is_a_symptom() -> None:
    (card,) = cards(CANCER)
    assert created(card) == []
    assert "symptoms-not-recorded" in {reason["code"] for reason in card["overrideReasons"]}
    assert not any(item.get("isRecommended") for item in card["suggestions"])


def test_each_routine_study_is_a_removal_of_its_own() -> None:
    (card,) = cards(CANCER, drafts=[BONE_SCAN, CT])
    assert removed(card) == [name_of(BONE_SCAN), name_of(CT)]
    assert all(len(item["actions"]) == 1 for item in card["suggestions"])


def test_a_draft_that_is_not_selected_is_not_advised_against() -> None:
    lipids = draft(text="Lipid panel")
    assert not cards(CANCER, drafts=[BONE_SCAN, lipids], selections=[name_of(lipids)])
    (card,) = cards(CANCER, drafts=[BONE_SCAN, CT], selections=[name_of(CT)])
    assert removed(card) == [name_of(CT)]


def test_a_resolved_cancer_of_long_ago_is_advised_as_well() -> None:
    assert cards(condition(BREAST_CANCER, onset="2014", clinical="resolved"))


# --- Silenced by the history


# Decision 9.2.
@pytest.mark.parametrize(("days", "given"), [(364, False), (365, True)])
def test_cancer_of_the_last_year_silences_the_advice(days: int, given: bool) -> None:
    assert bool(cards(condition(BREAST_CANCER, onset=day(days)))) is given


@pytest.mark.parametrize(
    "cancer",
    [
        condition(BREAST_CANCER),
        condition(BREAST_CANCER, onset=day(3000)[:4], recorded=day(1), verification="refuted"),
        condition(BREAST_CANCER_HISTORY, recorded=day(20)),
        condition(IN_SITU, onset=day(3000)),
    ],
    ids=["undated", "refuted", "recorded lately", "in situ only"],
)
def test_cancer_that_is_not_certainly_long_past_and_invasive_silences_it(cancer: Json) -> None:
    assert not cards(cancer)
    assert not cards(cancer, dcis_mode="info")


@pytest.mark.parametrize(
    "newer",
    [
        condition("icd10cm C50.912", onset=day(20)),
        condition(BREAST_CANCER, onset=day(20)),
        condition("snomed 314955001", onset=day(20)),
    ],
    ids=["other breast", "same code again", "local recurrence"],
)
def test_a_new_cancer_or_recurrence_beside_the_old_one_silences_it(newer: Json) -> None:
    assert not cards(CANCER, newer)


@pytest.mark.parametrize(
    "metastasis",
    [
        condition("icd10cm C79.51", onset=day(900)),
        condition("icd10cm C79.51", onset=day(900), clinical="resolved"),
        condition("icd10cm C79.31"),
        condition("snomed 94381002", onset=day(900)),
        condition("snomed 94600009", onset=day(900)),
        condition("snomed 1287652008", onset=day(900)),
        condition("snomed 424229006", onset=day(900)),
    ],
    ids=[
        "bone",
        "bone, resolved",
        "brain",
        "liver",
        "spinal cord",
        "history of metastatic cancer",
        "stage 4",
    ],
)
def test_a_metastasis_silences_it(metastasis: Json) -> None:
    assert not cards(CANCER, metastasis)


# --- Silenced by a symptom or a reason


# Decision 9.2.
@pytest.mark.parametrize(
    "symptom",
    [
        condition("snomed 134407002", onset=day(2200)),
        condition("icd10cm M54.50", onset=day(900)),
        condition("icd10cm M54.50", onset=day(20), clinical="resolved"),
        condition("icd10cm G89.3", onset=day(30)),
        condition("snomed 12584003", onset=day(30)),
        condition("snomed 82423001", onset=day(900)),
        condition("icd10cm S39.012A", onset=day(5)),
        condition("icd10cm R51.9", onset=day(5)),
        condition("icd10cm R11.10", onset=day(5)),
        condition("icd10cm R53.1", onset=day(5)),
        condition("icd10cm R63.4", onset=day(30)),
        condition("icd10cm R50.9", onset=day(2)),
        condition("icd10cm R32", onset="2012"),
        condition("icd10cm M48.56XA", onset=day(900)),
        observation(SYMPTOM, day(5), valueCodeableConcept=concept("snomed 25064002")),
        encounter(concept("icd10cm R63.4"), when=day(5)),
    ],
    ids=[
        "chronic back pain",
        "old back pain",
        "resolved back pain",
        "cancer pain",
        "bone pain",
        "chronic pain",
        "strain",
        "headache",
        "vomiting",
        "weakness",
        "weight loss",
        "fever",
        "old incontinence",
        "old collapse",
        "observation",
        "visit",
    ],
)
def test_any_symptom_on_record_silences_it(symptom: Json) -> None:
    assert not cards(CANCER, symptom)


# Decisions 2.19 and 9.2.
@pytest.mark.parametrize(
    ("record", "given"),
    [
        (condition(LOW_BACK_PAIN, recorded=day(265), **OF_A_VISIT), True),
        (condition(LOW_BACK_PAIN, recorded=day(264), **OF_A_VISIT), False),
        (condition(LOW_BACK_PAIN, recorded=day(1500), **ON_THE_LIST), False),
        (condition("icd10cm R26.2", recorded=day(265), **OF_A_VISIT), True),
        (condition("icd10cm R26.2", recorded=day(264), **OF_A_VISIT), False),
        (condition("icd10cm C79.51", recorded=day(1500), **OF_A_VISIT), False),
        (encounter(concept(LOW_BACK_PAIN), when=day(3), status="cancelled"), True),
        (encounter(concept(LOW_BACK_PAIN), when=day(3)), False),
    ],
    ids=["old visit", "visit", "list", "old sign", "sign", "metastasis", "cancelled visit", "visit of now"],
)
def test_what_was_noted_at_one_visit_long_ago_is_no_reason_to_search_but_a_metastasis(
    record: Json, given: bool
) -> None:
    assert any("not recommended" in card["summary"] for card in cards(CANCER, record)) is given


@pytest.mark.parametrize(
    "symptom",
    [
        condition(text="Shortness of breath", onset=day(3)),
        encounter(concept(text="Abdominal pain and jaundice"), when=day(0)),
        observation(CHIEF_COMPLAINT, day(0), valueString="cough for six weeks"),
        observation(SYMPTOM, day(0), valueCodeableConcept=concept(text="hip pain")),
    ],
    ids=["problem", "visit reason", "chief complaint", "symptom"],
)
def test_a_fresh_complaint_that_is_not_understood_is_not_called_no_symptom(symptom: Json) -> None:
    assert not cards(CANCER, symptom)


# Decision 9.2.
@pytest.mark.parametrize(
    "reason",
    [
        {"reasonCode": [concept("icd10cm R63.4")]},
        {"reasonCode": [concept(text="elevated alkaline phosphatase")]},
        {"reasonReference": [reference("Condition", "any")]},
    ],
    ids=["coded", "words", "reference"],
)
def test_a_reason_on_the_order_silences_it(reason: dict[str, Any]) -> None:
    assert not cards(CANCER, drafts=[BONE_SCAN | reason])


def test_a_reason_on_one_of_two_studies_silences_it_for_both() -> None:
    assert not cards(CANCER, drafts=[BONE_SCAN, CT | {"reasonCode": [concept(text="rising markers")]}])


def test_an_empty_reason_is_none() -> None:
    assert cards(CANCER, drafts=[BONE_SCAN | {"reasonCode": []}])
    assert cards(CANCER, drafts=[BONE_SCAN | {"reasonCode": [{}]}])


# --- Silenced by the rest


def test_the_site_can_switch_it_off() -> None:
    assert not cards(CANCER, surveillance_advice="off")


def test_it_is_never_given_on_opening_the_chart() -> None:
    assert not decision(CANCER).response["cards"]


@pytest.mark.parametrize(
    "order",
    [
        draft(text="Lipid panel"),
        draft("loinc 24972-2"),
        draft("loinc 24967-2"),
        draft("loinc 24628-0"),
        draft("loinc 39627-5"),
        draft("rxnorm 5640", kind="MedicationRequest"),
    ],
    ids=["lipid panel", "radiograph", "MRI", "CT chest only", "limited bone scan", "ibuprofen"],
)
def test_other_orders_are_no_search_for_distant_disease(order: Json) -> None:
    assert not cards(CANCER, drafts=[order])


def test_a_draft_for_another_patient_or_revoked_is_not_advised_against() -> None:
    assert not cards(CANCER, drafts=[BONE_SCAN | {"subject": reference("Patient", "pt-2")}])
    assert not cards(CANCER, drafts=[BONE_SCAN | {"status": "revoked"}])


def test_it_is_not_given_without_breast_cancer() -> None:
    assert not cards()


@pytest.mark.parametrize(
    "patient_elements", [{"deceasedBoolean": True}, {"active": False}], ids=["deceased", "inactive record"]
)
def test_it_is_not_given_for_the_dead_or_a_record_that_is_not_current(
    patient_elements: dict[str, Any],
) -> None:
    assert not cards(patient(**patient_elements), CANCER)


@pytest.mark.parametrize("key", ["conditions", "observations", "encounters"])
def test_symptoms_that_could_not_be_looked_for_are_not_called_absent(key: str) -> None:
    decided = decision(CANCER, hook="order-select", drafts=[BONE_SCAN], without=[key])
    assert not decided.response["cards"] or "not supplied" in only_card(decided)["detail"].lower()
