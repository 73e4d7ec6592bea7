"""Evidence in free text, with the guards that keep out family history, denials and suspicion.

Used only for questions that no code of the same entry answers, and only where the site allows it. The patterns and
guards are content (`cards/breast_cancer_back_pain/text-patterns.toml`); how far a guard reaches, `reach` knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from ahocorasick import Automaton

from cds_service.clinical.reading.reach import Passage, Statements
from cds_service.content.model import TextConcept, TextPatterns
from cds_service.content.text_patterns import COURSES

# Texts are read up to here: a chief complaint is one line, a problem text a few words. A longer note is cut.
LONGEST_TEXT = 2000

# Mentions of one concept in one sentence that are looked at; more of them add nothing.
_MOST_MENTIONS = 4

_NO_WORD = "\ue001"

# `Lumbar_Xray` reads as two words; apostrophes and dashes are typed in many ways.
_SAME_LETTERS = str.maketrans({"_": " ", "’": "'", "‘": "'", "`": "'", "–": "-", "—": "-", "−": "-", "‑": "-"})

# A dash at the beginning of a line is a bullet, unless other lines begin with a plus sign: then it says no.
_BULLET = re.compile(r"^\s*[-*•]\s+", re.MULTILINE)
_PLUS_LINE = re.compile(r"^\s*\+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Text that counts: the concept (a value-set id), the sentence it stands in, and what it says of time and kind.

    Attributes:
        flags: `chronic`, `changed`, `new`, `night`, `mechanical`, `unremitting` (clinical decisions 2.7, 2.8 and 2.23).
    """

    concept: str
    quote: str
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Mention:
    """Text that names a concept, and whether it states it or a guard speaks against it."""

    match: TextMatch
    is_stated: bool


def stated(mentions: Iterable[Mention], prefix: str) -> list[TextMatch]:
    """The concepts with this prefix that are stated, each once."""
    found: dict[str, TextMatch] = {}
    for mention in mentions:
        if mention.is_stated and mention.match.concept.startswith(prefix):
            found.setdefault(mention.match.concept, mention.match)
    return list(found.values())


def denied(mentions: Iterable[Mention], prefix: str) -> bool:
    """Whether a concept with this prefix is named, and only to deny it or to say it of something else."""
    named = [mention.is_stated for mention in mentions if mention.match.concept.startswith(prefix)]
    return bool(named) and not any(named)


@dataclass(frozen=True, slots=True)
class _Guard:
    scope: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Flag:
    pattern: re.Pattern[str]
    alone: re.Pattern[str]
    front: re.Pattern[str]
    unless: re.Pattern[str]

    def is_in(self, words: str) -> bool:
        return bool(self.pattern.search(self._left(words)))

    def is_all_of(self, phrase: str) -> bool:
        """Whether a neighbouring phrase says it, and nothing else."""
        return bool(self.alone.search(self._left(phrase)))

    def _left(self, words: str) -> str:
        """The words without those that take the flag back."""
        return self.unless.sub(" ", words)


class _Concept:
    """One concept of the content, compiled."""

    __slots__ = ("family", "guards", "id", "needs", "pattern")

    def __init__(self, item: TextConcept, guards: dict[str, _Guard]) -> None:
        self.id = item.id
        self.family = item.family
        self.needs = item.needs
        self.pattern = _any_of(item.patterns)
        self.guards = tuple(guards[name] for name in item.guards)


class TextReader:
    """Finds the concepts of `text-patterns.toml` in free text."""

    def __init__(self, patterns: TextPatterns) -> None:
        guards = {name: _Guard(guard.scope, _any_of(guard.patterns)) for name, guard in patterns.guards.items()}
        self._guards = guards
        self._concepts = [_Concept(item, guards) for item in patterns.concepts]
        self._always = [place for place, concept in enumerate(self._concepts) if not concept.needs]
        self._places_of_words = _places_of_words(self._concepts)
        self._flags = {
            name: _Flag(*map(_any_of, (flag.patterns, flag.alone, flag.front, flag.unless)))
            for name, flag in patterns.flags.items()
        }
        self._courses = {name: flag for name, flag in self._flags.items() if name in COURSES}
        # Look-behinds one by one: Python takes none of varying width.
        whole = "".join(rf"(?<!\b{word})" for word in patterns.abbreviations)
        ends = _any_of(patterns.ends).pattern
        self._sentence_end = re.compile(rf"{whole}[.;\r\n]+(?=\s|$)|{ends}|[;\r\n]+", re.IGNORECASE)
        self._statements = Statements(_any_of(patterns.begins), _any_of(patterns.own))

    def read(self, text: str) -> tuple[Mention, ...]:
        """Everything of interest that a text names, stated or not, in the order of its sentences.

        Where concepts of one family overlap (low back pain, back pain), the one that is tried first counts.
        """
        sentences = self._sentences(text)
        mentions: list[Mention] = []
        for number, sentence in enumerate(sentences):
            following = sentences[number + 1] if number + 1 < len(sentences) else ""
            taken: dict[str, list[tuple[int, int]]] = {}
            for concept in self._that_may_stand_in(sentence.lower()):
                spans = taken.setdefault(concept.family, [])
                for match in islice(concept.pattern.finditer(sentence), _MOST_MENTIONS):
                    if any(match.start() < end and start < match.end() for start, end in spans):
                        continue
                    spans.append(match.span())
                    passage = Passage(sentence, match.start(), match.end(), self._statements)
                    mentions.append(
                        Mention(
                            TextMatch(concept.id, sentence, self._flags_of(passage, following)),
                            is_stated=not _is_guarded(passage, concept.guards),
                        )
                    )
        return tuple(mentions)

    def _that_may_stand_in(self, lower: str) -> list[_Concept]:
        """The concepts of which a sentence in lower case has a word at all, in their order."""
        found = [places for _, places in self._places_of_words.iter(lower)]
        return [self._concepts[place] for place in sorted(set(self._always).union(*found))]

    def find(self, text: str, prefix: str = "") -> list[TextMatch]:
        """Every concept whose id starts with `prefix` and that `text` states, at most once each."""
        return stated(self.read(text), prefix)

    def contradicts(self, text: str, concept_id: str, why: str = "takes-back") -> bool:
        """Whether the text of an entry takes back its code ("Mother: breast cancer", "r/o breast cancer").

        Every mention must be of a relative or a suspicion. A doubt about something else (possible metastases, a
        recurrence) leaves the diagnosis standing.

        Args:
            text: what the entry says in words.
            concept_id: the concept of its code.
            why: the guards that say so, without `-before`, `-after` and `-alone`.
        """
        before, after, alone = (self._guards[f"{why}-{place}"] for place in ("before", "after", "alone"))
        passages = list(self._passages(text, concept_id))
        if not passages:
            return bool(alone.pattern.search(_plain(text)))
        return all(
            _is_guarded(passage, (before, after)) and not self.has_words("course", passage.sentence)
            for passage in passages
        )

    def flags(self, text: str, family: str, mentions: Iterable[Mention] | None = None) -> frozenset[str]:
        """What a text says of the course of a complaint: where it names one of this family, of that; else of all.

        Args:
            mentions: what was read in the text, if it was.
        """
        read = self.read(text) if mentions is None else mentions
        named = [item.match.flags for item in read if item.match.concept.startswith(f"{family}-")]
        if named:
            return frozenset().union(*named)
        sentences = self._sentences(text)
        return frozenset(
            name for name, flag in self._courses.items() if any(flag.is_in(sentence) for sentence in sentences)
        )

    def has_words(self, flag: str, text: str) -> bool:
        """Whether a text holds words of the list `flag`, wherever they stand."""
        return bool(self._flags[flag].pattern.search(text))

    def _sentences(self, text: str) -> list[str]:
        cut = self._sentence_end.split(_plain(text))
        return [words for sentence in cut if (words := " ".join(sentence.split()))]

    def _flags_of(self, passage: Passage, following: str) -> frozenset[str]:
        """The flags of a match: in its own phrase, or in a neighbouring one that says nothing else."""
        neighbours = passage.neighbours(following)
        return frozenset(
            name
            for name, flag in self._courses.items()
            if flag.is_in(passage.phrase)
            or flag.front.search(passage.reach("in-front"))
            or any(flag.is_all_of(phrase) for phrase in neighbours)
        )

    def _passages(self, text: str, concept_id: str) -> Iterator[Passage]:
        concepts = [item for item in self._concepts if item.id == concept_id]
        for sentence in self._sentences(text):
            for concept in concepts:
                for match in islice(concept.pattern.finditer(sentence), _MOST_MENTIONS):
                    yield Passage(sentence, match.start(), match.end(), self._statements)


def _places_of_words(concepts: Iterable[_Concept]) -> Automaton:
    """Finds, in one pass over a text, the places of the concepts of which it holds a word that they need."""
    places: dict[str, list[int]] = {}
    for place, concept in enumerate(concepts):
        for word in concept.needs:
            places.setdefault(word, []).append(place)
    automaton = Automaton()
    # Without a word it could not be searched; no text holds this one (private use).
    for word, found in (places or {_NO_WORD: []}).items():
        automaton.add_word(word, found)
    automaton.make_automaton()
    return automaton


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all; of none, one that matches nowhere."""
    if not patterns:
        return re.compile("(?!)")
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _plain(text: str) -> str:
    text = text[:LONGEST_TEXT].translate(_SAME_LETTERS).strip()
    return _BULLET.sub("", text) if "\n" in text and not _PLUS_LINE.search(text) else text


def _is_guarded(passage: Passage, guards: tuple[_Guard, ...]) -> bool:
    return any(guard.pattern.search(passage.reach(guard.scope)) for guard in guards)
