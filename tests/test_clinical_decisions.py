"""docs/clinical-decisions.md: every decision is numbered, held and tested, and whatever cites one finds it there."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "clinical-decisions.md"

HEADING = re.compile(
    r'<a id="decision-(?P<anchor>[\d-]+)"></a>\n### (?P<number>\d+\.\d+) (?P<rest>.+?)(?=\n<a |\n## |\Z)', re.S
)
LINK = re.compile(r"\[([\w./-]+\.(?:py|toml|json|csv))\](?!:)")
TARGET = re.compile(r"^\[([\w./-]+)\]: \.\./(\S+)$", re.M)
CITATION = re.compile(r"\b[Dd]ecisions? (\d+\.\d+(?:(?:,|,? and|,? or) \d+\.\d+)*)")
ROWS = re.compile(r"\brows? (\d+[a-z]?(?:(?:,| and) \d+[a-z]?)*)")

# What cites decisions; JSON holds codes and charts only.
CITING = sorted(
    chain.from_iterable(
        (ROOT / folder).rglob(pattern)
        for folder in ("cds_service", "tests", "cards")
        for pattern in ("*.py", "*.toml", "*.jinja", "*.md")
    )
)


class Decision(NamedTuple):
    """One decision of the page."""

    anchor: str
    number: str
    text: str

    def part(self, name: str) -> str:
        """What stands behind `- Source:`, `- Held in:` or `- Tests:`; a text runs on over its indented lines."""
        found = re.search(rf"^- {name}: (.+?)(?=\n- |\n\n|\n?\Z)", self.text, re.S | re.M)
        return found[1] if found else ""


@cache
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


DECISIONS = [Decision(found["anchor"], found["number"], found["rest"]) for found in HEADING.finditer(page())]
NUMBERS = {decision.number for decision in DECISIONS}
TARGETS = dict(TARGET.findall(page()))


@cache
def cited(path: Path) -> frozenset[str]:
    """The numbers that a file cites. A citation may go on in the next line of a comment or docstring."""
    text = re.sub(r"\s*\n\s*(?:#:?\s*)?", " ", path.read_text(encoding="utf-8"))
    return frozenset(number for found in CITATION.findall(text) for number in re.findall(r"\d+\.\d+", found))


def held_by(decision: Decision) -> list[str]:
    return [TARGETS[name] for name in LINK.findall(decision.part("Tests")) if name.startswith("test_")]


def test_decisions_are_numbered_without_a_gap_in_each_chapter() -> None:
    chapters = [int(number) for number in re.findall(r"^## (\d+)\. ", page(), re.M)]
    counts = Counter(int(decision.number.partition(".")[0]) for decision in DECISIONS)
    assert chapters == list(range(1, len(chapters) + 1))
    assert [decision.number for decision in DECISIONS] == [
        f"{chapter}.{place}" for chapter in chapters for place in range(1, counts[chapter] + 1)
    ]
    assert len(DECISIONS) == len(re.findall(r"^### ", page(), re.M))


def test_every_decision_has_its_anchor_a_source_a_place_where_it_is_held_and_a_test() -> None:
    assert [item.number for item in DECISIONS if item.anchor != item.number.replace(".", "-")] == []
    assert [item.number for item in DECISIONS if not item.part("Source")] == []
    assert [item.number for item in DECISIONS if not LINK.findall(item.part("Held in"))] == []
    assert [item.number for item in DECISIONS if not held_by(item) and not ROWS.search(item.part("Tests"))] == []


def test_every_test_file_that_a_decision_names_cites_the_decision() -> None:
    silent = [
        (item.number, path) for item in DECISIONS for path in held_by(item) if item.number not in cited(ROOT / path)
    ]
    assert silent == []


def test_every_file_that_the_page_names_exists_and_no_name_is_left_over() -> None:
    assert [path for path in TARGETS.values() if not (ROOT / path).is_file()] == []
    assert set(LINK.findall(page())) == set(TARGETS)


def test_every_row_that_the_page_names_has_a_patient() -> None:
    folders = [path.name for path in (ROOT / "fixtures" / "scenarios").iterdir()]
    rows = {row for found in ROWS.findall(page()) for row in re.findall(r"\d+[a-z]?", found)}
    # Row 78 has a folder for each of its patients only; the chart of row 139 is made by a test.
    missing = {row for row in rows if not any(re.match(rf"row-0*{row}(?![0-9a-z])", name) for name in folders)}
    assert missing <= {"78", "139"}


def test_every_decision_that_is_cited_stands_in_the_page() -> None:
    unknown = {str(path.relative_to(ROOT)): cited(path) - NUMBERS for path in (*CITING, PAGE, *ROOT.glob("*.md"))}
    assert {path: numbers for path, numbers in unknown.items() if numbers} == {}


def test_a_citation_is_found_in_every_form(tmp_path: Path) -> None:
    file = tmp_path / "cites.py"
    several = "decisions 1.1, 1.2\nand 2.10"
    file.write_text(f"Why ({several}).\n# See decision\n# 3.4. Version 9.9 is none.\n")
    assert cited(file) == {"1.1", "1.2", "2.10", "3.4"}
