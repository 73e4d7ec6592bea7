"""What a card says before it is put into words: sentences of the content, and the things that they name.

A rule chooses sentences and facts; `advice` prints them, so that dates, lists and words of the EHR look the same on
every card, and no text of the EHR reaches a card unescaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cds_service.chart.span import Span
from cds_service.clinical.reading.findings import Finding

# How soon a sentence is left out where the card would grow too long: 0 stays, the highest goes first.
STAYS, NEEDED, HELPS, MORE, EXTRA, EVIDENCE = 0, 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of the EHR, printed as such."""

    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A longer text of the EHR, printed as plain text; `shortened` stands behind it where it had to be cut."""

    text: str = field(repr=False)
    shortened: str = ""


@dataclass(frozen=True, slots=True)
class What:
    """What was found: our own words for its code, else the EHR's, quoted."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class When:
    """When it was found, in words."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Dated:
    """When it was found, as a date alone: for what is read days later, when "5 days ago" is wrong."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Listed:
    """Several things: `A, B and C`, or with a `separator` between them; `capital` begins with a large letter."""

    items: Sequence[Value]
    separator: str = ""
    capital: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the content with what stands for its names in braces.

    Attributes:
        template: the sentence.
        values: by name.
        goes: how soon it is left out.
        quotes_a_study: it quotes a report, and takes no room from the rest of the card (decision 7.14).
    """

    template: str
    values: Mapping[str, Value] = field(default_factory=dict)
    goes: int = STAYS
    quotes_a_study: bool = False


Value = str | int | Span | Quote | Passage | What | When | Dated | Listed | Sentence


@dataclass(frozen=True, slots=True)
class CardText:
    """A card in sentences: the summary, and the sections of the detail, each with its heading first."""

    summary: Sentence
    sections: tuple[tuple[Sentence, ...], ...]


@dataclass(frozen=True, slots=True)
class OrderText:
    """What a proposed order says in sentences.

    Attributes:
        label, description: of the suggestion and of its action.
        question: the clinical question with the findings behind it, what matters most first; none for no question.
    """

    label: Sentence
    description: Sentence
    question: tuple[Sentence, ...] = ()
