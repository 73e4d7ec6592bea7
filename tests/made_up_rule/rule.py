"""The made-up rule: a card where a condition says that something hurts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from cds_service.chart.records import Chart, Observation
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.understanding import Understanding, understanding
from cds_service.clinical.rules.assessment import (
    Answer,
    Assessment,
    Criterion,
    FindingGroup,
    Outcome,
    ProposedOrder,
)
from cds_service.clinical.rules.followed import Followed
from cds_service.clinical.rules.rule import RuleDefinition
from cds_service.clinical.rules.sentences import CardText, OrderText, Sentence, What, When
from cds_service.clinical.rules.timeline import Entry, Row, Timeline, Window
from cds_service.content.bounds import Bounds
from cds_service.content.model import Content, OrderDefinition
from cds_service.content.rule_source import RuleSource, Wording
from cds_service.protocol.services import Service

SERVICE = Service("made-up-pain-patient-view", "patient-view", "Pain (made up)", "Speaks of pain.", "conditions")

FOUND, NOT_FOUND = "pain-found", "no-pain"
QUESTION = "pain"


class ValueSet(StrEnum):
    """What the code reads by name."""

    PAIN = "made-up-pain"


def _longest_names(wording: Wording, orders: Mapping[str, OrderDefinition]) -> Mapping[str, str]:
    return {"count": "9999"}


SOURCE = RuleSource(
    folder=Path(__file__).parent / "cards",
    value_sets=(ValueSet,),
    tables=frozenset(),
    thresholds={"most_findings": Bounds(1, 9)},
    sentences={"summary": {"pain": frozenset({"count"})}, "why": {"pain": frozenset({"finding", "when"})}},
    longest_names=_longest_names,
)


@dataclass(frozen=True)
class MadeUpRule:
    """The rule with its content; a site has no choices."""

    content: Content

    @property
    def services(self) -> tuple[Service, ...]:
        return (SERVICE,)

    @cached_property
    def prefetch(self) -> Mapping[str, str]:
        return {"conditions": "Condition?patient={{context.patientId}}"}

    @property
    def choices(self) -> Mapping[str, object]:
        return {}

    def reader(self) -> Recognizer:
        return Recognizer(self.content)

    def codes(self) -> None:
        """Every entry is read."""

    def assess(self, chart: Chart, reader: Recognizer, now: datetime) -> Assessment:
        findings = tuple(_findings(chart, reader))
        if not findings:
            refused = Criterion(QUESTION, Answer.NOT_MET, "Nothing hurts.", reason=NOT_FOUND)
            return Assessment(outcome=Outcome.NOT_APPLICABLE, reason=NOT_FOUND, criteria=(refused,))
        return Assessment(
            outcome=Outcome.FIRED,
            reason=FOUND,
            criteria=(Criterion(QUESTION, Answer.MET, "Something hurts.", findings),),
            orders=(ProposedOrder("made-up-bone-scan", "routine", recommended=True, reasons=findings),),
            groups=(FindingGroup("all", findings),),
            notes=frozenset({"made-up"}),
        )

    def understanding(self, chart: Chart, reader: Recognizer) -> tuple[Understanding, ...]:
        return understanding(chart, reader)

    def unread_unit(self, observation: Observation, reader: Recognizer) -> None:
        """No unit is read."""

    def card(self, assessment: Assessment, brevity: int) -> CardText:
        words = self.content.wording
        findings = assessment.criterion(QUESTION).findings
        why = tuple(
            Sentence(words["why"]["pain"], {"finding": What(item), "when": When(item)})
            for item in findings[: self.content.rule.thresholds["most_findings"]]
        )
        summary = Sentence(words["summary"]["pain"], {"count": len(findings)})
        return CardText(summary, ((Sentence(words["why"]["heading"]), *why),))

    def order_text(self, assessment: Assessment, order: ProposedOrder) -> OrderText:
        study, words = self.content.orders[order.slug].label, self.content.wording["suggestion"]
        return OrderText(Sentence(words["label"], {"study": study}), Sentence(words["description"], {"study": study}))

    def timeline(self, assessment: Assessment) -> Timeline:
        day = datetime(2026, 11, 27, tzinfo=UTC).date()
        entries = tuple(
            Entry(item.label, item.when, item.source) for question in assessment.criteria for item in question.findings
        )
        return Timeline(day, Window("new", day, day), Window("clean", day, day), (Row("Pain", entries),))

    def followed(self, assessment: Assessment) -> Followed:
        findings = tuple(item.source for question in assessment.criteria for item in question.findings)
        return Followed(at_risk=True, complaint=findings)


def _findings(chart: Chart, reader: Recognizer) -> list[Finding]:
    found = []
    for condition in chart.conditions.items:
        coding = reader.value_sets(condition.concept).get(ValueSet.PAIN)
        if coding:
            where = Finding(condition.reference, "Condition", when=condition.onset, date_source=DateSource.ONSET)
            found.append(reader.coded(where, coding, condition.concept))
    return found


def _make(content: Content, choices: Mapping[str, Any]) -> MadeUpRule:
    return MadeUpRule(content)


MADE_UP_RULE = RuleDefinition(source=SOURCE, services=(SERVICE,), reasons=frozenset({FOUND, NOT_FOUND}), make=_make)
