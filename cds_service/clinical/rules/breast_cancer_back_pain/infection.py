"""Infection of the spine beside new back pain: what makes it likely, and what makes it possible (chapter 3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cds_service.chart.records import Chart, Value
from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import SPINAL_PROCEDURE, RuleValueSet

# Fever of the last week is a sign of now; of the last month it makes an infection possible (IDSA 2015).
_FEVER_NOW_DAYS = 7
_FEVER_DAYS = 30
_PORTAL_DAYS = 90

# From here on a temperature is fever; outside the bounds it is an error of entry (degrees Celsius).
_FEVER_CELSIUS = 38.0
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
    """

    certain: tuple[Finding, ...] = ()
    possible: tuple[Finding, ...] = ()
    neutropenia: tuple[Finding, ...] = ()
    explained_fever: tuple[Finding, ...] = ()


def infection_of_the_spine(
    chart: Chart, statements: Sequence[AssertedConcept], recognizer: Recognizer, calendar: Calendar
) -> Infection:
    """Read a chart for infection of the spine."""
    stated = [item for item in statements if not item.suspected]
    fevers = [*_holding(stated, RuleValueSet.FEVER), *_temperatures(chart, recognizer, calendar)]
    now = [item for item in fevers if item.current_visit or _within(item, _FEVER_NOW_DAYS, calendar)]
    elsewhere = list(_holding(stated, RuleValueSet.INFECTION_ELSEWHERE))
    explained = [item for item in now if any(item.same_visit(other) for other in elsewhere)]
    unexplained = [item for item in now if item not in explained]
    earlier = [item for item in fevers if item not in now and _within(item, _FEVER_DAYS, calendar)]
    portals = [item for item in stated if item.value_sets & _PORTALS and _within(item, _PORTAL_DAYS, calendar)]
    of_the_spine = [item for item in _holding(stated, RuleValueSet.SPINAL_INFECTION) if item.is_new(calendar)]
    named = [item for item in _holding(stated, RuleValueSet.FEVER_WITH_A_CAUSE) if _within(item, _FEVER_DAYS, calendar)]
    return Infection(
        certain=_findings([*of_the_spine, *unexplained]),
        possible=_findings([*explained, *earlier, *portals]),
        neutropenia=_findings(_holding(stated, RuleValueSet.NEUTROPENIA)) if now else (),
        explained_fever=_findings(named),
    )


def _holding(statements: Iterable[AssertedConcept], name: str) -> Iterator[AssertedConcept]:
    return (item for item in statements if name in item.value_sets and item.holds)


def _within(item: AssertedConcept, days: int, calendar: Calendar) -> bool:
    told = item.day or item.finding.when
    return told is not None and told.until(calendar.today).latest >= calendar.today - timedelta(days=days)


def _temperatures(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> Iterator[AssertedConcept]:
    """Measured fever."""
    for observation in chart.observations.items:
        sets = recognizer.value_sets(observation.concept)
        if RuleValueSet.BODY_TEMPERATURE not in sets or not observation.is_reported:
            continue
        celsius = celsius_of(observation.value)
        if celsius is None or celsius < _FEVER_CELSIUS:
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


def _findings(statements: Iterable[AssertedConcept]) -> tuple[Finding, ...]:
    """The findings, newest first, the same words once."""
    found = sorted(
        (item.finding for item in statements),
        key=lambda item: (item.from_text, -(item.when.latest.toordinal() if item.when else 0), item.source),
    )
    return tuple({(item.label, item.quote): item for item in found}.values())
