"""Kidneys: the newest eGFR, creatinine, kidney disease, acute injury and dialysis, and what they do to contrast."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from tests.builders import Json, allergy, condition, day, observation, study
from tests.cautioned import (
    EGFR,
    EGFR_UNIT,
    NO_CONTRAST,
    NO_IODINE,
    STANDARD,
    beside,
    caution_section,
    egfr,
    named,
    not_checked,
    raised,
    studies,
    visit_diagnosis,
)


def creatinine(value: float, days: int = 10, unit: str = "mg/dL", status: str = "final") -> Json:
    return observation("loinc 2160-0", day(days), status=status, valueQuantity={"value": value, "unit": unit})


# --- Results


# Decisions 4.2 and 4.3.
@pytest.mark.parametrize(
    ("value", "wanted", "cautions"),
    [
        (29.9, NO_CONTRAST, ["egfr-below-30"]),
        (30, STANDARD, ["egfr-30-to-44"]),
        (44, STANDARD, ["egfr-30-to-44"]),
        (44.9, STANDARD, ["egfr-30-to-44"]),
        (45, STANDARD, []),
        (75, STANDARD, []),
    ],
)
def test_contrast_is_left_out_below_an_egfr_of_30_and_weighed_below_45(
    value: float, wanted: tuple[str, ...], cautions: list[str]
) -> None:
    assert (studies(egfr(value)), raised(egfr(value))) == (wanted, cautions)


def test_an_egfr_counts_also_as_a_component_of_a_panel_and_by_the_end_of_its_period() -> None:
    alone = egfr(22)
    part = {name: alone[name] for name in ("code", "valueQuantity")}
    panel = observation("loinc 24323-8", day(10), component=[part])
    assert studies(panel) == studies(alone) != STANDARD
    ended = alone | {"effectivePeriod": {"end": day(10)}}
    ended.pop("effectiveDateTime")
    assert studies(ended) == studies(alone)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (egfr(22), "eGFR 22 mL/min/1.73 m2 ("),
        (egfr(22, unit="mL/min"), "eGFR 22 mL/min ("),
        (egfr(22, unit=""), "eGFR 22 ("),
        (egfr(15, comparator="<"), "eGFR <15 mL/min/1.73 m2 ("),
        (egfr(22.5), "eGFR 22.5 mL/min/1.73 m2 ("),
    ],
    ids=["per body surface", "mL/min", "no unit", "bound", "decimals"],
)
def test_the_card_quotes_a_low_egfr_as_it_was_reported_with_its_date(result: Json, said: str) -> None:
    assert caution_section(result).startswith(f"- MRI and CT: {said}{day(10)}, 10 days ago): ")


def test_the_card_says_that_a_group_ii_agent_is_not_contraindicated() -> None:
    said = caution_section(egfr(22))
    assert "a group II agent is not contraindicated (ACR-NKF 2021)" in said
    assert "CT without contrast, or with contrast if radiology agrees" in said


@pytest.mark.parametrize(
    ("unit", "ucum"),
    [
        ("mL/min/{1.73_m2}", ""),
        ("mL/min/1.73m2", ""),
        ("mL/min/1.73 m²", ""),
        ("ML/MIN/1.73 M2", ""),
        ("mL/min/1.73 sq m", ""),
        ("mL/min per 1.73 m2", ""),
        ("mL/min/1,73m2", ""),
        ("{mL/min/1.73m2}", ""),
        ("mL/min/{BSA}", ""),
        ("mL/min", "mL/min/{1.73_m2}"),
    ],
)
def test_an_egfr_counts_in_every_spelling_of_its_unit(unit: str, ucum: str) -> None:
    assert studies(egfr(22, unit=unit, ucum=ucum)) == NO_CONTRAST
    assert "eGFR 22 mL/min/1.73 m2 (" in caution_section(egfr(22, unit=unit, ucum=ucum))


# Decision 4.4.
@pytest.mark.parametrize("unit", ["mL/min", "ml/min", "mL / min", "mL/minute"])
def test_an_egfr_in_ml_per_minute_counts_and_is_named_as_such(unit: str) -> None:
    assert studies(egfr(22, unit=unit)) == NO_CONTRAST
    assert "eGFR 22 mL/min (" in caution_section(egfr(22, unit=unit))


@pytest.mark.parametrize("unit", ["mg/dL", "mL/s", "%"])
def test_an_egfr_with_another_unit_changes_nothing_and_the_card_says_so(unit: str) -> None:
    assert studies(egfr(22, unit=unit)) == STANDARD
    assert "the eGFR on record is not in mL/min or mL/min/1.73 m2" in not_checked(egfr(22, unit=unit))


def test_a_result_in_another_unit_hides_none_that_can_be_used() -> None:
    assert studies(egfr(22, days=20), egfr(2.1, days=1, unit="mg/dL")) == NO_CONTRAST


def test_an_egfr_without_a_unit_is_read_because_the_test_is_defined_per_body_surface() -> None:
    assert studies(egfr(22, unit="")) == NO_CONTRAST


# Decision 4.4.
@pytest.mark.parametrize("unit", [EGFR_UNIT, "mL/min", ""])
@pytest.mark.parametrize("older", [EGFR_UNIT, "mL/min", ""])
def test_the_newest_egfr_counts_whatever_the_unit_of_an_older_one(unit: str, older: str) -> None:
    assert studies(egfr(22, days=60, unit=older), egfr(75, days=7, unit=unit)) == STANDARD
    assert studies(egfr(75, days=60, unit=older), egfr(22, days=7, unit=unit)) == NO_CONTRAST


# Decision 4.4.
def test_an_egfr_of_90_days_ago_is_recent_one_of_91_is_named_as_not_recent() -> None:
    assert studies(egfr(22, days=90)) == NO_CONTRAST
    assert studies(egfr(22, days=91)) == STANDARD
    assert f"no recent eGFR (last 22 mL/min/1.73 m2, {day(91)}" in not_checked(egfr(22, days=91))


def test_the_site_chooses_how_old_an_egfr_may_be() -> None:
    assert beside(egfr(22, days=91), options=RuleOptions(egfr_recent_days=91)).studies == NO_CONTRAST
    assert beside(egfr(22, days=31), options=RuleOptions(egfr_recent_days=30)).studies == STANDARD


def test_the_card_names_the_days_that_the_site_chose() -> None:
    assert "last 30 days" in not_checked(egfr_recent_days=30)


@pytest.mark.parametrize(
    ("comparator", "value", "wanted"), [("<", 15, NO_CONTRAST), ("<", 30, NO_CONTRAST), (">", 60, STANDARD)]
)
def test_an_egfr_may_be_a_bound(comparator: str, value: float, wanted: tuple[str, ...]) -> None:
    assert studies(egfr(value, comparator=comparator)) == wanted


def test_an_egfr_above_60_is_no_gap() -> None:
    assert "eGFR" not in not_checked(egfr(60, comparator=">"))


# Decision 4.4.
@pytest.mark.parametrize("order", [("loinc 48642-3", "loinc 48643-1"), ("loinc 48643-1", "loinc 48642-3")])
def test_of_two_results_of_one_day_the_lower_counts(order: tuple[str, str]) -> None:
    pair = egfr(28, code=order[0]), egfr(33, code=order[1])
    assert studies(*pair) == NO_CONTRAST
    assert "eGFR 28" in caution_section(*pair)


@pytest.mark.parametrize("status", ["preliminary", "entered-in-error", "cancelled", "registered"])
def test_an_egfr_that_is_not_final_does_not_count(status: str) -> None:
    assert studies(egfr(22, status=status)) == STANDARD
    assert studies(egfr(22, days=20), egfr(80, days=1, status=status)) == NO_CONTRAST


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_final_or_corrected_egfr_counts(status: str) -> None:
    assert studies(egfr(22, status=status)) == NO_CONTRAST


# Decision 4.4.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<15 mL/min/1.73 m2", NO_CONTRAST),
        ("22", NO_CONTRAST),
        ("22 L", NO_CONTRAST),
        ("19,5 mL/min/1,73m2", NO_CONTRAST),
        ("less than 30", NO_CONTRAST),
        (">60", STANDARD),
        ("≥ 90 mL/min/1.73 m2", STANDARD),
        ("greater than 60", STANDARD),
        ("see comment", STANDARD),
        ("22 of 30 samples", STANDARD),
    ],
)
def test_an_egfr_may_be_given_in_words(text: str, wanted: tuple[str, ...]) -> None:
    assert studies(observation(EGFR, day(3), valueString=text)) == wanted


# --- Tests that only their words name

QUANTITY = {"value": 19, "unit": "mL/min/1.73m2"}


# Decision 4.4.
@pytest.mark.parametrize(
    "text",
    [
        "eGFR",
        "EGFR NON-AFR. AMERICAN",
        "eGFR (CKD-EPI)",
        "Estimated GFR",
        "GFR, estimated",
        "Glomerular filtration rate (estimated)",
        "e-GFR",
    ],
)
def test_an_egfr_is_read_by_its_name_where_its_code_is_a_sites_own(text: str) -> None:
    assert studies(named(text, 3, valueQuantity=QUANTITY)) == NO_CONTRAST
    assert studies(named(text, 3, valueQuantity={"value": 19})) == NO_CONTRAST
    assert studies(named(text, 3, valueString=">60")) == STANDARD


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("EGFR gene mutation analysis", {"valueQuantity": {"value": 19}}),
        ("EGFR exon 19 deletion", {"valueQuantity": {"value": 19}}),
        ("EGFR expression (IHC)", {"valueQuantity": {"value": 20, "unit": "%"}}),
        ("EGFR", {"valueQuantity": {"value": 20, "unit": "%"}}),
        ("EGFR T790M", {"valueString": "20"}),
        ("eGFR category", {"valueString": "4"}),
        ("eGFR goal", {"valueQuantity": {"value": 20}}),
        ("Creatinine clearance", {"valueQuantity": {"value": 20, "unit": "mL/min"}}),
    ],
)
def test_the_gene_egfr_a_category_and_a_clearance_are_no_filtration_rate(text: str, value: dict[str, Any]) -> None:
    shown = named(text, 3, **value)
    assert studies(shown) == STANDARD
    assert "no egfr in the last 90 days" in not_checked(shown).lower()


def test_the_name_of_a_test_is_not_read_where_the_site_reads_no_words() -> None:
    assert studies(named("eGFR", 3, valueQuantity=QUANTITY), options=RuleOptions(text_match=False)) == STANDARD


# --- Creatinine


# Decision 4.4.
@pytest.mark.parametrize(
    ("result", "said"),
    [
        (creatinine(4.3), "creatinine 4.3 mg/dL ("),
        (creatinine(380, unit="umol/L"), "creatinine 380 µmol/L ("),
        (creatinine(380, unit="µmol/L"), "creatinine 380 µmol/L ("),
        (creatinine(4.3, unit="some [unit](x)"), "creatinine 4.3 ("),
        (named("Creatinine", 10, valueQuantity={"value": 4.3, "unit": "mg/dL"}), "creatinine 4.3 mg/dL ("),
        (named("CREATININE, SERUM", 10, valueString="4.3 mg/dL"), "creatinine 4.3 mg/dL ("),
    ],
    ids=["mg/dL", "umol/L", "with a Greek letter", "unit unknown", "by name", "in words"],
)
def test_a_creatinine_without_an_egfr_is_named_with_value_unit_and_date(result: Json, said: str) -> None:
    assert said + day(10) in not_checked(result)
    assert studies(result) == STANDARD


@pytest.mark.parametrize(
    "other",
    [
        named("Creatinine, urine", 10, valueQuantity={"value": 120, "unit": "mg/dL"}),
        named("Albumin/creatinine ratio", 10, valueQuantity={"value": 12, "unit": "mg/g"}),
        named("Creatine kinase", 10, valueQuantity={"value": 120, "unit": "U/L"}),
        creatinine(4.3, days=91),
        creatinine(4.3, status="preliminary"),
    ],
    ids=["urine", "ratio", "creatine kinase", "91 days old", "preliminary"],
)
def test_what_is_no_recent_creatinine_of_the_blood_is_not_named(other: Json) -> None:
    assert "creatinine" not in not_checked(other)


def test_a_creatinine_is_not_named_beside_a_recent_egfr_and_is_beside_an_old_one() -> None:
    assert "creatinine" not in not_checked(creatinine(1.1), egfr(75))
    assert "creatinine 1.1 mg/dL" in not_checked(creatinine(1.1), egfr(75, days=120))


def test_of_two_creatinines_the_newest_is_named() -> None:
    assert "creatinine 3.2 mg/dL" in not_checked(creatinine(0.9, days=50), creatinine(3.2, days=4))


# --- States, events, dialysis


# Decisions 4.3 and 4.13.
@pytest.mark.parametrize(
    ("code", "caution"),
    [
        ("icd10cm Z99.2", "dialysis"),
        ("icd10cm N18.6", "dialysis"),
        ("snomed 236435004", "dialysis"),
        ("snomed 105502003", "dialysis"),
        ("snomed 46177005", "dialysis"),
        ("icd9cm V45.11", "dialysis"),
        ("icd9cm 585.6", "dialysis"),
        ("icd9cm 585.4", "severe-kidney-disease"),
        ("icd9cm 585.5", "severe-kidney-disease"),
        ("icd9cm 404.93", "severe-kidney-disease"),
        ("icd10cm N18.4", "severe-kidney-disease"),
        ("icd10cm N18.5", "severe-kidney-disease"),
        ("icd10cm I12.0", "severe-kidney-disease"),
        ("icd10cm I13.11", "severe-kidney-disease"),
        ("icd10cm I13.2", "severe-kidney-disease"),
        ("icd10 I12.0", "severe-kidney-disease"),
        ("icd10 I13.1", "severe-kidney-disease"),
        ("icd10 I13.2", "severe-kidney-disease"),
        ("snomed 431857002", "severe-kidney-disease"),
        ("snomed 433146000", "severe-kidney-disease"),
    ],
)
def test_dialysis_and_severe_kidney_disease_leave_contrast_out_without_an_egfr(code: str, caution: str) -> None:
    for ill in (condition(code, onset=day(900)), condition(code), visit_diagnosis(code, 400)):
        assert (studies(ill), raised(ill)) == (NO_CONTRAST, [caution])


@pytest.mark.parametrize("code", ["icd10cm N18.30", "icd10cm N18.2", "icd10cm I12.9", "icd10cm I13.0", "icd10cm N18.9"])
def test_milder_kidney_disease_changes_nothing(code: str) -> None:
    assert (studies(condition(code, onset=day(900))), raised(condition(code, onset=day(900)))) == (STANDARD, [])


# Decision 4.13.
@pytest.mark.parametrize(("value", "wanted"), [(29, NO_CONTRAST), (30, STANDARD), (66, STANDARD)])
@pytest.mark.parametrize("code", ["icd10cm N18.4", "icd10cm I12.0", "snomed 433146000"])
def test_a_newer_egfr_decides_over_a_stage_that_is_coded_and_the_code_is_named(
    code: str, value: float, wanted: tuple[str, ...]
) -> None:
    ill = condition(code, onset=day(1500))
    assert studies(ill, egfr(value)) == wanted
    assert ("kidney-disease-outdated" in raised(ill, egfr(value))) is (wanted == STANDARD)


def test_the_card_names_the_stage_that_a_newer_egfr_overrules() -> None:
    said = caution_section(condition("icd10cm N18.4", onset=day(1500)), egfr(66))
    assert said.startswith("- MRI and CT: Chronic kidney disease, stage 4 (severe) is on record")
    assert "newest eGFR 66 mL/min/1.73 m2" in said


# Decision 4.13.
@pytest.mark.parametrize(("recorded", "wanted"), [(11, STANDARD), (10, NO_CONTRAST), (3, NO_CONTRAST)])
def test_a_stage_that_was_recorded_with_the_egfr_or_after_it_stands(recorded: int, wanted: tuple[str, ...]) -> None:
    assert studies(condition("icd10cm N18.4", recorded=day(recorded)), egfr(45, days=10)) == wanted


def test_an_egfr_that_is_too_old_overrules_no_stage() -> None:
    assert studies(condition("icd10cm N18.4", onset=day(1500)), egfr(66, days=91)) == NO_CONTRAST


# Decision 4.13.
@pytest.mark.parametrize(("days", "wanted"), [(30, NO_CONTRAST), (31, STANDARD)])
@pytest.mark.parametrize("code", ["icd10cm N17.9", "icd10cm N17.0", "icd10cm N17", "snomed 14669001"])
def test_acute_kidney_injury_counts_for_30_days(code: str, days: int, wanted: tuple[str, ...]) -> None:
    assert studies(condition(code, onset=day(days))) == wanted
    assert studies(visit_diagnosis(code, days)) == wanted


# Decision 4.13.
@pytest.mark.parametrize(
    ("value", "days", "wanted"),
    [
        (70, 30, NO_CONTRAST),
        (70, 10, NO_CONTRAST),
        (70, 9, NO_CONTRAST),
        (70, 8, STANDARD),
        (30, 8, STANDARD),
        (29, 8, NO_CONTRAST),
        (70, 0, STANDARD),
    ],
)
def test_an_egfr_of_30_two_days_after_the_injury_ends_it(value: float, days: int, wanted: tuple[str, ...]) -> None:
    assert studies(visit_diagnosis("icd10cm N17.9", 10), egfr(value, days=days)) == wanted


def test_the_card_shows_the_egfr_that_does_not_end_the_injury() -> None:
    said = caution_section(visit_diagnosis("icd10cm N17.9", 3), egfr(45, days=3))
    assert "- MRI and CT: Acute kidney injury" in said and "newest eGFR 45 mL/min/1.73 m2" in said


def test_an_injury_without_a_date_counts() -> None:
    assert studies(condition("icd10cm N17.9"), egfr(70, days=1)) == NO_CONTRAST


# Decision 4.13.
@pytest.mark.parametrize(
    ("others", "wanted"),
    [
        ([egfr(55)], NO_CONTRAST),
        ([condition("icd10cm Z94.0", recorded=day(100)), egfr(60)], STANDARD),
        ([condition("icd10cm Z94.0", recorded=day(100))], STANDARD),
        ([condition("icd10 Z94.0", recorded=day(100))], STANDARD),
        ([condition("icd10cm Z94.0", recorded=day(700)), egfr(60)], STANDARD),
        ([condition("icd10cm Z94.0", recorded=day(701)), egfr(60)], NO_CONTRAST),
        ([study("Procedure", text="Kidney transplantation", when=day(90)), egfr(60)], STANDARD),
        ([condition(text="Status post renal transplant", recorded=day(90)), egfr(60)], STANDARD),
        ([condition(text="Awaiting kidney transplant", recorded=day(90)), egfr(60)], NO_CONTRAST),
        ([condition(text="Failed kidney transplant", recorded=day(90)), egfr(60)], NO_CONTRAST),
        ([condition(text="Brother: kidney transplant", recorded=day(90)), egfr(60)], NO_CONTRAST),
    ],
    ids=[
        "good eGFR",
        "transplant later",
        "transplant later, no eGFR",
        "transplant later, by a code of the WHO",
        "transplant on the same day",
        "transplant before",
        "procedure in words",
        "diagnosis in words",
        "awaited",
        "failed",
        "of the brother",
    ],
)
def test_only_a_transplant_ends_dialysis(others: list[Json], wanted: tuple[str, ...]) -> None:
    assert studies(condition("icd10cm Z99.2", recorded=day(700)), *others) == wanted


# Decision 4.13.
@pytest.mark.parametrize(("days", "wanted"), [(5, ["dialysis"]), (30, ["dialysis"]), (31, [])])
def test_a_session_of_dialysis_by_code_counts_for_30_days(days: int, wanted: list[str]) -> None:
    assert raised(study("Procedure", "snomed 302497006", when=day(days))) == wanted


# Decision 4.13.
@pytest.mark.parametrize(("days", "wanted"), [(30, NO_CONTRAST), (31, STANDARD)])
@pytest.mark.parametrize("text", ["Hemodialysis", "HAEMODIALYSIS SESSION", "Peritoneal dialysis"])
def test_a_session_of_dialysis_counts_for_30_days(text: str, days: int, wanted: tuple[str, ...]) -> None:
    session = study("Procedure", "local 8", text=text, when=day(days))
    assert studies(session) == wanted
    assert ("dialysis" in raised(session)) is (wanted == NO_CONTRAST)


# Decision 4.13.
@pytest.mark.parametrize(
    ("text", "caution"),
    [
        ("ESRD on hemodialysis MWF", "dialysis"),
        ("End-stage renal disease", "dialysis"),
        ("h/o ESRD, on HD", "dialysis"),
        ("CKD stage 4", "severe-kidney-disease"),
        ("CKD 5", "severe-kidney-disease"),
        ("Chronic kidney disease, stage V", "severe-kidney-disease"),
        ("Stage 4 CKD", "severe-kidney-disease"),
        ("AKI on CKD 3", "acute-kidney-injury"),
        ("Acute renal failure", "acute-kidney-injury"),
        ("Acute tubular necrosis", "acute-kidney-injury"),
    ],
)
def test_the_kidneys_are_read_in_words(text: str, caution: str) -> None:
    ill = condition(text=text, recorded=day(5))
    assert (studies(ill), raised(ill)) == (NO_CONTRAST, [caution])


@pytest.mark.parametrize(
    "text",
    [
        "CKD stage 3",
        "CKD for 4 years",
        "Stage 4 breast cancer, CKD 3",
        "Pre-dialysis education",
        "Not on dialysis",
        "Declined dialysis",
        "No AKI",
        "AKI resolved",
        "History of AKI 2019",
        "At risk of AKI",
        "Mother on dialysis",
        "Kidney stone",
        "Renal cyst",
        "Huntington disease (HD)",
    ],
)
def test_words_that_name_kidneys_otherwise_change_nothing(text: str) -> None:
    other = condition(text=text, recorded=day(5))
    assert (studies(other), raised(other)) == (STANDARD, [])


@pytest.mark.parametrize("elements", [{"clinical": "resolved"}, {"verification": "refuted"}], ids=str)
@pytest.mark.parametrize("code", ["icd10cm N17.9", "icd10cm Z99.2", "icd10cm N18.4"])
def test_a_kidney_disease_that_is_over_or_untrue_does_not_count(code: str, elements: dict[str, Any]) -> None:
    assert studies(condition(code, onset=day(5), **elements)) == STANDARD


# --- The choice of the site

GROUP_2 = RuleOptions(renal_gadolinium="group2")


# Decision 4.3.
@pytest.mark.parametrize(
    "shown",
    [egfr(22), condition("icd10cm Z99.2"), visit_diagnosis("icd10cm N17.9", 3), condition("icd10cm N18.5")],
    ids=["eGFR", "dialysis", "injury", "stage 5"],
)
def test_a_site_may_propose_the_mri_with_an_agent_of_group_ii(shown: Json) -> None:
    assert studies(shown, options=GROUP_2) == NO_IODINE
    assert "MRI with a group II agent, which is not contraindicated" in caution_section(
        shown, renal_gadolinium="group2"
    )


def test_an_allergy_to_gadolinium_outweighs_that_choice() -> None:
    assert studies(egfr(22), allergy("snomed 58281002"), options=GROUP_2) == NO_CONTRAST


def test_that_choice_changes_nothing_for_healthy_kidneys() -> None:
    assert (studies(egfr(75), options=GROUP_2), raised(egfr(75), options=GROUP_2)) == (STANDARD, [])
