"""What the service knows of a rule: which services it answers, what it makes of a chart, and what its card says.

A rule is a folder here, with the code, and a folder of `cards/`, with the content. `registry` names all of them.
Nothing outside those two folders knows what a rule is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cds_service.chart.records import Chart, Observation
from cds_service.chart.screening import CodeScreen
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.understanding import Understanding
from cds_service.clinical.rules.assessment import Assessment, ProposedOrder
from cds_service.clinical.rules.followed import Followed
from cds_service.clinical.rules.sentences import CardText, OrderText
from cds_service.clinical.rules.timeline import Timeline
from cds_service.content.model import Content
from cds_service.content.rule_source import RuleSource
from cds_service.protocol.services import Service


class Rule(Protocol):
    """One rule with its content and a site's choices. Pure: the same arguments give the same answer."""

    def __hash__(self) -> int:
        """Rules with the same content and choices are one: what is made of them is made once."""

    @property
    def content(self) -> Content:
        """The rule's content: its questions, wording, orders and override reasons, and what all rules share."""

    @property
    def services(self) -> tuple[Service, ...]:
        """The CDS services that the rule answers, one for each hook."""

    @property
    def prefetch(self) -> Mapping[str, str]:
        """The prefetch templates by key, the same for each of the rule's services."""

    @property
    def choices(self) -> Mapping[str, object]:
        """The site's choices that concern the rule, thresholds among them, by the names of their settings."""

    def reader(self) -> Recognizer:
        """What codes and words are read with; one for each call, so that each text is read once."""

    def codes(self) -> CodeScreen | None:
        """Tells for one call which codes cannot matter; None where every entry of a chart is to be read."""

    def assess(self, chart: Chart, reader: Recognizer, now: datetime) -> Assessment:
        """The rule's answer for one patient.

        Args:
            chart: what is known.
            reader: of this rule, for this call.
            now: the moment of the call, with a time zone.
        """

    def understanding(self, chart: Chart, reader: Recognizer) -> tuple[Understanding, ...]:
        """How the entries of a chart are understood, as an assessment counts them, without assessing it."""

    def unread_unit(self, observation: Observation, reader: Recognizer) -> tuple[str, str] | None:
        """The unit, as it was sent, in which the rule cannot read a result that it looks for, behind its value set."""

    def card(self, assessment: Assessment, brevity: int) -> CardText:
        """What the card of a fired assessment says.

        Args:
            assessment: of this rule.
            brevity: 0, 1 or 2: how much is to be summed up rather than listed, where the card would be too long.
        """

    def order_text(self, assessment: Assessment, order: ProposedOrder) -> OrderText:
        """What a proposed order of a fired assessment says: label, description, and the clinical question."""

    def timeline(self, assessment: Assessment) -> Timeline:
        """What the rule read in the chart of an assessment, as dated entries."""

    def followed(self, assessment: Assessment) -> Followed:
        """What a replay follows in the chart of an assessment: what was complained of, imaged and found."""


@dataclass(frozen=True, slots=True)
class RuleDefinition:
    """A rule before its content is loaded: what the registry holds.

    Attributes:
        source: where its content lies, and what its code reads from it.
        services: the CDS services that it answers.
        reasons: every reason code of its assessments.
        make: the rule, from its content and the site's settings by name.
    """

    source: RuleSource
    services: tuple[Service, ...]
    reasons: frozenset[str]
    make: Callable[[Content, Mapping[str, Any]], Rule]
