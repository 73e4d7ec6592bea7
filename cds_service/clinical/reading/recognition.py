"""What a concept of the chart means to the rule: the value sets it is in, by code or by text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from cds_service.chart.records import Coding, Concept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.free_text import LONGEST_TEXT, Mention, TextMatch, TextReader, denied, stated
from cds_service.content.model import Content

# Free text read in one call, in characters: a chart of thousands of entries has less, and reading it takes about a
# second. A longer text must not occupy a worker for longer.
MOST_TEXT = 1_000_000

# What SNOMED CT appends to its fully specified names.
_SEMANTIC_TAG = re.compile(
    r" \((disorder|finding|situation|procedure|regime/therapy|physical object|substance|body structure)\)$"
)


# Enough for every body of content in one process; tests use the most.
@lru_cache(maxsize=8)
def _text_reader(content: Content) -> TextReader:
    """The reader of this content; its patterns are compiled once."""
    return TextReader(content.text_patterns)


class Recognizer:
    """Answers, for one chart, what its codes and texts mean.

    Each text is read once; what was read lives as long as the recognizer, which is made for one call. So much text
    is read and no more (`MOST_TEXT`); `has_read_all` says whether that was enough.
    """

    def __init__(self, content: Content, text_match: bool = True) -> None:
        self._terminology = content.terminology
        self._text = _text_reader(content)
        self._read: dict[str, tuple[Mention, ...]] = {}
        self._left = MOST_TEXT
        self.text_match = text_match
        self.has_read_all = True

    def sets(self, concept: Concept) -> Mapping[str, Coding]:
        """The value sets that any coding of the concept is in, each with the first coding that is."""
        found: dict[str, Coding] = {}
        for coding in concept.codings:
            for set_id in self._terminology.sets(coding.system, coding.code):
                found.setdefault(set_id, coding)
        return found

    def sets_or_text(self, concept: Concept) -> frozenset[str]:
        """The value sets of the codings; where there are none and text counts, those of the words."""
        by_code = self.sets(concept)
        if by_code or not self.text_match:
            return frozenset(by_code)
        return frozenset(match.concept for text in words_of(concept) for match in self.text(text))

    def text(self, text: str, prefix: str = "") -> list[TextMatch]:
        """Evidence in free text; none where the site has switched text off."""
        return stated(self._mentions(text), prefix)

    def _mentions(self, text: str) -> tuple[Mention, ...]:
        if not text or not self.text_match:
            return ()
        if (mentions := self._read.get(text)) is None:
            length = min(len(text), LONGEST_TEXT)
            if length > self._left:
                self.has_read_all = False
                return ()
            self._left -= length
            mentions = self._read[text] = self._text.read(text)
        return mentions

    def contradicts_itself(self, concept: Concept, coding: Coding, concept_id: str) -> bool:
        """Whether the text of a concept takes back its coding; the coding's own name never does."""
        names = {_bare(coding.display), _bare(self.label(coding))}
        if not concept.text or _bare(concept.text) in names:
            return False
        return self._text.contradicts(concept.text, concept_id)

    def stated_in_words(self, concept: Concept, concept_id: str) -> str:
        """The sentence of a concept's words that states `concept_id`; its text outweighs its displays."""
        if denied(self._mentions(concept.text), concept_id):
            return ""
        for text in words_of(concept):
            for match in self.text(text, concept_id):
                if match.concept == concept_id:
                    return match.quote
        return ""

    def denied_in_words(self, text: str, prefix: str) -> bool:
        """Whether the text names a concept with this prefix only to deny it, or as a thing of the past."""
        return denied(self._mentions(text), prefix)

    def says_chronic(self, *texts: str) -> bool:
        return self.text_match and any(text and self._text.is_chronic(text) for text in texts)

    def says_changed(self, *texts: str) -> bool:
        return self.text_match and any(text and self._text.says_changed(text) for text in texts)

    def label(self, coding: Coding) -> str:
        """Our own words for a code, without SNOMED CT's semantic tag, or an empty string."""
        return _SEMANTIC_TAG.sub("", self._terminology.display(coding.system, coding.code))

    def described(self, concept: Concept, where: Finding) -> tuple[frozenset[str], Finding]:
        """The sets of a concept, by code or else by text, and `where` with its words."""
        if by_code := self.sets(concept):
            return frozenset(by_code), self.coded(where, next(iter(by_code.values())), concept)
        for text in words_of(concept):
            if matches := self.text(text):
                sets = frozenset(match.concept for match in matches)
                return sets, replace(where, quote=matches[0].quote, from_text=True)
        return frozenset(), where

    def sign_in_words(self, concept: Concept, where: Finding) -> tuple[frozenset[str], Finding]:
        """The red flags that the text of a coded concept names besides its code."""
        matches = [item for item in self.text(concept.text) if item.concept.startswith(("cord-", "sign-"))]
        if not matches:
            return frozenset(), where
        quoted = replace(where, quote=matches[0].quote, from_text=True)
        return frozenset(item.concept for item in matches), quoted

    def coded(self, finding: Finding, coding: Coding, concept: Concept) -> Finding:
        """`finding` with the words for `coding`: our display, else the EHR's (quoted), else the code."""
        label = self.label(coding)
        quote = "" if label else (coding.display or concept.text or coding.code)
        return replace(finding, label=label, quote=quote, coding=coding)


def words_of(concept: Concept) -> tuple[str, ...]:
    """Everything a concept says in words: its text, and the displays of its codings."""
    return tuple(text for text in (concept.text, *(coding.display for coding in concept.codings)) if text)


def _bare(name: str) -> str:
    """A name without SNOMED CT's semantic tag and case."""
    return _SEMANTIC_TAG.sub("", name.strip()).lower()
