"""Read the ValueSets and code systems; what this service would not understand is refused, not passed over."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fhir.resources.R4B.valueset import ValueSet as FhirValueSet
from pydantic import ValidationError

from cds_service.content.error import ContentError
from cds_service.content.files import ContentFiles
from cds_service.content.spelling import icd_code, is_icd_category
from cds_service.content.terminology import CodeSystem, Terminology, ValueSet

# Extensions of a listed code: where it was confirmed, or why nobody has confirmed it.
CODE_SOURCE = "https://cds-service.example.org/fhir/StructureDefinition/code-source"
CODE_UNCONFIRMED = "https://cds-service.example.org/fhir/StructureDefinition/code-unconfirmed"

_NEEDED = ("id", "url", "version", "status", "title", "purpose", "copyright", "compose")


def read_terminology(files: ContentFiles) -> Terminology:
    """The value sets that rules share and those of the rule, with the code systems they are in.

    Raises:
        ContentError: a file cannot be used, there is none, or one of the rule has the id of a shared one.
    """
    systems = _code_systems(files)
    read: dict[str, ValueSet] = {}
    for file, path in files.value_sets():
        if path.stem in read:
            raise ContentError(file, "id", f"a value set '{path.stem}' is shared already; give this one its own name")
        read[path.stem] = _value_set(file, path, systems)
    if not read:
        raise ContentError("value-sets", "", "the folder holds no value set")
    return Terminology(systems, read.values())


def _code_systems(files: ContentFiles) -> tuple[CodeSystem, ...]:
    systems = tuple(
        CodeSystem(
            uri=item["uri"],
            name=item["name"],
            aliases=tuple(item["aliases"]),
            is_icd=item.get("icd", False),
            by_who_category=item.get("by_who_category", False),
            read_as=item.get("read_as", ""),
        )
        for item in files.read_shared("code-systems")["system"]
    )
    listed = {"", *(system.uri for system in systems)}
    for index, system in enumerate(systems):
        if system.read_as not in listed:
            raise ContentError("code-systems.toml", f"system.{index}.read_as", f"there is no system '{system.read_as}'")
    return systems


def _value_set(file: str, path: Path, systems: tuple[CodeSystem, ...]) -> ValueSet:
    try:
        return _parsed(file, path.stem, path.read_bytes(), systems)
    except OSError as error:
        raise ContentError(file, "", f"cannot be read: {error.strerror}") from error


# Checking one file as FHIR takes longer than all else together; a body of content is often read again with one change.
@lru_cache(maxsize=1024)
def _parsed(file: str, name: str, content: bytes, systems: tuple[CodeSystem, ...]) -> ValueSet:
    data = _as_fhir(file, content)
    for field in _NEEDED:
        if field not in data:
            raise ContentError(file, field, "is missing")
    if data["id"] != name:
        raise ContentError(file, "id", "must be the file's name without .json")
    concepts, categories, patterns = _included(file, data["compose"], systems)
    return ValueSet(
        id=data["id"],
        title=data["title"],
        purpose=data["purpose"],
        concepts=concepts,
        categories=categories,
        copyright=data["copyright"],
        sources=_extensions(data["compose"], systems, CODE_SOURCE),
        unconfirmed=_extensions(data["compose"], systems, CODE_UNCONFIRMED),
        patterns=patterns,
    )


def _extensions(compose: Mapping[str, Any], systems: tuple[CodeSystem, ...], url: str) -> Mapping[tuple[str, str], str]:
    """What the extensions with this URL say of the listed codes, by (system, code)."""
    known = _by_uri(systems)
    return {
        (known[include["system"]].uri, concept["code"]): extension["valueString"]
        for include in compose["include"]
        for concept in include.get("concept", ())
        for extension in concept.get("extension", ())
        if extension["url"] == url
    }


def _by_uri(systems: tuple[CodeSystem, ...]) -> Mapping[str, CodeSystem]:
    return {uri: system for system in systems for uri in (system.uri, *system.aliases)}


def _as_fhir(file: str, content: bytes) -> dict[str, Any]:
    """The data of a file that is a FHIR R4 ValueSet."""
    try:
        data: dict[str, Any] = json.loads(content.decode("utf-8"))
        FhirValueSet.model_validate(data)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ContentError(file, "", f"not well-formed JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ContentError(file, ".".join(map(str, first["loc"])), first["msg"]) from error
    return data


def _included(
    file: str, compose: Mapping[str, Any], systems: tuple[CodeSystem, ...]
) -> tuple[tuple[tuple[str, str, str], ...], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The codes with their displays, the ICD categories, and the patterns of codes, that a ValueSet lists."""
    if "exclude" in compose:
        raise ContentError(file, "compose.exclude", "is not understood; list what is included")
    if not compose.get("include"):
        raise ContentError(file, "compose.include", "is empty")
    known = _by_uri(systems)
    concepts: list[tuple[str, str, str]] = []
    categories: list[tuple[str, str]] = []
    patterns: list[tuple[str, str]] = []
    for index, include in enumerate(compose["include"]):
        field = f"compose.include.{index}"
        system = known.get(include.get("system", ""))
        if system is None:
            raise ContentError(file, f"{field}.system", "must be a code system of code-systems.toml")
        if not include.get("concept") and not include.get("filter"):
            raise ContentError(file, field, "must have concept or filter")
        concepts += [(system.uri, item["code"], item.get("display", "")) for item in include.get("concept", ())]
        for rule in include.get("filter", ()):
            _check_filter(file, f"{field}.filter", rule, system)
            (patterns if rule["op"] == "regex" else categories).append((system.uri, rule["value"]))
    _check_each_once(file, [(system, code) for system, code, _ in concepts], systems)
    _check_each_once(file, categories, systems)
    return tuple(concepts), tuple(categories), tuple(patterns)


def _check_each_once(file: str, listed: list[tuple[str, str]], systems: tuple[CodeSystem, ...]) -> None:
    """Refuse a code that is listed twice, in whichever spelling."""
    by_uri = {system.uri: system for system in systems}
    seen: set[tuple[str, str]] = set()
    for uri, code in listed:
        key = uri, icd_code(code) if by_uri[uri].is_icd else code.strip()
        if key in seen:
            raise ContentError(file, "compose.include", f"{by_uri[uri].name} {code} is listed twice")
        seen.add(key)


def _check_filter(file: str, field: str, rule: Mapping[str, str], system: CodeSystem) -> None:
    """Refuse a filter that is neither an ICD category nor a regular expression for the codes of another system."""
    kind = (rule["property"], rule["op"])
    if kind == ("code", "regex") and not system.is_icd:
        _check_pattern(file, field, rule["value"])
    elif kind != ("concept", "is-a") or not system.is_icd:
        raise ContentError(
            file, field, "only 'concept is-a' of an ICD category, or 'code regex' elsewhere, is understood"
        )
    elif not is_icd_category(rule["value"]):
        raise ContentError(file, field, "must be an ICD category of three characters or more")


def _check_pattern(file: str, field: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ContentError(file, field, f"not a regular expression: {error}") from error
