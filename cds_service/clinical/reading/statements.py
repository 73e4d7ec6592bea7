"""What the chart states of the patient beside cancer and pain: signs, devices, states, test results.

Each statement is one concept that is asserted (not refuted, not denied), with its date, and whether it holds now.
Red flags, brain symptoms, metastases and cautions are all read from the same list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cds_service.chart.records import Chart, Concept, Observation, Value
from cds_service.chart.span import Span
from cds_service.clinical.reading.assertion import denies, is_present, selected_drafts, visit_periods
from cds_service.clinical.reading.findings import Basis, Finding
from cds_service.clinical.reading.onset import Calendar, Start, start_of
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.reading.value_sets import SharedValueSet

_NOT_DONE = frozenset({"entered-in-error", "not-done", "preparation", "unknown", "inactive"})


# Observations that name a symptom or state in their value.
_VALUE_SAYS = frozenset(
    {
        SharedValueSet.SYMPTOM_OBSERVATION,
        SharedValueSet.COMPLAINT_OBSERVATION,
        SharedValueSet.PREGNANCY_STATUS_OBSERVATION,
    }
)

_NEGATIVE = re.compile(r"^\W*(neg(ative)?|not detected|non-?reactive|absent)\b|\bnegative\b", re.IGNORECASE)
_POSITIVE = re.compile(r"^\W*(pos(itive)?|detected|reactive)\b|^\+{1,3}$|(?<!not )(?<!non-)\bpositive\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One asserted concept.

    Attributes:
        sets: the value sets (or text concepts) it is in.
        finding: what and where, with its date.
        holds: it is true now, as far as the chart says (an active condition, a device in place).
        current_visit: it belongs to the encounter of the hook.
        suspected: recorded as provisional or differential.
    """

    sets: frozenset[str]
    finding: Finding
    holds: bool = True
    current_visit: bool = False
    suspected: bool = False

    def is_new(self, calendar: Calendar) -> bool:
        """Whether it holds and began inside the window of new pain, or is undated in the current visit."""
        if not self.holds:
            return False
        if self.finding.when is None or (self.finding.basis is Basis.ENCOUNTER and self.current_visit):
            return self.current_visit
        return calendar.in_window(self.finding.when)


def statements(
    chart: Chart, recognizer: Recognizer, calendar: Calendar, tests: Mapping[str, tuple[str, str]]
) -> tuple[Statement, ...]:
    """Everything stated in conditions, observations, visits, procedures and devices, as far as a set knows it.

    Args:
        tests: by observation set, the sets that a positive and a negative result stand for.
    """
    found = [
        *_from_conditions(chart, recognizer, calendar),
        *_from_observations(chart, recognizer, calendar, tests),
        *_from_visits(chart, recognizer, calendar),
        *_from_procedures(chart, recognizer, calendar),
        *_from_drafts(chart, recognizer, calendar),
    ]
    return tuple(found)


def _stated(concept: Concept, where: Finding, recognizer: Recognizer) -> Iterator[tuple[frozenset[str], Finding]]:
    """What a concept states: by its code or words, and the red flags that the words of a coded one name besides
    ("low back pain with saddle anesthesia"). The findings carry no date yet."""
    sets, finding = recognizer.described(concept, where)
    if not sets:
        return
    yield sets, finding
    if not finding.from_text:
        signs, sign = recognizer.sign_in_words(concept, where)
        if signs:
            yield signs, sign


def _statements(
    concept: Concept, where: Finding, start: Start, recognizer: Recognizer, current: bool
) -> Iterator[Statement]:
    """What a concept states, all of it true on one day."""
    for sets, finding in _stated(concept, where, recognizer):
        yield Statement(sets, replace(finding, when=start.when, basis=start.basis), current_visit=current)


def _from_conditions(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> Iterator[Statement]:
    visits = visit_periods(chart, calendar)
    for condition in chart.conditions.items:
        if condition.is_refuted:
            continue
        for sets, finding in _stated(condition.concept, Finding(condition.reference, "Condition"), recognizer):
            start = start_of(condition, visits.get(condition.encounter), calendar)
            yield Statement(
                sets,
                replace(finding, when=start.when, basis=start.basis),
                holds=is_present(condition, calendar) and not recognizer.says_chronic(finding.quote),
                current_visit=bool(condition.encounter) and condition.encounter == chart.current_encounter,
                suspected=condition.is_suspected,
            )


def _from_observations(
    chart: Chart, recognizer: Recognizer, calendar: Calendar, tests: Mapping[str, tuple[str, str]]
) -> Iterator[Statement]:
    for observation in chart.observations.items:
        if not observation.is_reported or observation.value.absent:
            continue
        when = calendar.past(observation.effective)
        where = Finding(observation.reference, "Observation")
        current = bool(observation.encounter) and observation.encounter == chart.current_encounter
        start = Start(when, Basis.OBSERVED)
        code_sets = frozenset(recognizer.sets(observation.concept))
        if verdict := _test_result(observation, code_sets, recognizer, tests):
            _, finding = recognizer.described(observation.concept, where)
            dated = replace(finding, when=start.when, basis=start.basis)
            yield Statement(frozenset({verdict}), dated, current_visit=current)
        elif concept := _asserted(observation, code_sets, recognizer):
            yield from _statements(concept, where, start, recognizer, current)


def _test_result(
    observation: Observation,
    code_sets: frozenset[str],
    recognizer: Recognizer,
    tests: Mapping[str, tuple[str, str]],
) -> str:
    for test, (positive, negative) in tests.items():
        if test in code_sets:
            verdict = sign_of(observation.value, observation.interpretation, recognizer)
            return {True: positive, False: negative, None: ""}[verdict]
    return ""


def sign_of(value: Value, interpretation: tuple[Concept, ...], recognizer: Recognizer) -> bool | None:
    """Whether a test result is positive or negative; None where it says neither."""
    if value.boolean is not None:
        return value.boolean
    for concept in (value.concept, *interpretation):
        if concept is None:
            continue
        sets = recognizer.sets(concept)
        if SharedValueSet.RESULT_POSITIVE in sets:
            return True
        if SharedValueSet.RESULT_NEGATIVE in sets:
            return False
        # HL7 v3 ObservationInterpretation, which labs send beside or instead of a coded value.
        codes = {coding.code.upper() for coding in concept.codings}
        if codes & {"POS", "NEG"}:
            return "POS" in codes
    for words in (value.text, *(words_of(value.concept) if value.concept else ())):
        if _POSITIVE.search(words):
            return True
        if _NEGATIVE.search(words):
            return False
    return None


def _asserted(observation: Observation, code_sets: frozenset[str], recognizer: Recognizer) -> Concept | None:
    """The concept an Observation asserts: its value for symptoms and states, else its own code."""
    value = observation.value
    if SharedValueSet.SYMPTOM_ABSENT_OBSERVATION in code_sets or value.boolean is False:
        return None
    if code_sets & _VALUE_SAYS:
        if value.concept is not None:
            return value.concept
        return Concept(text=value.text) if value.text else None
    return None if denies(value, observation.status, recognizer) else observation.concept


def _from_visits(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> Iterator[Statement]:
    for encounter in chart.encounters.items:
        if not encounter.was_held:
            continue
        period = calendar.past(encounter.period)
        start = Start(Span.day(period.earliest) if period else None, Basis.ENCOUNTER)
        current = encounter.reference == chart.current_encounter
        for reason in encounter.reasons:
            yield from _statements(reason, Finding(encounter.reference, "Encounter"), start, recognizer, current)


def _from_drafts(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> Iterator[Statement]:
    """The reasons of the selected orders: they are written now."""
    start = Start(Span.day(calendar.today), Basis.ORDERED)
    for draft in selected_drafts(chart):
        for reason in draft.reasons:
            yield from _statements(reason, Finding(draft.reference, "order"), start, recognizer, True)


def _from_procedures(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> Iterator[Statement]:
    """Procedures and devices: what was put in is taken to be in place."""
    for item in chart.procedures.items:
        if item.status in _NOT_DONE:
            continue
        for concept in item.concepts:
            start = Start(calendar.past(item.when), Basis.RECORDED)
            where = Finding(item.reference, item.kind)
            yield from _statements(concept, where, start, recognizer, False)
