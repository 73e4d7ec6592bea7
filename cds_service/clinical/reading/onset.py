"""When something began, from the dates a record carries (decisions 2.4, 2.5 and 11.3).

The onset comes first, then the day of recording, then the visit; of a visit diagnosis the days of its visit come
before that of its recording. A date in the future is an error of entry and is passed over. An onset so vague that it
may lie in the window or well before it says nothing; then the next date is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from cds_service.chart.records import Condition
from cds_service.chart.span import Span, last_day_anywhere
from cds_service.clinical.reading.findings import DateSource
from cds_service.clinical.reading.onset_text import date_onset_text

# Conditions with these statuses came back: their onset may be that of the first episode.
_RETURNED = frozenset({"recurrence", "relapse"})


@dataclass(frozen=True)
class Calendar:
    """The day of the call and the windows that reach back from it, in whole days, both ends included."""

    now: datetime
    new_window_days: int
    clean_days: int

    @cached_property
    def today(self) -> date:
        return self.now.date()

    @cached_property
    def window_start(self) -> date:
        return self.today - timedelta(days=self.new_window_days)

    @cached_property
    def _last_day(self) -> date:
        return last_day_anywhere(self.now)

    def in_window(self, span: Span) -> bool:
        """Whether the span may lie in the window: its last day does."""
        return span.until(self.today).latest >= self.window_start

    def past(self, span: Span | None) -> Span | None:
        """The span without its future; None where it is wholly in the future or missing."""
        if span is None or span.earliest > self._last_day:
            return None
        return span.until(self.today)


@dataclass(frozen=True, slots=True)
class Start:
    """When a condition began, what that date is, and an onset that was too vague to use (`vague`)."""

    when: Span | None
    date_source: DateSource
    vague: str = ""


def start_of(condition: Condition, visit: Span | None, calendar: Calendar) -> Start:
    """When `condition` began.

    Args:
        condition: a Condition of the patient.
        visit: the period of the Encounter it belongs to, where that is known.
        calendar: the day of the call.
    """
    recorded = calendar.past(condition.recorded)
    visited = calendar.past(visit)
    onset = calendar.past(condition.onset) or _onset_from_text(condition, recorded or visited, calendar)
    if condition.clinical_status in _RETURNED and onset and recorded and recorded.earliest > onset.latest:
        return Start(recorded, DateSource.RECORDED)
    if onset and not _is_vague(onset, calendar):
        return Start(onset, DateSource.ONSET)
    vague = str(condition.onset or onset) if onset else ""
    if visited and condition.is_visit_diagnosis:
        return Start(visited, DateSource.ENCOUNTER, vague)
    if recorded:
        return Start(recorded, DateSource.RECORDED, vague)
    if visited:
        return Start(Span.day(visited.earliest), DateSource.ENCOUNTER, vague)
    return Start(None, DateSource.UNKNOWN, vague)


def written_on(condition: Condition, visit: Span | None, calendar: Calendar) -> Start:
    """The day of which words tell that say something else than the code of `condition`: when they were written.

    The onset is that of what is coded, and counts where there is no other date. Arguments as for `start_of`.
    """
    recorded, visited = calendar.past(condition.recorded), calendar.past(visit)
    if visited and (condition.is_visit_diagnosis or not recorded):
        return Start(visited if condition.is_visit_diagnosis else Span.day(visited.earliest), DateSource.ENCOUNTER)
    if recorded:
        return Start(recorded, DateSource.RECORDED)
    return start_of(condition, visit, calendar)


def _onset_from_text(condition: Condition, written: Span | None, calendar: Calendar) -> Span | None:
    if not condition.onset_text:
        return None
    day = written.latest if written else calendar.today
    return calendar.past(date_onset_text(condition.onset_text, day))


def _is_vague(onset: Span, calendar: Calendar) -> bool:
    """Whether the onset may lie in the window but may as well lie before the days that had to be clean."""
    clean_start = calendar.today - timedelta(days=max(calendar.clean_days, calendar.new_window_days))
    return calendar.in_window(onset) and onset.earliest < clean_start
