"""A code that stands in value sets that exclude each other stops the start."""

from __future__ import annotations

import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from cds_service.content.load import content_folder
from tests.content_copies import add_code, edit_value_set, refusal, replace_in

ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"

EXCLUSIONS = tomllib.loads((content_folder() / "value-set-exclusions.toml").read_text("utf-8"))["exclusion"]
EXCLUDED = {
    frozenset(pair)
    for exclusion in EXCLUSIONS
    for one, other in combinations(exclusion["groups"], 2)
    for pair in ((left, right) for left in one for right in other)
}


def test_breast_cancer_among_low_back_pain_stops_the_start(content_copy: Path) -> None:
    add_code(content_copy, "back-pain-lumbar", ICD_10_CM, "C50.911")
    error = refusal(content_copy)
    assert error.file.startswith("value-sets/")
    assert error.field == "compose"
    assert all(name in str(error) for name in ("back-pain-lumbar", "breast-cancer", "C50.911"))
    assert "different things" in str(error)


# A set, a code of it, and the set that it must not stand in too; codes from the files themselves.
RIVALS = [
    ("breast-cancer-exclusion", "breast-cancer"),
    ("breast-cancer-in-situ", "breast-cancer"),
    ("back-pain-exclusion", "back-pain-lumbar"),
    ("chronic-back-pain-lumbar", "back-pain-lumbar"),
    ("back-pain-thoracic", "back-pain-lumbar"),
    ("red-flag-exclusion", "cord-compression"),
    ("result-negative", "result-positive"),
    ("not-pregnant", "pregnant"),
    ("palliative-care", "hospice"),
    ("symptom-absent-observation", "symptom-observation"),
    ("mri-device-removed", "mri-device"),
    ("imaging-spine-radiograph", "imaging-mri-lumbar-spine"),
]


# Decision 11.7.
@pytest.mark.parametrize(("set_id", "rival"), RIVALS)
def test_a_code_of_one_set_put_into_its_rival_stops_the_start(content_copy: Path, set_id: str, rival: str) -> None:
    first: dict[str, str] = {}

    def take(data: dict[str, object]) -> None:
        compose = data["compose"]
        assert isinstance(compose, dict)
        include = next(item for item in compose["include"] if "concept" in item)
        first.update(system=include["system"], code=include["concept"][0]["code"])

    edit_value_set(content_copy, set_id, take)
    add_code(content_copy, rival, first["system"], first["code"])
    error = refusal(content_copy)
    assert error.file in (f"value-sets/{set_id}.json", f"value-sets/{rival}.json")
    assert "exclude each other" in str(error)


def test_a_code_below_a_category_of_the_other_set_is_one_of_it(content_copy: Path) -> None:
    # Listed nowhere, and no code at all: what counts is that it lies below the category C50 of breast-cancer.
    add_code(content_copy, "cord-compression", ICD_10_CM, "C50.999")
    error = refusal(content_copy)
    assert error.file == "value-sets/cord-compression.json"
    assert "'breast-cancer'" in str(error)


def test_a_category_above_a_code_of_the_other_set_counts_too(content_copy: Path) -> None:
    filters = [{"property": "concept", "op": "is-a", "value": "M54"}]
    edit_value_set(
        content_copy,
        "cord-compression",
        lambda data: data["compose"]["include"].append({"system": ICD_10_CM, "filter": filters}),
    )
    error = refusal(content_copy)
    assert "'cord-compression'" in str(error)
    assert "exclude each other" in str(error)


def test_a_code_twice_in_one_set_stops_the_start(content_copy: Path) -> None:
    add_code(content_copy, "physical-therapy", SNOMED, "91251008")
    add_code(content_copy, "physical-therapy", SNOMED, "91251008")
    error = refusal(content_copy)
    assert (error.file, error.field) == ("value-sets/physical-therapy.json", "compose.include")
    assert "91251008 is listed twice" in str(error)


def test_one_icd_code_in_two_spellings_is_listed_twice(content_copy: Path) -> None:
    for code in ("R26.89", "r2689"):
        add_code(content_copy, "physical-therapy", ICD_10_CM, code)
    assert "r2689 is listed twice" in str(refusal(content_copy))


def test_an_exclusion_of_a_set_that_does_not_exist_is_named(content_copy: Path) -> None:
    replace_in(content_copy, "value-set-exclusions.toml", r'\[\["result-positive"\]', '[["result-positiv"]')
    error = refusal(content_copy)
    assert error.file == "value-set-exclusions.toml"
    assert "there is no value set 'result-positiv'" in str(error)


def test_a_set_in_two_groups_of_one_exclusion_is_named(content_copy: Path) -> None:
    replace_in(
        content_copy,
        "value-set-exclusions.toml",
        r'\[\["result-positive"\], \["result-negative"\]\]',
        '[["result-positive"], ["result-negative", "result-positive"]]',
    )
    assert "'result-positive' stands in two groups" in str(refusal(content_copy))


@pytest.mark.parametrize("exclusion", EXCLUSIONS, ids=lambda exclusion: exclusion["why"][:40])
def test_every_exclusion_says_why_in_a_sentence(exclusion: dict[str, str]) -> None:
    assert exclusion["why"].endswith(".")


# Decision 11.7.
def test_cancer_and_pain_exclude_each_other_whatever_the_region() -> None:
    regions = ("cervical", "thoracic", "lumbar", "sacral", "thoracolumbar", "unspecified")
    assert all({"breast-cancer", f"back-pain-{region}"} in EXCLUDED for region in regions)
