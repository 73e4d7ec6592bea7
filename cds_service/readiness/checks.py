"""A check-list: what was looked at, how it stands, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Result(StrEnum):
    """How a check ended. What could not be looked at is a warning, and says why."""

    PASS = "pass"
    WARNING = "warning"
    FAIL = "fail"

    @property
    def weight(self) -> int:
        """The worse, the heavier."""
        return list(Result).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was seen: how it stands, in a sentence, and what to do about it (empty where nothing is)."""

    result: Result
    text: str
    to_do: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list.

    Attributes:
        id: stable, for pipelines.
        title: what was looked at.
        findings: the worst decides.
    """

    id: str
    title: str
    findings: tuple[Finding, ...]

    @property
    def result(self) -> Result:
        """The worst of the findings."""
        return worst(item.result for item in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The check with stable names."""
        return {
            "id": self.id,
            "title": self.title,
            "result": self.result.value,
            "findings": [
                {"result": item.result.value, "text": item.text, "to_do": item.to_do} for item in self.findings
            ],
        }


def worst(results: Iterable[Result]) -> Result:
    """The worst of several results; `pass` of none."""
    return max(results, key=lambda item: item.weight, default=Result.PASS)


def passed(text: str) -> Finding:
    return Finding(Result.PASS, text)


def warned(text: str, to_do: str) -> Finding:
    return Finding(Result.WARNING, text, to_do)


def failed(text: str, to_do: str) -> Finding:
    return Finding(Result.FAIL, text, to_do)


def counts(checks: Sequence[Check]) -> dict[str, int]:
    """How many checks passed, warned and failed."""
    found = Counter(check.result for check in checks)
    return {result.value: found[result] for result in Result}
