"""The card's sentences as Markdown; what matters less is left out where the detail would grow too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TypeAlias

from cds_service.advice.markdown import LONGER_QUOTE, LONGEST_QUOTE, passage, quoted
from cds_service.advice.phrases import Wording, date_words, finding_words, joined, unbroken, when_words
from cds_service.clinical.rules.assessment import Assessment
from cds_service.clinical.rules.rule import Rule
from cds_service.clinical.rules.sentences import (
    EVIDENCE,
    STAYS,
    CardText,
    Dated,
    Listed,
    Passage,
    Quote,
    Sentence,
    Value,
    What,
    When,
)

# About what a side panel shows without scrolling far; the issue of every card is in its first lines.
LONGEST_DETAIL = 1200

# How far a rule can be asked to sum up (`Rule.card`).
_BREVITIES = (0, 1, 2)


def summary_and_detail(assessment: Assessment, rule: Rule, today: date) -> tuple[str, str]:
    """The one line of the card, and its Markdown text of at most about 1,200 characters.

    The sections stand in the order in which the rule gives them. Sentences that quote a study have a length of their
    own, and take no room from the rest. Other words of the EHR are cut sooner where there is no room for them.
    """
    wording = rule.content.wording
    text = summary = ""
    for brevity in _BREVITIES:
        card = rule.card(assessment, brevity)
        summary = summary or in_words(card.summary, wording, today, ours=unbroken)
        versions = [_worded(card, wording, today, LONGER_QUOTE)]
        allowed = LONGEST_DETAIL + _length_of_quotes(versions[0])
        if len(text := _rendered(versions[0], EVIDENCE)) <= allowed:
            return summary, text
        versions.append(_worded(card, wording, today, LONGEST_QUOTE))
        for limit in range(EVIDENCE, STAYS - 1, -1):
            for sections in versions:
                text = _rendered(sections, limit)
                if len(text) <= allowed:
                    return summary, text
    return summary, text


# Sections of a card, each sentence with its words.
_Worded: TypeAlias = Sequence[Sequence[tuple[Sentence, str]]]


def _worded(card: CardText, wording: Wording, today: date, longest_quote: int) -> _Worded:
    quote = partial(quoted, longest=longest_quote)
    return [
        [(sentence, in_words(sentence, wording, today, quote, unbroken)) for sentence in section]
        for section in card.sections
    ]


def _length_of_quotes(sections: _Worded) -> int:
    """How many characters of the text quote studies."""
    return sum(len(text) for section in sections for sentence, text in section if sentence.quotes_a_study)


def _rendered(sections: _Worded, limit: int) -> str:
    """The sections with the sentences that stay at `limit`; one that is only its heading is left out."""
    kept = [[text for sentence, text in section if sentence.goes <= limit] for section in sections]
    return "\n\n".join("\n".join(filter(None, lines)) for lines in kept if len(lines) > 1)


def in_words(
    value: Value,
    wording: Wording,
    today: date,
    quote: Callable[[str], str] = quoted,
    ours: Callable[[str], str] = str,
) -> str:
    """A sentence, or anything that it names, as text.

    Args:
        value: the sentence, or what one of its names in braces stands for.
        wording: the sentences by section and name.
        today: from which dates are counted.
        quote: shows words of the EHR as what they are.
        ours: sets the words of the content; those of the EHR stay as they were written.
    """
    match value:
        case Sentence():
            named = {name: in_words(item, wording, today, quote, ours) for name, item in value.values.items()}
            return ours(value.template).format(**named)
        case Quote():
            return quote(value.text)
        case Passage():
            return passage(value.text, value.shortened)
        case What():
            return finding_words(value.finding, wording, quote)
        case When():
            return ours(when_words(value.finding, today, wording))
        case Dated():
            return date_words(value.finding, wording)
        case Listed():
            words = [in_words(item, wording, today, quote, ours) for item in value.items]
            text = value.separator.join(words) if value.separator else joined(words)
            return text[0].upper() + text[1:] if value.capital else text
        case _:
            return ours(str(value))
