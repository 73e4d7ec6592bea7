"""Ask the rule about one patient at every moment, under the rule in force and under those it is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cds_service.chart.build import build_chart
from cds_service.chart.records import Chart
from cds_service.clinical.rules.assessment import Assessment, Outcome
from cds_service.clinical.rules.followed import Followed
from cds_service.clinical.rules.rule import Rule
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.replay.moments import Kind, Moment, Period, moments_of
from cds_service.replay.options import Options
from cds_service.replay.record import PatientRecord
from cds_service.replay.simulated import SimulatedAnswers


@dataclass(frozen=True, slots=True)
class Variant:
    """One rule that is asked: by a name (`new_window_days=42`), empty for the rule in force."""

    name: str
    rule: Rule


_NOTHING = Followed()


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says at one moment.

    Attributes:
        followed: what the card concerns; of a card only.
        is_repeated: an earlier card of this patient rests on the same entries.
        age: in years, where the birth is known.
    """

    moment: Moment
    assessment: Assessment
    followed: Followed = _NOTHING
    is_repeated: bool = False
    age: int | None = None

    @property
    def fired(self) -> bool:
        return self.assessment.outcome is Outcome.FIRED


@dataclass(frozen=True, slots=True)
class PatientAnswers:
    """All answers about one patient.

    Attributes:
        by_variant: the answers of each rule, in the order of the variants and of the moments.
        course: what there is to follow in the whole record.
        final: the answer of the rule in force to the whole record, at the end of the data.
    """

    patient: PatientRecord
    by_variant: Sequence[Sequence[Answer]]
    course: Followed
    final: Assessment


@dataclass(frozen=True)
class Evaluator:
    """What is the same for all patients of a replay.

    Attributes:
        variants: the rule in force, and those that it is compared with.
        server: the base address that absolute references of the export name; empty where they are relative.
        accepted_gaps: prefetch keys of which the site knows that its EHR never grants all.
    """

    variants: Sequence[Variant]
    options: Options
    period: Period
    pseudonyms: Pseudonyms
    server: str = ""
    accepted_gaps: tuple[str, ...] = ()

    def answers(self, patient: PatientRecord) -> PatientAnswers:
        """The answers about one patient, at all moments in their order."""
        moments = moments_of(patient, self.options, self.period)
        simulated = [
            SimulatedAnswers(self.options.answers, item.rule, patient.patient_id, self.pseudonyms)
            for item in self.variants
        ]
        found: list[list[Answer]] = [[] for _ in self.variants]
        whole = Moment(self.period.data_end, Kind.END, sees_all=True)
        final: Assessment | None = None
        for moment in moments:
            charts = self._charts(patient, moment, simulated)
            for (variant, memory, chart), given in zip(charts, found, strict=True):
                fresh = variant.rule.assess(chart, variant.rule.reader(), moment.at)
                if moment == whole and variant is self.variants[0] and not memory.orders:
                    final = fresh
                answer = _answer(moment, memory.applied(fresh, moment.at), chart, variant.rule, given)
                if answer.fired:
                    memory.answer(answer.assessment, moment.at)
                given.append(answer)
        rule = self.variants[0].rule
        if final is None:
            final = rule.assess(self._chart(patient, whole), rule.reader(), whole.at)
        return PatientAnswers(patient, found, rule.followed(final), final)

    def _charts(
        self, patient: PatientRecord, moment: Moment, simulated: Sequence[SimulatedAnswers]
    ) -> Iterator[tuple[Variant, SimulatedAnswers, Chart]]:
        """The chart of the moment for each rule: the same one, unless orders were taken from its cards."""
        shared = None if all(memory.orders for memory in simulated) else self._chart(patient, moment)
        for variant, memory in zip(self.variants, simulated, strict=True):
            own = self._chart(patient, moment, memory.orders) if memory.orders or shared is None else shared
            yield variant, memory, own

    def _chart(self, patient: PatientRecord, moment: Moment, orders: Sequence[Mapping[str, Any]] = ()) -> Chart:
        """What a hook call would have brought: the only place where a replay reads a chart."""
        prefetch = patient.prefetch_at(moment.at, moment.sees_all, moment.drafts)
        if orders:
            _add_orders(prefetch, orders)
        has_orders = moment.kind is Kind.ORDER
        drafts = [{**patient.by_name[name][-1].resource, "status": "draft"} for name in moment.drafts]
        return build_chart(
            patient_id=patient.patient_id,
            prefetch=prefetch,
            encounter_id=moment.encounter or None,
            drafts=drafts if has_orders else None,
            selections=list(moment.drafts) if has_orders and self.options.hook == "order-select" else None,
            fhir_server=self.server,
            accepted_gaps=self.accepted_gaps,
        )


def _add_orders(prefetch: dict[str, Any], orders: Sequence[Mapping[str, Any]]) -> None:
    bundle = prefetch.setdefault("serviceRequests", {"resourceType": "Bundle", "type": "searchset"})
    bundle["entry"] = [*bundle.get("entry", ()), *({"resource": order} for order in orders)]


def _answer(moment: Moment, assessment: Assessment, chart: Chart, rule: Rule, earlier: Sequence[Answer]) -> Answer:
    age = _age(chart, moment.at)
    if assessment.outcome is not Outcome.FIRED:
        return Answer(moment, assessment, age=age)
    followed = rule.followed(assessment)
    return Answer(moment, assessment, followed, _is_repeated(assessment, followed, earlier), age)


def _is_repeated(assessment: Assessment, followed: Followed, earlier: Sequence[Answer]) -> bool:
    """Whether an earlier card was of the same kind and rests on one of the same entries."""
    alike = (item for item in earlier if item.fired and item.assessment.reason == assessment.reason)
    entries = set(followed.complaint)
    return any(not entries or not entries.isdisjoint(item.followed.complaint) for item in alike)


def _age(chart: Chart, at: datetime) -> int | None:
    """Whole years; of a birth of which only the year is known, those of its last day."""
    birth = chart.patient.items[0].birth if chart.patient.items else None
    if birth is None:
        return None
    born, day = birth.latest, at.date()
    years = day.year - born.year - (_day_of_year(day) < _day_of_year(born))
    return max(years, 0)


def _day_of_year(day: date) -> tuple[int, int]:
    return day.month, day.day
