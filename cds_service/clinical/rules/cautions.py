"""Cautions: what must be said beside an order, and which studies go without contrast.

What the cautions are is content (`cautions.toml` of the rule; decisions 4.3, 4.5, 4.6 and 4.8). An MRI is never
dropped: at most it goes without contrast (decision 4.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from cds_service.chart.records import Chart, Concept, Value
from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Question, Recognizer
from cds_service.clinical.reading.value_sets import CONTRAST_ALLERGIES, SharedValueSet
from cds_service.content.model import Caution, Cautions

_IN_WORDS = re.compile(r"(?P<comparator>[<>]=?)?\s*(?P<number>\d{1,3}(\.\d{1,3})?)\s*(?P<unit>[A-Za-z].{0,30})?")

# Is it an allergy to contrast, and to which?
_IS_CONTRAST_ALLERGY: Question = CONTRAST_ALLERGIES | {SharedValueSet.NO_KNOWN_ALLERGY}

_NOT_TRUE = frozenset({"refuted", "entered-in-error"})
_OVER = frozenset({"inactive", "resolved"})


@dataclass(frozen=True, slots=True)
class RaisedCaution:
    """A caution that applies to this patient, with what shows it; `value` is an eGFR as it was reported."""

    caution: Caution
    finding: Finding
    value: str = ""


@dataclass(frozen=True, slots=True)
class Egfr:
    """The newest eGFR, as a number and as reported (`>60`).

    `recent` says whether it is of the last days that count, `usable` whether it is in mL/min/1.73 m2.
    """

    number: float
    reported: str
    finding: Finding
    recent: bool
    usable: bool = True


def raised_cautions(
    asserted: Sequence[AssertedConcept],
    chart: Chart,
    cautions: Cautions,
    recognizer: Recognizer,
    calendar: Calendar,
    egfr: Egfr | None,
) -> tuple[RaisedCaution, ...]:
    """The cautions that apply, in the order of the content."""
    patient = next(iter(chart.patient.items), None)
    gender = patient.gender if patient else ""
    allergic = tuple(_allergies(chart, recognizer, calendar))
    raised: list[RaisedCaution] = []
    for caution in cautions.cautions:
        if caution.not_for_gender and caution.not_for_gender == gender:
            continue
        if caution.group and any(item.caution.group == caution.group for item in raised):
            continue
        if caution.found_in == "egfr":
            found = _by_egfr(caution, egfr)
        else:
            stated = allergic if caution.found_in == "allergies" else asserted
            found = _by_statement(caution, stated, calendar)
        if found:
            raised.append(found)
    return tuple(raised)


def caution_questions(cautions: Cautions) -> tuple[Question, ...]:
    """What the cautions ask of the chart: those that share a value set (pregnant, not pregnant) are one question."""
    questions: list[Question] = []
    for caution in cautions.cautions:
        if caution.found_in != "chart":
            continue
        asked = caution.value_sets | caution.unless_later | caution.taken_back | frozenset(caution.newest_of)
        shared = [question for question in questions if question & asked]
        questions = [question for question in questions if question not in shared]
        questions.append(asked.union(*shared))
    return tuple(questions)


def _by_egfr(caution: Caution, egfr: Egfr | None) -> RaisedCaution | None:
    if egfr is None or not egfr.recent or not egfr.usable or not caution.egfr_from <= egfr.number < caution.egfr_below:
        return None
    return RaisedCaution(caution, egfr.finding, egfr.reported)


def _by_statement(caution: Caution, stated: Sequence[AssertedConcept], calendar: Calendar) -> RaisedCaution | None:
    found = [
        item
        for item in stated
        if item.holds and item.value_sets & caution.value_sets and _is_recent(item, caution, calendar)
    ]
    if not found:
        return None
    newest = max(found, key=_day)
    if caution.newest_of:
        denied = [
            item for item in stated if caution.newest_of[1] in item.value_sets and _is_recent(item, caution, calendar)
        ]
        if denied and newest.finding.when and max(map(_day, denied)) > _day(newest):
            return None
    kept = [item for item in found if not _taken_back(item, stated, caution)]
    return RaisedCaution(caution, max(kept, key=_day).finding) if kept else None


def _taken_back(item: AssertedConcept, stated: Sequence[AssertedConcept], caution: Caution) -> bool:
    """Whether a later record says that what was there is gone; it must be of the same kind of thing."""
    kinds = item.value_sets & caution.taken_back
    return bool(kinds) and any(
        other.value_sets & caution.unless_later and _day(other) >= _day(item) for other in stated
    )


def _day(item: AssertedConcept) -> int:
    return item.finding.when.latest.toordinal() if item.finding.when else 0


def _is_recent(item: AssertedConcept, caution: Caution, calendar: Calendar) -> bool:
    if caution.within_days is None or item.finding.when is None:
        return True
    return item.finding.when.latest >= calendar.today - timedelta(days=caution.within_days)


def _allergies(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> Iterator[AssertedConcept]:
    for allergy in chart.allergies.items:
        if allergy.verification_status in _NOT_TRUE or allergy.clinical_status in _OVER:
            continue
        where = Finding(
            allergy.reference,
            "AllergyIntolerance",
            when=calendar.past(allergy.recorded),
            date_source=DateSource.RECORDED,
        )
        found = [_contrast_classes(concept, where, recognizer) for concept in allergy.concepts]
        classes = frozenset().union(*(item[0] for item in found))
        for shown, finding in found:
            # An entry that names a class is not of a class that nobody named.
            named = shown - {SharedValueSet.CONTRAST_ALLERGY_ANY_CLASS} if len(classes) > 1 else shown
            if named:
                yield AssertedConcept(named, finding)
    # An allergy may be coded as a diagnosis (ICD-10-CM Z91.041).
    for condition in chart.conditions.items:
        if condition.is_refuted or condition.clinical_status in _OVER or condition.abated:
            continue
        value_sets = recognizer.value_sets(condition.concept)
        if CONTRAST_ALLERGIES & value_sets.keys():
            where = Finding(condition.reference, "Condition", when=calendar.past(condition.recorded))
            coding = next(value_sets[name] for name in value_sets if name in CONTRAST_ALLERGIES)
            yield AssertedConcept(frozenset(value_sets), recognizer.coded(where, coding, condition.concept))


def _contrast_classes(concept: Concept, where: Finding, recognizer: Recognizer) -> tuple[frozenset[str], Finding]:
    """The contrast allergies a concept is one of, by code or else by its words."""
    value_sets = {name: coding for name, coding in recognizer.value_sets(concept).items() if name in CONTRAST_ALLERGIES}
    if value_sets:
        return frozenset(value_sets), recognizer.coded(where, next(iter(value_sets.values())), concept)
    if matches := recognizer.in_words(concept, _IS_CONTRAST_ALLERGY):
        return frozenset(match.concept for match in matches), replace(where, quote=matches[0].quote, from_text=True)
    return frozenset(), where


def newest_egfr(
    chart: Chart, cautions: Cautions, recognizer: Recognizer, calendar: Calendar, recent_days: int
) -> Egfr | None:
    """The newest final eGFR; of two on one day, the lower. A value in another unit is found, but not usable."""
    newest: tuple[bool, int, float] | None = None
    found: Egfr | None = None
    for observation in chart.observations.items:
        value = observation.value
        when = calendar.past(observation.effective)
        if cautions.egfr_tests not in recognizer.value_sets(observation.concept):
            continue
        number, comparator, unit = _measured(value)
        if not observation.is_final or when is None or number is None or number < 0:
            continue
        usable = _is_egfr_unit(unit)
        key = (usable, when.latest.toordinal(), -number)
        if newest is None or key > newest:
            newest = key
            found = Egfr(
                number=_bounded(number, comparator),
                reported=f"{comparator}{number:g}",
                finding=Finding(observation.reference, "Observation", when=when, date_source=DateSource.OBSERVED),
                recent=when.latest >= calendar.today - timedelta(days=recent_days),
                usable=usable,
            )
    return found


def _measured(value: Value) -> tuple[float | None, str, str]:
    """Number, comparator and unit of a result, also where it came as text (`<15 mL/min/1.73 m2`)."""
    if value.number is None and (found := _IN_WORDS.fullmatch(value.text.strip())):
        return float(found["number"]), found["comparator"] or "", found["unit"] or ""
    return value.number, value.comparator, value.unit


def _is_egfr_unit(unit: str) -> bool:
    """mL/min/1.73 m2 in the spellings of laboratories, or no unit (the test is defined per 1.73 m2).

    A bare mL/min is another measure.
    """
    plain = unit.lower().replace(" ", "").replace(",", ".")
    return not plain or (plain.startswith("ml/min") and "1.73" in plain)


def _bounded(number: float, comparator: str) -> float:
    """`<15` is below 15, and `<=30` may be; `>60` is at least 60."""
    return number - 0.1 if comparator.startswith("<") else number


def without_contrast(modality: str, raised: Iterable[RaisedCaution]) -> bool:
    return any(modality in item.caution.without_contrast for item in raised)


def withdrawn(modality: str, raised: Iterable[RaisedCaution]) -> bool:
    """Whether studies of this modality are not proposed; an MRI always is."""
    return modality != "MRI" and any(modality in item.caution.withdraws for item in raised)
