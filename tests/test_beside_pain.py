"""What is named in a line beside the pain, and never silences the card (decisions 7.12 and 7.13)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    ON_THE_LIST,
    Json,
    concept,
    condition,
    day,
    decision,
    encounter,
    name_of,
    only_card,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
VISIT = encounter(status="in-progress", when=day(0))
HERE: Json = {"encounter": {"reference": name_of(VISIT)}, **OF_A_VISIT}
PAIN = condition(LOW_BACK_PAIN, recorded=day(0), **HERE)
RETENTION = condition("icd10cm R33.9", recorded=day(0), **HERE)


def card(*resources: Json, **context: Any) -> Json:
    made = decision(CANCER, PAIN, VISIT, *resources, **context)
    assert made.assessment.studies[:1] in (("mri-lumbar-spine",), ("mri-whole-spine",))
    return only_card(made)


def in_visit(code: str, **elements: Any) -> Json:
    return condition(code, recorded=day(0), **HERE, **elements)


# Decision 7.12.
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("icd10cm N20.0", "Calculus of kidney"),
        ("icd10cm N13.2", "Hydronephrosis with renal and ureteral calculous obstruction"),
        ("icd10cm B02.9", "Zoster without complications"),
        ("icd10cm K85.90", "Acute pancreatitis"),
        ("icd10 K86.1", "Other chronic pancreatitis"),
        ("icd9cm 592.0", "Calculus of kidney"),
        ("icd9cm 053.9", "Herpes zoster without mention of complication"),
    ],
)
def test_another_cause_in_the_visit_of_the_pain_is_named_and_silences_nothing(code: str, said: str) -> None:
    told = card(in_visit(code))
    assert said in told["detail"] and "It does not exclude metastasis." in told["detail"]
    assert told["indicator"] == "warning"


@pytest.mark.parametrize("words", ["Kidney stone, left", "shingles", "acute pancreatitis"])
def test_another_cause_in_words_is_named_in_the_words_of_the_chart(words: str) -> None:
    assert words in card(condition(text=words, recorded=day(0), **HERE))["detail"]


@pytest.mark.parametrize(
    "elements",
    [
        {"recorded": day(30)},
        {"recorded": day(0), "clinical": "resolved"},
        {"recorded": day(0), "verification": "refuted"},
    ],
)
def test_a_cause_of_another_day_or_one_that_is_over_or_refuted_is_not_named(elements: Json) -> None:
    assert "Calculus" not in card(condition("icd10cm N20.0", **OF_A_VISIT, **elements))["detail"]


def test_an_aneurysm_of_the_aorta_in_the_visit_is_the_first_line() -> None:
    told = card(in_visit("icd10cm I71.40"), in_visit("icd10cm N20.0"))["detail"]
    assert told.splitlines()[0].startswith("- Recorded with the pain: Abdominal aortic aneurysm, without rupture")
    assert "Calculus of kidney" in told


def test_an_aneurysm_that_is_only_suspected_in_the_visit_is_the_first_line_too() -> None:
    told = card(in_visit("icd10cm I71.03", verification="provisional"))["detail"]
    assert "Dissection of aorta" in told.splitlines()[0]


def test_an_aneurysm_of_the_list_is_named_below() -> None:
    told = card(condition("icd10cm I71.40", recorded=day(700), **ON_THE_LIST))["detail"]
    assert told.startswith("**Why this patient**") and "- Also recorded: Abdominal aortic aneurysm" in told


# Decision 7.13.
@pytest.mark.parametrize("code", ["snomed 260649000", "snomed 239542002"])
def test_an_operation_on_the_spine_is_named_once(code: str) -> None:
    told = card(study("Procedure", code, when=day(70)))["detail"].lower()
    assert told.count("discectomy") == 1


def test_an_operation_on_the_spine_is_named_beside_an_infection_too() -> None:
    told = card(study("Procedure", text="L4-5 fusion", when=day(70)), in_visit("icd10cm M46.46"))["detail"]
    assert "- Procedure of the spine: " in told


@pytest.mark.parametrize("words", ["SBRT T8", "External beam radiotherapy, lumbar spine", "Radiation therapy"])
def test_radiotherapy_of_the_last_months_is_named(words: str) -> None:
    assert f"- Radiotherapy: chart text `{words}" in card(study("Procedure", text=words, when=day(60)))["detail"]


def test_radiotherapy_of_longer_ago_or_of_a_diagnosis_in_words_is_not_named() -> None:
    old = study("Procedure", text="SBRT T8", when=day(120))
    told = condition(text="s/p lumpectomy and radiotherapy", recorded=day(5), **ON_THE_LIST)
    assert "- Radiotherapy" not in card(old, told)["detail"]


def test_a_visit_for_radiotherapy_is_named() -> None:
    assert "- Radiotherapy: " in card(condition("icd10cm Z51.0", recorded=day(20), **OF_A_VISIT))["detail"]


@pytest.mark.parametrize(
    "resource",
    [
        condition("icd10cm Z79.01", recorded=day(300), **ON_THE_LIST),
        condition("icd10 Z92.1", recorded=day(300), **ON_THE_LIST),
        condition("icd9cm V58.61", recorded=day(300), **ON_THE_LIST),
        condition(text="Atrial fibrillation on apixaban", recorded=day(300), **ON_THE_LIST),
    ],
)
def test_anticoagulants_beside_a_sign_of_the_cord_are_named(resource: Json) -> None:
    told = card(resource, RETENTION)
    assert told["indicator"] == "critical" and "- Anticoagulants: " in told["detail"]


def test_anticoagulants_without_a_sign_of_the_cord_are_not_named() -> None:
    assert "nticoag" not in card(condition("icd10cm Z79.01", recorded=day(300), **ON_THE_LIST))["detail"]


def test_a_reason_of_the_visit_tells_of_pain_and_stone_at_once() -> None:
    seen = encounter(concept(text="Low back pain, known kidney stone"), status="in-progress", when=day(0))
    assert "kidney stone" in only_card(decision(CANCER, seen))["detail"]
