"""What a rule tells the loader of its content: where it lies, and what the rule's code reads from it by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cds_service.content.bounds import Bounds
from cds_service.content.model import OrderDefinition

Wording = Mapping[str, Mapping[str, str]]

# By section of `wording.toml` and name of the sentence: the names in braces that it may use.
Sentences = Mapping[str, Mapping[str, frozenset[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNames:
    """What a rule's code reads from `text-patterns.toml` by name, beside what every rule does."""

    concepts: frozenset[str] = frozenset()
    guards: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RuleSource:
    """One rule as the loader sees it. A description is equal to itself only.

    Attributes:
        folder: the rule's own folder, below the folder of all content or absolute.
        value_sets: the enumerations of every value set that the rule's code reads by name.
        tables: tables of `rule.toml` that this rule reads beyond those that every rule has.
        thresholds: the numbers that the rule reads from `rule.toml`, with their bounds.
        text: what the rule reads from `text-patterns.toml`.
        sentences: the sentences that `wording.toml` must have.
        longest_names: from wording and orders, the longest text that each name in a card's summary can stand for.
        frames: from wording and orders, by kind of card, all that its detail says beside findings, cautions and quotes.
        labels: from wording and orders, labels that suggestions can have, each with the name of its sentence.
    """

    folder: str | Path
    value_sets: tuple[type[StrEnum], ...]
    tables: frozenset[str]
    thresholds: Mapping[str, Bounds]
    sentences: Sentences
    longest_names: Callable[[Wording, Mapping[str, OrderDefinition]], Mapping[str, str]]
    frames: Callable[[Wording, Mapping[str, OrderDefinition]], Mapping[str, str]] = lambda _wording, _orders: {}
    labels: Callable[[Wording, Mapping[str, OrderDefinition]], Iterable[tuple[str, str]]] | None = None
    text: TextNames = TextNames()

    @property
    def read_by_name(self) -> frozenset[str]:
        """The ids of the value sets that the rule's code reads."""
        return frozenset(str(member) for enumeration in self.value_sets for member in enumeration)
