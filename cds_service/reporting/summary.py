"""The numbers of a period, from the decisions and the feedback of the ledger: one pass over each.

What is kept in the meantime grows with the cards and the days, not with the calls. A card counts as shown only if it
was sent; what a silent mode would have shown is counted apart. It knows no medicine: outcomes, reasons and orders are
codes that it counts, and which of them mean what is said by those who show the report.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import TypeVar
from uuid import UUID

from cds_service.ledger.card_answers import CardAnswer, card_answer
from cds_service.ledger.entries import UNANSWERED, DecisionEntry, FeedbackEntry, Mode
from cds_service.reporting.report import CardsPerPatient, Day, DayOutcomes, Group, OrderOutcomes, Report

# A report names the code systems that matter most.
MOST_SYSTEMS = 20

# So many digits of a digest stand where people read it.
_SHOWN = 8

# Outcomes of calls that came to an assessment; the others failed, or were not asked because of the mode `off`.
EVALUATED = frozenset({"fired", "suppressed", "not-applicable", "undetermined"})

# What a suggestion may propose beside an order: to take a draft back.
_NO_ORDER = "remove"

_Counted = TypeVar("_Counted", str, tuple[str, str])

# A card is known by who was shown it, by which service, and its id: feedback of others does not concern it.
CardKey = tuple[str, str, str, UUID]


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
    answers = _Answers(calls.cards, feedback, since, until)
    return _report(calls, answers, since, until)


def card_key(entry: DecisionEntry | FeedbackEntry) -> CardKey | None:
    """The key of the card of a decision or of feedback; None for a decision without one."""
    return None if entry.card_id is None else (entry.client, entry.tenant, entry.service, entry.card_id)


def answers_by_card(feedback: Iterable[FeedbackEntry]) -> dict[CardKey, CardAnswer]:
    """The answer that counts for each card that some feedback is about."""
    messages: dict[CardKey, list[FeedbackEntry]] = defaultdict(list)
    for entry in feedback:
        if key := card_key(entry):
            messages[key].append(entry)
    return {key: answer for key, said in messages.items() if (answer := card_answer(said))}


def version_of(entry: DecisionEntry) -> str:
    """Rule version and content of a decision, as discovery and `explain` name them: `1.0.0+3f2a9c1b`."""
    return f"{entry.rule_version}+{entry.content_digest[:_SHOWN]}"


def shown_digest(digest: str) -> str:
    """A digest as people see it; an empty one, of a row from before there were any, stays empty."""
    return digest[:_SHOWN]


def identity_of(entry: DecisionEntry) -> str:
    """Rule version, content and settings of a decision: `1.0.0+3f2a9c1b, settings 5d41402a`."""
    settings = shown_digest(entry.settings_digest)
    return f"{version_of(entry)}, settings {settings}" if settings else version_of(entry)


class _Calls:
    """What is counted of calls, one by one."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.days: dict[date, Counter[str]] = defaultdict(Counter)
        self.groups: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.milliseconds: Counter[float] = Counter()
        self.cards: dict[CardKey, DecisionEntry] = {}
        self.silent = 0
        self.not_understood: Counter[tuple[str, str]] = Counter()
        self.missing: Counter[str] = Counter()
        self.outcomes_by_day: dict[date, Counter[str]] = defaultdict(Counter)

    def add(self, entry: DecisionEntry) -> None:
        self.outcomes[entry.outcome, entry.reason] += 1
        self.missing.update(set(entry.missing))
        day = entry.at.astimezone(UTC).date()
        self.outcomes_by_day[day][entry.outcome] += 1
        kinds = ["calls"]
        if entry.outcome == "fired":
            kinds.append("fired")
        if entry.outcome in EVALUATED:
            kinds.append("evaluated")
            self.not_understood.update(
                (key, system) for key, systems in entry.not_understood.items() for system in systems
            )
            # Three digits are enough for a percentile, and keep the number of different times small.
            self.milliseconds[float(f"{entry.milliseconds:.3g}")] += 1
        key = card_key(entry)
        if key is not None and entry.shown:
            self.cards[key] = entry
            kinds.append("shown")
        elif key is not None and entry.mode is Mode.SILENT:
            self.silent += 1
            kinds.append("silent")
        counters = [self.days[day], *(self.groups[group] for group in groups_of(entry))]
        for counter in counters:
            for kind in kinds:
                counter[kind] += 1


class _Answers:
    """The answers to the cards that were shown, and how many entries of feedback arrived in the period."""

    def __init__(
        self,
        cards: Mapping[CardKey, DecisionEntry],
        feedback: Iterable[FeedbackEntry],
        since: datetime,
        until: datetime,
    ) -> None:
        self.cards = cards
        self.entries = 0
        self.unknown = 0
        own = []
        for entry in feedback:
            if since <= entry.received_at < until:
                self.entries += 1
                self.unknown += not entry.known
            if card_key(entry) in cards:
                own.append(entry)
        self.by_card = answers_by_card(own)

    def outcome(self, key: CardKey) -> str:
        return self.by_card[key].outcome if key in self.by_card else UNANSWERED


def groups_of(entry: DecisionEntry) -> Sequence[tuple[str, str]]:
    """The groups to which a call belongs, each as kind and name."""
    client = f"{entry.client} ({entry.tenant})" if entry.tenant else entry.client
    groups = [("hook", entry.hook), ("version", identity_of(entry)), ("client", client)]
    return [*groups, ("indicator", entry.indicator)] if entry.indicator else groups


def _report(calls: _Calls, answers: _Answers, since: datetime, until: datetime) -> Report:
    outcomes: Counter[str] = Counter()
    for (outcome, _), count in calls.outcomes.items():
        outcomes[outcome] += count
    by_outcome = Counter(answers.outcome(key) for key in calls.cards)
    overridden = Counter(item.reason for item in answers.by_card.values() if item.outcome == "overridden")
    groups = _groups(calls, answers)
    return Report(
        since=since,
        until=until,
        days=_days(calls, since, until),
        outcomes_by_day=_outcomes_by_day(calls, answers, since, until),
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
        undetermined_by_key=tuple(_by_count(calls.missing)),
        per_patient=_per_patient(calls.cards),
        orders=_orders(calls.cards, answers),
        overrides=tuple(_by_count(overridden)),
        median_feedback_seconds=_median_feedback_seconds(answers),
        milliseconds=_percentiles(calls.milliseconds),
        by_hook=groups["hook"],
        by_indicator=groups["indicator"],
        not_understood=tuple(
            (key, system, count) for (key, system), count in calls.not_understood.most_common(MOST_SYSTEMS)
        ),
        by_version=groups["version"],
        by_client=groups["client"],
        feedback=answers.entries,
        unknown_feedback=answers.unknown,
    )


def _all_days(since: datetime, until: datetime) -> list[date]:
    first = since.astimezone(UTC).date()
    last = (until - timedelta(microseconds=1)).astimezone(UTC).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _days(calls: _Calls, since: datetime, until: datetime) -> tuple[Day, ...]:
    kinds = ("calls", "fired", "shown", "silent")
    return tuple(Day(day, *(calls.days[day][kind] for kind in kinds)) for day in _all_days(since, until))


def _outcomes_by_day(calls: _Calls, answers: _Answers, since: datetime, until: datetime) -> tuple[DayOutcomes, ...]:
    """A card counts on the day on which it was shown, whenever it was answered."""
    answered: dict[date, Counter[str]] = defaultdict(Counter)
    for key, card in calls.cards.items():
        answered[card.at.astimezone(UTC).date()][answers.outcome(key)] += 1
    return tuple(
        DayOutcomes(day, dict(calls.outcomes_by_day[day]), dict(answered[day])) for day in _all_days(since, until)
    )


def _per_patient(cards: Mapping[CardKey, DecisionEntry]) -> CardsPerPatient:
    seen = Counter((card.client, card.tenant, card.patient) for card in cards.values() if card.patient)
    patients = Counter(min(count, 3) for count in seen.values())
    return CardsPerPatient(patients[1], patients[2], patients[3], len(cards) - seen.total())


def _groups(calls: _Calls, answers: _Answers) -> Mapping[str, tuple[Group, ...]]:
    for key, card in calls.cards.items():
        for group in groups_of(card):
            calls.groups[group][answers.outcome(key)] += 1
    found: dict[str, list[Group]] = {"hook": [], "version": [], "client": [], "indicator": []}
    kinds = ("calls", "evaluated", "fired", "shown", "accepted", "overridden", "unanswered")
    for (kind, name), counts in sorted(calls.groups.items()):
        found[kind].append(Group(name, *(counts[item] for item in kinds)))
    return {kind: tuple(groups) for kind, groups in found.items()}


def _orders(cards: Mapping[CardKey, DecisionEntry], answers: _Answers) -> tuple[OrderOutcomes, ...]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for key, card in cards.items():
        accepted = answers.by_card[key].accepted if key in answers.by_card else ()
        taken = card.taken(accepted)
        outcome = answers.outcome(key)
        for slug in {*card.suggestions.values()} - {_NO_ORDER}:
            passed_over = outcome == "accepted" and slug not in taken
            counts[slug].update(("proposed", "passed_over" if passed_over else outcome))
    kinds = ("proposed", "accepted", "passed_over", "overridden", "unanswered")
    ordered = sorted(counts.items(), key=lambda item: (-item[1]["proposed"], item[0]))
    return tuple(OrderOutcomes(slug, *(count[kind] for kind in kinds)) for slug, count in ordered)


def _median_feedback_seconds(answers: _Answers) -> float | None:
    """Until the first message of each answer; more suggestions may be taken later.

    A client's clock may be wrong: feedback from before the call counts from when it arrived.
    """
    seconds = []
    for key, answer in answers.by_card.items():
        asked, entry = answers.cards[key].at, answer.first
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
