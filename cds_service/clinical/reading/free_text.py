"""Evidence in free text, with the guards that keep out family history, denials and suspicion.

Used only for questions that no code of the same entry answers, and only where the site allows it. The patterns and
guards are content (`cards/breast_cancer_back_pain/text-patterns.toml`); this module knows how far a guard reaches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from cds_service.content.model import TextPatterns

# Texts are read up to here: a chief complaint is one line, a problem text a few words. A longer note is cut.
LONGEST_TEXT = 2000

# Mentions of one concept in one sentence that are looked at; more of them add nothing.
_MOST_MENTIONS = 4

_SENTENCE_END = re.compile(r"[.;\r\n]+(?=\s|$)|[;\r\n]+")
_PHRASE_END = re.compile(r",|\b(?:but|however|except|and)\b", re.IGNORECASE)
_NEW_STATEMENT = re.compile(r"\b(?:but|however|except|reports?|presents?|complain\w*|has|now)\b", re.IGNORECASE)
_WORDS_NEAR = 3


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Text that counts: the concept (a value-set id), the sentence it stands in, and what it says of time."""

    concept: str
    quote: str
    chronic: bool
    changed: bool


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
class _Concept:
    id: str
    pattern: re.Pattern[str]
    guards: tuple[_Guard, ...]
    family: str


class TextReader:
    """Finds the concepts of `text-patterns.toml` in free text."""

    def __init__(self, patterns: TextPatterns) -> None:
        guards = {name: _Guard(guard.scope, _any_of(guard.patterns)) for name, guard in patterns.guards.items()}
        self._guards = guards
        self._concepts = [
            _Concept(
                item.id,
                _any_of(item.patterns),
                tuple(guards[name] for name in item.guards),
                # The first word of the id: `back`, `imaging`, `sign`.
                family=item.id.partition("-")[0],
            )
            for item in patterns.concepts
        ]
        self._flags = {name: _any_of(words) for name, words in patterns.flags.items()}
        self._chronic, self._changed = self._flags["chronic"], self._flags["changed"]

    def read(self, text: str) -> tuple[Mention, ...]:
        """Everything of interest that a text names, stated or not, in the order of its sentences.

        Where concepts of one family overlap (low back pain, back pain), the one that is tried first counts.
        """
        mentions: list[Mention] = []
        for sentence in _sentences(text):
            taken: dict[str, list[tuple[int, int]]] = {}
            for concept in self._concepts:
                spans = taken.setdefault(concept.family, [])
                for match in islice(concept.pattern.finditer(sentence), _MOST_MENTIONS):
                    if any(match.start() < end and start < match.end() for start, end in spans):
                        continue
                    spans.append(match.span())
                    mentions.append(
                        Mention(
                            TextMatch(
                                concept.id,
                                sentence,
                                bool(self._chronic.search(sentence)),
                                bool(self._changed.search(sentence)),
                            ),
                            is_stated=not _is_guarded(sentence, match, concept.guards),
                        )
                    )
        return tuple(mentions)

    def find(self, text: str, prefix: str = "") -> list[TextMatch]:
        """Every concept whose id starts with `prefix` and that `text` states, at most once each."""
        return stated(self.read(text), prefix)

    def contradicts(self, text: str, concept_id: str) -> bool:
        """Whether the text of an entry takes back its code ("Mother: breast cancer", "r/o breast cancer").

        Every mention must be of a relative or a suspicion. A doubt about something else (possible metastases, a
        recurrence) leaves the diagnosis standing.
        """
        before, after, alone = (self._guards[f"takes-back-{name}"] for name in ("before", "after", "alone"))
        mentions = list(self._mentions(text, concept_id))
        if not mentions:
            return bool(alone.pattern.search(_plain(text)))
        return all(
            _is_guarded(sentence, match, (before, after)) and not self.has_words("course", sentence)
            for sentence, match in mentions
        )

    def has_words(self, flag: str, text: str) -> bool:
        """Whether a text holds words of the list `flag`, wherever they stand."""
        return bool(self._flags[flag].search(text))

    def is_chronic(self, text: str) -> bool:
        """Whether the text calls a complaint long-standing."""
        return any(self._chronic.search(sentence) for sentence in _sentences(text))

    def _mentions(self, text: str, concept_id: str) -> Iterator[tuple[str, re.Match[str]]]:
        concept = next(item for item in self._concepts if item.id == concept_id)
        for sentence in _sentences(text):
            for match in islice(concept.pattern.finditer(sentence), _MOST_MENTIONS):
                yield sentence, match

    def says_changed(self, text: str) -> bool:
        """Whether the text says that a complaint is new, worse or different."""
        return any(self._changed.search(sentence) for sentence in _sentences(text))


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _plain(text: str) -> str:
    """`Lumbar_Xray` reads as two words."""
    return text[:LONGEST_TEXT].replace("_", " ")


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(_plain(text)):
        if words := " ".join(sentence.split()):
            yield words


def _is_guarded(sentence: str, match: re.Match[str], guards: tuple[_Guard, ...]) -> bool:
    reach = {
        "sentence": sentence,
        "phrase": _phrase_around(sentence, match),
        "before": _words_before(sentence, match),
        "after": " ".join(sentence[match.end() :].split()[:_WORDS_NEAR]),
        "sentence-before": _NEW_STATEMENT.split(sentence[: match.start()])[-1],
    }
    return any(guard.pattern.search(reach[guard.scope]) for guard in guards)


def _phrase_around(sentence: str, match: re.Match[str]) -> str:
    start = max((end.end() for end in _PHRASE_END.finditer(sentence, 0, match.start())), default=0)
    after = _PHRASE_END.search(sentence, match.end())
    return sentence[start : after.start() if after else len(sentence)]


def _words_before(sentence: str, match: re.Match[str]) -> str:
    start = max((end.end() for end in _PHRASE_END.finditer(sentence, 0, match.start())), default=0)
    return " ".join(sentence[start : match.start()].split()[-_WORDS_NEAR:]) + " "
