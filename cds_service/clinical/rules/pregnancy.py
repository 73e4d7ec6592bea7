"""Pregnancy now: what shows it, and what has ended it (decisions 4.6, 4.7 and 4.14)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.chart.records import Chart
from cds_service.chart.span import Span
from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.measured import measured
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Question, Recognizer
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.content.caution_model import PregnancyContent, PregnancyState, ResultTest

# Whether a pregnancy is stated, denied, possible or over is one question: a code answers it, or else words do.
IS_PREGNANT: Question = frozenset(
    {
        SharedValueSet.PREGNANT,
        SharedValueSet.PREGNANCY_COMPLICATION,
        SharedValueSet.NOT_PREGNANT,
        SharedValueSet.POSSIBLY_PREGNANT,
        SharedValueSet.IN_LABOR,
        SharedValueSet.PREGNANCY_ENDED,
        SharedValueSet.PREGNANCY_LOST,
    }
)
# Words for the weeks after a birth: they speak of the day on which they were written.
_AFTER_BIRTH = re.compile(r"\bpost[ -]?partum\b", re.IGNORECASE)

HAS_NO_UTERUS: Question = frozenset({SharedValueSet.HYSTERECTOMY})


@dataclass(frozen=True, slots=True)
class ShownPregnancy:
    """What shows a state of pregnancy; `value` is an hCG as it was reported."""

    finding: Finding
    value: str = ""


@dataclass(frozen=True, slots=True)
class _Sign:
    """One record that shows a pregnancy, the day of that record, and the last day on which it can still go on."""

    finding: Finding
    day: date
    until: date
    by_hcg: bool = False


@dataclass(frozen=True, slots=True)
class _End:
    """The day on which a pregnancy was over; a record of that day itself is over too where it `includes` it."""

    day: date
    includes: bool

    def ends(self, day: date) -> bool:
        return self.day >= day if self.includes else self.day > day


def pregnancy_states(
    chart: Chart,
    asserted: Sequence[AssertedConcept],
    content: PregnancyContent,
    tests: Mapping[str, ResultTest],
    recognizer: Recognizer,
    calendar: Calendar,
) -> Mapping[PregnancyState, ShownPregnancy]:
    """What the chart says of a pregnancy now; empty where it says nothing, or that there is none."""
    today = calendar.today
    dates = _Dates.read(chart, recognizer, calendar)
    ends = tuple(_ends(asserted))
    signs = [
        sign
        for sign in (*_signs(asserted, content, dates, today), *_due(dates, content, today))
        if sign.until >= today and not any(end.ends(sign.day) for end in ends)
    ]
    age = _least_age(chart, today)
    unlikely = age >= content.unlikely_from_years or _has(asserted, SharedValueSet.HYSTERECTOMY)
    if signs:
        newest = max(signs, key=lambda sign: sign.day)
        only_hcg = all(sign.by_hcg for sign in signs)
        if only_hcg and (unlikely or age >= content.hcg_unlikely_from_years):
            return {PregnancyState.HCG_UNLIKELY: _with_hcg(newest.finding, chart)}
        state = PregnancyState.UNLIKELY if unlikely else PregnancyState.PREGNANT
        return {state: ShownPregnancy(newest.finding)}
    found: dict[PregnancyState, ShownPregnancy] = {}
    first = today - timedelta(days=content.loss_days)
    if unclear := _unclear_hcg(asserted, tests, first):
        late = unlikely or age >= content.hcg_unlikely_from_years
        state = PregnancyState.HCG_UNLIKELY if late else PregnancyState.HCG_TO_REPEAT
        found[state] = _with_hcg(unclear, chart)
    if lost := _lost(asserted, first):
        found[PregnancyState.LOST] = ShownPregnancy(lost)
    if not unlikely and (possible := _possible(asserted, ends, today - timedelta(days=content.possible_days))):
        found[PregnancyState.POSSIBLE] = ShownPregnancy(possible)
    return found


# --- What shows it


def _signs(
    asserted: Sequence[AssertedConcept], content: PregnancyContent, dates: _Dates, today: date
) -> Iterator[_Sign]:
    """Records of a pregnancy; labor is one in the current visit only."""
    for item in asserted:
        in_labor = SharedValueSet.IN_LABOR in item.value_sets and item.current_visit
        if not in_labor and not (item.holds and item.value_sets & content.shown_by):
            continue
        by_hcg = SharedValueSet.HCG_TEST in item.value_sets
        if item.finding.when is None and item.day is None:
            # It may be as old as a pregnancy can be.
            earliest = today - timedelta(days=content.after_record_days)
            yield _Sign(item.finding, earliest, until=today, by_hcg=by_hcg)
            continue
        day = item.last_day
        yield _Sign(item.finding, day, dates.end_of(day, content), by_hcg)


def _due(dates: _Dates, content: PregnancyContent, today: date) -> Iterator[_Sign]:
    """A delivery date ahead, or just past, shows a pregnancy by itself."""
    latest = today + timedelta(days=content.after_last_period_days)
    for due in dates.due:
        if due.day <= latest:
            until = due.day + timedelta(days=content.after_due_date_days)
            written = due.written or due.day - timedelta(days=content.after_record_days)
            yield _Sign(due.finding, min(written, today), until)


@dataclass(frozen=True, slots=True)
class _Dated:
    """An observation whose value is a date: that date, and the day on which it was written, if known."""

    finding: Finding
    day: date
    written: date | None


@dataclass(frozen=True, slots=True)
class _Dates:
    """The dates of delivery and of the last period that the chart holds, the newest record last."""

    due: tuple[_Dated, ...]
    last_period: tuple[_Dated, ...]

    @classmethod
    def read(cls, chart: Chart, recognizer: Recognizer, calendar: Calendar) -> _Dates:
        return cls(
            tuple(_dated(chart, SharedValueSet.DELIVERY_DATE, recognizer, calendar)),
            tuple(_dated(chart, SharedValueSet.LAST_PERIOD, recognizer, calendar)),
        )

    def end_of(self, day: date, content: PregnancyContent) -> date:
        """The last day of a pregnancy that was recorded on `day`: by its due date, its last period, or that record."""
        longest = timedelta(days=content.after_last_period_days)
        after_due = timedelta(days=content.after_due_date_days)
        if due := [item.day for item in self.due if day - after_due <= item.day <= day + longest]:
            return due[-1] + after_due
        if began := [item.day for item in self.last_period if day - longest <= item.day <= day]:
            return began[-1] + longest
        return day + timedelta(days=content.after_record_days)


def _dated(chart: Chart, test: str, recognizer: Recognizer, calendar: Calendar) -> Iterator[_Dated]:
    found: list[_Dated] = []
    for observation in chart.observations.items:
        value = observation.value.day
        if value is None or observation.value.absent or not observation.is_reported:
            continue
        if recognizer.named(observation.concept, frozenset({test})):
            written = calendar.past(observation.effective)
            finding = Finding(observation.reference, "Observation", when=written, date_source=DateSource.OBSERVED)
            found.append(_Dated(finding, value.latest, written.latest if written else None))
    yield from sorted(found, key=lambda item: item.written or date.min)


# --- What has ended it


def _ends(asserted: Iterable[AssertedConcept]) -> Iterator[_End]:
    """Deliveries, losses and the time after a birth, and what says that there is no pregnancy."""
    for item in asserted:
        span = item.finding.when or item.day
        if span is None or item.suspected or _is_a_history(item):
            continue
        in_labor_now = SharedValueSet.IN_LABOR in item.value_sets and item.current_visit
        over = item.value_sets & {SharedValueSet.PREGNANCY_ENDED, SharedValueSet.PREGNANCY_LOST}
        if over and not in_labor_now:
            yield _End(span.latest, includes=True)
        elif SharedValueSet.NOT_PREGNANT in item.value_sets:
            yield _End(span.latest, includes=False)


def _is_a_history(item: AssertedConcept) -> bool:
    """Whether words stand in a list: "s/p cesarean section" is of any day before they were written.

    "6 weeks postpartum" is of the day on which it was.
    """
    in_a_list = item.finding.from_text and item.finding.kind == "Condition" and not item.point
    return in_a_list and not _AFTER_BIRTH.search(item.finding.quote)


# --- What leaves it open


def _unclear_hcg(asserted: Sequence[AssertedConcept], tests: Mapping[str, ResultTest], first: date) -> Finding | None:
    """The newest hCG, where it is neither negative nor that of a pregnancy."""
    test = tests.get(SharedValueSet.HCG_TEST)
    if test is None:
        return None
    said = {test.positive, test.negative, test.unclear}
    results = [item for item in asserted if SharedValueSet.HCG_TEST in item.value_sets and item.value_sets & said]
    newest = max((item for item in results if item.last_day >= first), key=lambda item: item.last_day, default=None)
    return newest.finding if newest and test.unclear in newest.value_sets else None


def _lost(asserted: Sequence[AssertedConcept], first: date) -> Finding | None:
    """A pregnancy that ended early in the last weeks, unless a later test was negative."""
    lost = [
        item
        for item in asserted
        if SharedValueSet.PREGNANCY_LOST in item.value_sets
        and not item.suspected
        and not _is_a_history(item)
        and item.last_day >= first
    ]
    newest = max(lost, key=lambda item: item.last_day, default=None)
    negative = [item.last_day for item in asserted if SharedValueSet.NOT_PREGNANT in item.value_sets]
    if newest is None or max(negative, default=date.min) > newest.last_day:
        return None
    return newest.finding


def _possible(asserted: Sequence[AssertedConcept], ends: Sequence[_End], first: date) -> Finding | None:
    """A pregnancy that is recorded as possible, and that nothing later settles."""
    found = [
        item
        for item in asserted
        if item.holds
        and SharedValueSet.POSSIBLY_PREGNANT in item.value_sets
        and (item.finding.when is None or item.last_day >= first)
        and not any(end.ends(item.last_day) for end in ends if item.finding.when)
    ]
    newest = max(found, key=lambda item: item.last_day, default=None)
    return newest.finding if newest else None


def _has(asserted: Iterable[AssertedConcept], name: str) -> bool:
    return any(name in item.value_sets and not item.suspected for item in asserted)


def _with_hcg(finding: Finding, chart: Chart) -> ShownPregnancy:
    """The finding with the hCG that its observation reports; its unit is left out, as it may be any text."""
    value = next((item.value for item in chart.observations.items if item.reference == finding.source), None)
    measurement = measured(value) if value else None
    return ShownPregnancy(finding, measurement.reported if measurement else "positive")


def _least_age(chart: Chart, today: date) -> int:
    """The age in whole years, at least; 0 where the birth date is not known."""
    birth: Span | None = chart.patient.items[0].birth if chart.patient.items else None
    if birth is None:
        return 0
    born = birth.latest
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
