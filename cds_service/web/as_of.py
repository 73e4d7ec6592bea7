"""In development a call can be answered as of another day: `X-As-Of: 2027-03-01`."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import request

from cds_service.clock import Clock
from cds_service.errors import InvalidRequest

AS_OF_HEADER = "X-As-Of"

# Ages and windows are counted back and forth from the day; near the ends of the calendar they would leave it.
_YEARS = range(1900, 2201)

# As at the command line: the middle of the day, so that it is that day in most places.
_NOON = 12


def clock_as_of(clock: Clock) -> Clock:
    """A clock that shows noon (UTC) of the day that the current request names, else what `clock` shows.

    Never for real use: whoever calls could choose the time.
    """

    def moment() -> datetime:
        text = request.headers.get(AS_OF_HEADER)
        if text is None:
            return clock()
        day = read_day(text, AS_OF_HEADER)
        return datetime(day.year, day.month, day.day, _NOON, tzinfo=UTC)

    return moment


def read_day(text: str, field: str) -> date:
    """The day that a call names.

    Raises:
        InvalidRequest: `text`, which came as `field`, is no day, or one too far away.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(field, "must be a date such as 2027-03-01") from None
    if day.year not in _YEARS:
        raise InvalidRequest(field, f"must lie between the years {_YEARS.start} and {_YEARS.stop - 1}")
    return day
