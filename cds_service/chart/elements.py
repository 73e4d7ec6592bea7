"""FHIR elements read with tolerance: what can be read is read, what cannot is noted and left empty.

Real EHRs send a list where one value belongs, one value where a list belongs, dates with blanks and codes
without system. A stray element never hides the entry it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.chart.records import Coding, Concept, Unread, Value
from cds_service.chart.span import Span, read_date

Json = Mapping[str, Any]
_NO_CONCEPT = Concept()

# No living patient has a date from before; programs write 0001-01-01 or 1753-01-01 where they mean "none".
_FIRST_YEAR = 1900

# Where HL7 publishes the codes of statuses.
_HL7_SYSTEMS = ("http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/")


@dataclass(slots=True)
class Reading:
    """One entry that is being read: where it stands, and what in it could not be read so far.

    `spoiled` says that its code could not be read: nobody knows what the entry is about.
    """

    where: str
    unread: list[Unread] = field(default_factory=list)
    spoiled: bool = False

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
        if isinstance(value, list) and value:
            value = value[0]
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
        for item in self.items(value, element):
            code, system, display = item.get("code"), item.get("system"), item.get("display")
            named = display.strip() if isinstance(display, str) else ""
            if isinstance(code, str) and code.strip():
                read.append(Coding(system.strip() if isinstance(system, str) else "", code.strip(), named))
                continue
            words = words or named
            if code is not None and not isinstance(code, str):
                self.cannot(element, "has a code that is not text")
        return tuple(read), words

    def concepts(self, value: object, element: str) -> tuple[Concept, ...]:
        if value is None:
            return ()
        return tuple(self.concept(item, element) for item in self.items(value, element))

    def status(self, value: object, element: str) -> str:
        """A status code: of a coded concept (HL7's coding before local ones), or the bare string of older FHIR."""
        concept = self.concept(value, element)
        standard = [coding.code for coding in concept.codings if coding.system.startswith(_HL7_SYSTEMS)]
        codes = [*standard, *(coding.code for coding in concept.codings), concept.text]
        return "-".join(codes[0].lower().split())

    def date(self, value: object, element: str) -> Span | None:
        text = self.text(value, element)
        if not text:
            return None
        try:
            span = read_date(text)
        except ValueError:
            self.cannot(element, "is not a FHIR date")
            return None
        if span.latest.year < _FIRST_YEAR:
            self.cannot(element, f"is before {_FIRST_YEAR}")
            return None
        return span

    def period(self, value: object, element: str) -> Span | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            self.cannot(element, "is not a period")
            return None
        start = self.date(value.get("start"), f"{element}.start")
        return Span.between(start, self.date(value.get("end"), f"{element}.end")) if start else None

    def reference(self, value: object, element: str) -> str:
        """The target of a Reference as `Type/id` (or `#id`), without server and version; empty if none."""
        if value is None:
            return ""
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, dict):
            self.cannot(element, "is not a reference")
            return ""
        return short_reference(self.text(value.get("reference"), element))

    def number(self, value: object, element: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        self.cannot(element, "is not a number")
        return None

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
        boolean = holder.get("valueBoolean")
        coded = holder.get("valueCodeableConcept")
        return Value(
            concept=None if coded is None else self.concept(coded, "valueCodeableConcept"),
            text=self.text(holder.get("valueString"), "valueString"),
            boolean=boolean if isinstance(boolean, bool) else None,
            number=self.number(number, "valueQuantity.value"),
            comparator=self.comparator(quantity.get("comparator")),
            unit=self.text(quantity.get("code") or quantity.get("unit"), "valueQuantity.unit"),
            day=self.date(holder.get("valueDateTime"), "valueDateTime"),
            absent=holder.get("dataAbsentReason") is not None,
        )


def short_reference(reference: str) -> str:
    """`https://ehr.example.org/fhir/Patient/7/_history/2` is `Patient/7`; `urn:uuid:…` and `#…` stay as they are."""
    if "/" not in reference or reference.startswith(("#", "urn:")):
        return reference
    parts = reference.split("/_history/")[0].rstrip("/").split("/")
    return "/".join(parts[-2:])
