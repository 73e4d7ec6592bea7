"""The answer of a rule to one call, in the terms that every rule shares.

The card, `explain`, the ledger, the memory of answers and the workbench read nothing else of a rule's answer. What only
one rule knows stands in its own kind of assessment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from cds_service.chart.span import Span
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.understanding import Understanding
from cds_service.clinical.rules.cautions import RaisedCaution

# The reason of an assessment whose card an earlier override keeps away, whatever the rule.
OVERRIDDEN_EARLIER = "answered-earlier"

# The kind of evidence that brings every card back, whatever was answered.
RED_FLAG = "red-flag"

Indicator = Literal["info", "warning", "critical"]
Priority = Literal["routine", "urgent", "asap", "stat"]


class Outcome(StrEnum):
    """What a call comes to."""

    FIRED = "fired"
    SUPPRESSED = "suppressed"
    NOT_APPLICABLE = "not-applicable"
    UNDETERMINED = "undetermined"


class Answer(StrEnum):
    """The three answers to a criterion."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One question of the rule, answered; the question itself stands in the content, under this id.

    `because` says in one plain sentence how it was answered; `missing` names the prefetch keys that could
    still change an unknown answer; `reason` is the code of a refusal; `steps` are what led to the answer, a line each.
    """

    id: str
    answer: Answer
    because: str
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    reason: str = ""
    steps: tuple[str, ...] = ()


class State(StrEnum):
    """How far a study that is not offered again has come."""

    DRAFTED = "drafted"
    ORDERED = "ordered"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class CoveredStudy:
    """A wanted study that is there already: its slug, how far it has come, and its date if it was done.

    Attributes:
        by_another: a study of another kind answers it (PET/CT for the bone scan).
    """

    slug: str
    state: State
    when: Span | None = None
    by_another: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """A selected draft that the card offers to remove: its reference, and what it is (a key of the wording)."""

    reference: str
    kind: str


@dataclass(frozen=True, slots=True)
class ActiveOverride:
    """An override of an earlier card that keeps this one away: the reason's code, when it was given, and until when.

    `until` is None where only newer evidence ends it.
    """

    reason: str
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ProposedOrder:
    """One order to propose: its slug, how soon, whether it is recommended before the others, and what for.

    `within` is the time from the call in which the study is wanted; None where none is set.
    """

    slug: str
    priority: Priority
    recommended: bool = False
    reasons: tuple[Finding, ...] = ()
    within: timedelta | None = None


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings beside the criteria, by what they are; `id` names the group's title in the content."""

    id: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The answer to one call.

    Attributes:
        outcome, reason: what was decided, and its stable code.
        criteria: every question with its answer and evidence, in the order in which they were asked.
        orders: what the card proposes, the first one first.
        covered: wanted studies that are drafted, ordered or done already.
        removals: selected drafts that the card offers to remove.
        critical: there are signs of an emergency.
        indicator: urgency of the card (CDS Hooks, card attribute `indicator`).
        cautions: what must be said beside the orders.
        groups: findings beside the criteria.
        notes: what the card must say beside its findings, as ids of the content.
        active_override: the earlier override that keeps the card away, if one does.
        missing: prefetch keys without which nothing can be concluded (outcome `undetermined`).
        unchecked, partly: prefetch keys of which nothing, or not all, is known; they could refine the advice.
        deciding: prefetch keys that could still turn the answer.
        refining: prefetch keys that could refine the card.
        silent: prefetch keys in which nothing was found, where the answer is that there is nothing.
        visits: references of Encounters that could date a finding of the card.
        understanding: how much of each prefetch key was understood.
        unread: places in the chart that could not be read or were refused, and how many entries were not readable.
    """

    outcome: Outcome
    reason: str
    criteria: tuple[Criterion, ...]
    orders: tuple[ProposedOrder, ...] = ()
    covered: tuple[CoveredStudy, ...] = ()
    removals: tuple[Removal, ...] = ()
    critical: bool = False
    indicator: Indicator = "info"
    cautions: tuple[RaisedCaution, ...] = ()
    groups: tuple[FindingGroup, ...] = ()
    notes: frozenset[str] = frozenset()
    active_override: ActiveOverride | None = None
    missing: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    deciding: tuple[str, ...] = ()
    refining: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unreadable: int = 0
    understanding: tuple[Understanding, ...] = ()

    @property
    def studies(self) -> tuple[str, ...]:
        """The slugs of the proposed orders."""
        return tuple(order.slug for order in self.orders)

    def criterion(self, criterion_id: str) -> Criterion:
        """The answered question with this id, which must have been asked."""
        return next(item for item in self.criteria if item.id == criterion_id)

    def findings_by_kind(self) -> Mapping[str, Sequence[Finding]]:
        """The findings by kind of evidence: newer evidence of a kind ends an override."""
        return {item.id: item.findings for item in self.criteria}
