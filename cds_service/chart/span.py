"""FHIR dates as spans of days.

A FHIR date may be a year, a month, a day or an instant (FHIR R4, data type `dateTime`). Each is read as
the span of days it covers, in UTC, so that two dates compare by what is certain and what is possible.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")

# Calendars run up to 14 hours ahead of UTC: a bare date may be tomorrow's in UTC and still be today's there.
_FURTHEST_ZONE = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `earliest` to `latest`, both included."""

    earliest: date
    latest: date

    @classmethod
    def day(cls, day: date) -> Span:
        return cls(day, day)

    @classmethod
    def between(cls, first: Span | None, last: Span | None) -> Span | None:
        """The span from the start of `first` to the end of `last`; either may be missing."""
        if first is None or last is None:
            return first or last
        return cls(first.earliest, max(first.earliest, last.latest))

    @property
    def is_exact(self) -> bool:
        return self.earliest == self.latest

    def until(self, today: date) -> Span:
        """This span without the days after `today` (nothing on record happened in the future)."""
        if self.latest <= today:
            return self
        return Span(min(self.earliest, today), min(self.latest, today))

    def __str__(self) -> str:
        """The date as precisely as it is known: `2026-11-17`, `2026-09`, `2014` or `2014-03-01 to 2014-05-31`."""
        first, last = self.earliest, self.latest
        if first == last:
            return first.isoformat()
        if first.day == 1 and last.day == monthrange(last.year, last.month)[1]:
            if (first.year, first.month) == (last.year, last.month):
                return f"{first:%Y-%m}"
            if first.year == last.year and (first.month, last.month) == (1, 12):
                return f"{first:%Y}"
        return f"{first.isoformat()} to {last.isoformat()}"

    @property
    def in_words(self) -> str:
        """When that was, for a sentence: `on 2026-11-17`, `in 2026-09`, `between 2014-03-01 and 2014-05-31`."""
        text = str(self)
        if self.is_exact:
            return f"on {text}"
        return f"between {text.replace(' to ', ' and ')}" if " to " in text else f"in {text}"


# The longest form of an instant has some thirty signs. Only texts of this length are remembered.
_LONGEST_DATE = 40


def read_date(text: str) -> Span:
    """Read a FHIR `date`, `dateTime` or `instant`.

    Args:
        text: `2014`, `2014-03`, `2014-03-09` or an ISO instant; an instant without a zone is taken as UTC.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    return _read_once(text) if len(text) <= _LONGEST_DATE else _read(text)


def _read(text: str) -> Span:
    if not (partial := _PARTIAL.fullmatch(text)):
        return Span.day(_instant(text).date())
    year, month, day = (int(part) if part else None for part in partial.groups())
    assert year is not None
    if month is None:
        return Span(date(year, 1, 1), date(year, 12, 31))
    if day is None:
        return Span(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
    return Span.day(date(year, month, day))


# The same days stand in chart after chart.
_read_once = lru_cache(maxsize=10_000)(_read)


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a date outside the calendar") from error


def lies_in_future(span: Span, now: datetime) -> bool:
    """Whether the whole span is after `now`, wherever on Earth it was written down."""
    return span.earliest > last_day_anywhere(now)


def last_day_anywhere(now: datetime) -> date:
    """The day that it is at `now` where it is latest on Earth."""
    return (now + _FURTHEST_ZONE).date()
