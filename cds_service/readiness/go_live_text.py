"""The check-list as text, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from cds_service.readiness.checks import Check, Result, counts
from cds_service.readiness.go_live import CheckList

WIDTH = 100

_MARKS = {Result.PASS: "pass   ", Result.WARNING: "WARNING", Result.FAIL: "FAIL   "}


def check_text(check: Check) -> str:
    """One check: its result, what was found, and what to do."""
    return "\n".join(_lines(check))


def _lines(check: Check) -> Iterator[str]:
    yield f"{_MARKS[check.result]}  {check.title}"
    for finding in check.findings:
        mark = "" if finding.result is Result.PASS or finding.result is check.result else f"{finding.result}: "
        yield from _wrapped(f"{mark}{finding.text}", "           ", "           ")
        if finding.to_do:
            yield from _wrapped(f"{finding.to_do[0].upper()}{finding.to_do[1:]}.", "        -> ", "           ")


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def summary_text(found: CheckList) -> str:
    """What the list comes to, and what is known of the vendor."""
    numbers = counts(found.checks)
    lines = [f"{numbers['pass']} passed, {numbers['warning']} warnings, {numbers['fail']} failed."]
    if found.vendor.facts:
        lines += ["", f"Publicly known of {found.vendor.name}:"]
        for fact in found.vendor.facts:
            lines += _wrapped(f"{fact.text} [{fact.source}]", "- ", "  ")
    return "\n".join(lines)
