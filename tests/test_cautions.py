"""Cautions beside the orders: kidneys, pregnancy, contrast reactions, implants; and what was not checked."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    Json,
    allergy,
    allergy_status,
    assessed,
    bundle,
    concept,
    condition,
    created,
    day,
    decision,
    device,
    encounter,
    observation,
    only_card,
    patient,
    section,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
YOUNG = patient(birth="1992-05-04")

MRI, BONE_SCAN, CT = "mri-lumbar-spine", "bone-scan-whole-body", "ct-chest-abdomen-pelvis"
PLAIN_MRI, PLAIN_CT = MRI + "-without-contrast", CT + "-without-contrast"
STANDARD = (MRI, BONE_SCAN, CT)
NO_CONTRAST = (PLAIN_MRI, BONE_SCAN, PLAIN_CT)
NO_GADOLINIUM = (PLAIN_MRI, BONE_SCAN, CT)
NO_IODINE = (MRI, BONE_SCAN, PLAIN_CT)
PREGNANT = (PLAIN_MRI,)

EGFR, EGFR_UNIT = "loinc 98979-8", "mL/min/{1.73_m2}"
PREGNANCY_STATUS, HCG = "loinc 82810-3", "loinc 2106-3"
IS_PREGNANT, IS_NOT_PREGNANT = "snomed 77386006", "snomed 60001007"
PACEMAKER, PACEMAKER_REMOVAL = "snomed 441509002", "snomed 62881002"


def beside(*resources: Json, **arguments: Any) -> Assessment:
    """The assessment of a woman of 58 with breast cancer, low back pain of 10 days and these resources."""
    return assessed(CANCER, PAIN, *resources, **arguments)


def studies(*resources: Json) -> tuple[str, ...]:
    return beside(*resources).studies


def raised(*resources: Json) -> list[str]:
    return [item.caution.id for item in beside(*resources).cautions]


def card_beside(*resources: Json, **arguments: Any) -> Json:
    return only_card(decision(CANCER, PAIN, *resources, **arguments))


def not_checked(*resources: Json, **arguments: Any) -> str:
    return section(card_beside(*resources, **arguments), "Not checked")


def egfr(
    value: float,
    days: int = 10,
    code: str = EGFR,
    unit: str = EGFR_UNIT,
    ucum: str = "",
    comparator: str = "",
    status: str = "final",
) -> Json:
    quantity: Json = {"value": value, "unit": unit}
    quantity |= {"code": ucum, "system": "http://unitsofmeasure.org"} if ucum else {}
    quantity |= {"comparator": comparator} if comparator else {}
    return observation(code, day(days), status=status, valueQuantity=quantity)


# --- Kidneys


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


def test_the_card_quotes_a_low_egfr_with_its_date() -> None:
    proposed = section(card_beside(egfr(22)), "Proposed")
    assert "eGFR 22" in proposed and day(10) in proposed


@pytest.mark.parametrize(
    ("unit", "ucum"),
    [
        ("mL/min/{1.73_m2}", ""),
        ("mL/min/1.73m2", ""),
        ("mL/min/1.73 m²", ""),
        ("ML/MIN/1.73 M2", ""),
        ("mL/min/1.73 sq m", ""),
        ("mL/min per 1.73 m2", ""),
        ("mL/min", "mL/min/{1.73_m2}"),
    ],
)
def test_an_egfr_counts_in_every_spelling_of_its_unit(unit: str, ucum: str) -> None:
    assert studies(egfr(22, unit=unit, ucum=ucum)) == NO_CONTRAST


@pytest.mark.parametrize("unit", ["mL/min", "mg/dL"])
def test_an_egfr_with_another_unit_changes_nothing_and_the_card_says_so(unit: str) -> None:
    assert studies(egfr(22, unit=unit)) == STANDARD
    assert "The eGFR on record is not in mL/min/1.73 m2" in not_checked(egfr(22, unit=unit))


def test_an_egfr_without_a_unit_is_read_because_the_test_is_defined_per_body_surface() -> None:
    assert studies(egfr(22, unit="")) == NO_CONTRAST


def test_creatinine_is_not_read_as_an_egfr() -> None:
    assert beside(egfr(22, code="loinc 2160-0")).egfr is None


# Decision 4.4.
def test_the_newest_egfr_counts() -> None:
    assert studies(egfr(22, days=60), egfr(75, days=7)) == STANDARD
    assert studies(egfr(75, days=60), egfr(22, days=7)) == NO_CONTRAST


# Decision 4.4.
def test_an_egfr_of_90_days_ago_is_recent_one_of_91_is_named_as_not_recent() -> None:
    assert studies(egfr(22, days=90)) == NO_CONTRAST
    assert studies(egfr(22, days=91)) == STANDARD
    assert f"o recent eGFR (last 22, {day(91)}" in not_checked(egfr(22, days=91))


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
def test_of_a_race_specific_pair_of_one_day_the_lower_counts(order: tuple[str, str]) -> None:
    assert studies(egfr(28, code=order[0]), egfr(33, code=order[1])) == NO_CONTRAST


@pytest.mark.parametrize("status", ["preliminary", "entered-in-error", "cancelled", "registered"])
def test_an_egfr_that_is_not_final_does_not_count(status: str) -> None:
    assert studies(egfr(22, status=status)) == STANDARD
    assert studies(egfr(22, days=20), egfr(80, days=1, status=status)) == NO_CONTRAST


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_final_or_corrected_egfr_counts(status: str) -> None:
    assert studies(egfr(22, status=status)) == NO_CONTRAST


# Decision 4.3.
@pytest.mark.parametrize(
    ("code", "caution"),
    [
        ("icd10cm Z99.2", "dialysis"),
        ("snomed 236435004", "dialysis"),
        ("icd10cm N18.4", "severe-kidney-disease"),
        ("icd10cm N18.5", "severe-kidney-disease"),
        ("snomed 46177005", "severe-kidney-disease"),
    ],
)
def test_dialysis_and_severe_kidney_disease_leave_contrast_out_without_an_egfr(code: str, caution: str) -> None:
    ill = condition(code, onset=day(900))
    assert (studies(ill), raised(ill)) == (NO_CONTRAST, [caution])


# Decision 4.3.
@pytest.mark.parametrize(("days", "wanted"), [(90, NO_CONTRAST), (91, STANDARD)])
def test_acute_kidney_injury_counts_for_90_days(days: int, wanted: tuple[str, ...]) -> None:
    assert studies(condition("icd10cm N17.9", onset=day(days))) == wanted


def test_acute_kidney_injury_outweighs_a_better_egfr_from_before() -> None:
    assert studies(condition("icd10cm N17.9", onset=day(2)), egfr(70, days=30)) == NO_CONTRAST


@pytest.mark.parametrize("elements", [{"clinical": "resolved"}, {"verification": "refuted"}], ids=str)
@pytest.mark.parametrize("code", ["icd10cm N17.9", "icd10cm Z99.2", "icd10cm N18.4"])
def test_a_kidney_disease_that_is_over_or_untrue_does_not_count(code: str, elements: dict[str, Any]) -> None:
    assert studies(condition(code, onset=day(5), **elements)) == STANDARD


# --- Pregnancy


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
    proposed = section(card_beside(YOUNG, condition("icd10cm Z33.1", onset=day(60))), "Proposed")
    assert all(word in proposed for word in ("no gadolinium", "CT", "bone scan", "obstetrics"))


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


# Decision 4.6.
@pytest.mark.parametrize(("days", "wanted"), [(300, PREGNANT), (301, STANDARD)])
def test_a_pregnancy_that_nobody_closed_lasts_300_days(days: int, wanted: tuple[str, ...]) -> None:
    assert studies(YOUNG, condition("icd10cm Z33.1", onset=day(days))) == wanted


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
def test_a_pregnancy_on_the_record_of_a_man_is_ignored() -> None:
    assert studies(patient(birth="1992-05-04", gender="male"), condition("icd10cm Z33.1", onset=day(5))) == STANDARD


@pytest.mark.parametrize("gender", ["unknown", "other", "female"])
def test_a_pregnancy_counts_for_everyone_who_is_not_recorded_as_a_man(gender: str) -> None:
    someone = patient(birth="1992-05-04", gender=gender)
    assert studies(someone, condition("icd10cm Z33.1", onset=day(5))) == PREGNANT


# Decision 4.7.
def test_a_possible_pregnancy_is_tested_first() -> None:
    possible = condition("snomed 102874004", onset=day(5))
    assert studies(YOUNG, possible) == STANDARD
    assert "test before CT and bone scan" in section(card_beside(YOUNG, possible), "Proposed")


def test_a_later_negative_test_settles_a_possible_pregnancy() -> None:
    test = observation(HCG, day(1), valueString="negative")
    assert "possibly-pregnant" not in raised(YOUNG, condition("snomed 102874004", onset=day(5)), test)


# --- Contrast reactions


# Decision 4.5.
@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (allergy("snomed 58281002"), NO_GADOLINIUM),
        (allergy("rxnorm 1310171"), NO_GADOLINIUM),
        (allergy("snomed 407976008"), NO_GADOLINIUM),
        (allergy(text="Gadolinium"), NO_GADOLINIUM),
        (allergy("local 5", text="Gadavist"), NO_GADOLINIUM),
        (allergy("local 5", display="Gadolinium-containing contrast"), NO_GADOLINIUM),
        (
            allergy(text="Contrast reaction", reaction=[{"substance": concept("snomed 58281002")}]),
            NO_GADOLINIUM,
        ),
        (allergy("snomed 426722004"), NO_IODINE),
        (allergy("snomed 109218004"), NO_IODINE),
        (allergy("rxnorm 5956"), NO_IODINE),
        (allergy(text="Omnipaque"), NO_IODINE),
        (allergy("local 6", display="Iodinated contrast media"), NO_IODINE),
        (allergy(text="unknown", reaction=[{"substance": concept(text="iohexol")}]), NO_IODINE),
        (condition("icd10cm Z91.041"), NO_IODINE),
        (allergy("snomed 293637006"), NO_CONTRAST),
        (allergy("snomed 385420005"), NO_CONTRAST),
        (allergy(text="contrast dye"), NO_CONTRAST),
    ],
    ids=[
        "gadolinium",
        "RxNorm",
        "gadobutrol",
        "text",
        "text beside a local code",
        "display only",
        "reaction",
        "iodinated",
        "iohexol",
        "RxNorm iohexol",
        "text iodinated",
        "display only iodinated",
        "reaction in words",
        "diagnosis",
        "class unknown",
        "substance of unknown class",
        "text of unknown class",
    ],
)
def test_a_contrast_reaction_leaves_out_the_contrast_of_its_class(shown: Json, wanted: tuple[str, ...]) -> None:
    assert studies(shown) == wanted


GADOLINIUM = "snomed 58281002"


# Decision 4.5.
@pytest.mark.parametrize(
    "over",
    [
        allergy(GADOLINIUM, clinical="inactive"),
        allergy(GADOLINIUM, clinical="resolved"),
        allergy(GADOLINIUM, verification="refuted"),
        allergy(GADOLINIUM, verification="entered-in-error"),
        allergy(GADOLINIUM, clinicalStatus="resolved"),
        condition("icd10cm Z91.041", clinical="inactive"),
        condition("icd10cm Z91.041", verification="refuted"),
    ],
    ids=[
        "inactive",
        "resolved",
        "refuted",
        "entered in error",
        "plain string",
        "diagnosis inactive",
        "diagnosis refuted",
    ],
)
def test_a_contrast_reaction_that_is_over_or_untrue_does_not_count(over: Json) -> None:
    assert studies(over) == STANDARD


@pytest.mark.parametrize(
    "held",
    [
        allergy(GADOLINIUM, clinical=None, verification=None),
        allergy(GADOLINIUM, verification="unconfirmed"),
        allergy(GADOLINIUM, clinicalStatus="active"),
        allergy(GADOLINIUM, clinicalStatus=allergy_status("clinical", "Active")),
    ],
    ids=["no status", "unconfirmed", "plain string", "capital"],
)
def test_a_contrast_reaction_counts_unless_its_status_says_otherwise(held: Json) -> None:
    assert studies(held) == NO_GADOLINIUM


# Decision 4.5.
@pytest.mark.parametrize(
    "other",
    [
        allergy(text="Shellfish"),
        allergy(text="Povidone-iodine"),
        allergy(text="Iodine"),
        allergy("snomed 716186003"),
        allergy(text="No known allergies"),
        allergy(text="No known contrast media allergy"),
        allergy(text="No known allergy to iodinated contrast"),
    ],
    ids=lambda item: item["code"].get("text", "no known allergy"),
)
def test_other_allergies_and_none_change_nothing(other: Json) -> None:
    assert (studies(other), raised(other)) == (STANDARD, [])


# --- Implants


# Decision 4.8.
@pytest.mark.parametrize(
    "shown",
    [
        condition(PACEMAKER, onset=day(900)),
        condition("icd10cm Z95.0"),
        condition("icd10cm Z96.21"),
        condition("icd10cm Z96.82"),
        condition(text="Cardiac pacemaker"),
        study("Procedure", "snomed 359612003", when=day(900)),
        study("Procedure", "snomed 230898002", when=day(4000)),
        study("Procedure", "local 8", text="Insertion of spinal cord stimulator", when=day(900)),
        device("snomed 14106009"),
        device("snomed 25937001"),
        device(deviceName=[{"name": "Cochlear implant", "type": "user-friendly-name"}]),
    ],
    ids=[
        "finding",
        "pacemaker status",
        "cochlear status",
        "neurostimulator status",
        "text",
        "cochlear procedure",
        "aneurysm clip",
        "procedure in words",
        "device",
        "neurostimulator device",
        "device by name",
    ],
)
def test_an_implant_is_named_beside_the_mri_which_is_never_dropped(shown: Json) -> None:
    card = card_beside(shown)
    assert "MR conditional" in section(card, "Proposed")
    assert [order["code"]["coding"][0]["code"] for order in created(card)] == [
        "24967-2",
        "39818-0",
        "72254-6",
    ]


@pytest.mark.parametrize(
    "gone",
    [
        device("snomed 14106009", status="inactive"),
        device("snomed 14106009", status="entered-in-error"),
        study("Procedure", "snomed 359612003", when=day(900), status="not-done"),
        condition(PACEMAKER, clinical="resolved"),
        condition(PACEMAKER, verification="refuted"),
        condition("snomed 275531008"),
        condition(text="Pacemaker removed 2019"),
        condition(text="no pacemaker"),
    ],
    ids=[
        "inactive",
        "entered in error",
        "not done",
        "resolved",
        "refuted",
        "history",
        "text removed",
        "text denied",
    ],
)
def test_an_implant_that_is_not_in_place_is_not_named(gone: Json) -> None:
    assert "mri-device" not in raised(gone)


@pytest.mark.parametrize(
    ("placed", "removed", "named"),
    [
        (day(900), day(100), False),
        (day(100), day(900), True),
        (day(900), None, True),
        (None, day(100), False),
        (None, None, False),
    ],
    ids=["removed later", "removed earlier", "removal undated", "placing undated", "both undated"],
)
def test_a_removal_takes_a_pacemaker_back_unless_it_was_certainly_earlier(
    placed: str | None, removed: str | None, named: bool
) -> None:
    found = raised(condition(PACEMAKER, onset=placed), study("Procedure", PACEMAKER_REMOVAL, when=removed))
    assert ("mri-device" in found) is named


# Decision 4.8.
@pytest.mark.parametrize(
    "other",
    [condition("icd10cm Z96.21", onset=day(4000)), study("Procedure", "snomed 230898002", when=day(4000))],
    ids=["cochlear implant", "aneurysm clip"],
)
def test_the_removal_of_a_pacemaker_takes_no_other_implant_back(other: Json) -> None:
    assert "mri-device" in raised(other, study("Procedure", PACEMAKER_REMOVAL, when=day(100)))


# Decision 4.8.
@pytest.mark.parametrize(
    "shown",
    [
        condition(text="Breast tissue expander in situ"),
        device(text="Tissue expander"),
        study("Procedure", "local 9", text="Placement of tissue expander, left breast", when=day(200)),
    ],
    ids=["condition", "device", "procedure"],
)
def test_a_tissue_expander_is_named_as_often_mr_unsafe(shown: Json) -> None:
    card = card_beside(shown)
    assert "often MR unsafe" in section(card, "Proposed")
    assert created(card)[0]["code"]["coding"][0]["code"] == "24967-2"


@pytest.mark.parametrize(
    "gone",
    [
        [study("Procedure", text="Removal of tissue expander", when=day(100))],
        [condition(text="Tissue expander exchanged for implant")],
        [condition(text="Tissue expander, removed 2019")],
        [
            study("Procedure", text="Placement of tissue expander", when=day(400)),
            study("Procedure", text="Removal of tissue expander", when=day(100)),
        ],
    ],
    ids=["removal", "exchanged", "removed after a comma", "placed, then removed"],
)
def test_a_tissue_expander_that_was_removed_is_not_named(gone: list[Json]) -> None:
    assert "tissue-expander" not in raised(*gone)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("icd10cm Z18.10", "screen before MRI"),
        ("snomed 69805005", "remove before the scan"),
        ("snomed 19887002", "plan support"),
    ],
    ids=["metal", "insulin pump", "claustrophobia"],
)
def test_other_hindrances_are_one_sentence(code: str, words: str) -> None:
    card = card_beside(condition(code, onset=day(900)))
    assert words in section(card, "Proposed")
    assert len(created(card)) == 3


# Decision 4.1.
def test_no_combination_of_cautions_drops_the_mri() -> None:
    everything = [
        YOUNG,
        condition("icd10cm Z33.1", onset=day(5)),
        egfr(12),
        condition("icd10cm Z99.2"),
        allergy("snomed 293637006"),
        device("snomed 14106009"),
        condition(text="Tissue expander"),
        condition("icd10cm N17.9", onset=day(1)),
    ]
    assert studies(*everything) == PREGNANT
    assert "Pregnant" in section(card_beside(*everything), "Proposed")


# --- What was not checked


# Decision 6.3.
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("allergies", "contrast allergy"),
        ("procedures", "implants"),
        ("diagnosticReports", "earlier imaging"),
        ("serviceRequests", "earlier orders"),
        ("encounters", "visits"),
        ("observations", "laboratory"),
    ],
)
def test_a_part_of_the_chart_that_was_not_supplied_is_named(key: str, words: str) -> None:
    assert words in not_checked(without=[key])
    assert words not in not_checked()


def test_laboratory_that_was_not_supplied_is_not_called_free_of_an_egfr() -> None:
    assert "no egfr" not in not_checked(without=["observations"]).lower()


def test_a_missing_egfr_is_named_where_contrast_is_proposed() -> None:
    assert "no egfr in the last 90 days" in not_checked().lower()
    assert "egfr" not in not_checked(condition("icd10cm Z99.2")).lower()
    assert "egfr" not in not_checked(egfr(80)).lower()


# Decision 4.7.
@pytest.mark.parametrize(
    ("who", "named"),
    [
        (patient(birth="2008-11-22"), True),
        (patient(birth="1971-11-22"), True),
        (patient(birth="1970-11-23"), True),
        (patient(birth="1970-11-22"), False),
        (patient(birth="1992-05-04", gender="male"), False),
        (patient(birth="1992-05-04", gender="unknown"), True),
    ],
    ids=["18", "55", "55, the day before 56", "56", "man", "gender unknown"],
)
def test_pregnancy_is_named_for_whoever_may_be_pregnant(who: Json, named: bool) -> None:
    assert ("pregnancy" in not_checked(who).lower()) is named


@pytest.mark.parametrize(
    "known",
    [
        observation(PREGNANCY_STATUS, day(2), valueCodeableConcept=concept(IS_NOT_PREGNANT)),
        observation(HCG, day(2), valueString="negative"),
    ],
    ids=["not pregnant", "negative test"],
)
def test_pregnancy_that_was_just_excluded_is_not_named(known: Json) -> None:
    assert "pregnancy" not in not_checked(YOUNG, known).lower()


@pytest.mark.parametrize(
    "old",
    [
        observation(HCG, day(3600), valueString="negative"),
        observation(PREGNANCY_STATUS, day(3600), valueCodeableConcept=concept(IS_NOT_PREGNANT)),
        condition("icd10cm Z33.1", onset=day(3600), clinical="resolved"),
        condition("icd10cm Z33.1", onset=day(301)),
    ],
    ids=["negative test", "not pregnant", "pregnancy that ended", "pregnancy that nobody closed"],
)
def test_a_record_of_an_earlier_time_does_not_check_pregnancy_today(old: Json) -> None:
    assert "pregnancy" in not_checked(YOUNG, old).lower()


# Decision 6.3.
def test_entries_that_could_not_be_read_are_counted() -> None:
    odd = observation(CHIEF_COMPLAINT, day(1), valueString=7)
    assert "unreadable chart entries: 1" in not_checked(odd).lower()


def test_a_second_page_that_was_not_read_is_named() -> None:
    known = bundle(allergy(text="Penicillin"), next_page=True)
    assert "contrast allergy" in not_checked(replaced={"allergies": known})


def test_a_complete_chart_still_says_that_implants_and_allergies_may_be_missing() -> None:
    assert "implants and allergies that are not in the chart" in not_checked(egfr(80)).lower()
