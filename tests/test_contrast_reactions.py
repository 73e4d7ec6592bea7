"""Reactions to contrast: which class, in codes and words, and what is no reason to leave contrast out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Json, allergy, allergy_status, concept, condition, day
from tests.cautioned import (
    NO_CONTRAST,
    NO_GADOLINIUM,
    NO_IODINE,
    STANDARD,
    card_beside,
    caution_section,
    raised,
    studies,
)


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


# --- In the words of whoever typed them


# Decision 4.15.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("CT dye", NO_IODINE),
        ("CT Scan Dye", NO_IODINE),
        ("X-ray dye", NO_IODINE),
        ("IV DYE", NO_IODINE),
        ("IVP dye", NO_IODINE),
        ("Iodine contrast", NO_IODINE),
        ("Isovue 370", NO_IODINE),
        ("MRI dye", NO_GADOLINIUM),
        ("MR contrast", NO_GADOLINIUM),
        ("GBCA", NO_GADOLINIUM),
        ("Gadavist", NO_GADOLINIUM),
        ("Clariscan", NO_GADOLINIUM),
        ("Elucirem", NO_GADOLINIUM),
        ("Vueway", NO_GADOLINIUM),
        ("Primovist", NO_GADOLINIUM),
        ("Artirem", NO_GADOLINIUM),
        ("Pixxoscan 0.5 mmol/ml", NO_GADOLINIUM),
        ("Magnegita", NO_GADOLINIUM),
        ("Dotagraf", NO_GADOLINIUM),
        ("Cyclolux", NO_GADOLINIUM),
        ("DYE", NO_CONTRAST),
        ("Contrast", NO_CONTRAST),
        ("contrast media", NO_CONTRAST),
        ("Dyes", NO_CONTRAST),
        ("CT IV contrast", NO_IODINE),
        ("Contrast media used for CT", NO_IODINE),
        ("CT w/ contrast", NO_IODINE),
        ("Contrast containing iodine", NO_IODINE),
        ("Radiocontrast dye", NO_IODINE),
        ("Dye used for cat scan", NO_IODINE),
        ("MRI w/ contrast", NO_GADOLINIUM),
        ("Contrast medium (MRI)", NO_GADOLINIUM),
        ("Contrast given for MRI scan", NO_GADOLINIUM),
        ("Contrast (CT and MRI)", NO_CONTRAST),
    ],
)
def test_words_name_the_class_of_contrast_or_none(text: str, wanted: tuple[str, ...]) -> None:
    shown = allergy(text=text, reaction=[{"manifestation": [concept(text="Hives")]}])
    assert studies(shown) == wanted
    assert "or premedication / another agent, per radiology" in caution_section(shown)


# Decision 4.15.
@pytest.mark.parametrize(
    "text",
    [
        "BLUE DYE",
        "Isosulfan blue (sentinel node)",
        "Patent blue V",
        "Methylene blue",
        "Lymphazurin",
        "Fluorescein dye",
        "Hair dye",
        "Food dye, red",
        "Tattoo dye",
        "Ultrasound contrast (perflutren)",
        "Povidone-iodine",
        "Betadine",
        "Shellfish derived",
        "Magnesium",
        "Iodine",
    ],
)
def test_other_dyes_iodine_and_shellfish_are_no_contrast(text: str) -> None:
    shown = allergy(text=text, reaction=[{"manifestation": [concept(text="Anaphylaxis")]}])
    assert (studies(shown), raised(shown)) == (STANDARD, [])
    assert "premedication" not in card_beside(shown)["detail"]


@pytest.mark.parametrize("text", ["Not allergic to gadolinium", "Patient is not allergic to IV contrast"])
def test_contrast_that_is_said_to_be_borne_is_no_allergy(text: str) -> None:
    assert studies(allergy(text=text)) == STANDARD


def test_a_dye_of_no_named_class_stays_so_whatever_its_reaction_came_after() -> None:
    after_ct = [{"manifestation": [concept(text="Anaphylaxis after CT scan")]}]
    assert studies(allergy(text="DYE", reaction=after_ct)) == NO_CONTRAST


# Decision 4.15.
@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (condition("icd10cm Z91.041", text="Allergy to gadolinium"), NO_GADOLINIUM),
        (condition("icd10cm Z91.041", text="MRI contrast allergy"), NO_GADOLINIUM),
        (condition("icd10cm Z91.041", text="Contrast allergy"), NO_IODINE),
        (condition("icd10cm Z91.041"), NO_IODINE),
        (condition("icd10cm Z91.041", display="Radiographic dye allergy status"), NO_IODINE),
        (allergy("snomed 293637006", text="Gadobutrol"), NO_GADOLINIUM),
        (allergy("snomed 293637006", text="Omnipaque 300"), NO_IODINE),
        (allergy("snomed 58281002", text="Iohexol"), NO_IODINE),
        (allergy("snomed 58281002", text="Contrast"), NO_GADOLINIUM),
        (allergy("snomed 716186003", text="No known allergies to contrast"), STANDARD),
        (allergy("snomed 293637006", text="CT and MRI contrast"), NO_CONTRAST),
        (allergy(text="MRI/CT contrast"), NO_CONTRAST),
    ],
)
def test_words_that_name_the_class_win_over_a_code_that_names_another_or_none(
    entry: Json, wanted: tuple[str, ...]
) -> None:
    assert studies(entry) == wanted


# Decision 4.15.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Allergy to IV contrast", NO_CONTRAST),
        ("Contrast reaction", NO_CONTRAST),
        ("Anaphylaxis due to iodinated contrast media", NO_IODINE),
        ("Gadolinium allergy", NO_GADOLINIUM),
        ("Contrast-induced nephropathy", STANDARD),
        ("Breast cancer, CT with contrast planned; seasonal allergies", STANDARD),
        ("MRI with gadolinium contrast done", STANDARD),
        ("No known contrast allergy", STANDARD),
        ("Mother allergic to contrast", STANDARD),
        ("Allergic contact dermatitis due to hair dye", STANDARD),
    ],
)
def test_a_diagnosis_in_words_counts_where_it_speaks_of_a_reaction(text: str, wanted: tuple[str, ...]) -> None:
    assert studies(condition(text=text, recorded=day(300))) == wanted


# --- Physiologic reactions


def reacted(*manifestations: str, text: str = "Gadobutrol", severity: str = "", **elements: Any) -> Json:
    reaction: Json = {"manifestation": [concept(text=item) for item in manifestations]}
    return allergy(text=text, reaction=[reaction | ({"severity": severity} if severity else {})], **elements)


def coded_reaction(*codes: str, text: str = "", to: str = "Iohexol") -> Json:
    manifestations = [concept(code, text=text) if text else concept(code) for code in codes]
    return allergy(text=to, reaction=[{"manifestation": manifestations}])


# Decision 4.15.
@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (coded_reaction("snomed 422587007"), "Nausea"),
        (coded_reaction("snomed 25064002"), "Headache"),
        (coded_reaction("snomed 422587007", "snomed 25064002"), "Nausea"),
    ],
    ids=["nausea", "headache", "both"],
)
def test_a_physiologic_reaction_by_code_alone_changes_nothing(shown: Json, said: str) -> None:
    assert (studies(shown), raised(shown)) == (STANDARD, ["contrast-reaction-physiologic"])
    assert said in caution_section(shown)


# Decision 4.15.
@pytest.mark.parametrize(
    "manifestations",
    [
        ["Nausea"],
        ["Headache"],
        ["Metallic taste"],
        ["Feeling of warmth"],
        ["Warmth", "Nausea"],
        ["Anxiety"],
        ["Mild nausea and headache"],
        ["Flushing only"],
    ],
    ids=str,
)
def test_a_physiologic_reaction_is_named_and_changes_nothing(manifestations: list[str]) -> None:
    shown = reacted(*manifestations)
    assert (studies(shown), raised(shown)) == (STANDARD, ["contrast-reaction-physiologic"])
    assert all(item in caution_section(shown) for item in manifestations)


# Decision 4.15.
@pytest.mark.parametrize(
    "shown",
    [
        reacted("Nausea", "Hives"),
        reacted("Nausea and vomiting"),
        reacted("Flushing, itching"),
        reacted("Headache", severity="severe"),
        reacted("Nausea", criticality="high"),
        reacted("Throat warmth and swelling"),
        reacted("Unknown"),
        allergy(text="Gadobutrol"),
        allergy(text="Gadobutrol", reaction=[{"manifestation": [concept("snomed 247472004")]}]),
        coded_reaction("snomed 422587007", text="Nausea, hives", to="Gadobutrol"),
        coded_reaction("snomed 422587007", "snomed 247472004", to="Gadobutrol"),
        allergy(text="Gadobutrol", reaction=[{"description": "hives within minutes"}]),
    ],
    ids=[
        "with hives",
        "vomiting",
        "itching",
        "severe",
        "high criticality",
        "swelling",
        "unknown",
        "nothing said",
        "a code of another reaction",
        "a code with more in its words",
        "codes of two reactions",
        "described",
    ],
)
def test_anything_more_than_physiologic_leaves_out_the_contrast(shown: Json) -> None:
    assert studies(shown) == NO_GADOLINIUM


def test_a_physiologic_reaction_takes_back_no_other_one() -> None:
    assert studies(reacted("Nausea"), reacted("Hives", text="Dotarem")) == NO_GADOLINIUM


def test_words_of_the_chart_for_a_reaction_are_quoted() -> None:
    assert "`Nausea`" in caution_section(reacted("Nausea"))


@pytest.mark.parametrize("text", ["Gadolinium - nausea only", "Contrast: warm feeling"])
def test_an_entry_may_name_contrast_and_reaction_in_one_text(text: str) -> None:
    assert (studies(allergy(text=text)), raised(allergy(text=text))) == (STANDARD, ["contrast-reaction-physiologic"])
