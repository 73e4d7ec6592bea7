"""The time axis of the timeline: 5 days of pain and 20 years of cancer on one line.

Position grows with the logarithm of the days before the call. About half of the width shows the last year, and every
year before takes less than the one after it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

# Days in which the scale is nearly even. With a week, 5 days stand clear of today and 84 days are a third of the width.
_EVEN_DAYS = 7

# The axis reaches back at least so far, that the windows never fill it and the last year keeps its place.
_LEAST_DAYS = 3 * 365

# So much is left before the oldest date, that its mark does not touch the edge.
_ROOM = 1.1

_TICKS = (
    (7, "1 week"),
    (28, "4 weeks"),
    (84, "12 weeks"),
    (365, "1 year"),
    (2 * 365, "2 years"),
    (5 * 365, "5 years"),
    (10 * 365, "10 years"),
    (20 * 365, "20 years"),
    (40 * 365, "40 years"),
)


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Positions of days in percent of the width: `today` is 100, `days_back` before it 0."""

    today: date
    days_back: int

    @classmethod
    def reaching(cls, today: date, oldest: date | None) -> TimeScale:
        """The scale that shows everything from `oldest` on."""
        back = (today - oldest).days if oldest else 0
        return cls(today, max(_LEAST_DAYS, round(back * _ROOM)))

    def position(self, day: date) -> float:
        """Where a day stands, in percent of the width; days outside of the axis stand at its ends."""
        return self._at((self.today - day).days)

    def ticks(self) -> list[tuple[float, str]]:
        """Positions and names of the marks on the axis, without today."""
        return [(self._at(days), name) for days, name in _TICKS if days < self.days_back]

    def _at(self, days: int) -> float:
        kept = min(max(days, 0), self.days_back)
        return 100 - 100 * math.log1p(kept / _EVEN_DAYS) / math.log1p(self.days_back / _EVEN_DAYS)
