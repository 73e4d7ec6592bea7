"""FHIR dates as moments: the first and the last at which something so dated may have been."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from cds_service.chart.elements import EARLIEST_YEAR
from cds_service.chart.span import read_date

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)

# As FHIR writes a day: 2026-11-24.
_DAY_LENGTH = 10


@lru_cache(maxsize=65536)
def latest_moment(text: str) -> datetime | None:
    """The last second at which something dated so may have been, in UTC: of a day its last, of a year its last.

    None for what is no date, or one from before any living patient.
    """
    text = text.strip()
    try:
        if "T" in text:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            return moment if moment.year > EARLIEST_YEAR else None
        latest = read_date(text).latest
        return end_of(datetime.combine(latest, time(), UTC)) if latest.year > EARLIEST_YEAR else None
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=65536)
def start_moment(text: str) -> datetime | None:
    """When something with this start began, in UTC; noon of a day without a time. None for a month, or no date."""
    text = text.strip()
    try:
        if "T" in text:
            return latest_moment(text)
        span = read_date(text)
    except (ValueError, OverflowError):
        return None
    if not span.is_exact or span.earliest.year <= EARLIEST_YEAR:
        return None
    return datetime.combine(span.earliest, time(12), UTC)


@lru_cache(maxsize=65536)
def first_day(text: str) -> date | None:
    """The first day that a date may mean, as it is written there, whatever its time zone; None for no date."""
    try:
        return read_date(text.strip()[:_DAY_LENGTH]).earliest
    except (ValueError, OverflowError):
        return None


def is_imprecise(text: str) -> bool:
    """Whether a date names a month or a year only."""
    return len(text.strip()) < _DAY_LENGTH


def end_of(day: datetime) -> datetime:
    """The last second of a day."""
    return datetime.combine(day.date(), time(), UTC) + _DAY - _SECOND
