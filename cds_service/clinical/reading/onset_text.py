"""An onset written as free text (`Condition.onsetString`), dated only as far as the words date it.

What is counted loosely ("a few weeks", "several years", "since childhood") is a span as wide as the words; a date that
can be read in two ways is the span of both (clinical decision 2.5).
"""

from __future__ import annotations

import re
from calendar import day_abbr, day_name, month_abbr, month_name, monthrange
from collections.abc import Callable
from datetime import date, timedelta

from cds_service.chart.span import Span, read_date

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve"
    " thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
)
_NUMBERS = {word: float(number) for number, word in enumerate(_NUMBER_WORDS.split())} | {"thirty": 30, "forty": 40}
_NUMBERS |= {"a": 1, "an": 1, "half a": 0.5, "half an": 0.5, "one and a half": 1.5, "a couple of": 2, "couple of": 2}

# Counts that nobody counted: at least and at most so many units.
_LOOSE = {"few": (2, 6), "a few": (2, 6), "several": (2, 11), "some": (2, 11), "multiple": (2, 11), "many": (3, 11)}

# Days in one unit; a month and a year vary, so the span is as wide as the unit.
_UNITS = {"day": 1, "d": 1, "week": 7, "wk": 7, "w": 7, "month": 30, "mo": 30, "mth": 30}
_UNITS |= {"year": 365, "yr": 365, "y": 365, "decade": 3650}
_YEAR_DAYS = 365

# Nobody's pain is older.
_LONGEST_YEARS = 120

# An onset is a few words; a longer text cannot be dated for certain.
_LONGEST = 80

# Counted without a number, years are more than one; from childhood it is more than one for an adult.
_YEARS_AGO = re.compile(
    r"(?:(?:since|from|in|for|when|she|he|was|an?|as an?|x|her|his|my|early|late|past|the|over|it|began|started)\s+)*"
    r"(?:childhood|adolescence|youth|child|teens?|teenager|teenage years|birth|lifelong|life ?long|decades?|years|yrs"
    r"|always|forever|a number of years"
    r"|(?:(?:high|middle|grade|primary|elementary|grammar|secondary) )?school|college|university|early adulthood"
    r"|(?:most of |all )?(?:her |his |my |the )?(?:whole |entire |adult )?life|ages|years and years|ongoing for years)"
    r"(?:\s+(?:ago|now))?\.?"
)

# What is long-standing is chronic: three months at least. "Chronic" alone names a kind of pain and dates none.
_CHRONIC_DAYS = 91
_CHRONIC = re.compile(
    r"(?:(?:for|since|is|a|very|ongoing)\s+)*(?:long[ -]?standing|long[ -]?term|long time)"
    r"(?:\s+(?:ago|now|problem|issue|pain))?\.?"
)

_LEAD = (
    r"(?:(?:approximately|approx\.?|about|around|roughly|for(?!ty)|x|since|past|last|the|~|started|began|over the"
    r"|nearly|almost|intermittent|on and off|off and on|recurrent)\s*)*"
)
_TAIL = r"(?:\s+(?:ago|prior|before|earlier|now|duration|back)(?:\s+(?:to|the|this|encounter|visit|admission))*)?\.?"
_NUMBER = r"\d{1,3}(?:\.\d)?|half an?|one and a half|(?:a )?couple of|a few|[a-z]+"
_UNIT = r"(?P<unit>days?|d|weeks?|wks?|w|months?|mos?|mths?|years?|yrs?|y|decades?)"
_AGO = re.compile(rf"{_LEAD}(?P<number>{_NUMBER})(?:\s*(?:-|to|or)\s*(?P<upper>\d{{1,3}}))?\s*-?\s*{_UNIT}{_TAIL}")
_AT_LEAST = re.compile(
    rf"(?:for\s+)?(?:(?:well\s+)?(?:over|more than|at least|greater than|>)\s*(?:(?:the )?(?:last|past) )?"
    rf"(?P<number>{_NUMBER})|(?P<plus>\d{{1,3}})\s*\+)\s*{_UNIT}{_TAIL}"
)
# The last so many days, or the unit before this one.
_LAST = re.compile(r"(?:since |in |over |within )?(?:the )?(?P<which>last|past|this) (?P<unit>week|month|year)")
_DAY_NAMES = {
    "today": 0, "since today": 0, "this morning": 0, "this am": 0, "tonight": 0, "this afternoon": 0,
    "yesterday": 1, "since yesterday": 1, "last night": 1, "since last night": 1, "yesterday evening": 1,
    "yesterday morning": 1, "yesterday afternoon": 1, "overnight": 1,
}  # fmt: skip
_WEEKDAYS = "|".join(name.lower() for names in (day_name, day_abbr) for name in names)
_WEEKDAY = re.compile(rf"(?:(?:since|on|from|last|this|past) )*(?:{_WEEKDAYS})\.?")
_MONTHS = {name.lower(): number for names in (month_name, month_abbr) for number, name in enumerate(names) if name}
_MONTHS["sept"] = 9
_NEAR = (
    r"(?:(?:approximately|approx\.?|about|around|circa|c\.|since|in|early|mid-?|late|on|from|~|started|began|recurrent"
    r"|christmas|q[1-4])\s*)*"
)
_MONTH_YEAR = re.compile(rf"{_NEAR}(?P<month>[a-z]{{3,9}})\.?,?\s+(?P<year>\d{{4}})")
_MONTH_DAY = re.compile(
    rf"{_NEAR}(?:(?P<month>[a-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?"
    rf"|(?P<first>\d{{1,2}})(?:st|nd|rd|th)?\.?[\s-]+(?P<then>[a-z]{{3,9}})\.?,?)[\s-]+(?P<year>\d{{4}})"
)
_NUMERIC = re.compile(rf"{_NEAR}(?P<one>\d{{1,2}})(?P<sign>[/.-])(?P<two>\d{{1,2}})(?P=sign)(?P<year>\d{{4}}|\d{{2}})")
_YEAR_FIRST = re.compile(rf"{_NEAR}(?P<year>\d{{4}})(?P<sign>[/.])(?P<month>\d{{1,2}})(?P=sign)(?P<day>\d{{1,2}})")
_MONTH_NUMBER = re.compile(rf"{_NEAR}(?P<month>\d{{1,2}})[/.-](?P<year>\d{{4}})")
_YEAR_MONTH = re.compile(rf"{_NEAR}(?P<year>\d{{4}})/(?P<month>\d{{1,2}})")
# A season counts as its year: south of the equator the same name means other months.
_SEASON = re.compile(rf"{_NEAR}(?:the )?(?:spring|summer|fall|autumn|winter)(?: of|,)? (?P<year>\d{{4}})")
_YEAR = re.compile(rf"{_NEAR}(?P<year>\d{{4}})\.?")
# "before 2012": the year before is the last that it may be.
_BEFORE = re.compile(r"(?:since )?(?:before|prior to) (?P<year>(?:19|20)\d\d)\.?")
_YEARS_BETWEEN = re.compile(r"(?P<first>(?:19|20)\d\d)\s*(?:-|to|/)\s*(?P<last>(?:19|20)\d\d)")
# "since the accident in 2003", "since MVA 2009", "since a fall 12 years ago": what happened is not asked.
_SINCE_EVENT = re.compile(
    r"(?:[a-z -]+ )?(?:since|after) \D{1,40}?(?:(?P<year>(?:19|20)\d\d)\)?|(?P<ago>\d{1,2}) (?:years|yrs) ago)\.?"
)
_DECADE = re.compile(rf"{_NEAR}(?:the\s+)?(?P<decade>(?:19|20)\d)0'?s")


def date_onset_text(text: str, written: date) -> Span | None:
    """The span in which an onset lies that somebody wrote as text, or None where that is not certain.

    Args:
        text: for example `2 weeks ago`, `since yesterday`, `several years`, `around November 2012`, `03/04/2020`.
        written: the day on which it was written; `ago` counts from there.
    """
    if len(text) > _LONGEST:
        return None
    words = " ".join(text.lower().split())
    try:
        return read_date(words.upper())
    except ValueError:
        pass
    for read in _READINGS:
        if span := read(words, written):
            return span
    return None


def _named_day(words: str, written: date) -> Span | None:
    if words in _DAY_NAMES:
        return _between(_DAY_NAMES[words], _DAY_NAMES[words], written)
    if _WEEKDAY.fullmatch(words):
        return _between(13 if "last" in words else 7, 0, written)
    if match := _LAST.fullmatch(words):
        days = _UNITS[match["unit"]]
        if match["which"] != "last":
            return _between(days, 0, written)
        return _between(2 * days, 1, written) if days < _YEAR_DAYS else _last_year(written)
    return None


def _counted(words: str, written: date) -> Span | None:
    if match := _AT_LEAST.fullmatch(words):
        least = _number(match["number"] or match["plus"])
        return None if least is None else _more_than(int(least * _days_in(match["unit"])), written)
    if not (match := _AGO.fullmatch(words)):
        return None
    unit = _days_in(match["unit"])
    if loose := _LOOSE.get(match["number"]):
        least, furthest = (count * unit for count in loose)
        return _more_than(least, written) if unit >= _YEAR_DAYS else _between(furthest, least, written)
    count = _number(match["number"])
    if count is None:
        return None
    most = max(count, float(match["upper"] or 0))
    # Written weeks, months and years are rounded: the onset may lie half a unit further back or later.
    margin = 0 if unit == 1 else int(unit // 2 * min(count, 1))
    return _between(int(most * unit) + margin, int(count * unit) - margin, written)


def _last_year(written: date) -> Span | None:
    return read_date(f"{written.year - 1:04}") if written.year > 1 else None


def _years_ago(words: str, written: date) -> Span | None:
    if _CHRONIC.fullmatch(words):
        return _more_than(_CHRONIC_DAYS, written)
    return _more_than(_YEAR_DAYS, written) if _YEARS_AGO.fullmatch(words) else None


def _calendar_date(words: str, _: date) -> Span | None:
    if match := _NUMERIC.fullmatch(words):
        return _numeric(int(match["one"]), int(match["two"]), match["year"], day_first=match["sign"] == ".")
    if match := _MONTH_DAY.fullmatch(words):
        month, day = match["month"] or match["then"], match["day"] or match["first"]
        return _day(int(match["year"]), _MONTHS.get(month, 0), int(day))
    if (match := _MONTH_YEAR.fullmatch(words)) and match["month"] in _MONTHS:
        return _month(_MONTHS[match["month"]], int(match["year"]))
    if match := _MONTH_NUMBER.fullmatch(words) or _YEAR_MONTH.fullmatch(words):
        return _month(int(match["month"]), int(match["year"]))
    if match := _YEAR_FIRST.fullmatch(words):
        return _day(int(match["year"]), int(match["month"]), int(match["day"]))
    return None


def _years(words: str, _: date) -> Span | None:
    """Whole years: one, some, or all before one."""
    if match := _YEAR.fullmatch(words) or _SEASON.fullmatch(words):
        return read_date(match["year"]) if int(match["year"]) else None
    if match := _BEFORE.fullmatch(words):
        year = int(match["year"])
        return _from_to(year - _LONGEST_YEARS, year - 1)
    if (match := _YEARS_BETWEEN.fullmatch(words)) and match["first"] < match["last"]:
        return _from_to(int(match["first"]), int(match["last"]))
    if match := _DECADE.fullmatch(words):
        first = int(match["decade"]) * 10
        return _from_to(first, first + 9)
    return None


def _since_event(words: str, written: date) -> Span | None:
    if not (match := _SINCE_EVENT.fullmatch(words)):
        return None
    return read_date(match["year"]) if match["year"] else _counted(f"{match['ago']} years ago", written)


_READINGS: tuple[Callable[[str, date], Span | None], ...] = (
    _named_day,
    _counted,
    _years_ago,
    _calendar_date,
    _years,
    _since_event,
)


def _days_in(unit: str) -> int:
    return _UNITS.get(unit) or _UNITS[unit.removesuffix("s")]


def _number(word: str) -> float | None:
    return float(word) if word[0].isdigit() else _NUMBERS.get(word)


def _between(most: int, least: int, written: date) -> Span | None:
    """From `most` to `least` days before `written`, and not after it; None where that leads beyond the calendar."""
    if 2 * most > (written - date.min).days:
        return None
    return Span(written - timedelta(days=most), written - timedelta(days=max(least, 0)))


def _more_than(days: int, written: date) -> Span | None:
    return _between(max(_LONGEST_YEARS * _YEAR_DAYS, days), days, written)


def _numeric(one: int, two: int, year: str, day_first: bool) -> Span | None:
    """A date in figures: with dots the day comes first; with slashes it may be either, where both are dates."""
    full_year = int(year) if len(year) == 4 else 2000 + int(year)
    readings = [_day(full_year, two, one)]
    if not day_first:
        readings.append(_day(full_year, one, two))
    days = sorted((span for span in readings if span), key=lambda span: span.earliest)
    return Span(days[0].earliest, days[-1].latest) if days else None


def _day(year: int, month: int, day: int) -> Span | None:
    try:
        return Span.day(date(year, month, day))
    except ValueError:
        return None


def _from_to(first_year: int, last_year: int) -> Span:
    return Span(date(first_year, 1, 1), date(last_year, 12, 31))


def _month(month: int, year: int) -> Span | None:
    if year < 1 or not 1 <= month <= 12:
        return None
    return Span(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
