"""The German Diagnosesicherheit: a letter beside a diagnosis of ICD-10-GM that says how sure it is (decision 11.9).

Outpatient coding marks every diagnosis as excluded (A), suspected (V), past (Z) or confirmed (G). FHIR carries the
letter in an extension of the coding, of the concept or of the entry; some systems append it to the code (`C50.9G`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# What each letter says, as a status of FHIR.
_LETTERS = {"A": "refuted", "V": "provisional", "Z": "resolved", "G": "confirmed"}
_EXTENSION = "diagnosesicherheit"
_VALUES = ("valueCoding", "valueCode", "valueString", "valueCodeableConcept")

# In the address of ICD-10-GM, and the object identifiers under which its yearly versions are registered.
_ICD_10_GM = ("icd-10-gm", "1.2.276.0.76.5.")


def without_letter(system: str, code: str) -> str:
    """A code without the letter that some systems append to it: `C50.9G`, `C50.9 G`."""
    return code[:-1].rstrip() if _appended(system, code) else code


def certainty_of(code: object, entry: Mapping[str, Any] | None = None) -> str:
    """How sure a coded concept is: `refuted`, `provisional`, `resolved`, `confirmed`, or an empty string.

    Args:
        code: the concept as it came.
        entry: the entry that it is the code of.

    Where several letters are given, one that says less wins.
    """
    found = set(_letters(code, entry or {}))
    return next((meaning for letter, meaning in _LETTERS.items() if letter in found), "")


def _appended(system: str, code: str) -> bool:
    return code[-1:] in _LETTERS and len(code) > 1 and any(mark in system.lower() for mark in _ICD_10_GM)


def _letters(code: object, entry: Mapping[str, Any]) -> Iterator[str]:
    if "extension" in entry:
        yield from _extended(entry)
    if not isinstance(code, dict):
        return
    if "extension" in code:
        yield from _extended(code)
    codings = code.get("coding")
    for coding in codings if isinstance(codings, list) else ():
        if not isinstance(coding, dict):
            continue
        if "extension" in coding:
            yield from _extended(coding)
        written, system = coding.get("code"), coding.get("system")
        if isinstance(written, str) and isinstance(system, str) and _appended(system.strip(), written.strip()):
            yield written.strip()[-1]


def _extended(holder: Mapping[str, Any]) -> Iterator[str]:
    """The letters in the extensions of an element."""
    extensions = holder.get("extension")
    for extension in extensions if isinstance(extensions, list) else ():
        if isinstance(extension, dict) and _EXTENSION in str(extension.get("url")).lower():
            for value in map(extension.get, _VALUES):
                yield from (letter.strip().upper() for letter in _codes(value) if isinstance(letter, str))


def _codes(value: object) -> Iterator[object]:
    """What stands as a code in an extension's value: a text, a Coding or a CodeableConcept."""
    if not isinstance(value, dict):
        yield value
        return
    yield value.get("code")
    codings = value.get("coding")
    for coding in codings if isinstance(codings, list) else ():
        yield coding.get("code") if isinstance(coding, dict) else None
