"""What a report holds: the numbers of a period, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC): calls, those that fired, cards that were sent, and those that a silent mode kept back."""

    day: date
    calls: int
    fired: int
    shown: int
    silent: int


@dataclass(frozen=True, slots=True)
class DayOutcomes:
    """One day (UTC) or several: calls by outcome, and the cards shown on it by what became of them.

    `calls` and `answers` have no key for what did not happen; those of `answers` are `accepted`, `overridden` and
    `unanswered`.
    """

    day: date
    calls: Mapping[str, int]
    answers: Mapping[str, int]

    @property
    def shown(self) -> int:
        """Cards that were sent on these days."""
        return sum(self.answers.values())


@dataclass(frozen=True, slots=True)
class CardsPerPatient:
    """How many patients, by their pseudonyms, saw one card, two, and three or more.

    `without_pseudonym`: shown cards of which nobody can tell, because no key was set.
    """

    one: int
    two: int
    more: int
    without_pseudonym: int


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
    """Calls that have something in common (hook, indicator, version, client), and what became of their shown cards."""

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
        days: every day of the period, also those without a call; `outcomes_by_day` tells what they brought.
        outcomes: outcome, reason code and number of calls, the most frequent first.
        evaluated: calls that came to an assessment; failed and switched-off ones did not.
        shown, silent: cards that were sent, and that a silent mode kept back.
        accepted, overridden: shown cards by the feedback that counts; `unanswered` have none.
        orders: what became of each proposed order.
        undetermined_by_key: prefetch key and number of undetermined calls that lacked it; a call may lack several.
        per_patient: repeats of cards.
        overrides: reason code and number of overridden cards, the most frequent first; empty for no reason.
        median_feedback_seconds: from the call to the feedback, of answered cards.
        milliseconds: median and 95th percentile of the time of evaluated calls, to three digits.
        not_understood: prefetch key, code system, and the number of evaluated calls with such an entry, most first.
        feedback, unknown_feedback: entries that arrived in the period, and those of them that concern no card known to
            the ledger.
    """

    since: datetime
    until: datetime
    days: tuple[Day, ...]
    outcomes_by_day: tuple[DayOutcomes, ...]
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
    undetermined_by_key: tuple[tuple[str, int], ...]
    per_patient: CardsPerPatient
    orders: tuple[OrderOutcomes, ...]
    overrides: tuple[tuple[str, int], ...]
    median_feedback_seconds: float | None
    milliseconds: tuple[float, float] | None
    by_hook: tuple[Group, ...]
    by_indicator: tuple[Group, ...]
    by_version: tuple[Group, ...]
    by_client: tuple[Group, ...]
    not_understood: tuple[tuple[str, str, int], ...]
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
