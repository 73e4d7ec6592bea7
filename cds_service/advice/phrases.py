"""Findings in words: what, when and from where, in the sentences of `cards/breast_cancer_back_pain/wording.toml`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from cds_service.advice.markdown import quoted
from cds_service.clinical.reading.findings import Finding

# Up to three weeks people count days, through the window of new pain weeks, then months, from two years on years.
_DAYS_UP_TO, _WEEKS_UP_TO, _MONTHS_UP_TO = 20, 89, 729

Wording = Mapping[str, Mapping[str, str]]

# The blank between a number, or the name in braces of one, and its unit. The unit of an eGFR is ours; what a laboratory
# calls another (mg/dL, µmol/L) stands as it was reported.
_BEFORE_UNIT = re.compile(r"(?<=[\d}]) (?=%|(?:hour|day|week|month|year)s?\b|mL/|m2\b)")


def unbroken(words: str) -> str:
    """Words of ours with a non-breaking space between number and unit, so that no line ends between them."""
    return _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", words)


def finding_words(finding: Finding, wording: Wording, quote: Callable[[str], str] = quoted) -> str:
    """What was found: our own words for its code, else the EHR's, as `quote` shows them."""
    if finding.label:
        return finding.label
    words = quote(finding.quote)
    return wording["why"]["quoted"].format(quote=words) if finding.from_text else words


def when_words(finding: Finding, today: date, wording: Wording) -> str:
    """When: `onset 2026-11-17, 5 days ago`; a span that is not one day is given without counting."""
    sentence = wording["when"][finding.date_source.value if finding.when else "unknown"]
    if finding.when is None:
        return sentence
    ago = _ago((today - finding.when.latest).days, wording["when"]) if finding.when.is_exact else ""
    return sentence.format(date=finding.when, ago=ago)


def date_words(finding: Finding, wording: Wording) -> str:
    """When, as a date alone: `onset 2026-11-17`."""
    sentence = wording["when"][finding.date_source.value if finding.when else "unknown"]
    return sentence.format(date=finding.when, ago="")


def _ago(days: int, words: Mapping[str, str]) -> str:
    if days <= 0:
        return words["today"]
    if days == 1:
        return words["one_day"]
    if days <= _DAYS_UP_TO:
        return words["days"].format(count=days)
    if days <= _WEEKS_UP_TO:
        return words["weeks"].format(count=days // 7)
    if days <= _MONTHS_UP_TO:
        return words["months"].format(count=round(days / 30.4))
    return words["years"].format(count=round(days / 365.25))


def joined(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
