"""Every record of back pain in the chart, dated: diagnoses, observations, visit reasons, reasons of draft orders.

A record is a point, which tells of one day, or lasting, which tells of a time from its start on (decisions of
chapter 2). Whether the pain is new is for `episodes` to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from cds_service.chart.records import Chart, Condition, Encounter, Observation, Study
from cds_service.chart.span import Span, lies_in_future
from cds_service.clinical.reading.assertion import is_present, words_in
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.onset import Calendar, start_of, written_on
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.reading.visits import Visits
from cds_service.clinical.rules.breast_cancer_back_pain.chronic_visits import chronic_visits, visit_of
from cds_service.clinical.rules.breast_cancer_back_pain.pain_meaning import (
    ACUTE,
    CHRONIC,
    PAIN_FAMILY,
    PAIN_IN_WORDS,
    WORSE,
    PainMeaning,
    pain_meanings,
)
from cds_service.clinical.rules.breast_cancer_back_pain.pain_observations import observed_pain
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_INJURY, IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.spine import UNSPECIFIED
from cds_service.clinical.rules.breast_cancer_back_pain.spine_sites import regions_named
from cds_service.clinical.rules.breast_cancer_back_pain.text_names import WordList
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    PAIN_QUALITY,
    SPINAL_PROCEDURE,
    RuleValueSet,
)

# Procedures and orders with these statuses tell of no treatment.
_NOT_DONE = frozenset({"entered-in-error", "not-done", "preparation", "revoked", "draft", "unknown"})

_CHRONIC_WORD = re.compile(r"(?<!not )(?<!non-)(?<!non )\bchronic", re.IGNORECASE)

_ENCOUNTER = re.compile(r"Encounter/(?!\.+$)[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True)
class PainRecord:
    """One record of back pain.

    Attributes:
        finding: what and where; its date is the start of the pain as far as the record tells.
        regions: spine regions; `unspecified` alone where none is named.
        day: the day on which the record was made, as far as it is known.
        point: it tells of its day only; else of a time that begins with its start.
        present: the pain is (or may be) there now.
        until: when a past pain ended, where known.
        onset: the record itself says when the pain began; else its date is that of the record.
        chronic: recorded as chronic: never new by itself.
        worse: recorded as worse, or of a suspicious kind: new, whatever is older.
        acute: recorded as acute or new: it speaks of its own day.
        written_in_bulk: recorded on a day on which a whole list was.
        treatment: a treatment of the back, which tells of earlier pain only; `procedure` if it is one of the spine.
        vague: the onset as written, where it was too vague to use.
        quality: the words that make the pain suspicious (at night, unremitting), if any.
        course_words: the words that call it worse, acute or new, where the finding does not quote them already.
    """

    finding: Finding
    regions: frozenset[str]
    day: Span | None = None
    point: bool = False
    present: bool = True
    until: Span | None = None
    onset: bool = False
    chronic: bool = False
    worse: bool = False
    acute: bool = False
    written_in_bulk: bool = False
    treatment: bool = False
    procedure: bool = False
    vague: str = ""
    quality: str = ""
    course_words: str = ""

    def onset_is_old(self, calendar: Calendar) -> bool:
        """Whether the record itself says that the pain began before the window."""
        return self.onset and self.start is not None and not calendar.in_window(self.start)

    @property
    def imported(self) -> bool:
        """Whether it is dated only by a day on which a whole list was recorded, which is no date."""
        return self.written_in_bulk and self.finding.date_source is DateSource.RECORDED

    @property
    def start(self) -> Span | None:
        """When the pain began, as far as the record tells."""
        return self.finding.when


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a chart is read with."""

    chart: Chart
    recognizer: Recognizer
    calendar: Calendar
    visits: Visits
    planned_visit_days: int
    import_days: frozenset[date]
    chronic_visits: frozenset[str]


def pain_records(
    chart: Chart, recognizer: Recognizer, calendar: Calendar, numbers: Mapping[str, int]
) -> list[PainRecord]:
    """All records of back pain and of its treatment, in the order of their sources: that of the chart says nothing.

    Args:
        chart: what is known of the patient.
        recognizer: what the chart is read with.
        calendar: the day of the call.
        numbers: of the content, by `Threshold`.
    """
    reading = _Reading(
        chart,
        recognizer,
        calendar,
        Visits(chart, calendar),
        planned_visit_days=numbers[Threshold.PLANNED_VISIT_DAYS],
        import_days=import_days(chart, numbers[Threshold.IMPORTED_ENTRIES]),
        chronic_visits=chronic_visits(chart, recognizer),
    )
    records: list[PainRecord] = []
    for condition in chart.conditions.items:
        records += _from_condition(condition, reading)
    for observation in chart.observations.items:
        records += _from_observation(observation, reading)
    for encounter in chart.encounters.items:
        records += _from_visit(encounter, reading)
    today = Span.day(calendar.today)
    for draft in chart.selected_orders:
        where = Finding(draft.reference, "order", date_source=DateSource.ORDERED)
        for reason in draft.reasons:
            records += _points(pain_meanings(reason, (), where, recognizer), today, reading)
    return sorted([*records, *_treatments(reading)], key=lambda record: record.finding.source)


def visits_without_date(chart: Chart, findings: Iterable[Finding]) -> tuple[str, ...]:
    """References of Encounters that are not at hand and could date those findings that carry no date."""
    undated = {finding.source for finding in findings if finding.when is None}
    known = {item.reference for item in chart.encounters.items} | {chart.current_encounter}
    visits = {item.encounter for item in chart.conditions.items if item.reference in undated} - known
    return tuple(sorted(visit for visit in visits if _ENCOUNTER.fullmatch(visit)))


def injuries(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> tuple[Finding, ...]:
    """Back injuries recorded inside the window."""
    found = []
    for condition in chart.conditions.items:
        if condition.is_refuted:
            continue
        value_sets = recognizer.value_sets(condition.concept)
        beside_a_code = recognizer.is_coded_otherwise(condition.concept, IS_BACK_INJURY)
        start = (written_on if beside_a_code else start_of)(condition, None, calendar)
        if start.when is None or not calendar.in_window(start.when):
            continue
        where = Finding(condition.reference, "Condition", when=start.when, date_source=start.date_source)
        if RuleValueSet.BACK_INJURY in value_sets:
            found.append(recognizer.coded(where, value_sets[RuleValueSet.BACK_INJURY], condition.concept))
        elif matches := recognizer.in_words(condition.concept, IS_BACK_INJURY):
            found.append(replace(where, quote=matches[0].quote, from_text=True))
    return tuple(found)


def import_days(chart: Chart, least_entries: int) -> frozenset[date]:
    """Days on which so many entries of a list, or more, were recorded at once: they date no entry of it."""
    days = Counter(
        item.recorded.earliest
        for item in chart.conditions.items
        if item.recorded and item.recorded.is_exact and not item.is_visit_diagnosis
    )
    days.update(chart.conditions.passed_over.recorded)
    return frozenset(day for day, count in days.items() if count >= least_entries)


def _from_condition(condition: Condition, reading: _Reading) -> Iterator[PainRecord]:
    if condition.is_refuted or reading.visits.tells_of_none(condition):
        return
    recognizer, calendar = reading.recognizer, reading.calendar
    where = Finding(condition.reference, "Condition")
    meanings = pain_meanings(condition.concept, condition.sites, where, recognizer)
    if not meanings:
        return
    visit = reading.visits.period(condition.encounter)
    beside_a_code = recognizer.is_coded_otherwise(condition.concept, IS_BACK_PAIN)
    start = (written_on if beside_a_code else start_of)(condition, visit, calendar)
    in_the_past = recognizer.denied_in_words(condition.concept.text, PAIN_IN_WORDS)
    said = recognizer.flags(PAIN_FAMILY, condition.concept.text)
    # An onset that dates nothing may still say that.
    if start.date_source is not DateSource.ONSET and _CHRONIC_WORD.search(condition.onset_text):
        said |= CHRONIC
    day = _day_of(condition, reading)
    point = beside_a_code or _is_point(condition, day, calendar)
    recorded = condition.recorded
    in_bulk = recorded is not None and recorded.earliest in reading.import_days and not condition.is_visit_diagnosis
    for meaning in meanings:
        course = meaning.course | said
        paired = visit_of(condition) in reading.chronic_visits and not course & (WORSE | ACUTE)
        yield PainRecord(
            finding=replace(meaning.finding, when=start.when, date_source=start.date_source),
            regions=meaning.regions,
            day=day,
            point=point,
            present=not in_the_past and _is_present(condition, day, calendar),
            until=calendar.past(condition.abatement),
            onset=start.date_source is DateSource.ONSET,
            chronic=(bool(course & CHRONIC) and not course & (WORSE | ACUTE)) or paired,
            worse=bool(course & WORSE),
            acute=bool(course & ACUTE),
            written_in_bulk=in_bulk,
            vague=start.vague,
            quality=_quality(recognizer, condition.concept.text, condition.note),
            course_words="" if meaning.finding.from_text else _course_words(recognizer, condition.concept.text),
        )


def _day_of(condition: Condition, reading: _Reading) -> Span | None:
    """The day on which a condition was written: the days of its visit, else of its recording, else its onset."""
    calendar, visits = reading.calendar, reading.visits
    recorded = calendar.past(condition.recorded)
    if condition.is_visit_diagnosis is False:
        return recorded or calendar.past(condition.onset)
    visit = visits.period(condition.encounter) if condition.is_visit_diagnosis else visits.day(condition.encounter)
    return visit or recorded or calendar.past(condition.onset)


def _is_point(condition: Condition, day: Span | None, calendar: Calendar) -> bool:
    """Whether a condition tells of its visit only; one without category does where it could only block."""
    if condition.is_visit_diagnosis is not None:
        return condition.is_visit_diagnosis
    return day is not None and not calendar.in_window(day)


def _is_present(condition: Condition, day: Span | None, calendar: Calendar) -> bool:
    """Whether the pain is there now.

    A visit diagnosis tells of its visit; active says no more than that, but an end that is recorded takes it back.
    """
    if condition.is_past:
        return False
    if not condition.is_visit_diagnosis:
        return is_present(condition, calendar)
    if day is not None and not calendar.in_window(day):
        return False
    if condition.is_over and (day is None or day.latest < calendar.today):
        return False
    ended = condition.abatement
    if ended is None or lies_in_future(ended, calendar.now) or day is None:
        return not condition.abated or ended is not None
    return ended.latest <= day.latest or ended.latest >= calendar.today


def _from_observation(observation: Observation, reading: _Reading) -> Iterator[PainRecord]:
    if not observation.is_reported:
        return
    recognizer, calendar = reading.recognizer, reading.calendar
    where = Finding(observation.reference, "Observation", date_source=DateSource.OBSERVED)
    when = calendar.past(observation.effective) or reading.visits.period(observation.encounter)
    trends = [words for component in observation.components for words in words_in(component.value)]
    told = recognizer.flags(PAIN_FAMILY, *trends)
    course_words = _course_words(recognizer, *trends)
    meanings = [
        replace(meaning, course=meaning.course | told) for meaning in observed_pain(observation, where, recognizer)
    ]
    for record in _points(meanings, when, reading):
        yield replace(record, quality=_quality(recognizer, observation.value.text), course_words=course_words)


def _from_visit(encounter: Encounter, reading: _Reading) -> Iterator[PainRecord]:
    calendar = reading.calendar
    if encounter.is_planned:
        day = Span.day(calendar.today) if _is_soon(encounter, reading) else None
        if day is None:
            return
    elif encounter.was_held:
        day = reading.visits.day(encounter.reference)
    else:
        return
    where = Finding(encounter.reference, "Encounter", date_source=DateSource.ENCOUNTER)
    for reason in encounter.reasons:
        for record in _points(pain_meanings(reason, (), where, reading.recognizer), day, reading):
            paired = encounter.reference in reading.chronic_visits and not (record.worse or record.acute)
            yield replace(record, chronic=record.chronic or paired)


def _is_soon(encounter: Encounter, reading: _Reading) -> bool:
    """Whether a planned visit lies shortly ahead."""
    if encounter.period is None:
        return False
    today = reading.calendar.today
    return today <= encounter.period.earliest <= today + timedelta(days=reading.planned_visit_days)


def _points(meanings: Iterable[PainMeaning], day: Span | None, reading: _Reading) -> Iterator[PainRecord]:
    """Records that tell of one day; where it is not known, of now."""
    for meaning in meanings:
        course = meaning.course
        yield PainRecord(
            finding=replace(meaning.finding, when=day),
            regions=meaning.regions,
            day=day,
            point=True,
            present=day is None or reading.calendar.in_window(day),
            chronic=bool(course & CHRONIC) and not course & (WORSE | ACUTE),
            worse=bool(course & WORSE),
            acute=bool(course & ACUTE),
        )


def _treatments(reading: _Reading) -> Iterator[PainRecord]:
    """Treatments of the back, and what is written for them: each tells that there was pain on its day."""
    chart, recognizer, calendar = reading.chart, reading.recognizer, reading.calendar
    for condition in chart.conditions.items:
        sets = recognizer.value_sets(condition.concept)
        if RuleValueSet.BACK_TREATMENT in sets and not condition.is_refuted:
            day = _day_of(condition, reading)
            where = Finding(condition.reference, "Condition", when=day)
            yield _treatment(recognizer.coded(where, sets[RuleValueSet.BACK_TREATMENT], condition.concept), day)
    for study in (*chart.procedures.items, *chart.service_requests.items):
        day = calendar.past(study.when)
        if day is None or study.status in _NOT_DONE or study.not_to_be_done:
            continue
        where = Finding(study.reference, study.kind, when=day)
        named = [recognizer.meaning(concept, SPINAL_PROCEDURE) for concept in study.concepts]
        if any(sets & SPINAL_PROCEDURE for sets in named):
            if any(recognizer.has_words(WordList.NOT_FOR_THE_BACK, *words_of(concept)) for concept in study.concepts):
                continue
            reached = regions_named(study.concepts, recognizer) or _regions_treated(study, where, recognizer)
            yield replace(_treatment(where, day, reached), procedure=True)
        elif regions := _regions_treated(study, where, recognizer):
            yield _treatment(where, day, regions)


def _regions_treated(study: Study, where: Finding, recognizer: Recognizer) -> frozenset[str]:
    """The regions whose pain a treatment is for, by its reasons and its name; none where it is for no back pain."""
    said = [
        meaning
        for concept in (*study.reasons, *study.concepts)
        for meaning in pain_meanings(concept, (), where, recognizer)
    ]
    regions = frozenset[str]().union(*(meaning.regions for meaning in said))
    return regions - {UNSPECIFIED} or regions


def _treatment(finding: Finding, day: Span | None, regions: frozenset[str] = frozenset()) -> PainRecord:
    """A treatment of some regions, or of the back wherever it hurts."""
    anywhere = frozenset({UNSPECIFIED})
    return PainRecord(finding=finding, regions=regions or anywhere, day=day, point=True, present=False, treatment=True)


def _course_words(recognizer: Recognizer, *texts: str) -> str:
    """The first text that calls the pain worse, acute or new, or an empty string."""
    return next((text for text in texts if text and recognizer.flags(PAIN_FAMILY, text) & (WORSE | ACUTE)), "")


def _quality(recognizer: Recognizer, *texts: str) -> str:
    """The sentence that calls the pain suspicious, or an empty string."""
    return next((match.quote for text in texts for match in recognizer.text(text, PAIN_QUALITY)), "")
