"""How far the words around a match speak for it or against it: phrase, sentence, a statement of its own.

The scopes are those of `text-patterns.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cds_service.content.text_patterns import MATCH_MARK

_PHRASE_END = re.compile(r",|\b(?:but|however|except|and)\b|\bw/(?!o)|(?<= )&(?= )", re.IGNORECASE)
_LISTED = re.compile(r"\s*(?:or|nor|and)\b", re.IGNORECASE)
_WORDS_NEAR = 3

# Words further away than this, in characters, say nothing of a match; sentences of that length are rare.
_FURTHEST = 250


@dataclass(frozen=True, slots=True)
class Statements:
    """The words that begin a new statement: `begins` anywhere, `own` in a clause after a comma."""

    begins: re.Pattern[str]
    own: re.Pattern[str]


class Passage:
    """A match in its sentence, as far as that is within reach, and the words around it."""

    def __init__(self, sentence: str, start: int, end: int, statements: Statements) -> None:
        left = max(0, start - _FURTHEST)
        self.sentence = sentence[left : end + _FURTHEST]
        self._start = start - left
        self._end = end - left
        self._statements = statements
        self._found: dict[str, str] = {}

    def reach(self, scope: str) -> str:
        """The words that a guard of this scope is searched in."""
        if scope not in self._found:
            self._found[scope] = _SCOPES[scope](self)
        return self._found[scope]

    @property
    def phrase(self) -> str:
        return self.reach("phrase")

    def neighbours(self, following: str) -> tuple[str, ...]:
        """The phrase in front of the own one and those after it, up to the first of the next sentence."""
        start, end = self._phrase_span()
        before = _PHRASE_END.split(self.sentence[:start].rstrip(" ,"))[-1] if start else ""
        after = _PHRASE_END.split(self.sentence[end:]) + _PHRASE_END.split(following)[:1]
        return tuple(phrase for phrase in (before, *after) if phrase.strip())

    def _phrase_span(self) -> tuple[int, int]:
        start = max((end.end() for end in _PHRASE_END.finditer(self.sentence, 0, self._start)), default=0)
        after = _PHRASE_END.search(self.sentence, self._end)
        return start, after.start() if after else len(self.sentence)

    def _own_phrase(self) -> str:
        start, end = self._phrase_span()
        return self.sentence[start:end]

    def _before(self) -> str:
        words = self.sentence[self._phrase_span()[0] : self._start].split()
        return " ".join(words[-_WORDS_NEAR:]) + " "

    def _after(self) -> str:
        return " ".join(self.sentence[self._end :].split()[:_WORDS_NEAR])

    def _in_front(self) -> str:
        return self.sentence[: self._start]

    def _sentence_before(self) -> str:
        front = self._in_front()
        begun = max((word.end() for word in self._statements.begins.finditer(front)), default=0)
        if comma := self._own_clause():
            begun = max(begun, comma)
        return front[begun:]

    def _list(self) -> str:
        return "" if self._own_clause() else self.sentence

    def _around(self) -> str:
        return self.sentence[: self._start] + MATCH_MARK + self.sentence[self._end :]

    def _own_clause(self) -> int:
        """Where the clause of the match begins, if that is after a comma and the clause is a statement of its own."""
        comma = self.sentence.rfind(",", 0, self._start)
        if comma < 0:
            return 0
        end = self.sentence.find(",", self._end)
        clause = self.sentence[comma + 1 : end if end >= 0 else len(self.sentence)]
        is_own = not _LISTED.match(clause) and self._statements.own.search(clause)
        return comma + 1 if is_own else 0


_SCOPES: dict[str, Callable[[Passage], str]] = {
    "sentence": lambda passage: passage.sentence,
    "phrase": Passage._own_phrase,
    "before": Passage._before,
    "after": Passage._after,
    "in-front": Passage._in_front,
    "sentence-before": Passage._sentence_before,
    "list": Passage._list,
    "around": Passage._around,
}
