"""The kidneys: the newest eGFR, and what beside it decides about contrast (decisions 4.3, 4.4 and 4.13)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from cds_service.chart.records import Chart
from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.measured import Measurement, measured
from cds_service.clinical.reading.observations import with_components
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Question, Recognizer
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.content.caution_model import KidneyContent, KidneyState

# What words may say of the kidneys where no code does. Each is a question of its own: "CKD stage 5, on hemodialysis".
KIDNEY_QUESTIONS: tuple[Question, ...] = (
    frozenset({SharedValueSet.DIALYSIS}),
    frozenset({SharedValueSet.KIDNEY_TRANSPLANT}),
    frozenset({SharedValueSet.ACUTE_KIDNEY_INJURY}),
    frozenset({SharedValueSet.CKD_SEVERE}),
)

# The eGFR is defined per body surface; laboratories spell that in many ways, or leave the surface out.
_PER_SURFACE = re.compile(r"mls?/(min(ute)?s?|mn)\W*(per)?\W*(1[.,]?73|bsa).*")
_PER_MINUTE = re.compile(r"mls?/(min(ute)?s?|mn)")
CREATININE_UNITS = {
    "mg/dl": "mg/dL",
    "umol/l": "µmol/L",
    "µmol/l": "µmol/L",
    "μmol/l": "µmol/L",
    "micromol/l": "µmol/L",
    "mmol/l": "mmol/L",
}


@dataclass(frozen=True, slots=True)
class Egfr:
    """The newest eGFR, as a number and as reported (`<15 mL/min/1.73 m2`).

    `recent` says whether it is of the last days that count, `usable` whether its unit is one of a filtration rate.
    """

    number: float
    reported: str
    finding: Finding
    recent: bool
    usable: bool = True


@dataclass(frozen=True, slots=True)
class Creatinine:
    """The newest creatinine as reported (`4.3 mg/dL`). No filtration rate is computed from it."""

    reported: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class KidneyFunction:
    """What the chart says of the kidneys.

    Attributes:
        egfr: the newest one, if any.
        creatinine: the newest recent one, where no recent eGFR is known.
        states: what concerns the contrast, each with the finding that shows it.
    """

    egfr: Egfr | None = None
    creatinine: Creatinine | None = None
    states: Mapping[KidneyState, Finding] = field(default_factory=dict)


def kidney_function(
    chart: Chart,
    asserted: Sequence[AssertedConcept],
    content: KidneyContent,
    recognizer: Recognizer,
    calendar: Calendar,
    recent_days: int,
) -> KidneyFunction:
    """What the chart says of the kidneys; a laboratory result counts as recent for `recent_days`."""
    first = calendar.today - timedelta(days=recent_days)
    results = tuple(_results(chart, recognizer, calendar))
    egfr = _newest_egfr((item for item in results if item.test == SharedValueSet.EGFR_TEST), first)
    known = egfr if egfr and egfr.recent and egfr.usable else None
    measured_since = [item for item in results if item.test == SharedValueSet.CREATININE_TEST and item.day >= first]
    creatinine = None if known else _newest_creatinine(measured_since)
    return KidneyFunction(egfr, creatinine, _states(asserted, known, content, calendar.today))


# --- Laboratory


_TESTS: Question = frozenset({SharedValueSet.EGFR_TEST, SharedValueSet.CREATININE_TEST})


@dataclass(frozen=True, slots=True)
class _Result:
    """One final result with its test and its day; `in_words` where only words say which test it is."""

    test: str
    measurement: Measurement
    finding: Finding
    day: date
    in_words: bool


def _results(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> Iterator[_Result]:
    for observation in with_components(chart.observations.items, recognizer):
        if not observation.is_final or not (test := recognizer.named(observation.concept, _TESTS)):
            continue
        when, measurement = calendar.past(observation.effective), measured(observation.value)
        if when and measurement:
            finding = Finding(observation.reference, "Observation", when=when, date_source=DateSource.OBSERVED)
            in_words = test not in recognizer.value_sets(observation.concept)
            yield _Result(test, measurement, finding, when.latest, in_words)


def _newest_egfr(results: Iterable[_Result], first: date) -> Egfr | None:
    """The newest eGFR; of two on one day, the lower. A value in another unit gives way to one that can be used."""
    newest: tuple[bool, date, float] | None = None
    found: Egfr | None = None
    for result in results:
        unit = egfr_unit(result.measurement.plain_unit)
        if unit is None and result.in_words:
            # A test of the gene EGFR, say.
            continue
        key = (unit is not None, result.day, -result.measurement.number)
        if newest is None or key > newest:
            newest = key
            found = Egfr(
                number=result.measurement.bounded,
                reported=f"{result.measurement.reported} {unit or ''}".strip(),
                finding=result.finding,
                recent=result.day >= first,
                usable=unit is not None,
            )
    return found


def egfr_unit(plain: str) -> str | None:
    """How a card writes the unit of an eGFR: per body surface, a bare mL/min, or none; None for any other."""
    plain = plain.strip("{}[]()")
    if not plain:
        return ""
    if _PER_SURFACE.fullmatch(plain):
        return "mL/min/1.73 m2"
    return "mL/min" if _PER_MINUTE.fullmatch(plain) else None


def _newest_creatinine(results: Sequence[_Result]) -> Creatinine | None:
    newest = max(results, key=lambda result: (result.day, result.measurement.number), default=None)
    if newest is None:
        return None
    unit = CREATININE_UNITS.get(newest.measurement.plain_unit, "")
    return Creatinine(f"{newest.measurement.reported} {unit}".strip(), newest.finding)


# --- States


def _states(
    asserted: Sequence[AssertedConcept], egfr: Egfr | None, content: KidneyContent, today: date
) -> Mapping[KidneyState, Finding]:
    """The state that leaves out contrast, or else what is to be weighed and what the newer eGFR overrules."""
    if dialysis := _dialysis(asserted, content, today):
        return {KidneyState.DIALYSIS: dialysis}
    if egfr and egfr.number < content.contrast_from:
        return {KidneyState.EGFR_LOW: egfr.finding}
    if injury := _acute_injury(asserted, egfr, content, today):
        return {KidneyState.ACUTE_INJURY: injury}
    found: dict[KidneyState, Finding] = {}
    if severe := _newest(item for item in asserted if item.present and SharedValueSet.CKD_SEVERE in item.value_sets):
        if egfr is None or egfr.finding.last_day <= severe.last_day:
            return {KidneyState.SEVERE_DISEASE: severe.finding}
        found[KidneyState.OUTDATED_DISEASE] = severe.finding
    if egfr and egfr.number < content.weigh_below:
        found[KidneyState.EGFR_MODERATE] = egfr.finding
    return found


def _dialysis(asserted: Sequence[AssertedConcept], content: KidneyContent, today: date) -> Finding | None:
    """Dependence on dialysis, or a session of the last days; only a transplant that is not older ends it."""
    transplants = [item.last_day for item in asserted if SharedValueSet.KIDNEY_TRANSPLANT in item.value_sets]
    transplanted = max(transplants, default=None)
    first = today - timedelta(days=content.dialysis_days)
    found = _newest(
        item
        for item in asserted
        if item.present
        and SharedValueSet.DIALYSIS in item.value_sets
        and (item.finding.kind == "Condition" or item.finding.when is None or item.last_day >= first)
        and (transplanted is None or transplanted < item.last_day)
    )
    return found.finding if found else None


def _acute_injury(
    asserted: Sequence[AssertedConcept], egfr: Egfr | None, content: KidneyContent, today: date
) -> Finding | None:
    """Acute kidney injury of the last days that no eGFR has ended."""
    first = today - timedelta(days=content.injury_days)
    over = timedelta(days=content.injury_over_after_days)
    found = _newest(
        item
        for item in asserted
        if item.present
        and SharedValueSet.ACUTE_KIDNEY_INJURY in item.value_sets
        and (item.finding.when is None or item.last_day >= first)
        and not (egfr and item.finding.when and egfr.finding.last_day >= item.last_day + over)
    )
    return found.finding if found else None


def _newest(items: Iterable[AssertedConcept]) -> AssertedConcept | None:
    return max(items, key=lambda item: item.last_day, default=None)
