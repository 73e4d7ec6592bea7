"""Everything the rule reads out of a chart before it decides."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from cds_service.chart.records import Chart
from cds_service.clinical.reading.asserted_concepts import AssertedConcept, asserted_concepts
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.cancer import CancerHistory, cancer_history
from cds_service.clinical.rules.breast_cancer_back_pain.episodes import BackPain, back_pain
from cds_service.clinical.rules.breast_cancer_back_pain.fractures import Fracture, new_fractures
from cds_service.clinical.rules.breast_cancer_back_pain.infection import infection_of_the_spine
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import PainRecord, import_days, pain_records
from cds_service.clinical.rules.breast_cancer_back_pain.questions import stated_in_words
from cds_service.clinical.rules.breast_cancer_back_pain.red_flags import RedFlags, SignTimes, red_flags
from cds_service.clinical.rules.breast_cancer_back_pain.sited_findings import at_their_sites
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import DATED_SIGNS
from cds_service.clinical.rules.imaging_history import ImagingWindow, PainBegan, PriorStudy, studies_since
from cds_service.content.model import Content


@dataclass(frozen=True, slots=True)
class Evidence:
    """A chart, read: what it is read with, and what it says."""

    chart: Chart
    content: Content
    options: RuleOptions
    recognizer: Recognizer
    calendar: Calendar
    asserted: tuple[AssertedConcept, ...]
    flags: RedFlags
    history: CancerHistory
    records: tuple[PainRecord, ...]
    pain: BackPain

    @property
    def imported(self) -> frozenset[str]:
        """Conditions of interest that are dated only by a day on which a whole list was recorded."""
        pain = {record.finding.source for record in self.records if record.imported}
        return frozenset(pain).union(
            item.finding.source for item in self.asserted if item.imported and item.value_sets & DATED_SIGNS
        )

    def number(self, name: Threshold) -> int:
        """A number of the content."""
        return self.content.rule.thresholds[name]

    def studies_since(self, began: PainBegan) -> tuple[PriorStudy, ...]:
        """The studies done or ordered since that day; see `imaging_history`."""
        due = Threshold.EMERGENCY_DUE_DAYS if self.flags.critical else Threshold.ORDER_DUE_DAYS
        window = ImagingWindow(
            without_onset=self.number(Threshold.IMAGED_WITHOUT_ONSET_DAYS),
            ct_before_onset=self.number(Threshold.CT_BEFORE_ONSET_DAYS),
            open_order=self.number(Threshold.OPEN_ORDER_DAYS),
            order_before_pain=self.number(Threshold.ORDER_BEFORE_PAIN_DAYS),
            order_before_onset=self.number(Threshold.ORDER_BEFORE_ONSET_DAYS),
            due_within=self.number(due),
        )
        return studies_since(began, self.chart, self.recognizer, self.calendar, window)


def calendar_of(options: RuleOptions, now: datetime) -> Calendar:
    """The day of the call, in UTC, with the windows that the site chose."""
    return Calendar(now.astimezone(UTC), options.new_window_days, options.clean_days)


def read_evidence(
    chart: Chart, content: Content, options: RuleOptions, recognizer: Recognizer, calendar: Calendar
) -> Evidence:
    """Read the chart."""
    numbers = content.rule.thresholds
    stated = _with_their_dates(
        at_their_sites(
            asserted_concepts(chart, recognizer, calendar, content.cautions.tests, stated_in_words(content)), recognizer
        ),
        import_days(chart, numbers[Threshold.IMPORTED_ENTRIES]),
    )
    records = pain_records(chart, recognizer, calendar, numbers)
    pain = back_pain(records, calendar, options, numbers)
    infection = infection_of_the_spine(chart, stated, recognizer, calendar, numbers)
    fractures = new_fractures(stated, recognizer, calendar)
    times = SignTimes(calendar, numbers[Threshold.SIGN_DAYS], pain.onset, recognizer)
    groups = numbers[Threshold.NONSPECIFIC_SIGN_GROUPS]
    flags = red_flags(stated, infection, fractures, times, options, groups)
    if flags.neurological:
        pain = back_pain(records, calendar, options, numbers, red_flag=True)
    equivalents = () if pain.new else _pain_equivalents(flags, fractures, options)
    pain = replace(pain, equivalents=equivalents, fractures=fractures)
    return Evidence(
        chart=chart,
        content=content,
        options=options,
        recognizer=recognizer,
        calendar=calendar,
        asserted=stated,
        flags=flags,
        history=cancer_history(chart, recognizer, options, calendar),
        records=tuple(records),
        pain=pain,
    )


def _with_their_dates(stated: Iterable[AssertedConcept], days: AbstractSet[date]) -> tuple[AssertedConcept, ...]:
    """The concepts, marked where only a day dates them on which a whole list was recorded.

    A sign that its words call chronic is none of now; a device, or a state of the kidneys, is there for years.
    """
    return tuple(
        replace(
            item,
            imported=_is_imported(item, days),
            holds=item.holds and not (item.chronic and item.value_sets & DATED_SIGNS),
        )
        for item in stated
    )


def _is_imported(item: AssertedConcept, days: AbstractSet[date]) -> bool:
    finding = item.finding
    by_recording = finding.kind == "Condition" and finding.date_source is DateSource.RECORDED and not item.point
    return by_recording and finding.when is not None and finding.when.earliest in days


def _pain_equivalents(flags: RedFlags, fractures: Iterable[Fracture], options: RuleOptions) -> tuple[Finding, ...]:
    """Findings that stand for pain: new vertebral fractures, and signs of cord compression where a site says so."""
    if not options.pain_required_for_cord_signs and flags.neurological:
        return flags.cord or flags.nonspecific
    return tuple(fracture.finding for fracture in fractures if fracture.stands_for_pain)
