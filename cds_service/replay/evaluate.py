"""Ask the rule about one patient at every moment, under the rule in force and under those it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from cds_service.chart.build import build_chart
from cds_service.chart.records import Chart
from cds_service.chart.undecoded import decoded
from cds_service.clinical.rules.assessment import Assessment, Outcome
from cds_service.clinical.rules.followed import Followed
from cds_service.clinical.rules.rule import Rule
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.replay.moments import Kind, Moment, Period, moments_of
from cds_service.replay.options import Options
from cds_service.replay.record import PatientRecord
from cds_service.replay.silent import SilentPatients
from cds_service.replay.simulated import SimulatedAnswers


@dataclass(frozen=True, slots=True)
class Variant:
    """One rule that is asked: by a name (`new_window_days=42`), empty for the rule in force."""

    name: str
    rule: Rule


_NOTHING = Followed()

_ORDERS = "serviceRequests"


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
        supplied: the prefetch keys of which the export has anything.
    """

    variants: Sequence[Variant]
    options: Options
    period: Period
    pseudonyms: Pseudonyms
    server: str = ""
    accepted_gaps: tuple[str, ...] = ()
    supplied: tuple[str, ...] = ()

    def answers(self, patient: PatientRecord) -> PatientAnswers:
        """The answers about one patient, at all moments in their order."""
        moments = moments_of(patient, self.options, self.period)
        whole = Moment(self.period.data_end, Kind.END, sees_all=True)
        if self.period.is_bounded and not self.options.has_orders and (silent := self._silent(patient, moments, whole)):
            return silent
        simulated = [
            SimulatedAnswers(self.options.answers, item.rule, patient.patient_id, self.pseudonyms)
            for item in self.variants
        ]
        found: list[list[Answer]] = [[] for _ in self.variants]
        final: Assessment | None = None
        for moment in moments:
            prefetch = self._prefetch(patient, moment)
            for variant, memory, given in zip(self.variants, simulated, found, strict=True):
                chart, fresh = self._asked(patient, moment, prefetch, variant.rule, memory.orders)
                if moment == whole and variant is self.variants[0] and not memory.orders:
                    final = fresh
                answer = _answer(moment, memory.applied(fresh, moment.at), chart, variant.rule, given)
                if answer.fired:
                    memory.answer(answer.assessment, moment.at)
                given.append(answer)
        rule = self.variants[0].rule
        if final is None:
            final = self._asked(patient, whole, self._prefetch(patient, whole), rule)[1]
        return PatientAnswers(patient, found, rule.followed(final), final)

    @cached_property
    def _silence(self) -> Sequence[SilentPatients]:
        """For each rule, which patients it need not read."""
        return [SilentPatients(variant.rule, self.supplied) for variant in self.variants]

    def _silent(self, patient: PatientRecord, moments: Sequence[Moment], whole: Moment) -> PatientAnswers | None:
        """The answers about a patient of whom nothing can matter to any of the rules.

        What is true of the whole record is true of every part of it, but for the number of entries that were not
        understood: who has any is read at each moment.
        """
        found: list[list[Answer]] = []
        final: Assessment | None = None
        for silence in self._silence:
            if (answer := silence.answer(patient)) is None:
                return None
            assessment, birth = answer
            if moments != [whole] and any(item.gaps for item in assessment.understanding):
                return None
            found.append([Answer(item, assessment, age=_years(birth, item.at.date())) for item in moments])
            final = final or assessment
        return PatientAnswers(patient, found, _NOTHING, final) if final else None

    def _prefetch(self, patient: PatientRecord, moment: Moment) -> Mapping[str, Any]:
        """What a hook call would have brought; at the end of the data, all that there is."""
        if moment.sees_all and self.period.is_bounded and patient.is_plain:
            return patient.whole_prefetch()
        return patient.prefetch_at(moment.at, moment.sees_all, moment.drafts)

    def _asked(
        self,
        patient: PatientRecord,
        moment: Moment,
        prefetch: Mapping[str, Any],
        rule: Rule,
        orders: Sequence[Mapping[str, Any]] = (),
    ) -> tuple[Chart, Assessment]:
        """The chart, and what a rule says of it: the only place where a replay reads a chart."""
        has_orders = moment.kind is Kind.ORDER
        drafts = [{**patient.by_name[name][-1].resource, "status": "draft"} for name in moment.drafts]
        reader = rule.reader()
        chart = build_chart(
            patient_id=patient.patient_id,
            prefetch=_with_orders(prefetch, orders) if orders else prefetch,
            encounter_id=moment.encounter or None,
            drafts=drafts if has_orders else None,
            selections=list(moment.drafts) if has_orders and self.options.hook == "order-select" else None,
            fhir_server=self.server,
            accepted_gaps=self.accepted_gaps,
            codes=rule.codes(),
        )
        return chart, rule.assess(chart, reader, moment.at)


def _with_orders(prefetch: Mapping[str, Any], orders: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The prefetch with further orders in it."""
    known = decoded(prefetch.get(_ORDERS) or {})
    entries = [*known.get("entry", ()), *({"resource": order} for order in orders)]
    return {**prefetch, _ORDERS: {"resourceType": "Bundle", "type": "searchset", "entry": entries}}


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
    return _years(birth.latest, at.date())


def _years(born: date, day: date) -> int:
    years = day.year - born.year - (_day_of_year(day) < _day_of_year(born))
    return max(years, 0)


def _day_of_year(day: date) -> tuple[int, int]:
    return day.month, day.day
