"""The numbers of a period, from the decisions and the feedback of the ledger: one pass over each.

What is kept in the meantime grows with the cards and the days, not with the calls. A card counts as shown only if it
was sent; what a silent mode would have shown is counted apart. It knows no medicine: outcomes, reasons and orders are
codes that it counts, and which of them mean what is said by those who show the report.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import TypeVar
from uuid import UUID

from cds_service.ledger.entries import DecisionEntry, FeedbackEntry, Mode

# Outcomes of calls that came to an assessment; the others failed, or were not asked because of the mode `off`.
EVALUATED = frozenset({"fired", "suppressed", "not-applicable", "undetermined"})

# What a suggestion may propose beside an order: to take a draft back.
_NO_ORDER = "remove"

_Counted = TypeVar("_Counted", str, tuple[str, str])

# A card is known by who was shown it, by which service, and its id: feedback of others does not concern it.
CardKey = tuple[str, str, str, UUID]


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC): calls, those that fired, cards that were sent, and those that a silent mode kept back."""

    day: date
    calls: int
    fired: int
    shown: int
    silent: int


@dataclass(frozen=True, slots=True)
class OrderOutcomes:
    """In how many shown cards an order was proposed, and what became of it.

    `passed_over`: the card was accepted with other orders.
    """

    slug: str
    proposed: int
    accepted: int
    passed_over: int
    overridden: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that have something in common (hook, rule version, client), and what became of their shown cards."""

    name: str
    calls: int
    evaluated: int
    fired: int
    shown: int
    accepted: int
    overridden: int
    unanswered: int

    @property
    def firing_rate(self) -> float | None:
        """Fired calls among the evaluated ones, from 0 to 1."""
        return self.fired / self.evaluated if self.evaluated else None


@dataclass(frozen=True, slots=True)
class Report:
    """A period in numbers. Shares are None where there is nothing to divide by.

    Attributes:
        since, until: the period, its end excluded.
        days: every day of the period, also those without a call.
        outcomes: outcome, reason code and number of calls, the most frequent first.
        evaluated: calls that came to an assessment; failed and switched-off ones did not.
        shown, silent: cards that were sent, and that a silent mode kept back.
        accepted, overridden: shown cards by the feedback that counts; `unanswered` have none.
        orders: what became of each proposed order.
        overrides: reason code and number of overridden cards, the most frequent first; empty for no reason.
        median_feedback_seconds: from the call to the feedback, of answered cards.
        milliseconds: median and 95th percentile of the time of evaluated calls, to three digits.
        feedback, unknown_feedback: entries that arrived in the period, and those of them that concern no card known to
            the ledger.
    """

    since: datetime
    until: datetime
    days: tuple[Day, ...]
    outcomes: tuple[tuple[str, str, int], ...]
    calls: int
    evaluated: int
    fired: int
    undetermined: int
    failed: int
    switched_off: int
    shown: int
    silent: int
    accepted: int
    overridden: int
    orders: tuple[OrderOutcomes, ...]
    overrides: tuple[tuple[str, int], ...]
    median_feedback_seconds: float | None
    milliseconds: tuple[float, float] | None
    by_hook: tuple[Group, ...]
    by_version: tuple[Group, ...]
    by_client: tuple[Group, ...]
    feedback: int
    unknown_feedback: int

    @property
    def unanswered(self) -> int:
        return self.shown - self.accepted - self.overridden

    @property
    def answered_share(self) -> float | None:
        """Answered cards among the shown ones, from 0 to 1."""
        return (self.accepted + self.overridden) / self.shown if self.shown else None

    @property
    def firing_rate(self) -> float | None:
        """Fired calls among the evaluated ones, from 0 to 1: as the control chart compares it."""
        return self.fired / self.evaluated if self.evaluated else None

    @property
    def undetermined_share(self) -> float | None:
        """Calls that could not be concluded among the evaluated ones, from 0 to 1."""
        return self.undetermined / self.evaluated if self.evaluated else None


def summarize(
    decisions: Iterable[DecisionEntry], feedback: Iterable[FeedbackEntry], since: datetime, until: datetime
) -> Report:
    """The numbers of the period from `since` until before `until`.

    Args:
        decisions: those of the period; others are passed over.
        feedback: may reach beyond the end of the period: late feedback to its cards counts. Entries that arrived in the
            period are counted apart.
        since, until: with a time zone; days are those of UTC.
    """
    calls = _Calls()
    for entry in decisions:
        if since <= entry.at < until:
            calls.add(entry)
    counting = _FeedbackThatCounts(calls.cards, since, until)
    for item in feedback:
        counting.add(item)
    return _report(calls, counting, since, until)


def card_key(entry: DecisionEntry | FeedbackEntry) -> CardKey | None:
    """The key of the card of a decision or of feedback; None for a decision without one."""
    return None if entry.card_id is None else (entry.client, entry.tenant, entry.service, entry.card_id)


def takes_precedence(entry: FeedbackEntry, than: FeedbackEntry | None) -> bool:
    """Whether feedback to a card counts rather than other feedback to it: the later one does."""
    return than is None or (entry.outcome_at, entry.received_at) >= (than.outcome_at, than.received_at)


def version_of(entry: DecisionEntry) -> str:
    """Rule version and content of a decision, as discovery and `explain` name them: `1.0.0+3f2a9c1b`."""
    return f"{entry.rule_version}+{entry.content_digest[:8]}"


class _Calls:
    """What is counted of calls, one by one."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.days: dict[date, Counter[str]] = defaultdict(Counter)
        self.groups: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.milliseconds: Counter[float] = Counter()
        self.cards: dict[CardKey, DecisionEntry] = {}
        self.silent = 0

    def add(self, entry: DecisionEntry) -> None:
        self.outcomes[entry.outcome, entry.reason] += 1
        kinds = ["calls"]
        if entry.outcome == "fired":
            kinds.append("fired")
        if entry.outcome in EVALUATED:
            kinds.append("evaluated")
            # Three digits are enough for a percentile, and keep the number of different times small.
            self.milliseconds[float(f"{entry.milliseconds:.3g}")] += 1
        key = card_key(entry)
        if key is not None and entry.shown:
            self.cards[key] = entry
            kinds.append("shown")
        elif key is not None and entry.mode is Mode.SILENT:
            self.silent += 1
            kinds.append("silent")
        counters = [self.days[entry.at.astimezone(UTC).date()], *(self.groups[group] for group in groups_of(entry))]
        for counter in counters:
            for kind in kinds:
                counter[kind] += 1


class _FeedbackThatCounts:
    """The feedback that counts, by card, and how many entries arrived in the period."""

    def __init__(self, cards: Mapping[CardKey, DecisionEntry], since: datetime, until: datetime) -> None:
        self.cards = cards
        self.since, self.until = since, until
        self.last: dict[CardKey, FeedbackEntry] = {}
        self.entries = 0
        self.unknown = 0

    def add(self, entry: FeedbackEntry) -> None:
        if self.since <= entry.received_at < self.until:
            self.entries += 1
            self.unknown += not entry.known
        key = card_key(entry)
        if key is not None and key in self.cards and takes_precedence(entry, self.last.get(key)):
            self.last[key] = entry

    def outcome(self, key: CardKey) -> str:
        return self.last[key].outcome if key in self.last else "unanswered"


def groups_of(entry: DecisionEntry) -> Sequence[tuple[str, str]]:
    """The groups to which a call belongs, each as kind and name."""
    client = f"{entry.client} ({entry.tenant})" if entry.tenant else entry.client
    return (("hook", entry.hook), ("version", version_of(entry)), ("client", client))


def _report(calls: _Calls, feedback: _FeedbackThatCounts, since: datetime, until: datetime) -> Report:
    outcomes: Counter[str] = Counter()
    for (outcome, _), count in calls.outcomes.items():
        outcomes[outcome] += count
    by_outcome = Counter(feedback.outcome(key) for key in calls.cards)
    overridden = Counter(item.reason for item in feedback.last.values() if item.outcome == "overridden")
    groups = _groups(calls, feedback)
    return Report(
        since=since,
        until=until,
        days=_days(calls, since, until),
        outcomes=tuple((outcome, reason, count) for (outcome, reason), count in _by_count(calls.outcomes)),
        calls=outcomes.total(),
        evaluated=sum(outcomes[outcome] for outcome in EVALUATED),
        fired=outcomes["fired"],
        undetermined=outcomes["undetermined"],
        failed=outcomes["failed"],
        switched_off=outcomes["off"],
        shown=len(calls.cards),
        silent=calls.silent,
        accepted=by_outcome["accepted"],
        overridden=by_outcome["overridden"],
        orders=_orders(calls.cards, feedback),
        overrides=tuple(_by_count(overridden)),
        median_feedback_seconds=_median_feedback_seconds(feedback),
        milliseconds=_percentiles(calls.milliseconds),
        by_hook=groups["hook"],
        by_version=groups["version"],
        by_client=groups["client"],
        feedback=feedback.entries,
        unknown_feedback=feedback.unknown,
    )


def _days(calls: _Calls, since: datetime, until: datetime) -> tuple[Day, ...]:
    first = since.astimezone(UTC).date()
    last = (until - timedelta(microseconds=1)).astimezone(UTC).date()
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return tuple(Day(day, *(calls.days[day][kind] for kind in ("calls", "fired", "shown", "silent"))) for day in days)


def _groups(calls: _Calls, feedback: _FeedbackThatCounts) -> Mapping[str, tuple[Group, ...]]:
    for key, card in calls.cards.items():
        for group in groups_of(card):
            calls.groups[group][feedback.outcome(key)] += 1
    found: dict[str, list[Group]] = {"hook": [], "version": [], "client": []}
    kinds = ("calls", "evaluated", "fired", "shown", "accepted", "overridden", "unanswered")
    for (kind, name), counts in sorted(calls.groups.items()):
        found[kind].append(Group(name, *(counts[item] for item in kinds)))
    return {kind: tuple(groups) for kind, groups in found.items()}


def _orders(cards: Mapping[CardKey, DecisionEntry], feedback: _FeedbackThatCounts) -> tuple[OrderOutcomes, ...]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for key, card in cards.items():
        accepted = {text.lower() for text in feedback.last[key].accepted} if key in feedback.last else set()
        taken = {slug for suggestion, slug in card.suggestions.items() if suggestion.lower() in accepted}
        outcome = feedback.outcome(key)
        for slug in {*card.suggestions.values()} - {_NO_ORDER}:
            passed_over = outcome == "accepted" and slug not in taken
            counts[slug].update(("proposed", "passed_over" if passed_over else outcome))
    kinds = ("proposed", "accepted", "passed_over", "overridden", "unanswered")
    ordered = sorted(counts.items(), key=lambda item: (-item[1]["proposed"], item[0]))
    return tuple(OrderOutcomes(slug, *(count[kind] for kind in kinds)) for slug, count in ordered)


def _median_feedback_seconds(feedback: _FeedbackThatCounts) -> float | None:
    """A client's clock may be wrong: feedback from before the call counts from when it arrived."""
    seconds = []
    for key, entry in feedback.last.items():
        asked = feedback.cards[key].at
        moment = entry.outcome_at if entry.outcome_at >= asked else entry.received_at
        seconds.append((moment - asked).total_seconds())
    return median(seconds) if seconds else None


def _percentiles(milliseconds: Counter[float]) -> tuple[float, float] | None:
    """The nearest ranks of 50 and 95 %."""
    if not milliseconds:
        return None
    ordered = sorted(milliseconds.items())
    ranks = [math.ceil(milliseconds.total() * share) for share in (0.5, 0.95)]
    found = []
    for rank in ranks:
        seen = 0
        for value, count in ordered:
            seen += count
            if seen >= rank:
                found.append(value)
                break
    return found[0], found[1]


def _by_count(counts: Counter[_Counted]) -> list[tuple[_Counted, int]]:
    """The most frequent first; those of equal number in a stable order."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
