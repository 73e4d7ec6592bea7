"""An onset written as free text (`Condition.onsetString`), dated only where it can be dated for certain."""

from __future__ import annotations

import re
from calendar import month_abbr, month_name, monthrange
from datetime import date, timedelta

from cds_service.chart.span import Span, read_date

_NUMBERS = {
    word: number
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
} | {"a": 1, "an": 1}

# Days in one unit; a month and a year vary, so the span is as wide as the unit.
_UNITS = {"day": 1, "d": 1, "week": 7, "wk": 7, "month": 30, "mo": 30, "mth": 30}
_UNITS |= {"year": 365, "yr": 365, "y": 365}

# An onset is a few words; a longer text cannot be dated for certain.
_LONGEST = 80

_AGO = re.compile(
    r"(?:(?:approximately|approx\.?|about|around|roughly|for|x|since|past|last|the|~|started|began)\s*)*"
    r"(?P<number>\d{1,3}|[a-z]+)\s*-?\s*(?P<unit>day|d|week|wk|month|mo|mth|year|yr|y)s?"
    r"(?:\s+(?:ago|prior|before|earlier|now|duration)(?:\s+(?:to|the|this|encounter|visit|admission))*)?\.?"
)
_DAY_NAMES = {"today": 0, "since today": 0, "this morning": 0, "yesterday": 1, "since yesterday": 1}
_MONTHS = {name.lower(): number for names in (month_name, month_abbr) for number, name in enumerate(names) if name}
_MONTH_YEAR = re.compile(
    r"(?:(?:approximately|approx\.?|about|around|since|in|early|mid|late)\s+)*"
    r"(?P<month>[a-z]{3,9})\.?,?\s+(?P<year>\d{4})"
)


_YEAR = re.compile(r"(?:(?:approximately|approx\.?|about|around|since|in|early|mid|late|~)\s*)+(?P<year>\d{4})\.?")


def date_onset_text(text: str, written: date) -> Span | None:
    """The span in which an onset lies that somebody wrote as text, or None where that is not certain.

    Args:
        text: for example `2 weeks ago`, `since yesterday`, `approximately November 2012`, `2026-09-01`.
        written: the day on which it was written; `ago` counts from there.
    """
    if len(text) > _LONGEST:
        return None
    words = " ".join(text.lower().split())
    try:
        return read_date(words.upper())
    except ValueError:
        pass
    if words in _DAY_NAMES:
        return Span.day(written - timedelta(days=_DAY_NAMES[words]))
    if match := _AGO.fullmatch(words):
        return _counted_back(match["number"], match["unit"], written)
    if (match := _MONTH_YEAR.fullmatch(words)) and match["month"] in _MONTHS:
        return _month(match["month"], int(match["year"]))
    if match := _YEAR.fullmatch(words):
        return read_date(match["year"]) if int(match["year"]) else None
    return None


def _counted_back(number: str, unit: str, written: date) -> Span | None:
    count = int(number) if number.isdigit() else _NUMBERS.get(number)
    if count is None:
        return None
    days = _UNITS[unit] * count
    if 2 * days > (written - date.min).days:
        return None
    # Written weeks, months and years are rounded: the onset may lie half a unit further back or later.
    margin = 0 if _UNITS[unit] == 1 else _UNITS[unit] // 2
    middle = written - timedelta(days=days)
    return Span(middle - timedelta(days=margin), min(middle + timedelta(days=margin), written))


def _month(name: str, year: int) -> Span | None:
    month = _MONTHS[name]
    if year < 1:
        return None
    return Span(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
