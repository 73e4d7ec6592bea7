"""How one entry of a chart is read: by the rule's own reading, and which of its codes, statuses and units are not.

Whether an entry is understood, and under which code system it counts if not, is what `understanding` says of a chart
with this entry alone, so that the numbers are those of `explain` and of the ledger. Many entries of a hospital say the
same: what was read of one is kept for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from cds_service.chart.build import build_chart
from cds_service.chart.elements import Reading
from cds_service.chart.records import Chart, Coding, Concept
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.understanding import (
    DRAFT_ORDERS,
    STATUSES,
    Understanding,
    named_system,
)
from cds_service.clinical.rules.rule import Rule
from cds_service.readiness.resources import Json, at_hand, signature

# A hospital has some ten thousand codes. An entry that says so much is seldom said again, and not kept.
_MOST_KEPT = 30_000
_LONGEST_KEPT = 2_000

# A recognizer keeps what it read; a new one is taken before it has seen too much text.
_ENTRIES_OF_A_RECOGNIZER = 200

_PATIENT_ID = "of-the-entry"

# Types without a prefetch key of their own, and the key under which EHRs send them.
_SENT_UNDER = {"ImagingStudy": "diagnosticReports", "Device": "procedures"}

_STATUS_ELEMENTS = ("clinicalStatus", "verificationStatus", "status")

# Where the codes of an entry stand: what it is, then, where that is known, what makes it what it is.
_CODES: Mapping[str, Sequence[str]] = {
    "Observation": ("code", "valueCodeableConcept", "valueCoding", "component", "bodySite"),
    "Encounter": ("reasonCode", "reason", "contained"),
    "AllergyIntolerance": ("code", "reaction"),
    "Device": ("type",),
    "ImagingStudy": ("procedureCode",),
    "MedicationRequest": ("medicationCodeableConcept", "code"),
}
_CODES_OF_ANY = ("code", "medicationCodeableConcept", "bodySite")
_INNER_CODES = {
    "component": ("code", "valueCodeableConcept"),
    "reaction": ("substance",),
    "contained": ("code",),
}


@dataclass(frozen=True, slots=True)
class UnreadCode:
    """A code that no value set and no code system of the content knows; the system as far as its name is told."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class EntryReading:
    """What became of one entry.

    Attributes:
        key: the prefetch key under which it counts.
        understood, irrelevant: whether it was; at most one of them is true.
        not_understood: the code system (or `words`, `empty`, `unnamed`) under which it counts as not understood.
        besides: what else makes a silence worth less, by the names of `Understanding.besides`.
        codes: its codes that nobody reads; none where another code of the same concept is known.
        statuses: its statuses that mean nothing, as element and word.
        unit: the unit in which a result that is looked for cannot be read, behind the value set of the test.
    """

    key: str
    understood: bool = False
    irrelevant: bool = False
    not_understood: str = ""
    besides: Mapping[str, int] = field(default_factory=dict)
    codes: tuple[UnreadCode, ...] = ()
    statuses: tuple[tuple[str, str], ...] = ()
    unit: tuple[str, str] | None = None


class EntryReader:
    """Reads entries one by one with the eyes of one rule."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._keys = {_type_of(template): key for key, template in rule.prefetch.items()}
        self._recognizer = rule.reader()
        self._left = _ENTRIES_OF_A_RECOGNIZER
        self._kept = lru_cache(_MOST_KEPT)(self._read)

    def key_of(self, resource: Json) -> str:
        """The prefetch key under which a resource would come; an empty string for a type that no rule asks for."""
        kind = str(resource.get("resourceType"))
        key = _SENT_UNDER.get(kind) or self._keys.get(kind, "")
        return key if key in self._rule.prefetch else ""

    def read(self, key: str, resource: Json) -> EntryReading:
        """Read one entry of a prefetch key, or a draft order."""
        said = signature(resource)
        return self._kept(key, said) if len(said) <= _LONGEST_KEPT else self._read(key, said)

    def _read(self, key: str, said: bytes) -> EntryReading:
        resource = {**orjson.loads(said), "id": "entry", "subject": {"reference": f"Patient/{_PATIENT_ID}"}}
        resource |= {"patient": resource["subject"]}
        recognizer = self._a_recognizer()
        chart = _chart(key, resource)
        found = next((item for item in self._understanding(chart, recognizer) if item.key == key), None)
        if found is None:
            return EntryReading(key)
        units = (self._rule.unread_unit(item, recognizer) for item in chart.observations.items)
        return EntryReading(
            key=key,
            understood=bool(found.understood),
            irrelevant=bool(found.irrelevant),
            not_understood=next(iter(found.not_understood), ""),
            besides=dict(found.besides),
            codes=tuple(_unread_codes(resource, recognizer, not found.not_understood)),
            statuses=tuple(self._statuses(key, resource)) if STATUSES in found.besides else (),
            unit=next(filter(None, units), None),
        )

    def _understanding(self, chart: Chart, recognizer: Recognizer) -> tuple[Understanding, ...]:
        return self._rule.understanding(chart, recognizer)

    def _a_recognizer(self) -> Recognizer:
        self._left -= 1
        if self._left < 0 or not self._recognizer.has_read_all:
            self._recognizer, self._left = self._rule.reader(), _ENTRIES_OF_A_RECOGNIZER
        return self._recognizer

    def _statuses(self, key: str, resource: Json) -> Iterator[tuple[str, str]]:
        """The statuses that mean nothing: those that do so alone."""
        for element in _STATUS_ELEMENTS:
            if element in resource:
                alone = {
                    name: item for name, item in resource.items() if name not in _STATUS_ELEMENTS or name == element
                }
                found = self._understanding(_chart(key, alone), self._recognizer)
                if any(STATUSES in item.besides for item in found):
                    concept = Reading(element).concept(resource[element], element)
                    words = [coding.code for coding in concept.codings] + [concept.text]
                    yield element, next((word for word in words if word), "")


def _type_of(template: str) -> str:
    """The type that a prefetch template asks for."""
    return template.partition("?")[0].partition("/")[0]


def _chart(key: str, resource: Json) -> Chart:
    """A chart with one entry; what the references of its signature lead to is at hand."""
    if key == DRAFT_ORDERS:
        return build_chart(_PATIENT_ID, {}, drafts=[resource])
    return build_chart(_PATIENT_ID, {key: resource, "at-hand": at_hand()})


def _unread_codes(resource: Json, reader: Recognizer, understood: bool) -> Iterator[UnreadCode]:
    """The codes that say what an entry is and are not read; of an understood one only those of its own code.

    Where a code is known, what stands beside it (a value, a site) is looked at next.
    """
    kind = str(resource.get("resourceType"))
    for element in _CODES.get(kind, _CODES_OF_ANY):
        concepts = list(_concepts(resource.get(element), element))
        codings = [coding for concept in concepts for coding in _unread(concept, reader)]
        if codings:
            yield from dict.fromkeys(UnreadCode(named_system(item.system), item.code, item.display) for item in codings)
            return
        if understood and concepts:
            return


def _concepts(value: Any, element: str) -> Iterator[Concept]:
    reading = Reading(element)
    for item in value if isinstance(value, list) else [value]:
        if element == "valueCoding":
            yield reading.concept({"coding": item}, element)
        elif element not in _INNER_CODES:
            yield reading.concept(item, element)
        elif isinstance(item, dict):
            for inner in _INNER_CODES[element]:
                yield from _concepts(item.get(inner), inner)


def _unread(concept: Concept, reader: Recognizer) -> Sequence[Coding]:
    """The codings of a concept, where none of them is a code of a known system that says more than a filler."""
    known = [coding for coding in concept.codings if reader.is_known_code(coding)]
    if any(not reader.is_filler(coding) for coding in known):
        return ()
    return [coding for coding in concept.codings if coding not in known]
