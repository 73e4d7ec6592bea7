"""Infection of the spine beside new back pain: what makes it likely, and what makes it possible (chapter 3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cds_service.chart.records import Chart, Observation, Value
from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import DateSource, Finding, coded_newest_first
from cds_service.clinical.reading.observations import with_components
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import SPINAL_PROCEDURE, RuleValueSet

# Outside these bounds a temperature is an error of entry (degrees Celsius).
_CELSIUS = (30.0, 45.0)
_FAHRENHEIT_UNITS = frozenset({"[degf]", "degf", "°f", "f", "deg f", "fahrenheit", "degrees fahrenheit"})
_CELSIUS_UNITS = frozenset({"cel", "c", "°c", "degc", "deg c", "celsius", "degrees celsius", ""})

# What makes an infection of the spine possible for some months.
_PORTALS = frozenset({RuleValueSet.BLOODSTREAM_INFECTION, *SPINAL_PROCEDURE})


@dataclass(frozen=True, slots=True)
class Infection:
    """What the chart says of an infection of the spine.

    Attributes:
        certain: an infection of the spine, or fever of now without another source.
        possible: fever with another source or of the last month, bacteria in the blood, a procedure of the spine.
        neutropenia: beside fever of now.
        explained_fever: fever that has its cause.
        is_recorded: an infection of the spine itself is among the certain, not only a fever.
    """

    certain: tuple[Finding, ...] = ()
    possible: tuple[Finding, ...] = ()
    neutropenia: tuple[Finding, ...] = ()
    explained_fever: tuple[Finding, ...] = ()
    is_recorded: bool = False


def infection_of_the_spine(
    chart: Chart,
    statements: Sequence[AssertedConcept],
    recognizer: Recognizer,
    calendar: Calendar,
    numbers: Mapping[str, int],
) -> Infection:
    """Read a chart for infection of the spine.

    Args:
        chart: with measured temperatures.
        statements: what the chart states.
        recognizer: what the chart is read with.
        calendar: the day of the call.
        numbers: of the content, by `Threshold`.
    """
    stated = [item for item in statements if not item.suspected]
    measured = _temperatures(chart, recognizer, calendar, numbers[Threshold.FEVER_FROM_CELSIUS])
    fevers = [*(item for item in _holding(stated, RuleValueSet.FEVER) if not item.imported), *measured]
    week, month = numbers[Threshold.FEVER_NOW_DAYS], numbers[Threshold.FEVER_DAYS]
    now = [item for item in fevers if item.current_visit or _within(item, week, calendar)]
    elsewhere = list(_holding(stated, RuleValueSet.INFECTION_ELSEWHERE))
    explained = [item for item in now if any(item.same_visit(other) for other in elsewhere)]
    unexplained = [item for item in now if item not in explained]
    earlier = [item for item in fevers if item not in now and _within(item, month, calendar)]
    months = numbers[Threshold.INFECTION_SOURCE_DAYS]
    portals = [item for item in stated if item.value_sets & _PORTALS and _within(item, months, calendar)]
    of_the_spine = [item for item in _holding(stated, RuleValueSet.SPINAL_INFECTION) if item.is_new(calendar)]
    named = [item for item in _holding(stated, RuleValueSet.FEVER_WITH_A_CAUSE) if _within(item, month, calendar)]
    neutropenia = [item for item in _holding(stated, RuleValueSet.NEUTROPENIA) if _is_of_now(item, month, calendar)]
    return Infection(
        certain=_findings([*of_the_spine, *unexplained]),
        possible=_findings([*explained, *earlier, *portals]),
        neutropenia=_findings(neutropenia) if now else (),
        explained_fever=_findings(named),
        is_recorded=bool(of_the_spine),
    )


def _holding(statements: Iterable[AssertedConcept], name: str) -> Iterator[AssertedConcept]:
    return (item for item in statements if name in item.value_sets and item.holds)


def _is_of_now(item: AssertedConcept, days: int, calendar: Calendar) -> bool:
    """Whether a state holds: an entry of a list, or one that is recorded in the current visit or in the last days."""
    return not item.point or item.current_visit or _within(item, days, calendar)


def _within(item: AssertedConcept, days: int, calendar: Calendar) -> bool:
    told = item.day or item.finding.when
    if told is None or item.imported:
        return False
    return told.until(calendar.today).latest >= calendar.today - timedelta(days=days)


def _temperatures(
    chart: Chart, recognizer: Recognizer, calendar: Calendar, fever_from: int
) -> Iterator[AssertedConcept]:
    """Measured fever: temperatures from `fever_from` degrees Celsius on."""
    reported = (item for item in chart.observations.items if item.is_reported)
    for observation in with_components(reported, recognizer):
        sets = recognizer.value_sets(observation.concept)
        if RuleValueSet.BODY_TEMPERATURE not in sets:
            continue
        celsius = celsius_of(observation.value)
        if celsius is None or celsius < fever_from:
            continue
        when = calendar.past(observation.effective)
        where = Finding(observation.reference, "Observation", when=when, date_source=DateSource.OBSERVED)
        finding = recognizer.coded(where, sets[RuleValueSet.BODY_TEMPERATURE], observation.concept)
        yield AssertedConcept(
            frozenset({RuleValueSet.FEVER}), finding, point=True, day=when, encounter=observation.encounter
        )


def celsius_of(value: Value) -> float | None:
    """A body temperature in degrees Celsius; None where the value or its unit cannot be one."""
    if value.number is None:
        return None
    unit = value.unit.strip().lower()
    if unit in _FAHRENHEIT_UNITS:
        celsius = round((value.number - 32) * 5 / 9, 2)
    elif unit in _CELSIUS_UNITS:
        celsius = value.number
    else:
        return None
    return celsius if _CELSIUS[0] <= celsius <= _CELSIUS[1] else None


def unread_temperature_unit(observation: Observation, recognizer: Recognizer) -> str:
    """The unit of a body temperature that is neither Celsius nor Fahrenheit; empty for any other observation."""
    if observation.value.number is None or RuleValueSet.BODY_TEMPERATURE not in recognizer.value_sets(
        observation.concept
    ):
        return ""
    unit = observation.value.unit.strip().lower()
    return "" if unit in _FAHRENHEIT_UNITS | _CELSIUS_UNITS else observation.value.unit


def _findings(statements: Iterable[AssertedConcept]) -> tuple[Finding, ...]:
    """The findings, newest first, the same words once."""
    found = sorted((item.finding for item in statements), key=coded_newest_first)
    return tuple({(item.label, item.quote): item for item in found}.values())
