"""Visits: when each took place, and which of them is the current one (decision 2.19)."""

from __future__ import annotations

from datetime import timedelta

from cds_service.chart.records import Chart, Condition
from cds_service.chart.span import Span
from cds_service.clinical.reading.onset import Calendar

# Without a visit that is open, records of today and yesterday are those of the current visit: a stay in an emergency
# department passes midnight.
_CURRENT_DAYS = 1


class Visits:
    """The visits of one chart."""

    def __init__(self, chart: Chart, calendar: Calendar) -> None:
        self._calendar = calendar
        self._periods = {item.reference: item.period for item in chart.encounters.items}
        self._not_held = frozenset(item.reference for item in chart.encounters.items if not item.was_held)
        did_not_take_place = [item for item in chart.encounters.items if item.did_not_take_place]
        self._of_no_visit = frozenset(name for item in did_not_take_place for name in item.conditions).difference(
            *(item.conditions for item in chart.encounters.items if not item.did_not_take_place)
        )
        current = chart.current_encounter
        self._current = (
            frozenset({current})
            if current
            else frozenset(item.reference for item in chart.encounters.items if item.is_open)
        )
        if current and self._periods.get(current) is None:
            self._periods[current] = Span.day(calendar.today)

    def period(self, reference: str) -> Span | None:
        """When a visit took place, as far as it lies in the past; None where that is not known."""
        return self._calendar.past(self._periods.get(reference))

    def day(self, reference: str) -> Span | None:
        """The first day of a visit."""
        period = self.period(reference)
        return Span.day(period.earliest) if period else None

    def tells_of_none(self, condition: Condition) -> bool:
        """Whether a condition is of a visit that did not take place.

        It names that visit; or it names none, is no entry of a list, and only visits name it that did not take place.
        """
        if condition.encounter:
            return condition.encounter in self._not_held
        return condition.is_visit_diagnosis is not False and condition.reference in self._of_no_visit

    def is_current(self, reference: str, recorded: Span | None) -> bool:
        """Whether a record belongs to the current visit.

        Args:
            reference: of the Encounter that the record names, or an empty string.
            recorded: the day of the record.
        """
        if self._current:
            return reference in self._current
        yesterday = self._calendar.today - timedelta(days=_CURRENT_DAYS)
        return recorded is not None and recorded.until(self._calendar.today).earliest >= yesterday
