"""MRI of the brain: new brain symptoms, and what the chart says of the receptors."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.brain import Receptors
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    SYMPTOM,
    Json,
    allergy,
    assessment,
    concept,
    condition,
    created,
    day,
    decision,
    observation,
    only_card,
    section,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
HEADACHE = condition("snomed 25064002", onset=day(3))
BRAIN, PLAIN_BRAIN = "mri-brain", "mri-brain-without-contrast"

ER, PR, ER_AND_PR = "loinc 85337-4", "loinc 85339-0", "loinc 10480-2"
ER_PERCENT, PR_PERCENT = "loinc 85329-1", "loinc 85325-9"
HER2, HER2_GENE = "loinc 85319-2", "loinc 85318-4"
POSITIVE, NEGATIVE = concept("snomed 10828004"), concept("snomed 260385009")
BRAIN_MRI = "loinc 24587-8"


def beside(*resources: Json, **arguments: Any) -> Assessment:
    return assessment(CANCER, PAIN, *resources, **arguments)


def coded(code: str, value: Json, days: int = 2900, **elements: Any) -> Json:
    return observation(code, day(days), valueCodeableConcept=value, **elements)


def receptors(*resources: Json) -> Receptors:
    return beside(HEADACHE, *resources).receptors


HER2_POSITIVE = coded(HER2, POSITIVE)
TRIPLE_NEGATIVE = [coded(ER, NEGATIVE), coded(PR, NEGATIVE), coded(HER2, NEGATIVE)]


# --- Receptors


# Decision 10.3.
@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"valueCodeableConcept": POSITIVE}, Receptors.HER2_POSITIVE),
        ({"valueCodeableConcept": concept("loinc LA6576-8")}, Receptors.HER2_POSITIVE),
        ({"valueCodeableConcept": concept(text="3+")}, Receptors.HER2_POSITIVE),
        ({"valueCodeableConcept": concept("local 3", display="Positive (3+)")}, Receptors.HER2_POSITIVE),
        ({"valueString": "IHC 3+"}, Receptors.HER2_POSITIVE),
        ({"valueString": "Positive"}, Receptors.HER2_POSITIVE),
        ({"valueString": "HER2 positive"}, Receptors.HER2_POSITIVE),
        ({"interpretation": [concept("local POS")]}, Receptors.HER2_POSITIVE),
        ({"valueString": "IHC 2+"}, Receptors.UNKNOWN),
        ({"valueString": "equivocal"}, Receptors.UNKNOWN),
        ({"valueCodeableConcept": NEGATIVE}, Receptors.OTHER),
        ({"valueString": "1+"}, Receptors.OTHER),
        ({"valueString": "0"}, Receptors.OTHER),
        ({"valueString": "HER2-low"}, Receptors.OTHER),
        ({"interpretation": [concept("local NEG")]}, Receptors.OTHER),
    ],
    ids=[
        "coded",
        "LOINC answer",
        "text 3+",
        "display 3+",
        "IHC 3+",
        "Positive",
        "HER2 positive",
        "interpretation",
        "IHC 2+",
        "equivocal",
        "negative",
        "1+",
        "0",
        "low",
        "interpretation negative",
    ],
)
def test_her2_is_read_in_every_form_and_2_plus_is_not_positive(value: dict[str, Any], status: Receptors) -> None:
    assert receptors(observation(HER2, day(900), **value)) is status


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("amplified", Receptors.HER2_POSITIVE),
        ("HER2 gene amplified", Receptors.HER2_POSITIVE),
        ("not amplified", Receptors.OTHER),
        ("non-amplified", Receptors.OTHER),
        ("non amplified", Receptors.OTHER),
        ("nonamplified", Receptors.OTHER),
    ],
)
def test_a_gene_test_says_amplified_or_not(text: str, status: Receptors) -> None:
    assert receptors(observation(HER2_GENE, day(900), valueString=text)) is status


def percent(code: str, value: float, comparator: str = "") -> Json:
    quantity: Json = {"value": value, "unit": "%"} | ({"comparator": comparator} if comparator else {})
    return observation(code, day(900), valueQuantity=quantity)


# Decision 10.3.
@pytest.mark.parametrize(
    ("value", "comparator", "status"),
    [
        (0, "", Receptors.TRIPLE_NEGATIVE),
        (1, "<", Receptors.TRIPLE_NEGATIVE),
        (1, "", Receptors.OTHER),
        (9, "", Receptors.OTHER),
        (95, "", Receptors.OTHER),
    ],
    ids=["0 %", "<1 %", "1 %", "low positive", "95 %"],
)
def test_a_receptor_is_positive_from_1_percent_of_cells(value: float, comparator: str, status: Receptors) -> None:
    assert receptors(percent(ER_PERCENT, value, comparator), percent(PR_PERCENT, 0), coded(HER2, NEGATIVE)) is status


@pytest.mark.parametrize("text", ["95 %", "Positive, 90%", "ER positive"])
def test_a_positive_estrogen_receptor_in_words_is_not_triple_negative(text: str) -> None:
    er = observation(ER, day(900), valueString=text)
    triple = condition("icd10cm Z17.421")
    assert receptors(er, triple) is Receptors.OTHER


@pytest.mark.parametrize("text", ["1+", "2+"])
def test_a_weak_stain_of_a_hormone_receptor_is_not_read_as_one_of_her2(text: str) -> None:
    er = observation(ER, day(900), valueString=text)
    assert receptors(er, coded(PR, NEGATIVE), coded(HER2, NEGATIVE)) is Receptors.OTHER


# Decision 10.3.
def test_triple_negative_takes_all_three_results() -> None:
    assert receptors(*TRIPLE_NEGATIVE) is Receptors.TRIPLE_NEGATIVE
    assert receptors(*TRIPLE_NEGATIVE[:2]) is Receptors.OTHER
    assert receptors(coded(ER_AND_PR, NEGATIVE), coded(HER2, NEGATIVE)) is Receptors.TRIPLE_NEGATIVE


# Decision 10.3.
def test_the_newest_result_counts() -> None:
    assert receptors(coded(HER2, NEGATIVE, 4000), coded(HER2, POSITIVE, 700)) is Receptors.HER2_POSITIVE
    assert receptors(coded(HER2, POSITIVE, 4000), coded(HER2, NEGATIVE, 700)) is Receptors.OTHER
    assert receptors(coded(HER2, POSITIVE, 700), coded(HER2_GENE, NEGATIVE, 700)) is Receptors.HER2_POSITIVE


@pytest.mark.parametrize("status", ["preliminary", "entered-in-error", "cancelled"])
def test_a_result_that_is_not_final_does_not_count(status: str) -> None:
    assert receptors(coded(HER2, POSITIVE, status=status)) is Receptors.UNKNOWN


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("icd10cm Z17.31", Receptors.HER2_POSITIVE),
        ("icd10cm Z17.410", Receptors.HER2_POSITIVE),
        ("icd10cm Z17.420", Receptors.HER2_POSITIVE),
        ("snomed 427685000", Receptors.HER2_POSITIVE),
        ("icd10cm Z17.421", Receptors.TRIPLE_NEGATIVE),
        ("snomed 706970001", Receptors.TRIPLE_NEGATIVE),
        ("icd10cm Z17.411", Receptors.OTHER),
        ("icd10cm Z17.0", Receptors.OTHER),
        ("snomed 431396003", Receptors.OTHER),
    ],
)
def test_a_diagnosis_code_states_the_receptors(code: str, status: Receptors) -> None:
    assert receptors(condition(code)) is status


def test_a_refuted_diagnosis_code_states_nothing() -> None:
    assert receptors(condition("icd10cm Z17.31", verification="refuted")) is Receptors.UNKNOWN


def test_a_result_outweighs_a_diagnosis_code() -> None:
    assert receptors(condition("icd10cm Z17.31"), coded(HER2, NEGATIVE)) is Receptors.OTHER


# --- Symptoms


# Decision 10.2.
@pytest.mark.parametrize(
    "symptom",
    [
        HEADACHE,
        condition("icd10cm R56.9", onset=day(1)),
        condition("icd10cm R41.82", onset=day(1)),
        condition("icd10cm H53.2", onset=day(1)),
        condition("snomed 91175000", onset=day(84)),
        observation(SYMPTOM, day(1), valueCodeableConcept=concept("snomed 25064002")),
    ],
    ids=["headache", "seizure", "mental status", "diplopia", "day 84", "observation"],
)
def test_a_new_brain_symptom_with_her2_positive_disease_takes_a_brain_mri(symptom: Json) -> None:
    assert BRAIN in beside(HER2_POSITIVE, symptom).studies


# Decision 10.1.
@pytest.mark.parametrize(
    "symptom",
    [
        condition("icd10cm R51.9", onset=day(85)),
        condition("snomed 84757009", onset="1998"),
        condition("icd10cm R51.9", onset=day(1), clinical="resolved"),
        condition("icd10cm R51.9", onset=day(1), verification="refuted"),
        condition("icd10cm R51.9", onset=day(1), verification="provisional"),
        condition("icd10cm R51.9"),
        observation("loinc 111551-8", day(1), valueCodeableConcept=concept("snomed 25064002")),
        condition("snomed 309774006", onset=day(1)),
        condition("icd10cm R11.10", onset=day(1)),
        condition("icd10cm R55", onset=day(1)),
    ],
    ids=[
        "day 85",
        "old epilepsy",
        "resolved",
        "refuted",
        "provisional",
        "undated",
        "denied",
        "leg weakness",
        "vomiting",
        "syncope",
    ],
)
def test_without_a_new_brain_symptom_there_is_no_brain_mri(symptom: Json) -> None:
    assert BRAIN not in beside(HER2_POSITIVE, symptom).studies


# Decision 10.1.
@pytest.mark.parametrize(("days_ago", "counts"), [(28, True), (29, False)])
def test_a_symptom_that_one_visit_recorded_counts_for_28_days(days_ago: int, counts: bool) -> None:
    headache = condition("icd10cm R51.9", recorded=day(days_ago), **OF_A_VISIT)
    assert (BRAIN in beside(HER2_POSITIVE, headache).studies) is counts


# Decision 10.1.
def test_a_symptom_that_was_recorded_before_the_window_is_not_new() -> None:
    known = condition("icd10cm R51.9", recorded=day(400), **OF_A_VISIT)
    again = condition("icd10cm R51.9", recorded=day(1), **OF_A_VISIT)
    assert BRAIN not in beside(HER2_POSITIVE, known, again).studies


def test_two_weak_symptoms_are_no_brain_symptom() -> None:
    weak = [condition("icd10cm R11.10", onset=day(1)), condition("icd10cm R55", onset=day(1))]
    assert BRAIN not in beside(HER2_POSITIVE, *weak).studies


# Decision 10.1.
def test_vomiting_is_named_beside_another_symptom() -> None:
    found = beside(HER2_POSITIVE, HEADACHE, condition("icd10cm R11.10", onset=day(1)))
    assert [item.label for item in found.brain] == ["Headache", "Vomiting, unspecified"]


def test_a_brain_symptom_is_no_emergency_of_the_spine() -> None:
    found = beside(HER2_POSITIVE, HEADACHE)
    assert not found.critical
    assert found.studies[-1] == BRAIN


# Decision 10.1.
def test_without_back_pain_there_is_no_card() -> None:
    assert not decision(CANCER, HER2_POSITIVE, HEADACHE).response["cards"]


# --- The site's choice, and the card

TWO_SUBTYPES = RuleOptions(brain_any_subtype="her2-or-triple-negative")


# Decision 10.2.
@pytest.mark.parametrize("evidence", [[], [coded(ER, POSITIVE), coded(HER2, NEGATIVE)]], ids=["unknown", "other"])
def test_other_receptors_are_a_suggestion_to_consider_unless_the_site_names_two_subtypes(evidence: list[Json]) -> None:
    assert BRAIN in beside(HEADACHE, *evidence).studies
    assert BRAIN not in beside(HEADACHE, *evidence, options=TWO_SUBTYPES).studies
    assert "Consider MRI brain" in section(only_card(decision(CANCER, PAIN, HEADACHE, *evidence)), "Proposed")


@pytest.mark.parametrize("evidence", [[HER2_POSITIVE], TRIPLE_NEGATIVE], ids=["HER2-positive", "triple-negative"])
def test_the_two_subtypes_take_a_brain_mri_at_such_a_site_too(evidence: list[Json]) -> None:
    assert BRAIN in beside(HEADACHE, *evidence, options=TWO_SUBTYPES).studies


def test_the_card_names_the_subtype_and_says_when_it_is_unknown() -> None:
    sure = section(only_card(decision(CANCER, PAIN, HEADACHE, HER2_POSITIVE)), "Proposed")
    assert "(HER2-positive)" in sure and "Consider" not in sure
    assert "receptor status not found" in section(only_card(decision(CANCER, PAIN, HEADACHE)), "Proposed")


# Decision 10.4.
def test_a_brain_mri_is_of_the_head_and_never_stat() -> None:
    card = only_card(decision(CANCER, PAIN, HEADACHE, HER2_POSITIVE))
    orders = {order["code"]["coding"][0]["code"]: order["priority"] for order in created(card)}
    assert orders["24587-8"] == "urgent"


# --- Done before, or without contrast


@pytest.mark.parametrize(
    "done",
    [
        study("DiagnosticReport", BRAIN_MRI, when=day(1)),
        study("ServiceRequest", BRAIN_MRI, when=day(1), status="active"),
    ],
    ids=["done", "ordered"],
)
def test_a_brain_mri_that_is_there_is_not_offered_again(done: Json) -> None:
    found = beside(HER2_POSITIVE, HEADACHE, done)
    assert BRAIN not in found.studies
    assert BRAIN in {item.slug for item in found.covered}


def test_a_brain_mri_of_last_year_does_not_answer_a_new_symptom() -> None:
    assert BRAIN in beside(HER2_POSITIVE, HEADACHE, study("DiagnosticReport", BRAIN_MRI, when=day(365))).studies


# Decision 10.4.
def test_a_brain_mri_from_before_the_symptom_does_not_answer_it() -> None:
    done = study("DiagnosticReport", BRAIN_MRI, when=day(8))
    assert BRAIN in beside(HER2_POSITIVE, condition("snomed 91175000", onset=day(1)), done).studies


def test_a_brain_mri_after_the_symptom_answers_it_though_the_pain_came_later() -> None:
    done = study("DiagnosticReport", BRAIN_MRI, when=day(15))
    assert BRAIN not in beside(HER2_POSITIVE, condition("snomed 25064002", onset=day(20)), done).studies


@pytest.mark.parametrize(
    "forbidden",
    [allergy("snomed 58281002"), condition("icd10cm Z33.1", onset=day(30)), condition("icd10cm N18.5")],
    ids=["gadolinium allergy", "pregnancy", "kidney disease"],
)
def test_where_gadolinium_is_forbidden_the_brain_mri_goes_without(forbidden: Json) -> None:
    found = beside(HER2_POSITIVE, HEADACHE, forbidden)
    assert PLAIN_BRAIN in found.studies and BRAIN not in found.studies
