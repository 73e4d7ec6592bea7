"""Which studies were done or ordered since the pain began (decisions 5.1 and 5.3).

A study from before the pain does not answer it; a CT of the trunk counts from some days before. An order that is still
open counts whenever it was written, up to a time: it will be done now. How many days, the rule says.
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
    "ServiceRequest": frozenset({"active"}),
    "Procedure": frozenset({"in-progress", "preparation"}),
    "DiagnosticReport": frozenset({"registered", "partial"}),
}


@dataclass(frozen=True, slots=True)
class ImagingWindow:
    """How far back studies and orders count, in days.

    Attributes:
        without_onset: where the onset of the pain is not recorded, from so many days ago.
        ct_before_onset: a CT of the trunk, from so many days before the onset: it still stages the patient.
        open_order: an order that has been open longer counts as never carried out.
    """

    without_onset: int
    ct_before_onset: int
    open_order: int


@dataclass(frozen=True, slots=True)
class PriorStudy:
    """One study that counts: what it is, when, whether it is done or only ordered, and whether as an emergency."""

    value_sets: frozenset[str]
    finding: Finding
    done: bool
    is_stat: bool = False


def studies_since(
    onset: date | None, chart: Chart, recognizer: Recognizer, calendar: Calendar, window: ImagingWindow
) -> tuple[PriorStudy, ...]:
    """The studies done or ordered since the pain began.

    Args:
        onset: the first day of the new pain; None where it is not recorded. Then only studies of the last days
            count: nobody knows whether an older one came after the pain.
        chart: with the studies and orders.
        recognizer, calendar: what the chart is read with.
        window: how far back they count.
    """
    start = onset or calendar.today - timedelta(days=window.without_onset)
    return tuple(_counted(chart, start, recognizer, calendar, window))


def _counted(
    chart: Chart, start: date, recognizer: Recognizer, calendar: Calendar, window: ImagingWindow
) -> Iterator[PriorStudy]:
    for study in (*chart.diagnostic_reports.items, *chart.procedures.items, *chart.service_requests.items):
        value_sets = frozenset().union(*(recognizer.ordered(concept) for concept in study.concepts))
        if not value_sets or study.not_to_be_done:
            continue
        done = study.status in _DONE.get(study.kind, ())
        if not done and study.status not in _OPEN.get(study.kind, ()):
            continue
        # An open order may be due in the future; a study that was done cannot.
        when = calendar.past(study.when) if done else study.when
        first = start - timedelta(days=window.ct_before_onset if value_sets & CT_OF_TRUNK else 0)
        if not done:
            first = calendar.today - timedelta(days=window.open_order)
        if when.latest >= first if when else not done:
            yield PriorStudy(value_sets, _finding(study, when, recognizer), done, study.is_stat)


def _finding(study: Study, when: Span | None, recognizer: Recognizer) -> Finding:
    where = Finding(study.reference, study.kind, when=when, date_source=DateSource.OBSERVED)
    for concept in study.concepts:
        if coding := recognizer.ordered_by_code(concept):
            return recognizer.coded(where, coding, concept)
    text = next((concept.text for concept in study.concepts if concept.text), "")
    return replace(where, quote=text, from_text=True)
