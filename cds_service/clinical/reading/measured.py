"""A measured result: number, comparator and unit, also where it came as text (`<15 mL/min/1.73 m2`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cds_service.chart.records import Value

_WORDS = {
    "less than": "<",
    "below": "<",
    "under": "<",
    "greater than": ">",
    "more than": ">",
    "above": ">",
    "over": ">",
}
_SIGNS = {"≤": "<=", "≥": ">=", **_WORDS}
_IN_WORDS = re.compile(
    rf"(?P<comparator>[<>]=?|[≤≥]|{'|'.join(_WORDS)})?\s*"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,7}(?:[.,]\d{1,3})?)\s*"
    r"(?P<unit>[^\d\s<>].{0,30})?",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
# What laboratories write behind a number that is out of range.
_MARK = re.compile(r"[(\[]?(LL?|HH?|\*+)[)\]]?")


@dataclass(frozen=True, slots=True)
class Measurement:
    """A result as it was reported; an element that was missing is an empty string."""

    number: float
    comparator: str = ""
    unit: str = ""

    @property
    def bounded(self) -> float:
        """The number to decide by: `<15` is below 15, and `<=30` may be; `>60` is at least 60."""
        return self.number - 0.1 if self.comparator.startswith("<") else self.number

    @property
    def reported(self) -> str:
        """Comparator and number: `<15`."""
        return f"{self.comparator}{self.number:.10g}"

    @property
    def plain_unit(self) -> str:
        """The unit in lower case without blanks, to be compared."""
        return "".join(self.unit.lower().split())


def measured(value: Value) -> Measurement | None:
    """The number that a value holds or spells; None where it holds none, or one below zero."""
    if value.absent:
        return None
    if value.number is not None:
        return Measurement(value.number, value.comparator, value.unit) if value.number >= 0 else None
    text = value.text or (value.concept.text if value.concept else "")
    if not (found := _IN_WORDS.fullmatch(text.strip())):
        return None
    number = found["number"]
    number = number.replace(",", "" if _THOUSANDS.fullmatch(number) else ".")
    sign = (found["comparator"] or "").lower()
    unit = (found["unit"] or "").strip()
    return Measurement(float(number), _SIGNS.get(sign, sign), "" if _MARK.fullmatch(unit) else unit)
