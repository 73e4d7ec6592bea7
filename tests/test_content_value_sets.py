"""A ValueSet that would not be read as it is written stops the start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.content_copies import Json, edit_value_set, refusal

Edit = Callable[[Json], object]

SNOMED = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"

# A small set of one system, to be broken.
VICTIM = "physical-therapy"
VICTIM_FILE = f"value-sets/{VICTIM}.json"


def first_include(data: Json) -> Json:
    include: Json = data["compose"]["include"][0]
    return include


def category(data: Json, system: str, value: str, op: str = "is-a") -> None:
    filters = [{"property": "concept", "op": op, "value": value}]
    data["compose"]["include"].append({"system": system, "filter": filters})


# edit, part of the field
VALUE_SET_MISTAKES: dict[str, tuple[Edit, str]] = {
    "another resource": (lambda data: data.update(resourceType="Patient"), "resource"),
    "element that FHIR does not know": (lambda data: data.update(colour="blue"), "colour"),
    "concept without code": (lambda data: first_include(data)["concept"][0].pop("code"), "concept.0.code"),
    "id of another file": (lambda data: data.update(id="another"), "id"),
    "no purpose": (lambda data: data.pop("purpose"), "purpose"),
    "no copyright": (lambda data: data.pop("copyright"), "copyright"),
    "no version": (lambda data: data.pop("version"), "version"),
    "no compose": (lambda data: data.pop("compose"), "compose"),
    "no system": (lambda data: first_include(data).pop("system"), "compose.include.0.system"),
    "nothing included": (lambda data: data["compose"].update(include=[]), "compose.include"),
    "system that the service does not read": (
        lambda data: first_include(data).update(system=f"{SNOMED}/"),
        "compose.include.0.system",
    ),
    "include without codes": (lambda data: first_include(data).pop("concept"), "compose.include.0"),
    "codes taken away again": (
        lambda data: data["compose"].update(exclude=[{"system": SNOMED}]),
        "compose.exclude",
    ),
    "filter of another kind": (lambda data: category(data, ICD_10_CM, "C50", "regex"), "filter"),
    "category outside ICD": (lambda data: category(data, SNOMED, "254837009"), "filter"),
    "category too short to match": (lambda data: category(data, ICD_10_CM, "C5"), "filter"),
}


@pytest.mark.parametrize(("edit", "field"), VALUE_SET_MISTAKES.values(), ids=VALUE_SET_MISTAKES)
def test_a_value_set_that_would_not_be_read_as_it_is_written_is_refused(
    content_copy: Path, edit: Edit, field: str
) -> None:
    edit_value_set(content_copy, VICTIM, edit)
    error = refusal(content_copy)
    assert error.file == VICTIM_FILE
    assert field in error.field


def test_a_value_set_that_is_not_json_is_refused(content_copy: Path) -> None:
    (content_copy / VICTIM_FILE).write_text("{", encoding="utf-8")
    error = refusal(content_copy)
    assert error.file == VICTIM_FILE
    assert "not well-formed JSON" in str(error)
