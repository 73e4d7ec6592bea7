"""FHIR elements read with tolerance: what can be read is read, what cannot is noted and left empty.

Real EHRs send a list where one value belongs, one value where a list belongs, dates with blanks, figures and booleans
as text, and codes without system. An empty text is no value. A stray element never hides the entry it stands in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from cds_service.chart.certainty import certainty_of, without_letter
from cds_service.chart.records import Coding, Concept, Unread, Value
from cds_service.chart.span import Span, read_date
from cds_service.chart.statuses import NO_STATUS, NOT_TRUE, StatusCodes

Json = Mapping[str, Any]
_NO_CONCEPT = Concept()

# No living patient has a date from before; programs write 0001-01-01 or 1753-01-01 where they mean "none".
EARLIEST_YEAR = 1900

# Others write the first day that they know.
_NO_DATE = Span.day(date(EARLIEST_YEAR, 1, 1))

# Where HL7 publishes the codes of statuses.
_HL7_SYSTEMS = ("http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/")

# How booleans are written as text.
TRUTHS = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}


# A status has one concept; a list of more than this is none.
_MOST_PARTS = 20

# A concept has a coding for each code system in use, some ten. Each is looked up in all value sets: a hundred thousand
# of them in one concept take longer than a call may.
_MOST_CODINGS = 500


def short_reference(reference: str) -> str:
    """`https://ehr.example.org/fhir/Patient/7/_history/2` is `Patient/7`; `urn:uuid:…` and `#…` stay as they are."""
    if "/" not in reference or reference.startswith(("#", "urn:")):
        return reference
    parts = reference.split("/_history/")[0].rstrip("/").split("/")
    return "/".join(parts[-2:])


@dataclass(slots=True)
class Reading:
    """One entry that is being read: where it stands, and what in it could not be read so far.

    Attributes:
        where: its name or place.
        resolve: the name of the entry that a reference points to.
        spoiled: its code could not be read: nobody knows what the entry is about.
        unknown_statuses: how many of its statuses said something that nobody understands.
    """

    where: str
    resolve: Callable[[str], str] = short_reference
    unread: list[Unread] = field(default_factory=list)
    spoiled: bool = False
    unknown_statuses: int = 0

    def cannot(self, element: str, why: str) -> None:
        self.unread.append(Unread(f"{self.where}.{element}", why))

    def text(self, value: object, element: str) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        self.cannot(element, "is not text")
        return ""

    def items(self, value: object, element: str) -> Iterator[Json]:
        """The objects in a list; a lone object counts as a list of one."""
        if value is None:
            return
        if isinstance(value, dict):
            value = [value]
        if not isinstance(value, list):
            self.cannot(element, "is not a list of objects")
            return
        for item in value:
            if isinstance(item, dict):
                yield item
            elif item is not None:
                self.cannot(element, "holds something that is not an object")

    def concept(self, value: object, element: str) -> Concept:
        """A CodeableConcept; a bare string is taken as its text, a display without a code as well."""
        if value is None:
            return _NO_CONCEPT
        if isinstance(value, str):
            return Concept(text=value)
        if isinstance(value, list) and value and (value := _first(value)) is None:
            return _NO_CONCEPT
        if not isinstance(value, dict):
            self.cannot(element, "is not a coded concept")
            self.spoiled = self.spoiled or element == "code"
            return _NO_CONCEPT
        before = len(self.unread)
        text = self.text(value.get("text"), element)
        codings, words = self._codings(value.get("coding"), element)
        if element == "code" and not codings and not (text or words) and len(self.unread) > before:
            self.spoiled = True
        return Concept(codings, text or words)

    def _codings(self, value: object, element: str) -> tuple[tuple[Coding, ...], str]:
        """The codings that have a code, and the first display among those that have none."""
        read, words = [], ""
        for place, item in enumerate(self.items(value, element)):
            if place == _MOST_CODINGS:
                self.cannot(element, f"has more than {_MOST_CODINGS} codings")
                self.spoiled = self.spoiled or element == "code"
                break
            code, system, display = item.get("code"), item.get("system"), item.get("display")
            named = display.strip() if isinstance(display, str) else ""
            if isinstance(code, str) and code.strip(" |"):
                coding = Coding(system.strip() if isinstance(system, str) else "", code.strip(), named)
                coding = _without_bars(coding) if "|" in code else coding
                read.append(Coding(coding.system, without_letter(coding.system, coding.code), coding.display))
                continue
            words = words or named
            if code is not None and not isinstance(code, str):
                self.cannot(element, "has a code that is not text")
        return tuple(read), words

    def concepts(self, value: object, element: str) -> tuple[Concept, ...]:
        if value is None:
            return ()
        return tuple(self.concept(item, element) for item in self.items(value, element))

    def reasons(self, value: object, element: str) -> tuple[Concept, ...]:
        """The CodeableConcepts of a list, without those whose certainty says that they are excluded or past."""
        if value is None:
            return ()
        stated = (item for item in self.items(value, element) if certainty_of(item) not in ("refuted", "resolved"))
        return tuple(self.concept(item, element) for item in stated)

    def status(self, value: object, element: str, codes: StatusCodes) -> str:
        """A status as R4 writes it, whatever way it came in; empty where there is none, or none that is understood.

        Args:
            value: a code, a coded concept, or words.
            element: where it stands.
            codes: what it may be.
        """
        if value is None:
            return NO_STATUS
        if (plain := _plain_status(value, codes.known)) is not None:
            return plain
        said = [words for part in _parts(value) for words in self._said(part, element)]
        meanings = [meaning for words in said if (meaning := codes.meaning(*words)) is not None]
        if not meanings and not _is_empty(value):
            self.unknown_statuses += 1
        contradicted = next((meaning for meaning in meanings if meaning in NOT_TRUE), None)
        return contradicted or next((meaning for meaning in meanings if meaning), NO_STATUS)

    def _said(self, value: object, element: str) -> list[tuple[str, str]]:
        """Everything a status says, each with its code system: codes (HL7's before local ones), displays, text."""
        concept = self.concept(value, element)
        hl7: list[tuple[str, str]] = []
        others: list[tuple[str, str]] = []
        for coding in concept.codings:
            (hl7 if coding.system.startswith(_HL7_SYSTEMS) else others).append((coding.code, coding.system))
        words = [coding.display for coding in concept.codings] + [concept.text]
        return [*hl7, *others, *((text, "") for text in words if text.strip())]

    def date(self, value: object, element: str) -> Span | None:
        text = self.text(value, element)
        if not text:
            return None
        try:
            span = read_date(text)
        except ValueError:
            self.cannot(element, "is not a FHIR date")
            return None
        if span.latest.year < EARLIEST_YEAR:
            self.cannot(element, f"is before {EARLIEST_YEAR}")
            return None
        if span == _NO_DATE:
            self.cannot(element, f"is {_NO_DATE.earliest}, which stands for no date")
            return None
        return span

    def period(self, value: object, element: str) -> Span | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            self.cannot(element, "is not a period")
            return None
        # One that has only an end is known to have been over by then: that is the day it tells of.
        return Span.between(
            self.date(value.get("start"), f"{element}.start"), self.date(value.get("end"), f"{element}.end")
        )

    def reference(self, value: object, element: str) -> str:
        """The target of a Reference as `Type/id` (or `#id`), without server and version; empty if none."""
        if isinstance(value, list) and value:
            value = _first(value)
        if value is None or value == "":
            return ""
        if not isinstance(value, dict):
            self.cannot(element, "is not a reference")
            return ""
        reference = self.text(value.get("reference"), element)
        return self.resolve(reference) if reference else ""

    def number(self, value: object, element: str) -> float | None:
        """A number, also where it came as text; one that no computer keeps (1e400) is none."""
        if value is None or value == "":
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
        self.cannot(element, "is not a number")
        return None

    def truth(self, value: object, element: str) -> bool | None:
        """A boolean, also where it came as text or as 0 or 1; None where there is none."""
        if value is None or isinstance(value, bool):
            return value
        written = str(value).strip().lower() if isinstance(value, (str, int)) else "?"
        if written and written not in TRUTHS:
            self.cannot(element, "is neither true nor false")
        return TRUTHS.get(written)

    def comparator(self, value: object) -> str:
        if value in (None, "<", "<=", ">=", ">"):
            return str(value or "")
        self.cannot("valueQuantity.comparator", "is not <, <=, >= or >")
        return ""

    def value(self, holder: Json) -> Value:
        """The `value[x]` of an Observation or component."""
        quantity = holder.get("valueQuantity")
        quantity = quantity if isinstance(quantity, dict) else {}
        number = quantity.get("value", holder.get("valueInteger"))
        coded = holder.get("valueCodeableConcept")
        if coded is None and (coding := holder.get("valueCoding")) is not None:
            coded = {"coding": coding}
        text = self._value_in_words(holder, number)
        concept = None if coded is None else self.concept(coded, "valueCodeableConcept")
        return Value(
            concept=replace(concept, text=text) if concept and text and not concept.text else concept,
            text=text,
            boolean=self.truth(holder.get("valueBoolean"), "valueBoolean"),
            number=self.number(number, "valueQuantity.value"),
            comparator=self.comparator(quantity.get("comparator")),
            unit=self.text(quantity.get("code") or quantity.get("unit"), "valueQuantity.unit"),
            day=self.date(holder.get("valueDateTime"), "valueDateTime"),
            absent=holder.get("dataAbsentReason") is not None,
        )

    def _value_in_words(self, holder: Json, number: object) -> str:
        """The words of a `value[x]`: its string, else text that stands where another type belongs."""
        pointer = holder.get("valueReference")
        named = pointer.get("display") if isinstance(pointer, dict) else None
        others = [holder.get(f"value{form}") for form in ("Markdown", "Text", "Code")] + [named, number]
        words = (item for item in others if isinstance(item, str) and any(map(str.isalpha, item)))
        return self.text(holder.get("valueString"), "valueString") or next(words, "")


def _first(values: list[Any]) -> Any:
    """The first value of a list that is not null."""
    return next((value for value in values if value is not None), None)


def _parts(value: object) -> Iterator[object]:
    """The coded concepts of a status: of a list all, of a bare Coding its code, of an object its `value`."""
    if isinstance(value, list):
        for item in value[:_MOST_PARTS]:
            yield from _parts(item) if not isinstance(item, list) else ()
        return
    if not isinstance(value, dict):
        yield value
        return
    texts = value.get("text")
    yield {**value, "text": None} if isinstance(texts, list) else value
    if isinstance(texts, list):
        yield from (text for text in texts[:_MOST_PARTS] if isinstance(text, str))
    if "code" in value or "display" in value:
        yield {"coding": [{name: value.get(name) for name in ("system", "code", "display")}]}
    if (inner := value.get("value")) is not None:
        yield from _parts(inner) if not isinstance(inner, dict) or "value" not in inner else ()


def _is_empty(value: object) -> bool:
    """Whether a value says nothing at all: no text, no code; an extension tells why there is none."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, dict):
        return all(name in ("id", "extension") or _is_empty(item) for name, item in value.items())
    return value is None or (isinstance(value, list) and all(map(_is_empty, value)))


def _plain_status(value: object, known: frozenset[str]) -> str | None:
    """The code of a status that needs no closer look: a known code, and no words that could contradict it."""
    if type(value) is str:
        return value if value in known else None
    codings = value.get("coding") if type(value) is dict else None
    if type(codings) is not list or len(codings) != 1 or type(codings[0]) is not dict:
        return None
    code, display, text = codings[0].get("code"), codings[0].get("display"), value.get("text")  # type: ignore[attr-defined]
    if type(code) is not str or code not in known:
        return None
    for words in (display, text):
        if words is not None and not (type(words) is str and words.lower() == code):
            return None
    return code


def _without_bars(coding: Coding) -> Coding:
    """A coding whose code came as `code|term|` (SNOMED CT's way to write it) or as `system|code` (FHIR's search)."""
    first, _, rest = coding.code.partition("|")
    first = first.strip()
    second = rest.partition("|")[0].strip()
    if second and (not first or ":" in first):
        return Coding(coding.system or first, second, coding.display)
    return Coding(coding.system, first, coding.display or second)
