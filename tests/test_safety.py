"""The safety case: whole, held by tests that exist, and rendered as it stands in docs/safety.md."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.safety import LIKELIHOODS, MATRIX, PAGE, SEVERITIES, UNDESIRABLE, Hazard, hazards, page

TESTS = Path(__file__).parent
HAZARDS = hazards()

every_hazard = pytest.mark.parametrize("hazard", HAZARDS, ids=[hazard.id for hazard in HAZARDS])


@cache
def defined_in(name: str) -> frozenset[str]:
    """The tests that a file defines; none where there is no such file."""
    path = TESTS / name
    if not path.is_file():
        return frozenset()
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def exists(test: str) -> bool:
    """Whether there is such a test, as `test_file.py::test_name`."""
    file, _, name = test.partition("::")
    return name in defined_in(file)


@every_hazard
def test_every_test_that_holds_a_control_exists(hazard: Hazard) -> None:
    assert [test for test in hazard.tests if not exists(test)] == []


def test_a_test_that_is_gone_or_renamed_would_be_noticed() -> None:
    assert exists("test_safety.py::test_a_test_that_is_gone_or_renamed_would_be_noticed")
    assert not exists("test_safety.py::test_that_is_gone")
    assert not exists("test_gone.py::test_a_test_that_is_gone_or_renamed_would_be_noticed")


@pytest.mark.parametrize("name", ["safety.md", "certification.md"])
def test_every_test_that_a_page_names_exists(name: str) -> None:
    text = (PAGE.parent / name).read_text(encoding="utf-8")
    named = re.findall(r"`tests/(test_\w+\.py::\w+)`", text)
    assert len(named) > 30
    assert [test for test in named if not exists(test)] == []
    # Neither half of a name stands alone, where nothing would hold it.
    assert len(named) == len(re.findall(r"\btest_\w+\.py", text))


@every_hazard
def test_a_hazard_is_told_whole(hazard: Hazard) -> None:
    assert hazard.cause and hazard.effect and hazard.controls
    assert len(hazard.tests) >= len(hazard.controls), "a control that nothing holds"
    assert len(set(hazard.tests)) == len(hazard.tests)
    assert set(hazard.severity) == set(hazard.likelihood) == {"before", "after"}


@every_hazard
def test_controls_lower_the_likelihood_and_leave_no_risk_that_must_not_be(hazard: Hazard) -> None:
    before, after = (LIKELIHOODS.index(hazard.likelihood[when]) for when in ("before", "after"))
    assert after < before
    assert SEVERITIES.index(hazard.severity["after"]) <= SEVERITIES.index(hazard.severity["before"])
    assert hazard.risk("after") <= UNDESIRABLE
    # What is left and undesirable is for the deploying organization to lower, and it is told how.
    assert hazard.risk("after") < UNDESIRABLE or hazard.site


def test_the_matrix_rises_with_severity_and_with_likelihood() -> None:
    assert all(list(row) == sorted(row) for row in MATRIX)
    assert all(list(column) == sorted(column) for column in zip(*MATRIX, strict=True))
    assert (MATRIX[0][0], MATRIX[-1][-1]) == (1, 5)


def test_the_hazards_are_numbered_and_together_by_area() -> None:
    assert [hazard.id for hazard in HAZARDS] == [f"H{number:02}" for number in range(1, len(HAZARDS) + 1)]
    assert len(HAZARDS) >= 40
    areas = [hazard.area for hazard in HAZARDS]
    assert areas == sorted(areas, key=areas.index)
    assert len({hazard.title for hazard in HAZARDS}) == len(HAZARDS)


@pytest.mark.parametrize(
    "word",
    [
        "another patient", "does not come", "emergency that is none", "contrast", "pregnancy", "stale",
        "unknown is read", "comes too often", "looks like an answer", "downgrade", "clock", "twice", "implant",
    ],
)  # fmt: skip
def test_what_a_committee_asks_for_first_is_among_the_hazards(word: str) -> None:
    assert [hazard for hazard in HAZARDS if word in f"{hazard.area} {hazard.title} {hazard.effect}".lower()]


def test_the_source_attributes_are_named_as_in_their_file() -> None:
    text = (PAGE.parent / "certification.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| \d+ \| [^|]+ \| `(\w+)` \|$", text, re.M)
    path = TESTS.parent / "cards" / "breast_cancer_back_pain" / "source-attributes.toml"
    assert named == list(tomllib.loads(path.read_text(encoding="utf-8")))
    assert len(named) == 13


def test_hazards_that_the_frame_names_are_those_it_means() -> None:
    text = (PAGE.parent / "safety" / "frame.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bH\d\d\b", text)) <= {hazard.id for hazard in HAZARDS}


def test_the_page_is_what_make_safety_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make safety`"
    assert "{{" not in page()
