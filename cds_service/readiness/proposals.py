"""A proposed meaning for a code that nobody reads, where its own words say it. Proposals are never applied.

Three signs, the strongest first: the display is the name of a code of ours; the code is one of ours in another spelling
of its system, and its words do not speak against it; the rule's own text patterns read the display.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.rule import Rule
from cds_service.content.terminology import Terminology

BY_NAME, BY_CODE, BY_WORDS = "name", "code", "words"

# A code without words is taken for one of ours only where chance is unlikely: C50.9, and no 17.
_SHORTEST_TELLING_CODE = 5

# What SNOMED CT appends to its names, and what stands between words.
_TAG = re.compile(r" \([a-z/ ]+\)$")
_BETWEEN = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a code may mean.

    Attributes:
        value_set, title: of the content.
        by: `name`, `code` or `words`.
        system, code: of ours with the same name, or the system in which the code is one of ours; else empty.
    """

    value_set: str
    title: str
    by: str
    system: str = ""
    code: str = ""

    @property
    def sentence(self) -> str:
        """The proposal in words."""
        if self.by == BY_NAME:
            return f"{self.value_set}: the name is that of {self.system} {self.code}"
        if self.by == BY_CODE:
            return f"{self.value_set}: the code is one of {self.system}; an alias of the system may do"
        return f"{self.value_set}: by its words"


class Proposals:
    """Proposes meanings with the content of one rule."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._read = rule.content.value_sets_read
        self._terminology = rule.content.terminology
        names = list(_names(self._terminology, self._read))
        self._names = dict(names)
        # A code may be one of several classifications; the one of which the content has most is meant.
        self._systems = [system for system, _ in Counter(found[0] for _, found in names).most_common()]

    def of(self, code: str, display: str) -> Proposal | None:
        """What a code with this display may mean; None where nothing says it."""
        return self._by_name(display) or self._by_code(code, display) or self._by_words(display)

    def _by_name(self, display: str) -> Proposal | None:
        found = self._names.get(_plain(display))
        return found and self._proposal(found, BY_NAME)

    def _by_code(self, code: str, display: str) -> Proposal | None:
        said = self._said(display)
        for system in self._systems:
            value_sets = self._terminology.value_sets_with(system, code) & self._read
            if value_sets & said or (value_sets and not display and len(code) >= _SHORTEST_TELLING_CODE):
                return self._proposal((system, code), BY_CODE)
        return None

    def _by_words(self, display: str) -> Proposal | None:
        return next((Proposal(name, self._title(name), BY_WORDS) for name in sorted(self._said(display))), None)

    def _said(self, display: str) -> frozenset[str]:
        """The value sets that the words state."""
        stated = _reader(self._rule).text(display)
        return frozenset(item.concept for item in stated) & self._read & self._terminology.value_sets.keys()

    def _proposal(self, found: tuple[str, str], by: str) -> Proposal:
        sets = sorted(self._terminology.value_sets_with(*found) & self._read)
        return Proposal(sets[0], self._title(sets[0]), by, self._terminology.system_name(found[0]), found[1])

    def _title(self, value_set: str) -> str:
        return self._terminology.value_sets[value_set].title


def _reader(rule: Rule) -> Recognizer:
    """A reader of words, also where the site has switched free text off for patients."""
    reader = rule.reader()
    reader.text_match = True
    return reader


def _names(terminology: Terminology, read: frozenset[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Every name of a code that the rule reads."""
    for name, value_set in terminology.value_sets.items():
        if name in read:
            for system, code, display in value_set.concepts:
                if plain := _plain(display):
                    yield plain, (system, code)


def _plain(name: str) -> str:
    """A name as it is compared: lower case, without tag and signs."""
    return _BETWEEN.sub(" ", _TAG.sub("", name.strip().lower())).strip()
