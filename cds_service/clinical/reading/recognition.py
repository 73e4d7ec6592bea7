"""What a concept of the chart means to a rule: the value sets it is in, by code or by text.

Words are passed over per question: what a code of the entry answers, its words do not overrule; whatever else they
say is read (decision 11.4).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from cds_service.chart.prefetch import StillWanted, always_wanted
from cds_service.chart.records import Coding, Concept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.free_text import LONGEST_TEXT, Mention, TextMatch, TextReader, denied, stated
from cds_service.content.model import Content

# Free text read in one call, in characters, wherever it stands, each text once: 5,000 entries have less, with fifty
# characters of their own each. Reading so much takes about a second; a longer text must not occupy a worker for longer.
MOST_TEXT = 250_000

# Names of codes that are kept with what was read in them: a hospital uses some thousands, none longer than a line.
_MOST_NAMES = 10_000
_LONGEST_NAME = 200

# A concept costs some microseconds: so many are looked at before it is asked whether somebody still waits.
_CONCEPTS_BETWEEN_LOOKS = 256

# One question of a rule: the ids of the value sets and text concepts that answer it. A code in one of its sets answers
# it, with no where the set says so (family history, in situ disease, pain of another cause); words answer it where no
# code does.
Question: TypeAlias = frozenset[str]

Narrowed: TypeAlias = Mapping[str, frozenset[str]]
_NOTHING_NARROWED: Narrowed = {}

# What SNOMED CT appends to its fully specified names.
_SEMANTIC_TAG = re.compile(
    r" \((disorder|finding|situation|procedure|regime/therapy|physical object|substance|body structure)\)$"
)


# Enough for every body of content in one process; tests use the most.
@lru_cache(maxsize=8)
def _text_reader(content: Content) -> TextReader:
    """The reader of this content; its patterns are compiled once."""
    return TextReader(content.text_patterns)


@lru_cache(maxsize=8)
def _value_sets_read(content: Content) -> frozenset[str]:
    return content.value_sets_read


@lru_cache(maxsize=8)
def _systems_read(content: Content) -> frozenset[str]:
    return content.terminology.systems_of(content.value_sets_read)


class _Names:
    """What was read in the names of codes, call after call.

    A name is what was sent as the display of a code that is known. Texts of entries and notes are never kept.
    """

    def __init__(self) -> None:
        self.mentions: dict[str, tuple[Mention, ...]] = {}
        self._flags: dict[tuple[str, str], frozenset[str]] = {}

    def keep(self, name: str, mentions: tuple[Mention, ...]) -> None:
        if len(name) > _LONGEST_NAME:
            return
        if len(self.mentions) >= _MOST_NAMES:
            # Begun anew, so that odd names do not keep the usual ones out.
            self.mentions.clear()
            self._flags.clear()
        self.mentions[name] = mentions

    def flags(self, name: str, family: str, reader: TextReader) -> frozenset[str]:
        """What a name that is kept says of the course of a complaint (see `TextReader.flags`)."""
        if (found := self._flags.get((name, family))) is None:
            found = self._flags[name, family] = reader.flags(name, family, self.mentions.get(name))
        return found


@lru_cache(maxsize=8)
def _read_names(_content: Content) -> _Names:
    return _Names()


class Recognizer:
    """Answers, for one chart, what its codes and texts mean.

    Each text is read once; what was read lives as long as the recognizer, which is made for one call. So much text
    is read and no more (`MOST_TEXT`); `has_read_all` says whether that was enough.

    Args:
        content: value sets and text patterns.
        text_match: whether text is evidence.
        ordered: the question which order or study an entry is.
        narrowed: a study by its set, and the sets of wider studies whose code its words overrule.
    """

    def __init__(
        self,
        content: Content,
        text_match: bool = True,
        ordered: Question = frozenset(),
        narrowed: Narrowed = _NOTHING_NARROWED,
    ) -> None:
        self._terminology = content.terminology
        self._ordered = ordered
        self._narrowed = narrowed
        # A code that is only in sets of other rules is as good as unknown.
        self._known = _value_sets_read(content)
        self._systems_read = _systems_read(content)
        self._is_known_system: dict[str, bool] = {}
        self._text = _text_reader(content)
        self.result_words = content.result_words
        self._names = _read_names(content)
        self._is_name: set[str] = set()
        self._read: dict[str, tuple[Mention, ...]] = {}
        self._flags: dict[tuple[str, str], frozenset[str]] = {}
        self._room: dict[str, bool] = {}
        self._labels: dict[tuple[str, str], str] = {}
        self._stated: dict[str, tuple[TextMatch, ...]] = {}
        self._left = MOST_TEXT
        self.text_match = text_match
        self.has_read_all = True
        # Called now and then; raises where nobody waits for the answer any more.
        self.still_wanted: StillWanted = always_wanted
        self._asked = 0

    def value_sets(self, concept: Concept) -> Mapping[str, Coding]:
        """The value sets that any coding of the concept is in, each with the first coding that is."""
        self._asked += 1
        if not self._asked % _CONCEPTS_BETWEEN_LOOKS:
            self.still_wanted()
        found: dict[str, Coding] = {}
        for coding in concept.codings:
            sets = self._terminology.value_sets_with(coding.system, coding.code)
            for set_id in sets if sets <= self._known else sets & self._known:
                found.setdefault(set_id, coding)
        return found

    def is_known_code(self, coding: Coding) -> bool:
        """Whether a coding is of a code system that the rule knows, and can be a code of it."""
        return self._terminology.is_known_code(coding.system, coding.code) and self.knows_system(coding)

    def is_filler(self, coding: Coding) -> bool:
        """Whether a code says no more than that there is something."""
        return self._terminology.is_filler(coding.system, coding.code)

    def knows_system(self, coding: Coding) -> bool:
        """Whether a coding is of a standard code system of the content, or of one of which the rule reads any code.

        A site may name its own system. As long as none of its codes is in a value set, nobody has said what they mean,
        and they are as unknown as before.
        """
        if (known := self._is_known_system.get(coding.system)) is None:
            system = self._terminology.system(coding.system)
            known = system is not None and (self.is_standard(coding) or system.uri in self._systems_read)
            self._is_known_system[coding.system] = known
        return known

    def is_standard(self, coding: Coding) -> bool:
        """Whether a coding is of a code system of the content of which it is known what its codes look like."""
        return self._terminology.is_standard(coding.system)

    def system_name(self, system: str) -> str:
        """What a code system that content knows is called; an empty string for any other."""
        return self._terminology.known_system_name(system)

    def says_something(self, concept: Concept) -> bool:
        """Whether the words of a concept name anything that the patterns know, stated or denied."""
        return any(self._mentions(text) for text in self._words(concept))

    def is_coded_otherwise(self, concept: Concept, question: Question) -> bool:
        """Whether the codes of a concept are known and answer other questions only."""
        value_sets = self.value_sets(concept)
        return bool(value_sets) and question.isdisjoint(value_sets)

    def meaning(self, concept: Concept, question: Question) -> frozenset[str]:
        """The value sets of the codings and, where none of them answers `question`, what the words state."""
        by_code = self.value_sets(concept)
        if not question.isdisjoint(by_code):
            return frozenset(by_code)
        return frozenset(by_code).union(match.concept for matches in self._read_words(concept) for match in matches)

    def ordered(self, concept: Concept) -> frozenset[str]:
        """What an order or a study is, by the code of a concept or else by its words; these may narrow the code."""
        found = self.meaning(concept, self._ordered)
        said = {match.concept for matches in self._read_words(concept) for match in matches}
        for narrow, wide in self._narrowed.items():
            if narrow in said and not wide.isdisjoint(found):
                return found - wide | {narrow}
        return found

    def ordered_by_code(self, concept: Concept) -> Coding | None:
        """The coding of a concept that says which order or study it is."""
        return next((coding for name, coding in self.value_sets(concept).items() if name in self._ordered), None)

    def in_words(self, concept: Concept, question: Question) -> list[TextMatch]:
        """What the words of a concept state for `question`; nothing where one of its codes answers it."""
        return next(self.answers_in_words(concept, self.value_sets(concept), (question,)), [])

    def named(self, concept: Concept, question: Question) -> str:
        """Which test or observation of `question` a concept is, by its code or else by its words; empty if none.

        Quicker than `in_words`, for the thousands of laboratory results of a chart.
        """
        if by_code := self.value_sets(concept):
            return next((name for name in by_code if name in question), "")
        for text in self._words(concept):
            for mention in self._mentions(text):
                if mention.is_stated and mention.match.concept in question:
                    return mention.match.concept
        return ""

    def answers_in_words(
        self, concept: Concept, by_code: Collection[str], questions: Sequence[Question]
    ) -> Iterator[list[TextMatch]]:
        """What the words of a concept state for each of the questions that its codes leave open.

        Args:
            by_code: the value sets of the concept's codes.
            questions: what is asked; a question of which nothing is said has no answer.
        """
        still_open = [question for question in questions if question.isdisjoint(by_code)] if by_code else questions
        if not still_open or not (read := self._read_words(concept)):
            return
        for question in still_open:
            for matches in read:
                if answer := [match for match in matches if match.concept in question]:
                    yield answer
                    break

    def _read_words(self, concept: Concept) -> list[Sequence[TextMatch]]:
        """What each text of a concept states beyond its codes: our own name of a code says no more than the code."""
        names = {self.label(coding).lower() for coding in concept.codings}
        texts = (text for text in self._words(concept) if _bare(text) not in names)
        return [matches for text in texts if (matches := self.text(text))]

    def text(self, text: str, prefix: str = "") -> Sequence[TextMatch]:
        """Evidence in free text; none where the site has switched text off."""
        if prefix:
            return stated(self._mentions(text), prefix)
        if (found := self._stated.get(text)) is None:
            found = self._stated[text] = tuple(stated(self._mentions(text), ""))
        return found

    def _words(self, concept: Concept) -> tuple[str, ...]:
        """Everything a concept says in words; what a code that is known is called, counts as a name."""
        for coding in concept.codings:
            if (name := coding.display) not in self._is_name and self.is_known_code(coding):
                self._add_name(name)
        return words_of(concept)

    def _add_name(self, name: str) -> None:
        """Know that a text is the name of a code; what was read in it is kept for other calls."""
        self._is_name.add(name)
        if name in self._read:
            self._names.keep(name, self._read[name])

    def _mentions(self, text: str) -> tuple[Mention, ...]:
        if not text or not self.text_match:
            return ()
        if (mentions := self._read.get(text)) is None:
            if not self._has_room(text):
                return ()
            if (mentions := self._names.mentions.get(text)) is None:
                mentions = self._text.read(text)
                if text in self._is_name:
                    self._names.keep(text, mentions)
            self._read[text] = mentions
        return mentions

    def _has_room(self, text: str) -> bool:
        """Whether a text is still among those that are read in this call; each counts once."""
        if (has_room := self._room.get(text)) is None:
            length = min(len(text), LONGEST_TEXT)
            has_room = self._room[text] = length <= self._left
            if has_room:
                self._left -= length
            else:
                self.has_read_all = False
        return has_room

    def contradicts_itself(self, concept: Concept, coding: Coding, concept_id: str, why: str = "takes-back") -> bool:
        """Whether the text of a concept takes back its coding; the coding's own name never does.

        Args:
            concept: what is coded and said.
            coding: the coding that counts, if its text does not take it back.
            concept_id: the value set that it is in.
            why: the guards of the content that take it back.
        """
        names = {_bare(coding.display), _bare(self.label(coding))}
        if not concept.text or _bare(concept.text) in names or not self._has_room(concept.text):
            return False
        return self._text.contradicts(concept.text, concept_id, why)

    def stated_in_words(self, concept: Concept, concept_id: str) -> str:
        """The sentence of a concept's words that states `concept_id`; its text outweighs its displays."""
        if denied(self._mentions(concept.text), concept_id):
            return ""
        stated = (match for matches in self._read_words(concept) for match in matches)
        return next((match.quote for match in stated if match.concept == concept_id), "")

    def denied_in_words(self, text: str, prefix: str) -> bool:
        """Whether the text names a concept with this prefix only to deny it, or as a thing of the past."""
        return denied(self._mentions(text), prefix)

    def flags(self, family: str, *texts: str) -> frozenset[str]:
        """What texts say of the course of a complaint of this family (the first word of its concepts)."""
        if not self.text_match:
            return frozenset()
        return frozenset().union(*(self._flags_in(text, family) for text in texts if text))

    def _flags_in(self, text: str, family: str) -> frozenset[str]:
        if (found := self._flags.get((text, family))) is None:
            mentions = self._mentions(text)
            if not self._has_room(text):
                found = frozenset()
            elif text in self._names.mentions:
                found = self._names.flags(text, family, self._text)
            else:
                found = self._text.flags(text, family, mentions)
            self._flags[text, family] = found
        return found

    def says_chronic(self, *texts: str) -> bool:
        return "chronic" in self.flags("", *texts)

    def has_words(self, flag: str, *texts: str) -> bool:
        """Whether any text holds words of a list of the content, also where free text is no evidence."""
        return any(self._has_room(text) and self._text.has_words(flag, text) for text in texts)

    def label(self, coding: Coding) -> str:
        """Our own words for a code that is known, without SNOMED CT's semantic tag, or an empty string."""
        key = coding.system, coding.code
        if (label := self._labels.get(key)) is None:
            is_known = not self._known.isdisjoint(self._terminology.value_sets_with(*key))
            label = self._labels[key] = _SEMANTIC_TAG.sub("", self._terminology.display(*key)) if is_known else ""
            self._add_name(label)
        return label

    def labels(self, concept: Concept) -> list[str]:
        """Our own words for the codes of a concept, as far as they are known."""
        return [label for coding in concept.codings if (label := self.label(coding))]

    def own_words(self, concept: Concept) -> str:
        """What the EHR calls an entry, where that is no usual name of its codes; an empty string elsewhere."""
        text = concept.text.strip()
        names = {_bare(name) for item in concept.codings for name in (item.display, self.label(item), item.code)}
        return "" if _bare(text) in names | {_without_code(name) for name in names} else text

    def coded(self, finding: Finding, coding: Coding, concept: Concept) -> Finding:
        """`finding` with the words for `coding`: our display, else the EHR's (quoted), else the code."""
        label = self.label(coding)
        quote = "" if label else (coding.display or concept.text or coding.code)
        return replace(finding, label=label, quote=quote, coding=self._with_uri(coding))

    def _with_uri(self, coding: Coding) -> Coding:
        """The coding with the URI of its system where the EHR sent a bare name: FHIR's `Coding.system` is a URI."""
        if ":" in coding.system or (system := self._terminology.system(coding.system)) is None:
            return coding
        return replace(coding, system=system.uri)


def words_of(concept: Concept) -> tuple[str, ...]:
    """Everything a concept says in words: its text, and the displays of its codings."""
    return tuple(text for text in (concept.text, *(coding.display for coding in concept.codings)) if text)


def _without_code(name: str) -> str:
    """A name without its code in parentheses: `malignant neoplasm of breast (c50.911)`."""
    return name.rpartition(" (")[0] if name.endswith(")") else name


def _bare(name: str) -> str:
    """A name without SNOMED CT's semantic tag and case."""
    plain = name.strip()
    return (_SEMANTIC_TAG.sub("", plain) if plain.endswith(")") else plain).lower()
