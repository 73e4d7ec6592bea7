"""Reactions to contrast: of which class, and whether more than physiologic (decisions 4.5 and 4.15)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cds_service.chart.records import Allergy, Chart, Concept, Condition
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.free_text import TextMatch
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.reading.value_sets import CONTRAST_ALLERGIES, SharedValueSet
from cds_service.content.caution_model import AllergyWords

_NOT_TRUE = frozenset({"refuted", "entered-in-error"})
_OVER = frozenset({"inactive", "resolved"})

# Several reactions in one text, and what says how strong one was.
_PARTS = re.compile(r"\s*(?:[,;/&+]|\band\b|\bor\b)\s*")
_STRENGTH = re.compile(r"\b(only|just|mild(ly)?|slight(ly)?|transient|some|feeling|sensation|of|felt|was|very)\b")

_ANY_CLASS = SharedValueSet.CONTRAST_ALLERGY_ANY_CLASS
_PHYSIOLOGIC = SharedValueSet.PHYSIOLOGIC_REACTION


@dataclass(frozen=True, slots=True)
class ContrastReaction:
    """A reaction to contrast: its classes, or that it was physiologic only, with the words of the chart for it."""

    concepts: frozenset[str]
    finding: Finding
    physiologic: str = ""


def contrast_reactions(
    chart: Chart, words: AllergyWords, recognizer: Recognizer, calendar: Calendar
) -> tuple[ContrastReaction, ...]:
    """The reactions to contrast in the list of allergies and among the diagnoses (ICD-10-CM Z91.041)."""
    return (*_listed(chart, words, recognizer, calendar), *_diagnosed(chart, words, recognizer, calendar))


def _listed(
    chart: Chart, words: AllergyWords, recognizer: Recognizer, calendar: Calendar
) -> Iterator[ContrastReaction]:
    for allergy in chart.allergies.items:
        if allergy.verification_status in _NOT_TRUE or allergy.clinical_status in _OVER:
            continue
        when = calendar.past(allergy.recorded)
        where = Finding(allergy.reference, "AllergyIntolerance", when=when, date_source=DateSource.RECORDED)
        found = [_classes(concept, where, recognizer) for concept in allergy.concepts]
        classes = frozenset().union(*(item.concepts for item in found))
        physiologic = _physiologic(allergy, words, recognizer) if classes else ""
        for item in found:
            # An entry that names a class is not of a class that nobody named.
            named = item.concepts - {_ANY_CLASS} if len(classes) > 1 else item.concepts
            if named and physiologic:
                yield ContrastReaction(frozenset({_PHYSIOLOGIC}), item.finding, physiologic)
            elif named:
                yield replace(item, concepts=named)


def _diagnosed(
    chart: Chart, words: AllergyWords, recognizer: Recognizer, calendar: Calendar
) -> Iterator[ContrastReaction]:
    for condition in chart.conditions.items:
        if condition.is_refuted or condition.clinical_status in _OVER or condition.abated:
            continue
        is_coded = not CONTRAST_ALLERGIES.isdisjoint(recognizer.value_sets(condition.concept))
        if is_coded or _speaks_of_a_reaction(condition, words):
            when = calendar.past(condition.recorded)
            where = Finding(condition.reference, "Condition", when=when, date_source=DateSource.RECORDED)
            found = _classes(condition.concept, where, recognizer)
            if found.concepts:
                yield found


def _speaks_of_a_reaction(condition: Condition, words: AllergyWords) -> bool:
    """Whether a diagnosis that no code calls an allergy does so in words, and not only of contrast that was given."""
    return any(words.reaction.search(text) and not words.use.search(text) for text in words_of(condition.concept))


def _classes(concept: Concept, where: Finding, recognizer: Recognizer) -> ContrastReaction:
    """The contrast that a concept names: words that name a class win over a code that names another, or none."""
    sets = recognizer.value_sets(concept)
    if SharedValueSet.NO_KNOWN_ALLERGY in sets:
        return ContrastReaction(frozenset(), where)
    coded = {name: coding for name, coding in sets.items() if name in CONTRAST_ALLERGIES}
    said = _said(concept, recognizer)
    named = said.keys() - {_ANY_CLASS}
    if coded and (not named or named == coded.keys()):
        return ContrastReaction(frozenset(coded), recognizer.coded(where, next(iter(coded.values())), concept))
    if not said:
        return ContrastReaction(frozenset(), where)
    quote = next(match.quote for name, match in said.items() if name in (named or said))
    return ContrastReaction(frozenset(named or said), replace(where, quote=quote, from_text=True))


def _said(concept: Concept, recognizer: Recognizer) -> dict[str, TextMatch]:
    """What the first text says that names a class, or else the first that names contrast at all."""
    said = [
        {match.concept: match for match in recognizer.text(text, "contrast-allergy-")} for text in words_of(concept)
    ]
    return next((found for found in said if found.keys() - {_ANY_CLASS}), next(filter(None, said), {}))


def _physiologic(allergy: Allergy, words: AllergyWords, recognizer: Recognizer) -> str:
    """The words of a reaction that was physiologic only; empty where it was more, or nothing is said of it."""
    if allergy.is_severe:
        return ""
    if allergy.reactions:
        texts = [_physiologic_words(reaction, words, recognizer) for reaction in allergy.reactions]
        return ", ".join(dict.fromkeys(texts)) if all(texts) else ""
    for concept in allergy.concepts:
        for match in recognizer.text(concept.text, _PHYSIOLOGIC):
            return match.quote
    return ""


def _physiologic_words(reaction: Concept, words: AllergyWords, recognizer: Recognizer) -> str:
    """What a reaction is called, if it was physiologic only; its code says so where nobody wrote a text beside it."""
    coding = recognizer.value_sets(reaction).get(_PHYSIOLOGIC)
    text = next(iter(words_of(reaction)), "")
    if coding and not reaction.text:
        return coding.display or recognizer.label(coding)
    return text if _is_physiologic(text, words) else ""


def _is_physiologic(text: str, words: AllergyWords) -> bool:
    """Whether everything that a text names is a physiologic reaction."""
    parts = [" ".join(_STRENGTH.sub(" ", part).split()) for part in _PARTS.split(text.lower().strip(" ."))]
    return any(parts) and all(words.physiologic.fullmatch(part) for part in parts if part)
