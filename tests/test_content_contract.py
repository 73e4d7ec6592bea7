"""The contract between code and content: what code reads is there, and what is there is read or passed over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import pytest

from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.breast_cancer_back_pain.content import SOURCE, load_content
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import RuleValueSet
from cds_service.content.error import ContentError
from cds_service.content.load import load_content as load_content_of
from cds_service.content.load import load_contents
from cds_service.content.rule_source import RuleSource
from tests.content_copies import RULE, copy_of_content, edit_value_set, refusal, replace_in
from tests.made_up_rule import MADE_UP_RULE as MADE_UP

# A value set of the made-up rule.
OWN = "made-up-pain"

VALUE_SETS = load_content().terminology.value_sets


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy for tests that leave it as it was."""
    return copy_of_content(tmp_path_factory.mktemp("whole"))


@pytest.fixture(params=VALUE_SETS)
def removed(whole: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The id of a value set whose file is away during the test."""
    set_id = str(request.param)
    path = whole / f"value-sets/{set_id}.json"
    content = path.read_bytes()
    path.unlink()
    yield set_id
    path.write_bytes(content)


def test_a_value_set_that_is_missing_stops_the_start_and_its_file_is_named(whole: Path, removed: str) -> None:
    assert f"value-sets/{removed}.json" in str(refusal(whole))


def source_with(*value_sets: type[StrEnum]) -> RuleSource:
    return replace(SOURCE, value_sets=value_sets)


def refusal_of(folder: Path | None, source: RuleSource) -> ContentError:
    with pytest.raises(ContentError) as raised:
        load_content_of(folder, source)
    return raised.value


def test_a_misspelt_name_in_the_enumeration_stops_the_start() -> None:
    misspelt = StrEnum("misspelt", {"HOSPICE": "hospise"})
    error = refusal_of(None, source_with(SharedValueSet, RuleValueSet, misspelt))
    assert error.file == "value-sets/hospise.json"
    assert "code reads" in str(error)


def test_a_set_that_code_no_longer_names_stops_the_start() -> None:
    members = {item.name: item.value for item in RuleValueSet if item is not RuleValueSet.HOSPICE}
    fewer: type[StrEnum] = StrEnum("fewer", members)  # type: ignore[misc]
    error = refusal_of(None, source_with(SharedValueSet, fewer))
    assert (error.file, error.field) == ("value-sets/hospice.json", "id")


# Decision 11.7.
def test_a_value_set_that_nothing_names_stops_the_start(content_copy: Path) -> None:
    data = json.loads((content_copy / "value-sets/claustrophobia.json").read_text("utf-8"))
    data |= {"id": "nobody-names-this", "purpose": "match: a set that was forgotten."}
    (content_copy / "value-sets/nobody-names-this.json").write_text(json.dumps(data), "utf-8")
    error = refusal(content_copy)
    assert (error.file, error.field) == ("value-sets/nobody-names-this.json", "id")


def test_a_set_that_is_read_cannot_be_passed_over(content_copy: Path) -> None:
    replace_in(
        content_copy, f"{RULE}/rule.toml", r'^sets = \["palliative-care"\]', 'sets = ["palliative-care", "hospice"]'
    )
    error = refusal(content_copy)
    assert (error.file, error.field) == (f"{RULE}/rule.toml", "passed_over")
    assert "'hospice' is read" in str(error)


# Decision 11.7.
@pytest.mark.parametrize(
    ("set_id", "purpose", "problem"),
    [
        ("kidney-note", "supporting: named on the card.", "promises what no rule keeps"),
        ("hospice", "passed over: of no interest.", "but a rule reads it"),
    ],
)
def test_a_purpose_that_is_not_kept_stops_the_start(
    content_copy: Path, set_id: str, purpose: str, problem: str
) -> None:
    edit_value_set(content_copy, set_id, lambda data: data.update(purpose=purpose))
    error = refusal(content_copy)
    assert (error.file, error.field) == (f"value-sets/{set_id}.json", "purpose")
    assert problem in str(error)


# --- A second rule beside the first


@pytest.fixture
def other_rule(tmp_path: Path) -> RuleSource:
    """The made-up rule with a copy of its folder, which may be broken."""
    return replace(MADE_UP.source, folder=shutil.copytree(MADE_UP.source.folder, tmp_path / "made_up"))


def test_a_second_rule_brings_its_own_content_and_changes_none_of_the_first(
    content_copy: Path, other_rule: RuleSource
) -> None:
    first, second = load_contents(content_copy, (SOURCE, other_rule))
    assert OWN in second.terminology.value_sets
    assert OWN not in first.terminology.value_sets
    assert first.digest == load_content().digest
    assert second.digest != first.digest


def test_a_rules_own_set_that_is_missing_is_named(content_copy: Path, other_rule: RuleSource) -> None:
    own = Path(other_rule.folder) / f"value-sets/{OWN}.json"
    own.unlink()
    with pytest.raises(ContentError, match=OWN):
        load_contents(content_copy, (SOURCE, other_rule))


def test_a_rules_own_set_cannot_take_the_name_of_a_shared_one(content_copy: Path, other_rule: RuleSource) -> None:
    folder = Path(other_rule.folder) / "value-sets"
    (content_copy / "value-sets/hospice.json").rename(folder / "hospice.json")
    with pytest.raises(ContentError, match="hospice"):
        load_contents(content_copy, (SOURCE,))
    (content_copy / "value-sets/hospice.json").write_bytes((folder / "hospice.json").read_bytes())
    with pytest.raises(ContentError, match="is shared already"):
        load_contents(content_copy, (SOURCE, other_rule))
