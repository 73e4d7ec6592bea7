"""Value sets and the question they answer: which sets is this code in?

A code belongs to a code system: codes are compared as (system, code), never as a code alone, whatever spelling of
either the EHR uses. ICD codes are compared without dots, blanks and marks; a category (`is-a` filter) stands for every
code that starts with it. A code of a national ICD-10 is also looked up as the category of the WHO's that it is in:
the first four characters mean the same everywhere. A CPT code counts with and without the modifiers behind it.
All other codes are compared to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cds_service.content.code_forms import can_be_code, has_form, is_filler
from cds_service.content.spelling import (
    CPT,
    ICD_CODE,
    SHORTEST_CATEGORY,
    cpt_code,
    icd_code,
    icd_codes,
    system_key,
    who_category,
    without_version,
)

# Answers are kept for codes seen before; a hospital uses some thousands. The bound keeps odd codes from filling memory.
_MOST_LOOKED_UP = 20_000


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system by its canonical URI, the other names under which EHRs send it, and how codes compare.

    An alias that ends with `*` stands for every name that begins with what is before it. `by_who_category` says that
    codes are compared as categories of the WHO's ICD-10; `read_as` is the URI of the system in which a code counts
    where this system itself does not list it.
    """

    uri: str
    name: str
    aliases: tuple[str, ...]
    is_icd: bool
    by_who_category: bool = False
    read_as: str = ""


@dataclass(frozen=True, slots=True)
class ValueSet:
    """One named set: `concepts` are (system, code, display), `categories` are (system, ICD category).

    `patterns` are (system, regular expression): a code that matches wholly, upper or lower case, is in the set.
    `copyright` names the licenses of its code systems and where the codes were confirmed. `sources` says it for single
    codes, by (system, code), and `unconfirmed` why nobody has confirmed that a code means what it stands for here.
    """

    id: str
    title: str
    purpose: str
    concepts: tuple[tuple[str, str, str], ...]
    categories: tuple[tuple[str, str], ...]
    copyright: str = ""
    sources: Mapping[tuple[str, str], str] = field(default_factory=dict)
    unconfirmed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    patterns: tuple[tuple[str, str], ...] = ()


class Terminology:
    """All value sets, indexed by code."""

    def __init__(self, systems: Iterable[CodeSystem], value_sets: Iterable[ValueSet]) -> None:
        self.value_sets: Mapping[str, ValueSet] = {value_set.id: value_set for value_set in value_sets}
        self._systems: dict[str, CodeSystem] = {}
        self._families: list[tuple[str, CodeSystem]] = []
        for system in systems:
            self._name(system)
        self._sets: dict[tuple[str, str], frozenset[str]] = {}
        self._categories: dict[tuple[str, str], frozenset[str]] = {}
        self._patterns: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        self._displays: dict[tuple[str, str], str] = {}
        self._looked_up: dict[tuple[str, str], frozenset[str]] = {}
        self._shown: dict[tuple[str, str], str] = {}
        self._known: dict[tuple[str, str], bool] = {}
        for value_set in self.value_sets.values():
            self._index(value_set)

    def _name(self, system: CodeSystem) -> None:
        for alias in (system.uri, *system.aliases):
            if alias.endswith("*"):
                self._families.append((system_key(alias[:-1]), system))
            else:
                self._systems[system_key(alias)] = system

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
        for uri, pattern in value_set.patterns:
            self._patterns.setdefault(uri, []).append((re.compile(pattern, re.IGNORECASE), value_set.id))

    def _key(self, uri: str, code: str) -> tuple[str, str]:
        """Where a listed code stands in the index."""
        system = self.system(uri)
        if system is None:
            return uri, code
        return system.uri, icd_code(code) if system.is_icd else _compared(system, code)

    def system(self, name: str) -> CodeSystem | None:
        """The code system that an EHR names by this URI, OID or name; none where it is none of ours."""
        for key in without_version(system_key(name)):
            if (known := self._systems.get(key)) is not None:
                return known
        key = system_key(name)
        return next((system for start, system in self._families if key.startswith(start)), None)

    def _keys(self, name: str, code: str) -> Iterator[tuple[str, str]]:
        """Where a code of a chart may stand in the index, its own system first."""
        system = self.system(name)
        if system is None:
            return
        if not system.is_icd:
            yield system.uri, _compared(system, code)
            return
        for plain in icd_codes(code):
            yield system.uri, who_category(plain) if system.by_who_category else plain
            if system.read_as:
                yield system.read_as, who_category(plain)

    def _upwards(self, key: tuple[str, str]) -> Iterator[tuple[str, str]]:
        """The listed ICD categories that a code is in or is itself, the nearest first."""
        system, code = key
        if not ICD_CODE.fullmatch(code):
            return
        for length in range(len(code), SHORTEST_CATEGORY - 1, -1):
            if (category := (system, code[:length])) in self._categories:
                yield category

    def value_sets_with(self, system: str, code: str) -> frozenset[str]:
        """The ids of the value sets that hold this code; none for an unknown system or code."""
        if (found := self._looked_up.get((system, code))) is None:
            found = self._look_up(system, code)
            if len(self._looked_up) < _MOST_LOOKED_UP:
                self._looked_up[system, code] = found
        return found

    def _look_up(self, system: str, code: str) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        for key in self._keys(system, code):
            found |= self._sets.get(key, frozenset())
            for category in self._upwards(key):
                found |= self._categories[category]
            found = found.union(name for pattern, name in self._patterns.get(key[0], ()) if pattern.fullmatch(key[1]))
        return found

    def display(self, system: str, code: str) -> str:
        """Our own display of a code, or an empty string; a code of a listed ICD category has the category's."""
        if (shown := self._shown.get((system, code))) is None:
            shown = self._find_display(system, code)
            if len(self._shown) < _MOST_LOOKED_UP:
                self._shown[system, code] = shown
        return shown

    def _find_display(self, system: str, code: str) -> str:
        for key in self._keys(system, code):
            if shown := self._displays.get(key):
                return shown
            for category in self._upwards(key):
                if shown := self._displays.get(category):
                    return f"{shown} ({key[1][:3]}.{key[1][3:]})"
        return ""

    def is_known_code(self, system: str, code: str) -> bool:
        """Whether a code has the shape of one of a system that is known here."""
        if (known := self._known.get((system, code))) is None:
            known = self._is_known_code(system, code)
            if len(self._known) < _MOST_LOOKED_UP:
                self._known[system, code] = known
        return known

    def _is_known_code(self, system: str, code: str) -> bool:
        known = self.system(system)
        if known is None:
            return False
        if known.by_who_category or known.read_as:
            return all(map(who_category, icd_codes(code)))
        return all(can_be_code(known.uri, part) for part in (icd_codes(code) if known.is_icd else [code]))

    def is_filler(self, system: str, code: str) -> bool:
        """Whether a code of a known system says no more than that there is something."""
        known = self.system(system)
        return known is not None and is_filler(known.uri, code)

    def is_standard(self, system: str) -> bool:
        """Whether a code system is one of ours of which it is known what its codes look like."""
        known = self.system(system)
        return known is not None and (has_form(known.uri) or bool(known.read_as))

    def systems_of(self, set_ids: Iterable[str]) -> frozenset[str]:
        """The code systems, by URI, of which these value sets list any code."""
        sets = [self.value_sets[name] for name in set_ids if name in self.value_sets]
        listed = (row[0] for item in sets for row in (*item.concepts, *item.categories, *item.patterns))
        return frozenset(listed)

    def knows_system(self, system: str) -> bool:
        """Whether a code system is one of ours."""
        return self.system(system) is not None

    def system_name(self, uri: str) -> str:
        """What a code system is called; its URI where it is none of ours."""
        system = self.system(uri)
        return system.name if system else uri

    def known_system_name(self, name: str) -> str:
        """What a code system is called; an empty string where it is none of ours."""
        return self.system_name(name) if self.knows_system(name) else ""

    def codes(self, set_id: str, system: str) -> tuple[str, ...]:
        """The listed codes of one set in one system, in the order of the file."""
        return tuple(code for uri, code, _ in self.value_sets[set_id].concepts if uri == system)


def _compared(system: CodeSystem, code: str) -> str:
    """A code as it is compared, of a system that is not an ICD."""
    return cpt_code(code.strip()) if system.uri == CPT else code.strip()
