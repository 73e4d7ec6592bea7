"""Whether a text can be a code of a code system at all: its shape, and its check digit where the system has one.

A code of this shape that no value set lists is known to be of no interest; a text of another shape is not understood.
"""

from __future__ import annotations

import re

# The dihedral group D5 of Verhoeff's check digit (SNOMED CT Technical Implementation Guide, SCTID check digit).
_MULTIPLIED = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTED = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip

_SHAPES = {
    "http://hl7.org/fhir/sid/icd-10-cm": re.compile(r"([A-Z]\d[0-9AB]|QA0)(\.?[0-9A-NP-Z]{1,4})?", re.IGNORECASE),
    "http://www.cms.gov/Medicare/Coding/ICD10": re.compile(r"[0-9A-HJ-NP-Z]{7}", re.IGNORECASE),
    "http://hl7.org/fhir/sid/icd-10": re.compile(r"[A-Z]\d\d(\.?[0-9]{1,3}|\.-)?[*+!]?", re.IGNORECASE),
    "http://hl7.org/fhir/sid/icd-9-cm": re.compile(r"(\d{3}|V\d\d|E\d{3})(\.?\d{1,2})?", re.IGNORECASE),
    "http://www.nlm.nih.gov/research/umls/rxnorm": re.compile(r"\d{1,8}"),
    "http://www.ama-assn.org/go/cpt": re.compile(r"\d{4}[0-9A-Z]", re.IGNORECASE),
    # Morphology, topography.
    "http://terminology.hl7.org/CodeSystem/icd-o-3": re.compile(r"(M-?)?\d{4}/?\d{1,2}|C\d\d(\.?\d)?", re.IGNORECASE),
    "http://radlex.org": re.compile(r"R(ID|PID)\d{1,7}"),
}
_SNOMED, _SNOMED_SHAPE = "http://snomed.info/sct", re.compile(r"[1-9]\d{5,17}")
# The partition of an identifier, before its check digit, says whether it is of a concept: in the international edition,
# and in an extension (SNOMED CT Technical Implementation Guide, partition identifier). Others are descriptions.
_CONCEPTS = ("00", "10")
_LOINC, _LOINC_SHAPE = "http://loinc.org", re.compile(r"(LA|LL|LP|LG)?\d{1,7}-\d")


# Codes that stand beside a local one and say only that there is something: "Illness, unspecified" (ICD-10-CM, package
# simple-icd-10-cm 1.5.0).
_FILLERS = frozenset({("http://hl7.org/fhir/sid/icd-10-cm", "R69")})


def is_filler(system: str, code: str) -> bool:
    """Whether a code of this system (a canonical URI) says no more than that there is something."""
    return (system, code.strip().upper()) in _FILLERS


def can_be_code(system: str, code: str) -> bool:
    """Whether a text has the shape of a code of this system (a canonical URI); of other systems nothing is known."""
    text = code.strip()
    if system == _SNOMED:
        return bool(_SNOMED_SHAPE.fullmatch(text)) and text[-3:-1] in _CONCEPTS and has_verhoeff_digit(text)
    if system == _LOINC:
        # Codes of answers and parts (LA…, LP…) have the shape; their digit is not checked.
        return bool(_LOINC_SHAPE.fullmatch(text)) and (text[0] == "L" or has_mod10_digit(text.replace("-", "")))
    shape = _SHAPES.get(system)
    return bool(text) if shape is None else bool(shape.fullmatch(text))


def has_form(system: str) -> bool:
    """Whether it is known what a code of this system (a canonical URI) looks like; so it is of the standard ones."""
    return system in _SHAPES or system in (_SNOMED, _LOINC)


def has_verhoeff_digit(digits: str) -> bool:
    """Whether the last digit is the check digit of the others by Verhoeff's scheme (SNOMED CT)."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_MULTIPLIED[check][int(_PERMUTED[place % 8][int(digit)])])
    return check == 0


def has_mod10_digit(digits: str) -> bool:
    """Whether the last digit is the check digit of the others, modulo 10 with every other one doubled (LOINC)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled // 10 + doubled % 10
    return total % 10 == 0
