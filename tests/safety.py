"""Render docs/safety.md, the clinical safety case, from docs/safety/: `make safety`."""

from __future__ import annotations

import configparser
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "docs" / "safety"
PAGE = ROOT / "docs" / "safety.md"

# The clinical risk matrix of DCB0129's guidance: severities from left to right, the least likely first.
SEVERITIES = ("minor", "significant", "considerable", "major", "catastrophic")
LIKELIHOODS = ("very-low", "low", "medium", "high", "very-high")
MATRIX = ((1, 1, 2, 2, 3), (1, 2, 2, 3, 4), (2, 2, 3, 3, 4), (2, 3, 3, 4, 5), (3, 4, 4, 5, 5))

# From here on a risk is undesirable, and what is left of it is explained.
UNDESIRABLE = 3


@dataclass(frozen=True, slots=True)
class Hazard:
    """One hazard as the file has it; severity and likelihood `before` and `after` the controls."""

    id: str
    area: str
    title: str
    cause: str
    effect: str
    severity: dict[str, str]
    likelihood: dict[str, str]
    controls: tuple[str, ...]
    tests: tuple[str, ...]
    site: str = ""

    def risk(self, when: str) -> int:
        """From 1 to 5, `before` or `after` the controls."""
        return MATRIX[LIKELIHOODS.index(self.likelihood[when])][SEVERITIES.index(self.severity[when])]


def hazards() -> list[Hazard]:
    """The hazards in the order of their file.

    Raises:
        TypeError: one has a member too many or too few.
    """
    data = tomllib.loads((SOURCE / "hazards.toml").read_text(encoding="utf-8"))
    return [_hazard(item) for item in data["hazard"]]


def _hazard(item: dict[str, Any]) -> Hazard:
    members: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}
    return Hazard(**members)


def page() -> str:
    """The whole page."""
    log = hazards()
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    blocks = {
        "software": setup["metadata"]["version"],
        "rule": load_content().rule.version,
        "hazards": str(len(log)),
        "controls": str(sum(len(hazard.controls) for hazard in log)),
        "tests": str(len({test for hazard in log for test in hazard.tests})),
        "matrix": _matrix(),
        "counts": _counts(log),
        "summary": _table("| | Hazard | Severity | Risk before | after |", map(_row, log)),
        "log": "\n\n".join(_areas(log)),
        "left": _left(log),
        "site": "\n".join(f"- {hazard.id}, {_lower(hazard.title)}: {hazard.site}" for hazard in log if hazard.site),
    }
    text = (SOURCE / "frame.md").read_text(encoding="utf-8")
    for name, block in blocks.items():
        text = text.replace("{{" + name + "}}", block)
    return text


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _matrix() -> str:
    head = "| Risk | " + " | ".join(SEVERITIES) + " |"
    rows = (
        (name.replace("-", " "), *map(str, risks))
        for name, risks in reversed(list(zip(LIKELIHOODS, MATRIX, strict=True)))
    )
    return _table(head, rows)


def _counts(log: list[Hazard]) -> str:
    before, after = (Counter(hazard.risk(when) for hazard in log) for when in ("before", "after"))
    head = "| | " + " | ".join(f"risk {risk}" for risk in range(5, 0, -1)) + " |"
    rows = (
        (f"hazards {when} the controls", *(str(count[risk]) for risk in range(5, 0, -1)))
        for when, count in (("before", before), ("after", after))
    )
    return _table(head, rows)


def _row(hazard: Hazard) -> Iterator[str]:
    yield f"[{hazard.id}](#{_anchor(hazard)})"
    yield hazard.title
    yield _change(hazard.severity)
    yield str(hazard.risk("before"))
    yield str(hazard.risk("after"))


def _heading(hazard: Hazard) -> str:
    return f"{hazard.id}: {hazard.title}"


def _anchor(hazard: Hazard) -> str:
    kept = (letter for letter in _heading(hazard).lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")


def _areas(log: list[Hazard]) -> Iterator[str]:
    for area, members in groupby(log, key=lambda hazard: hazard.area):
        yield f"### {area}"
        yield from map(_entry, members)


def _entry(hazard: Hazard) -> str:
    lines = [
        f"#### {_heading(hazard)}",
        "",
        f"- **Cause.** {hazard.cause}",
        f"- **Effect.** {hazard.effect}",
        f"- **Risk.** Severity {_change(hazard.severity)}; likelihood {_change(hazard.likelihood)}; risk"
        f" {hazard.risk('before')} → {hazard.risk('after')}.",
        *(f"- **Control.** {control}" for control in hazard.controls),
        *([f"- **For the deploying organization.** {hazard.site}"] if hazard.site else []),
        "- **Held by** " + ", ".join(f"`tests/{test}`" for test in hazard.tests) + ".",
    ]
    return "\n".join(lines)


def _change(estimate: dict[str, str]) -> str:
    """An estimate before and after the controls; once where they are the same."""
    return " → ".join(dict.fromkeys(estimate[when].replace("-", " ") for when in ("before", "after")))


def _left(log: list[Hazard]) -> str:
    undesirable = [hazard for hazard in log if hazard.risk("after") >= UNDESIRABLE]
    head = (
        f"{len(undesirable)} hazards are left at risk {UNDESIRABLE}. What further lowers them is not in the software:"
    )
    return "\n".join([head, "", *(f"- {hazard.id}, {_lower(hazard.title)}: {hazard.site}" for hazard in undesirable)])


def _lower(title: str) -> str:
    """A title within a sentence."""
    return title if title[1].isupper() else title[0].lower() + title[1:]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
