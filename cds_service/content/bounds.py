"""Between which values a number of the content, and the setting that overrides it, must lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most that a number may be, both allowed."""

    least: int
    most: int

    def problem(self, value: float) -> str:
        """What is wrong with `value`; empty where nothing is."""
        return "" if self.least <= value <= self.most else f"{value} is not from {self.least} to {self.most}"


# Ten years: beyond that no window, clean time or caution of a chart is meant, and dates soon leave the calendar.
MOST_DAYS = 3650

# For how many days an eGFR is recent. Rules share the reading of the kidneys.
EGFR_RECENT_DAYS = Bounds(1, MOST_DAYS)
