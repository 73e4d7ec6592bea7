"""Value sets, indexed by code: which sets is this code in?

A code belongs to a code system: codes are compared as (system, code), never as a code alone. ICD codes are
compared in upper case without dots or blanks; a category (`is-a` filter) stands for every code that starts
with it. All other codes are compared to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The shortest ICD category: a letter and two digits (C50), or three digits (174).
_SHORTEST_CATEGORY = 3

# Answers are kept for codes seen before; a hospital uses some thousands. The bound keeps odd codes from filling memory.
_MOST_LOOKED_UP = 20_000

# The longest ICD-10-CM code has seven characters; anything else that starts like one is not a code.
_ICD_CODE = re.compile(r"[A-Z0-9]{3,7}")


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system by its canonical URI, the other URIs under which EHRs send it, and how codes compare."""

    uri: str
    name: str
    aliases: tuple[str, ...]
    is_icd: bool


@dataclass(frozen=True, slots=True)
class ValueSet:
    """One named set: `concepts` are (system, code, display), `categories` are (system, ICD category).

    `copyright` names the licenses of its code systems and where the codes were confirmed.
    """

    id: str
    title: str
    purpose: str
    concepts: tuple[tuple[str, str, str], ...]
    categories: tuple[tuple[str, str], ...]
    copyright: str = ""


class Terminology:
    """All value sets, indexed by code."""

    def __init__(self, systems: Iterable[CodeSystem], value_sets: Iterable[ValueSet]) -> None:
        self.value_sets: Mapping[str, ValueSet] = {value_set.id: value_set for value_set in value_sets}
        self._systems: dict[str, CodeSystem] = {}
        for system in systems:
            for uri in (system.uri, *system.aliases):
                self._systems[uri] = system
        self._sets: dict[tuple[str, str], frozenset[str]] = {}
        self._categories: dict[tuple[str, str], frozenset[str]] = {}
        self._displays: dict[tuple[str, str], str] = {}
        self._looked_up: dict[tuple[str, str], frozenset[str]] = {}
        for value_set in self.value_sets.values():
            self._index(value_set)

    def _index(self, value_set: ValueSet) -> None:
        mark = frozenset([value_set.id])
        for system, code, display in value_set.concepts:
            key = self._key(system, code)
            self._sets[key] = self._sets.get(key, frozenset()) | mark
            if display:
                self._displays.setdefault(key, display)
        for system, category in value_set.categories:
            key = self._key(system, category)
            self._categories[key] = self._categories.get(key, frozenset()) | mark

    def _key(self, uri: str, code: str) -> tuple[str, str]:
        system = self._systems.get(uri)
        if system is None:
            return uri, code
        return system.uri, icd_code(code) if system.is_icd else code.strip()

    def value_sets_with(self, system: str, code: str) -> frozenset[str]:
        """The ids of the value sets that hold this code; none for an unknown system or code."""
        if (found := self._looked_up.get((system, code))) is None:
            found = self._look_up(system, code)
            if len(self._looked_up) < _MOST_LOOKED_UP:
                self._looked_up[system, code] = found
        return found

    def _look_up(self, system: str, code: str) -> frozenset[str]:
        known = self._systems.get(system)
        if known is None:
            return frozenset()
        key = self._key(system, code)
        found = self._sets.get(key, frozenset())
        if known.is_icd and _ICD_CODE.fullmatch(key[1]):
            for length in range(_SHORTEST_CATEGORY, len(key[1]) + 1):
                found |= self._categories.get((key[0], key[1][:length]), frozenset())
        return found

    def display(self, system: str, code: str) -> str:
        """Our own display of a code, or an empty string; a code of a listed ICD category has the category's."""
        key = self._key(system, code)
        if shown := self._displays.get(key):
            return shown
        known = self._systems.get(system)
        if known is None or not known.is_icd or not _ICD_CODE.fullmatch(key[1]):
            return ""
        for length in range(len(key[1]) - 1, _SHORTEST_CATEGORY - 1, -1):
            category = (key[0], key[1][:length])
            if category in self._categories and category in self._displays:
                return f"{self._displays[category]} ({key[1][:3]}.{key[1][3:]})"
        return ""

    def system_name(self, uri: str) -> str:
        """What a code system is called; its URI where it is none of ours."""
        system = self._systems.get(uri)
        return system.name if system else uri

    def codes(self, set_id: str, system: str) -> tuple[str, ...]:
        """The listed codes of one set in one system, in the order of the file."""
        return tuple(code for uri, code, _ in self.value_sets[set_id].concepts if uri == system)


def is_icd_category(code: str) -> bool:
    """Whether a text can be an ICD category or code."""
    return bool(_ICD_CODE.fullmatch(icd_code(code)))


def icd_code(code: str) -> str:
    """An ICD code as it is compared: `c50.911` and `C50911` are the same.

    A dot elsewhere than behind the category is left in: `17.49` (a procedure) is not `174.9`.
    """
    plain = "".join(code.split()).upper()
    category, _, rest = plain.partition(".")
    return category + rest if len(category) == _SHORTEST_CATEGORY and "." not in rest else plain
