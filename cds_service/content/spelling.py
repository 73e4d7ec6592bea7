"""How EHRs spell code systems and ICD codes, and the one form in which they are compared.

The spellings come from the code system pages of FHIR R4 (terminologies-systems, snomedct, icd) and from what is seen
in exports: `https` for `http`, a slash at the end, a version behind a bar or in the path, an OID with or without
`urn:oid:`, a bare name such as `ICD10CM`; ICD codes without dot, in lower case, with blanks, with the marks of dual
coding, or two of them in one string.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# The shortest ICD category: a letter and two digits (C50), or three digits (174).
SHORTEST_CATEGORY = 3

# The longest ICD-10-CM code has seven characters; anything else that starts like one is not a code.
ICD_CODE = re.compile(r"[A-Z0-9]{3,7}")

# A CPT code with the modifiers of a bill behind it: `72148-26`, `72148 26 LT`.
CPT = "http://www.ama-assn.org/go/cpt"
_MODIFIED = re.compile(r"(\d{4}[0-9A-Z])(?:[-\s.,:]?[0-9A-Z]{2})+")

# A hospital has some dozens of code systems; the bound keeps odd ones from filling memory.
_MOST_SYSTEMS = 2_000

_SCHEME = re.compile(r"(?:https?://(?:www\.)?|(?:urn:)?oid:)")
_NAME = re.compile(r"(?!\d+(?:\.\d+)+$)[^/:]+")
_BETWEEN_WORDS = re.compile(r"[\s_-]+")

# What is appended to the URI of a code system for its edition or version: /731000124108/version/20240301, /2024.
_VERSION = re.compile(r"/(?:version|[\d.-]+)$")

# Dagger, asterisk and the exclamation mark of ICD-10-GM, as they are printed and as they are typed.
_MARKS = re.compile(r"[†‡*+!#]")
_TO_BE_FILLED = re.compile(r"\.?-$")

# A category of external causes in ICD-9-CM, which has four characters: E884.1.
_EXTERNAL_CAUSE = re.compile(r"E\d{3}")

# What stands for itself in a string of several codes: `C79.5 M49.5`, but not the parts of `C50 .9`.
_WHOLE_CODE = re.compile(r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?")

# A code of the WHO's classification and what nations append: further digits, X as a filler, ICD-10-CM's last letter.
_WHO_CODE = re.compile(r"([A-Z]\d\d)(\d?)(?:[\dX]{0,3}|[\dX]{2}[A-Z])")


@lru_cache(maxsize=_MOST_SYSTEMS)
def system_key(system: str) -> str:
    """The form in which a code system's URI, OID or name is compared; a version behind a bar is dropped."""
    plain = system.partition("|")[0].strip().lower()
    without = _SCHEME.sub("", plain, count=1) if _SCHEME.match(plain) else plain
    key = without.rstrip("/# ")
    return _BETWEEN_WORDS.sub("", key) if _NAME.fullmatch(plain) else key


def without_version(key: str) -> Iterator[str]:
    """A key of `system_key` with ever less of what says its edition or version, itself first."""
    yield key
    while (match := _VERSION.search(key)) is not None:
        key = key[: match.start()]
        yield key


def icd_code(code: str) -> str:
    """An ICD code as it is compared: `c50.911` and `C50911` are the same.

    A dot elsewhere than behind the category is left in: `17.49` (a procedure) is not `174.9`.
    """
    plain = "".join(_MARKS.sub(" ", unicodedata.normalize("NFKC", code)).split()).upper().replace(",", ".")
    category, _, rest = _TO_BE_FILLED.sub("", plain).partition(".")
    is_category = len(category) == SHORTEST_CATEGORY or _EXTERNAL_CAUSE.fullmatch(category)
    return category + rest if is_category and "." not in rest else plain


def icd_codes(code: str) -> tuple[str, ...]:
    """The ICD codes of one string, as they are compared: two or more where both of a dual coding stand in it.

    FHIR R4 (icd, multiple coding) writes `C79.5+ M49.5*` for a disease and its manifestation.
    """
    parts = _MARKS.sub(" ", unicodedata.normalize("NFKC", code)).upper().split()
    if len(parts) > 1 and all(_WHOLE_CODE.fullmatch(part) for part in parts):
        return tuple(map(icd_code, parts))
    return (icd_code(code),)


def who_category(code: str) -> str:
    """The category of the WHO's ICD-10 that a code of it, or of a nation, is in; none where it does not look like one.

    `code` is in the form of `icd_code`. Four characters mean the same everywhere; what nations append does not.
    """
    match = _WHO_CODE.fullmatch(code)
    return match[1] + match[2] if match else ""


def cpt_code(code: str) -> str:
    """A CPT code without the modifiers behind it; a text of another shape as it is."""
    modified = _MODIFIED.fullmatch(code.upper())
    return modified[1] if modified else code


def is_icd_category(code: str) -> bool:
    """Whether a text can be an ICD category or code."""
    return bool(ICD_CODE.fullmatch(icd_code(code)))
