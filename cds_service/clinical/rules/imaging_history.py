"""Which studies were done or ordered since the pain began (decisions 5.1, 5.3 and 5.9).

A study from before the pain does not answer it; a CT of the trunk counts from some days before. An open order answers
where it was written for this pain and is due soon; any other is named. How many days, the rule says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from cds_service.chart.records import Chart, Study
from cds_service.chart.span import Span
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.value_sets import CT_OF_TRUNK

_DONE = {
    "DiagnosticReport": frozenset({"final", "amended", "corrected", "appended", "preliminary"}),
    "ImagingStudy": frozenset({"available"}),
    "Procedure": frozenset({"completed"}),
    "ServiceRequest": frozenset({"completed"}),
}
_OPEN = {
    "ServiceRequest": frozenset({"active", "on-hold"}),
    "Procedure": frozenset({"in-progress", "preparation"}),
    "DiagnosticReport": frozenset({"registered", "partial"}),
}


@dataclass(frozen=True, slots=True)
class ImagingWindow:
    """When studies and orders answer the pain, in days.

    Attributes:
        without_onset: where the onset of the pain is not recorded, studies from so many days ago.
        ct_before_onset: a CT of the trunk, from so many days before the onset: it still stages the patient.
        open_order: an order that has been open longer is not spoken of.
        order_before_pain: an order may have been written so long before the first record of the pain.
        order_before_onset: the same, where the onset itself is known.
        due_within: an order that is due later does not answer.
    """

    without_onset: int
    ct_before_onset: int
    open_order: int
    order_before_pain: int
    order_before_onset: int
    due_within: int


@dataclass(frozen=True, slots=True)
class PriorStudy:
    """One study that counts.

    Attributes:
        value_sets: what it is.
        finding: where it stands, and when.
        done: it was done; else it is only ordered.
        is_stat: it was ordered as an emergency.
        written: the day on which an order was written.
        is_stale: an open order that does not answer the pain: on hold, only planned, written for something else, or
            due too late.
        record: the report, study or order as it stands in the chart.
    """

    value_sets: frozenset[str]
    finding: Finding
    done: bool
    record: Study
    is_stat: bool = False
    written: Span | None = None
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class PainBegan:
    """The first day of the pain, if it is recorded, and whether that is its onset or only its first record."""

    day: date | None
    is_onset: bool = False


def is_done(study: Study) -> bool:
    """Whether a study was done, by its status: reported, available or completed."""
    return study.status in _DONE.get(study.kind, ()) and not study.not_to_be_done


def studies_since(
    began: PainBegan, chart: Chart, recognizer: Recognizer, calendar: Calendar, window: ImagingWindow
) -> tuple[PriorStudy, ...]:
    """The studies done or ordered since the pain began, and open orders that do not answer it.

    Args:
        began: when the pain began; where that is not recorded nobody knows whether an older study came after it.
        window: how far back studies count.
    """
    return tuple(_counted(chart, began, recognizer, calendar, window))


def _counted(
    chart: Chart, began: PainBegan, recognizer: Recognizer, calendar: Calendar, window: ImagingWindow
) -> Iterator[PriorStudy]:
    start = began.day or calendar.today - timedelta(days=window.without_onset)
    fulfilled = _fulfilled(chart)
    for study in (*chart.diagnostic_reports.items, *chart.procedures.items, *chart.service_requests.items):
        value_sets = frozenset().union(*(recognizer.ordered(concept) for concept in study.concepts))
        if not value_sets or study.not_to_be_done or study.reference in fulfilled:
            continue
        done = is_done(study)
        if done:
            # A study that was done cannot lie in the future.
            when = calendar.past(study.when)
            first = start - timedelta(days=window.ct_before_onset if value_sets & CT_OF_TRUNK else 0)
            if when and when.latest >= first:
                yield PriorStudy(value_sets, _finding(study, when, recognizer), True, study, study.is_stat)
        elif study.status in _OPEN.get(study.kind, ()):
            written = study.written or study.when
            if written is None or written.latest >= calendar.today - timedelta(days=window.open_order):
                finding = _finding(study, study.when, recognizer)
                stale = _is_stale(study, began, calendar, window)
                yield PriorStudy(value_sets, finding, False, study, study.is_stat, written, stale)


def _fulfilled(chart: Chart) -> frozenset[str]:
    """Orders that a report or a study names: they are done, whatever their status says."""
    studies = (*chart.diagnostic_reports.items, *chart.procedures.items)
    named = frozenset(order for study in studies for order in study.fulfills if order)
    return named | chart.diagnostic_reports.passed_over.fulfills | chart.procedures.passed_over.fulfills


def _is_stale(study: Study, began: PainBegan, calendar: Calendar, window: ImagingWindow) -> bool:
    """Whether an open order does not answer the pain: it waits, was written well before it, or is due too late."""
    if study.is_waiting:
        return True
    if study.due and study.due.earliest > calendar.today + timedelta(days=window.due_within):
        return True
    if study.written is None:
        return False
    start = began.day or calendar.today
    allowed = window.order_before_onset if began.is_onset else window.order_before_pain
    return study.written.latest < start - timedelta(days=allowed)


def _finding(study: Study, when: Span | None, recognizer: Recognizer) -> Finding:
    where = Finding(study.reference, study.kind, when=when, date_source=DateSource.OBSERVED)
    for concept in study.concepts:
        if coding := recognizer.ordered_by_code(concept):
            return recognizer.coded(where, coding, concept)
    text = next((concept.text for concept in study.concepts if concept.text), "")
    return replace(where, quote=text, from_text=True)
