"""What the chart states of the patient beside cancer and pain: signs, devices, states, test results.

Each statement is one concept that is asserted (not refuted, not denied), with its date, and whether it holds now.
Red flags, brain symptoms, metastases and cautions are all read from the same list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from cds_service.chart.records import Chart, Concept, Condition, Observation, Value
from cds_service.chart.span import Span
from cds_service.clinical.reading.assertion import denies, is_present, words_in
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.measured import measured
from cds_service.clinical.reading.observations import component_observations, kinds_of
from cds_service.clinical.reading.onset import Calendar, Start, start_of, written_on
from cds_service.clinical.reading.recognition import Question, Recognizer, words_of
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.reading.visits import Visits
from cds_service.content.caution_model import ResultTest

_NOT_DONE = frozenset({"entered-in-error", "not-done", "preparation", "unknown", "inactive"})


# Observations that name a symptom or state in their value.
_VALUE_SAYS = frozenset(
    {
        SharedValueSet.SYMPTOM_OBSERVATION,
        SharedValueSet.COMPLAINT_OBSERVATION,
        SharedValueSet.PREGNANCY_STATUS_OBSERVATION,
    }
)


_NO_CONCEPT = Concept()


@dataclass(frozen=True, slots=True)
class AssertedConcept:
    """One asserted concept.

    Attributes:
        sets: the value sets (or text concepts) it is in.
        finding: what and where, with its date.
        holds: it is true now, as far as the chart says (an active condition, a device in place).
        present: the entry itself is not over.
        current_visit: it belongs to the current visit.
        suspected: recorded as provisional or differential.
        point: it tells of one day (a visit, an observation); else it lasts.
        day: the day on which it was written, as far as it is known.
        encounter: the reference of its visit, or an empty string.
        worse: its words say that it became worse.
        chronic: its words call it chronic.
        imported: an entry of a list that is dated only by a day on which the whole list was recorded: not a date.
        concept, sites: what the entry says, by its codes and words, and where.
    """

    value_sets: frozenset[str]
    finding: Finding
    holds: bool = True
    present: bool = True
    current_visit: bool = False
    suspected: bool = False
    point: bool = False
    day: Span | None = None
    encounter: str = ""
    worse: bool = False
    chronic: bool = False
    imported: bool = False
    concept: Concept = _NO_CONCEPT
    sites: tuple[Concept, ...] = ()

    @property
    def last_day(self) -> date:
        """The last day of which it tells: when it was written, or when it began; the first day of all if undated."""
        return max(self.finding.last_day, self.day.latest if self.day else date.min)

    def same_visit(self, other: AssertedConcept) -> bool:
        """Whether both were written in one visit, or, where no visit is named, on one day."""
        if self.encounter and other.encounter:
            return self.encounter == other.encounter
        if self.current_visit and other.current_visit:
            return True
        return self.day is not None and self.day == other.day

    def is_new(self, calendar: Calendar) -> bool:
        """Whether it holds and began inside the window of new pain, or is undated in the current visit."""
        if not self.holds or self.imported:
            return False
        if self.finding.when is None or (self.finding.date_source is DateSource.ENCOUNTER and self.current_visit):
            return self.current_visit
        return calendar.in_window(self.finding.when)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a chart is read with, and the questions that words may answer."""

    recognizer: Recognizer
    calendar: Calendar
    visits: Visits
    questions: Sequence[Question]


def asserted_concepts(
    chart: Chart,
    recognizer: Recognizer,
    calendar: Calendar,
    tests: Mapping[str, ResultTest],
    questions: Sequence[Question],
) -> tuple[AssertedConcept, ...]:
    """Everything stated in conditions, observations, visits, procedures and devices, as far as a set knows it.

    Args:
        tests: by observation set, what a result of it stands for.
        questions: what words may state where no code of the same entry answers it.
    """
    reading = _Reading(recognizer, calendar, Visits(chart, calendar), questions)
    found = [
        *_from_conditions(chart, reading),
        *_from_observations(chart, reading, tests),
        *_from_visits(chart, reading),
        *_from_procedures(chart, reading),
        *_from_drafts(chart, reading),
    ]
    return tuple(found)


def _stated(concept: Concept, where: Finding, reading: _Reading) -> Iterator[tuple[frozenset[str], Finding]]:
    """What a concept states by its codes, and by its words for each question that they leave open ("low back pain
    with saddle anesthesia"). The findings carry no date yet."""
    recognizer = reading.recognizer
    if by_code := recognizer.value_sets(concept):
        yield frozenset(by_code), recognizer.coded(where, next(iter(by_code.values())), concept)
    for matches in recognizer.answers_in_words(concept, by_code, reading.questions):
        value_sets = frozenset(match.concept for match in matches)
        yield value_sets, replace(where, quote=matches[0].quote, from_text=True)


@dataclass(frozen=True, slots=True)
class _Visit:
    """The visit, or the day, of which an entry tells."""

    start: Start
    current: bool
    point: bool = True
    encounter: str = ""
    sites: tuple[Concept, ...] = ()


def _asserted_on(concept: Concept, where: Finding, visit: _Visit, reading: _Reading) -> Iterator[AssertedConcept]:
    """What a concept states, all of it true on one day."""
    for sets, finding in _stated(concept, where, reading):
        yield AssertedConcept(
            sets,
            replace(finding, when=visit.start.when, date_source=visit.start.date_source),
            current_visit=visit.current,
            point=visit.point,
            day=visit.start.when,
            encounter=visit.encounter,
            worse=_is_worse(concept, reading),
            concept=concept,
            sites=visit.sites,
        )


def _is_worse(concept: Concept, reading: _Reading) -> bool:
    return "changed" in reading.recognizer.flags("", *words_of(concept))


def _from_conditions(chart: Chart, reading: _Reading) -> Iterator[AssertedConcept]:
    recognizer, calendar, visits = reading.recognizer, reading.calendar, reading.visits
    for condition in chart.conditions.items:
        if condition.is_refuted or visits.tells_of_none(condition):
            continue
        point = bool(condition.is_visit_diagnosis)
        visit = visits.period(condition.encounter)
        day = (visit if point else visits.day(condition.encounter)) or calendar.past(condition.recorded)
        for sets, finding in _stated(condition.concept, Finding(condition.reference, "Condition"), reading):
            beside_a_code = finding.from_text and bool(recognizer.value_sets(condition.concept))
            start = (written_on if beside_a_code else start_of)(condition, visit, calendar)
            present = is_present(condition, calendar) or (point and not condition.is_over)
            yield AssertedConcept(
                sets,
                replace(finding, when=start.when, date_source=start.date_source),
                holds=present,
                chronic=recognizer.says_chronic(finding.quote),
                present=present,
                current_visit=_in_current_visit(condition, chart, day, visits),
                suspected=condition.is_suspected,
                point=point,
                day=day or start.when,
                encounter=condition.encounter,
                worse=_is_worse(condition.concept, reading),
                concept=condition.concept,
                sites=condition.sites,
            )


def _in_current_visit(condition: Condition, chart: Chart, day: Span | None, visits: Visits) -> bool:
    """Whether a condition was written in the current visit; an entry of a list only names the visit that made it."""
    if condition.encounter and condition.encounter == chart.current_encounter:
        return True
    return bool(condition.is_visit_diagnosis) and visits.is_current(condition.encounter, day)


def _from_observations(chart: Chart, reading: _Reading, tests: Mapping[str, ResultTest]) -> Iterator[AssertedConcept]:
    recognizer = reading.recognizer
    for observation in chart.observations.items:
        if not observation.is_reported:
            continue
        when = reading.calendar.past(observation.effective)
        current = reading.visits.is_current(observation.encounter, when)
        visit = _Visit(Start(when, DateSource.OBSERVED), current, encounter=observation.encounter)
        if not observation.value.absent:
            yield from _from_observation(observation, visit, reading, tests)
        for part in component_observations(observation, recognizer):
            yield from _from_observation(part, visit, reading, tests)


def _from_observation(
    observation: Observation, visit: _Visit, reading: _Reading, tests: Mapping[str, ResultTest]
) -> Iterator[AssertedConcept]:
    recognizer = reading.recognizer
    where = Finding(observation.reference, "Observation")
    visit = replace(visit, sites=observation.sites)
    kinds = kinds_of(observation, recognizer)
    test = recognizer.named(observation.concept, frozenset(tests))
    if test and (result := _result(observation, tests[test], recognizer)):
        dated = replace(where, when=visit.start.when, date_source=visit.start.date_source)
        yield AssertedConcept(
            frozenset({result, test}),
            _of_test(observation, test, dated, recognizer),
            current_visit=visit.current,
            point=True,
            day=visit.start.when,
            encounter=visit.encounter,
        )
    elif concept := _asserted(observation, {*kinds, test} if test else kinds, recognizer):
        yield from _asserted_on(concept, where, visit, reading)


def _of_test(observation: Observation, test: str, where: Finding, recognizer: Recognizer) -> Finding:
    if coding := recognizer.value_sets(observation.concept).get(test):
        return recognizer.coded(where, coding, observation.concept)
    return replace(where, quote=next(iter(words_of(observation.concept)), ""), from_text=True)


def _result(observation: Observation, test: ResultTest, recognizer: Recognizer) -> str:
    """What a result stands for: a set of the test, `unclear`, or an empty string where it says nothing."""
    number = measured(observation.value) if test.positive_from is not None else None
    if number and test.positive_from is not None and (not number.unit or number.plain_unit in test.units):
        if number.bounded >= test.positive_from:
            return test.positive
        unclear = test.unclear_from is not None and number.bounded >= test.unclear_from
        return test.unclear if unclear else test.negative
    sign = sign_of(observation.value, observation.interpretation, recognizer)
    if sign is None and test.is_question:
        sign = answer_of(observation.value, recognizer)
    return "" if sign is None else test.positive if sign else test.negative


def answer_of(value: Value, recognizer: Recognizer) -> bool | None:
    """Whether a question is answered by yes or no; None where it is neither."""
    for words in words_in(value):
        if recognizer.result_words.negative.search(words.strip()):
            return False
        if recognizer.result_words.affirmative.search(words.strip()):
            return True
    return None


def sign_of(value: Value, interpretation: tuple[Concept, ...], recognizer: Recognizer) -> bool | None:
    """Whether a test result is positive or negative; None where it says neither."""
    if value.boolean is not None:
        return value.boolean
    for concept in (value.concept, *interpretation):
        if concept is None:
            continue
        value_sets = recognizer.value_sets(concept)
        if SharedValueSet.RESULT_POSITIVE in value_sets:
            return True
        if SharedValueSet.RESULT_NEGATIVE in value_sets:
            return False
        # HL7 v3 ObservationInterpretation, which labs send beside or instead of a coded value.
        codes = {coding.code.upper() for coding in concept.codings}
        if codes & {"POS", "NEG"}:
            return "POS" in codes
    for words in (value.text, *(words_of(value.concept) if value.concept else ())):
        if recognizer.result_words.positive_result.search(words):
            return True
        if recognizer.result_words.negative_result.search(words):
            return False
    return None


def _asserted(observation: Observation, kinds: Collection[str], recognizer: Recognizer) -> Concept | None:
    """The concept an Observation asserts: its value for symptoms and states, else its own code."""
    value = observation.value
    if SharedValueSet.SYMPTOM_ABSENT_OBSERVATION in kinds or value.boolean is False:
        return None
    if not _VALUE_SAYS.isdisjoint(kinds):
        if value.concept is not None:
            return value.concept
        return Concept(text=value.text) if value.text else None
    return None if denies(value, observation.status, recognizer) else observation.concept


def _from_visits(chart: Chart, reading: _Reading) -> Iterator[AssertedConcept]:
    for encounter in chart.encounters.items:
        if not encounter.was_held:
            continue
        period = reading.calendar.past(encounter.period)
        start = Start(Span.day(period.earliest) if period else None, DateSource.ENCOUNTER)
        visit = _Visit(start, reading.visits.is_current(encounter.reference, start.when), encounter=encounter.reference)
        for reason in encounter.reasons:
            yield from _asserted_on(reason, Finding(encounter.reference, "Encounter"), visit, reading)


def _from_drafts(chart: Chart, reading: _Reading) -> Iterator[AssertedConcept]:
    """The reasons of the selected orders: they are written now."""
    start = Start(Span.day(reading.calendar.today), DateSource.ORDERED)
    for draft in chart.selected_orders:
        for reason in draft.reasons:
            yield from _asserted_on(reason, Finding(draft.reference, "order"), _Visit(start, current=True), reading)


def _from_procedures(chart: Chart, reading: _Reading) -> Iterator[AssertedConcept]:
    """Procedures and devices: what was put in is taken to be in place."""
    for item in (*chart.procedures.items, *chart.devices.items):
        if item.status in _NOT_DONE:
            continue
        for concept in item.concepts:
            start = Start(reading.calendar.past(item.when), DateSource.RECORDED)
            visit = _Visit(start, current=False, point=False)
            yield from _asserted_on(concept, Finding(item.reference, item.kind), visit, reading)
