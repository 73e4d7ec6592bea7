"""All faults of the content are told at once: also those that once passed silently, and those of other files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli.main import main
from cds_service.content.error import ContentError
from tests.content_copies import RULE, add_code, edit_value_set, refusal, replace_in
from tests.overlays import problems, write

ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"


def break_in_six_ways(folder: Path) -> None:
    """A set is missing, one is read by nothing, a code stands twice, one in two sets that exclude each other, a number
    is out of bounds, and a purpose promises what no code keeps."""
    (folder / "value-sets/pathological-fracture.json").unlink()
    data = json.loads((folder / "value-sets/claustrophobia.json").read_text("utf-8"))
    data |= {"id": "nobody-names-this", "purpose": "match: a set that was forgotten."}
    write(folder, "value-sets/nobody-names-this.json", json.dumps(data))
    for _ in range(2):
        add_code(folder, "physical-therapy", "http://snomed.info/sct", "91251008")
    add_code(folder, "back-pain-lumbar", ICD_10_CM, "C50.911")
    replace_in(folder, f"{RULE}/rule.toml", "^value = 84", "value = 9999")
    edit_value_set(folder, "kidney-note", lambda data: data.update(purpose="supporting: named on the card."))


WANTED = {
    "value-sets/pathological-fracture.json": "the file is missing",
    "value-sets/nobody-names-this.json": "no rule reads this value set",
    "value-sets/physical-therapy.json": "91251008 is listed twice",
    "C50.911": "exclude each other",
    "threshold.new_window_days.value": "9999 is not from 1 to 3650",
    "value-sets/kidney-note.json": "promises what no rule keeps",
}


@pytest.mark.parametrize("place", WANTED)
def test_faults_that_once_passed_are_told_at_once_by_the_command(content_copy: Path, place: str) -> None:
    break_in_six_ways(content_copy)
    result = CliRunner().invoke(main, ["content", "check", str(content_copy)])
    assert result.exit_code == 1
    assert any(place in line and WANTED[place] in line for line in result.output.splitlines()), result.output


def test_the_start_names_all_of_them_too(content_copy: Path) -> None:
    break_in_six_ways(content_copy)
    error = refusal(content_copy)
    assert all(
        any(place in line and said in line for line in str(error).splitlines()) for place, said in WANTED.items()
    )
    assert len(error.problems) == len(set(error.problems)) >= len(WANTED)


def test_a_file_that_cannot_be_read_hides_no_fault_of_another(content_copy: Path) -> None:
    (content_copy / f"{RULE}/wording.toml").unlink()
    replace_in(content_copy, f"{RULE}/rule.toml", "^value = 84", "value = 9999")
    replace_in(content_copy, f"{RULE}/override-reasons.toml", '^code = "pain-not-new"', 'code = "imaged-elsewhere"')
    assert [problem.split(": ")[0] for problem in problems(folder=content_copy)] == [
        f"{RULE}/override-reasons.toml",
        f"{RULE}/wording.toml",
        f"{RULE}/rule.toml",
    ]


def test_a_file_with_several_faults_names_each(content_copy: Path) -> None:
    replace_in(content_copy, f"{RULE}/rule.toml", "^owner = .*", "owner = 7")
    replace_in(content_copy, f"{RULE}/rule.toml", "^released = .*", 'released = "soon"')
    assert {problem.split(": ")[1] for problem in problems(folder=content_copy)} == {"owner", "released"}


def test_a_set_that_is_refused_itself_is_not_told_of_again_where_it_is_named(content_copy: Path) -> None:
    (content_copy / "value-sets/imaging-mri-cervical-spine.json").write_text("{", "utf-8")
    (problem,) = problems(folder=content_copy)
    assert problem.startswith("value-sets/imaging-mri-cervical-spine.json: not well-formed JSON")


def test_an_error_of_several_problems_has_the_first_ones_file_and_a_line_for_each() -> None:
    error = ContentError("a.toml", "x", "is missing", *ContentError("b.toml", "", "is empty").problems)
    assert (error.file, error.field) == ("a.toml", "x")
    assert str(error) == "a.toml: x: is missing\nb.toml: is empty"
