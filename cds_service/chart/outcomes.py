"""What an OperationOutcome says about the completeness of a listing (decision 6.6).

Servers put one beside the entries of a search, or in their place. It leaves a gap where it reports an error, or where
its code says that something was, or may have been, left out: an unknown code may say just that. Beside entries, codes
that speak of the request or of single hits leave none (Epic's 4101 and 4119 come with every search); in place of the
entries every code but `informational` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.chart.records import Gap

_MILD = frozenset({"information", "warning", "success"})

# The codes of R4's issue types, and R5's `success`, that leave no gap where severity is mild.
_HARMLESS_TEXT = """
    success informational processing not-found deleted duplicate multiple-matches business-rule conflict value invalid
    structure required invariant too-long code-invalid extension
"""
_HARMLESS = frozenset(_HARMLESS_TEXT.split())
_NO_GAP_IN_PLACE_OF_ENTRIES = frozenset({"informational"})

# What a server withholds for want of permission: a site may never grant it, and say so.
_WITHHELD = frozenset({"suppressed", "security", "forbidden"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gap that an OperationOutcome leaves, and one that the site has accepted and which leaves none."""

    gap: Gap | None = None
    accepted: Gap | None = None


def judge(outcome: Mapping[str, Any], in_place: bool, accepts: bool) -> Verdict:
    """What an OperationOutcome leaves of a listing.

    Args:
        outcome: the OperationOutcome; one without any issue says nothing, and counts as an error.
        in_place: it came in place of the listing, not among its entries.
        accepts: the site knows that its EHR never grants all of this key.
    """
    issues = outcome.get("issue")
    issues = [issues] if isinstance(issues, dict) else issues
    if not isinstance(issues, list) or not issues:
        return Verdict(Gap.SOURCE_ERROR)
    verdict = Verdict()
    for issue in issues:
        gap, withheld = _gap(issue, in_place) if isinstance(issue, dict) else (Gap.SOURCE_ERROR, False)
        if gap and accepts and withheld:
            verdict = Verdict(verdict.gap, gap)
        elif gap and verdict.gap is not Gap.SOURCE_ERROR:
            verdict = Verdict(gap, verdict.accepted)
    return verdict


def _gap(issue: Mapping[str, Any], in_place: bool) -> tuple[Gap | None, bool]:
    """The gap that one issue leaves, and whether it speaks of what is withheld."""
    severity, code = _word(issue.get("severity")), _word(issue.get("code"))
    if severity not in _MILD:
        return Gap.SOURCE_ERROR, False
    if code in (_NO_GAP_IN_PLACE_OF_ENTRIES if in_place else _HARMLESS):
        return None, False
    return Gap.LEFT_OUT, code in _WITHHELD


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""
