"""Pregnancy: what shows it, what has ended it, and what it does to the orders."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.services import prefetch_templates
from tests.builders import Json, concept, condition, day, encounter, observation, patient, study
from tests.cautioned import (
    PREGNANT,
    STANDARD,
    YOUNG,
    caution_section,
    named,
    not_checked,
    raised,
    studies,
    visit_diagnosis,
)

PREGNANCY_STATUS, HCG = "loinc 82810-3", "loinc 2106-3"
IS_PREGNANT, IS_NOT_PREGNANT = "snomed 77386006", "snomed 60001007"


# Decision 4.6.
@pytest.mark.parametrize(
    "shown",
    [
        observation(PREGNANCY_STATUS, day(5), valueCodeableConcept=concept(IS_PREGNANT)),
        observation(PREGNANCY_STATUS, day(5), valueCodeableConcept=concept("loinc LA15173-0")),
        observation(PREGNANCY_STATUS, day(5), valueCodeableConcept=concept("local 1", text="Pregnant")),
        condition(IS_PREGNANT, onset=day(60)),
        condition("icd10cm Z33.1", onset=day(60)),
        condition("icd10cm Z34.90", onset=day(60)),
        condition("icd10cm O09.90", onset=day(60)),
        condition("icd10cm Z3A.22", onset=day(5)),
        condition("snomed 91957002", onset=day(5)),
        condition("icd10cm Z33.1", onset=None),
        encounter(concept("icd10cm Z34.90"), when=day(5)),
        observation(HCG, day(5), valueCodeableConcept=concept("snomed 10828004")),
        observation("loinc 2118-8", day(5), valueBoolean=True),
    ],
    ids=[
        "status",
        "status, LOINC answer",
        "status in words",
        "condition",
        "Z33",
        "Z34",
        "O09",
        "Z3A",
        "back pain in it",
        "undated",
        "visit",
        "test in urine",
        "test in serum",
    ],
)
def test_a_pregnancy_leaves_only_the_mri_without_contrast(shown: Json) -> None:
    assert studies(YOUNG, shown) == PREGNANT


def test_the_card_says_why_ct_and_bone_scan_are_not_proposed_in_pregnancy() -> None:
    said = caution_section(YOUNG, condition("icd10cm Z33.1", onset=day(60)))
    assert said.startswith("- MRI, CT and bone scan: Pregnant (")
    assert "MRI without contrast first (ACOG 723); CT, bone scan and gadolinium only after radiology" in said
    assert "Do not withhold" not in said


def test_in_an_emergency_the_card_says_that_a_needed_study_is_not_withheld() -> None:
    said = caution_section(YOUNG, condition("icd10cm Z33.1", onset=day(60)), condition("icd10cm G83.4", onset=day(1)))
    assert "Do not withhold a needed study." in said


@pytest.mark.parametrize(
    ("value", "positive"),
    [
        ({"valueCodeableConcept": concept("snomed 10828004")}, True),
        ({"valueCodeableConcept": concept("snomed 260385009")}, False),
        ({"valueCodeableConcept": concept("loinc LA6576-8")}, True),
        ({"valueCodeableConcept": concept("loinc LA6577-6")}, False),
        ({"valueCodeableConcept": concept(text="Positive")}, True),
        ({"valueCodeableConcept": concept("local 7", display="Positive")}, True),
        ({"valueString": "POSITIVE"}, True),
        ({"valueString": "Negative"}, False),
        ({"valueString": "Not detected"}, False),
        ({"valueBoolean": True}, True),
        ({"valueBoolean": False}, False),
        ({"interpretation": [concept("local POS")]}, True),
        ({"interpretation": [concept("local NEG")]}, False),
    ],
    ids=[
        "SNOMED +",
        "SNOMED -",
        "LOINC +",
        "LOINC -",
        "text +",
        "display +",
        "string +",
        "string -",
        "not detected",
        "true",
        "false",
        "interpretation +",
        "interpretation -",
    ],
)
def test_a_pregnancy_test_counts_in_every_form_of_its_result(value: dict[str, Any], positive: bool) -> None:
    """A negative test takes back what was recorded before it, a positive one stands by itself."""
    test = observation(HCG, day(1), **value)
    earlier = [] if positive else [condition(IS_PREGNANT, onset=day(40))]
    assert studies(YOUNG, test, *earlier) == (PREGNANT if positive else STANDARD)


@pytest.mark.parametrize(
    "value",
    [{"valueString": "invalid"}, {"valueString": "possible contamination"}, {}],
    ids=["invalid", "other", "none"],
)
def test_a_pregnancy_test_without_a_result_says_nothing(value: dict[str, Any]) -> None:
    assert studies(YOUNG, observation(HCG, day(1), **value)) == STANDARD
    assert "pregnancy" in not_checked(YOUNG, observation(HCG, day(1), **value)).lower()


def test_the_newest_of_pregnant_and_not_pregnant_counts() -> None:
    def status(code: str, days: int) -> Json:
        return observation(PREGNANCY_STATUS, day(days), valueCodeableConcept=concept(code))

    assert studies(YOUNG, status(IS_PREGNANT, 30), status(IS_NOT_PREGNANT, 3)) == STANDARD
    assert studies(YOUNG, status(IS_NOT_PREGNANT, 30), status(IS_PREGNANT, 3)) == PREGNANT
    assert studies(YOUNG, status(IS_NOT_PREGNANT, 3), status(IS_PREGNANT, 3)) == PREGNANT


# Decision 4.14.
@pytest.mark.parametrize(("days", "wanted"), [(280, PREGNANT), (281, STANDARD)])
def test_a_pregnancy_that_nobody_closed_lasts_40_weeks_from_its_record(days: int, wanted: tuple[str, ...]) -> None:
    for shown in (condition("icd10cm Z33.1", recorded=day(days)), visit_diagnosis("icd10cm Z34.93", days)):
        assert studies(YOUNG, shown) == wanted


@pytest.mark.parametrize(
    "elements",
    [{"clinical": "resolved"}, {"abatementDateTime": day(20)}, {"verification": "refuted"}],
    ids=str,
)
def test_a_pregnancy_that_is_over_or_untrue_does_not_count(elements: dict[str, Any]) -> None:
    assert studies(YOUNG, condition("icd10cm Z33.1", onset=day(200), **elements)) == STANDARD


def test_an_old_negative_test_does_not_take_back_an_undated_pregnancy() -> None:
    test = observation(HCG, day(1100), valueString="negative")
    assert studies(YOUNG, condition("icd10cm Z33.1"), test) == PREGNANT


# Decision 4.6.
@pytest.mark.parametrize("gender", ["unknown", "other", "female", "male"])
def test_a_pregnancy_counts_for_every_sex_on_record(gender: str) -> None:
    someone = patient(birth="1992-05-04", gender=gender)
    assert studies(someone, condition("icd10cm Z33.1", onset=day(5))) == PREGNANT


# Decision 4.7.
def test_a_possible_pregnancy_is_tested_first() -> None:
    possible = condition("snomed 102874004", onset=day(5))
    assert studies(YOUNG, possible) == STANDARD
    assert "test before CT and bone scan" in caution_section(YOUNG, possible)


def test_a_later_negative_test_settles_a_possible_pregnancy() -> None:
    test = observation(HCG, day(1), valueString="negative")
    assert "possibly-pregnant" not in raised(YOUNG, condition("snomed 102874004", onset=day(5)), test)


# --- Which codes


# Decision 4.14.
@pytest.mark.parametrize(
    "code",
    [
        "O07.4",
        "O10.012",
        "O13.3",
        "O20.0",
        "O24.410",
        "O24.419",
        "O26.892",
        "O30.001",
        "O36.8120",
        "O47.03",
        "O48.0",
        "O98.511",
        "O99.012",
        "O99.89",
        "O9A.112",
        "Z33.1",
        "Z33.3",
        "Z34.03",
        "Z36.9",
        "Z3A.20",
    ],
)
def test_every_code_of_a_pregnancy_counts_as_one(code: str) -> None:
    assert studies(YOUNG, visit_diagnosis(f"icd10cm {code}", 20)) == PREGNANT


# Decision 4.14.
@pytest.mark.parametrize(
    "code",
    [
        "O04.80",
        "O10.03",
        "O24.430",
        "O80",
        "O82",
        "O86.4",
        "O90.6",
        "O92.70",
        "O94",
        "O99.03",
        "O99.893",
        "O9A.13",
        "Z33.2",
        "Z37.0",
        "Z38.00",
        "Z39.2",
        "Z87.51",
        "Z87.59",
        "Z32.02",
        "Z30.09",
    ],
)
def test_a_code_of_the_time_after_a_birth_or_of_the_past_is_no_pregnancy(code: str) -> None:
    shown = visit_diagnosis(f"icd10cm {code}", 20)
    assert (studies(YOUNG, shown), raised(YOUNG, shown)) == (STANDARD, [])


# Decision 4.14.
@pytest.mark.parametrize("code", ["icd10cm O60.02", "icd10cm O62.3", "icd10cm O70.1", "icd10 O60.0", "icd10 O75.9"])
def test_labor_counts_in_the_current_visit_only(code: str) -> None:
    now = visit_diagnosis(code, 0) | {"encounter": {"reference": "Encounter/now"}}
    assert studies(YOUNG, now, encounter_id="now") == PREGNANT
    assert studies(YOUNG, visit_diagnosis(code, 20)) == STANDARD


# --- How it ends

CARE = visit_diagnosis("icd10cm Z34.93", 200)


# Decision 4.14.
@pytest.mark.parametrize(
    ("end", "ended"),
    [
        (visit_diagnosis("icd10cm O80", 100), True),
        (visit_diagnosis("icd10cm Z37.0", 100), True),
        (visit_diagnosis("icd10cm Z39.2", 30), True),
        (visit_diagnosis("icd10cm O99.03", 30), True),
        (visit_diagnosis("icd10cm O70.1", 100), True),
        (visit_diagnosis("icd10cm O80", 200), True),
        (visit_diagnosis("icd10cm O80", 201), False),
        (visit_diagnosis("icd10cm O03.9", 100), True),
        (visit_diagnosis("icd10cm O00.90", 100), True),
        (visit_diagnosis("icd10cm O04.80", 100), True),
        (visit_diagnosis("icd10 O80.9", 100), True),
        (visit_diagnosis("icd10 O84.0", 100), True),
        (visit_diagnosis("icd10 O15.2", 100), True),
        (visit_diagnosis("icd10 O06.9", 100), True),
        (visit_diagnosis("icd10 Z37.0", 100), True),
        (study("Procedure", text="Childbirth", when=day(100)), True),
        (study("Procedure", text="Cesarean section", when=day(100)), True),
        (study("Procedure", text="Cesarean section", when=day(900)), False),
        (study("Procedure", text="Cesarean section", when=day(100), status="not-done"), False),
        (condition(text="S/P cesarean section", recorded=day(100)), False),
        (condition(text="History of miscarriage", recorded=day(100)), False),
        (encounter(concept(text="Postpartum visit"), when=day(30)), True),
        (condition(text="6 weeks postpartum", recorded=day(30)), True),
        (condition(text="Postpartum", recorded=day(30)), True),
        (condition(text="Postpartum depression", recorded=day(30)), False),
        (visit_diagnosis("icd10cm O20.0", 100), False),
        (visit_diagnosis("icd10cm O34.219", 100), False),
        (visit_diagnosis("icd10 O15.0", 100), False),
        (visit_diagnosis("icd10 O99.4", 100), False),
        (visit_diagnosis("icd10 O88.2", 100), False),
        (observation(HCG, day(100), valueString="negative"), True),
        (observation(HCG, day(200), valueString="negative"), False),
        (observation(PREGNANCY_STATUS, day(30), valueCodeableConcept=concept(text="No")), True),
    ],
)
def test_a_delivery_a_loss_or_a_later_negative_test_ends_it(end: Json, ended: bool) -> None:
    assert studies(YOUNG, CARE, end) == (STANDARD if ended else PREGNANT)


# Decision 4.14.
@pytest.mark.parametrize(
    ("period", "wanted"), [(day(294), PREGNANT), (day(295), STANDARD), (day(500), PREGNANT), (day(100), PREGNANT)]
)
def test_a_recorded_last_period_ends_it_after_42_weeks(period: str, wanted: tuple[str, ...]) -> None:
    """One of before that pregnancy, or of after its record, is not its own."""
    last = named("Last menstrual period start date", 200, valueDateTime=period)
    assert studies(YOUNG, visit_diagnosis("icd10cm Z34.93", 200), last) == wanted


def test_a_last_period_alone_is_no_pregnancy() -> None:
    assert raised(YOUNG, named("Last menstrual period start date", 20, valueDateTime=day(60))) == []


# Decision 4.14.
@pytest.mark.parametrize(
    ("due", "wanted"),
    [
        (day(-110), PREGNANT),
        (day(-294), PREGNANT),
        (day(-295), STANDARD),
        (day(14), PREGNANT),
        (day(15), STANDARD),
        (day(90), STANDARD),
    ],
)
@pytest.mark.parametrize("name", ["Delivery date Estimated", "Estimated date of delivery", "EDD", "Expected due date"])
def test_a_delivery_date_ahead_or_just_past_is_a_pregnancy(name: str, due: str, wanted: tuple[str, ...]) -> None:
    assert studies(YOUNG, named(name, 20, valueDateTime=due)) == wanted


@pytest.mark.parametrize("name", ["Vaccine due date", "Next mammogram due date", "Delivery date of equipment"])
def test_another_date_ahead_is_no_pregnancy(name: str) -> None:
    assert studies(YOUNG, named(name, 20, valueDateTime=day(-110))) == STANDARD


def test_a_due_date_ends_the_pregnancy_that_it_belongs_to() -> None:
    due = named("Delivery date Estimated", 250, valueDateTime=day(15))
    assert studies(YOUNG, visit_diagnosis("icd10cm Z34.93", 200), due) == STANDARD


def test_a_delivery_after_it_was_written_ends_a_due_date_ahead() -> None:
    due = named("Delivery date Estimated", 100, valueDateTime=day(-10))
    assert studies(YOUNG, due, visit_diagnosis("icd10cm O80", 5)) == STANDARD
    assert studies(YOUNG, due, visit_diagnosis("icd10cm O80", 800)) == PREGNANT


# --- hCG in numbers

QUANTITATIVE = "Choriogonadotropin.beta subunit [Units/volume] in Serum or Plasma"


def hcg(value: float, days: int = 2, unit: str = "m[IU]/mL", name: str = QUANTITATIVE, **quantity: Any) -> Json:
    return named(name, days, valueQuantity={"value": value, "unit": unit, **quantity})


def coded_hcg(code: str, value: float, days: int = 2) -> Json:
    return observation(f"loinc {code}", day(days), valueQuantity={"value": value, "unit": "m[IU]/mL"})


# Decision 4.14.
@pytest.mark.parametrize("code", ["21198-7", "19080-1", "20415-6", "45194-8", "83086-9"])
@pytest.mark.parametrize(
    ("value", "wanted", "cautions"),
    [
        (300, PREGNANT, ["pregnancy"]),
        (25, PREGNANT, ["pregnancy"]),
        (24.9, STANDARD, ["hcg-to-repeat"]),
        (5, STANDARD, ["hcg-to-repeat"]),
        (4.9, STANDARD, []),
    ],
)
def test_a_quantitative_hcg_counts_by_its_code_without_words(
    code: str, value: float, wanted: tuple[str, ...], cautions: list[str]
) -> None:
    result = coded_hcg(code, value)
    assert (studies(YOUNG, result), raised(YOUNG, result)) == (wanted, cautions)


# Decision 4.14.
@pytest.mark.parametrize(("days", "wanted"), [(5, STANDARD), (20, PREGNANT), (40, PREGNANT)])
def test_a_later_hcg_below_5_ends_a_pregnancy(days: int, wanted: tuple[str, ...]) -> None:
    recorded = condition("icd10cm Z33.1", recorded=day(20))
    assert studies(YOUNG, recorded, coded_hcg("21198-7", 1, days)) == wanted


# Decision 4.14.
def test_dates_of_delivery_and_last_period_count_by_their_codes_without_words() -> None:
    due = observation("loinc 11778-8", day(20), valueDateTime=day(-100))
    assert studies(YOUNG, due) == PREGNANT
    last = observation("loinc 8665-2", day(200), valueDateTime=day(295))
    assert studies(YOUNG, visit_diagnosis("icd10cm Z34.93", 200), last) == STANDARD
    assert studies(YOUNG, visit_diagnosis("icd10cm Z34.93", 200)) == PREGNANT


# Decision 4.14.
@pytest.mark.parametrize("code", ["21198-7", "19080-1", "2118-8", "11778-8", "8665-2"])
def test_discovery_asks_for_the_tests_and_dates_of_a_pregnancy(code: str) -> None:
    template = prefetch_templates(load_content())["observations"]
    assert code in parse_qs(template.partition("?")[2])["code"][0].split(",")


# Decision 4.14.
@pytest.mark.parametrize(
    ("result", "wanted", "cautions"),
    [
        (hcg(45210), PREGNANT, ["pregnancy"]),
        (hcg(25), PREGNANT, ["pregnancy"]),
        (hcg(24.9), STANDARD, ["hcg-to-repeat"]),
        (hcg(5), STANDARD, ["hcg-to-repeat"]),
        (hcg(4.9), STANDARD, []),
        (hcg(5, comparator="<"), STANDARD, []),
        (hcg(225000, comparator=">"), PREGNANT, ["pregnancy"]),
        (hcg(45, unit="IU/L"), PREGNANT, ["pregnancy"]),
        (hcg(45, unit="mIU/mL"), PREGNANT, ["pregnancy"]),
        (hcg(45, unit=""), PREGNANT, ["pregnancy"]),
        (hcg(45, unit="ng/mL"), STANDARD, []),
        (hcg(45, name="hCG, quantitative"), PREGNANT, ["pregnancy"]),
        (hcg(45, name="Beta-hCG, serum"), PREGNANT, ["pregnancy"]),
        (hcg(45, name="Free beta hCG"), STANDARD, []),
        (observation(HCG, day(2), valueQuantity={"value": 312, "unit": "mIU/mL"}), PREGNANT, ["pregnancy"]),
        (observation(HCG, day(2), valueString="45,210 mIU/mL"), PREGNANT, ["pregnancy"]),
        (observation(HCG, day(2), valueString="<5"), STANDARD, []),
    ],
)
def test_an_hcg_of_25_is_a_pregnancy_and_one_of_5_is_repeated(
    result: Json, wanted: tuple[str, ...], cautions: list[str]
) -> None:
    assert (studies(YOUNG, result), raised(YOUNG, result)) == (wanted, cautions)


def test_the_card_names_the_hcg_that_is_to_be_repeated() -> None:
    assert "hCG 12 (" in caution_section(YOUNG, hcg(12)) and "repeat it before CT and bone scan" in caution_section(
        YOUNG, hcg(12)
    )


@pytest.mark.parametrize(("later", "cautions"), [(hcg(2, days=1), []), (hcg(80, days=1), ["pregnancy"])])
def test_a_later_result_settles_an_unclear_one(later: Json, cautions: list[str]) -> None:
    assert raised(YOUNG, hcg(12, days=5), later) == cautions


@pytest.mark.parametrize(("days", "named"), [(42, True), (43, False)])
def test_an_unclear_hcg_is_repeated_for_six_weeks(days: int, named: bool) -> None:
    assert ("hcg-to-repeat" in raised(YOUNG, hcg(12, days=days))) is named


# --- Questions


# Decision 4.14.
@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"valueCodeableConcept": concept(text="Yes")}, PREGNANT),
        ({"valueString": "Y"}, PREGNANT),
        ({"valueBoolean": True}, PREGNANT),
        ({"valueCodeableConcept": concept(text="Currently pregnant")}, PREGNANT),
        ({"valueCodeableConcept": concept(text="No")}, STANDARD),
        ({"valueString": "Not pregnant"}, STANDARD),
        ({"valueBoolean": False}, STANDARD),
        ({"valueCodeableConcept": concept(text="Unknown")}, STANDARD),
        ({}, STANDARD),
    ],
)
@pytest.mark.parametrize("how", ["by code", "Pregnancy status", "Are you pregnant?", "Pregnant?"])
def test_the_question_of_pregnancy_is_answered_by_yes_or_no(
    how: str, answer: dict[str, Any], wanted: tuple[str, ...]
) -> None:
    shown = observation(PREGNANCY_STATUS, day(9), **answer) if how == "by code" else named(how, 9, **answer)
    assert studies(YOUNG, shown) == wanted


# Decision 4.14.
@pytest.mark.parametrize(
    "text",
    ["Pregnancy, 20 wks", "20 wks pregnant", "IUP at 12 weeks", "Twin gestation", "G2P1, 24 weeks", "Preterm labor"],
)
def test_a_pregnancy_is_read_in_words(text: str) -> None:
    assert studies(YOUNG, condition(text=text, recorded=day(10))) == PREGNANT


@pytest.mark.parametrize(
    "text",
    [
        "History of pregnancy-induced hypertension",
        "Not pregnant",
        "Pregnancy test negative",
        "Planning pregnancy",
        "Sister is pregnant",
        "Denies pregnancy",
        "H/o ectopic pregnancy 2015",
        "Avoid pregnancy while on tamoxifen",
        "History of preterm labor",
    ],
)
def test_words_of_another_time_or_person_are_no_pregnancy(text: str) -> None:
    other = condition(text=text, recorded=day(10))
    assert studies(YOUNG, other) == STANDARD


# --- Named only


# Decision 4.14.
@pytest.mark.parametrize(
    ("birth", "wanted", "caution"),
    [
        ("1966-11-23", PREGNANT, "pregnancy"),
        ("1966-11-22", STANDARD, "pregnancy-unlikely"),
        ("1962-05-04", STANDARD, "pregnancy-unlikely"),
    ],
    ids=["59", "60", "64"],
)
def test_from_60_years_a_pregnancy_is_named_and_changes_nothing(
    birth: str, wanted: tuple[str, ...], caution: str
) -> None:
    shown = patient(birth=birth), condition("icd10cm Z33.1", recorded=day(30))
    assert (studies(*shown), raised(*shown)) == (wanted, [caution])


# Decision 4.14.
@pytest.mark.parametrize(
    ("birth", "wanted", "caution"),
    [
        ("1970-11-23", PREGNANT, "pregnancy"),
        ("1970-11-22", STANDARD, "hcg-unlikely"),
        ("1955-01-01", STANDARD, "hcg-unlikely"),
    ],
    ids=["55", "56", "71"],
)
def test_from_56_years_an_hcg_alone_is_named_and_changes_nothing(
    birth: str, wanted: tuple[str, ...], caution: str
) -> None:
    shown = patient(birth=birth), hcg(45)
    assert (studies(*shown), raised(*shown)) == (wanted, [caution])


def test_from_56_years_an_hcg_beside_a_pregnancy_code_counts() -> None:
    assert studies(patient(birth="1969-11-22"), hcg(45), condition("icd10cm Z33.1", recorded=day(30))) == PREGNANT


# Decision 4.14.
@pytest.mark.parametrize(
    ("gone", "named"),
    [
        (condition("icd10cm Z90.710", recorded=day(900)), True),
        (condition("icd10cm Z90.711", recorded=day(900)), True),
        (condition("icd10cm Z90.712", recorded=day(900)), False),
        (study("Procedure", text="Total abdominal hysterectomy", when=day(900)), True),
        (condition(text="S/P TAH-BSO", recorded=day(900)), True),
        (condition(text="Hysterectomy planned", recorded=day(900)), False),
        (condition(text="Mother had a hysterectomy", recorded=day(900)), False),
    ],
    ids=["both", "uterus", "cervix only", "procedure", "in words", "planned", "of the mother"],
)
def test_after_a_hysterectomy_a_pregnancy_is_named_and_changes_nothing(gone: Json, named: bool) -> None:
    shown = YOUNG, condition("icd10cm Z33.1", recorded=day(30)), gone
    assert raised(*shown) == (["pregnancy-unlikely"] if named else ["pregnancy"])


# --- After a loss


# Decision 4.14.
@pytest.mark.parametrize(("days", "cautions"), [(42, ["pregnancy-lost"]), (43, [])])
@pytest.mark.parametrize("code", ["O00.90", "O01.9", "O02.1", "O03.9", "O08.9"])
def test_for_six_weeks_after_a_loss_hcg_is_to_be_confirmed(code: str, days: int, cautions: list[str]) -> None:
    shown = YOUNG, visit_diagnosis(f"icd10cm {code}", days)
    assert (studies(*shown), raised(*shown)) == (STANDARD, cautions)


def test_the_card_asks_for_hcg_after_a_loss() -> None:
    assert "confirm hCG before CT and bone scan" in caution_section(YOUNG, visit_diagnosis("icd10cm O03.9", 20))


def test_a_negative_test_after_the_loss_settles_it() -> None:
    assert raised(YOUNG, visit_diagnosis("icd10cm O03.9", 20), hcg(2, days=3)) == []


def test_a_new_pregnancy_after_the_loss_counts() -> None:
    assert studies(YOUNG, visit_diagnosis("icd10cm O03.9", 40), visit_diagnosis("icd10cm Z34.91", 5)) == PREGNANT
