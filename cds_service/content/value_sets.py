"""Read the ValueSets and code systems; what this service would not understand is refused, not passed over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fhir.resources.R4B.valueset import ValueSet as FhirValueSet
from pydantic import ValidationError

from cds_service.content.error import ContentError
from cds_service.content.files import VALUE_SETS, ContentFiles
from cds_service.content.spelling import icd_code, is_icd_category
from cds_service.content.terminology import CodeSystem, Terminology, ValueSet
from cds_service.did_you_mean import did_you_mean

# Extensions of a listed code: where it was confirmed, or why nobody has confirmed it.
CODE_SOURCE = "https://cds-service.example.org/fhir/StructureDefinition/code-source"
CODE_UNCONFIRMED = "https://cds-service.example.org/fhir/StructureDefinition/code-unconfirmed"

_NEEDED = ("id", "url", "version", "status", "title", "purpose", "copyright", "compose")


def read_terminology(files: ContentFiles) -> Terminology:
    """The value sets that rules share and those of the rule, with the code systems they are in.

    Raises:
        ContentError: the code systems cannot be used, or there is no value set. Collected in `files`: a value set that
            cannot be used, or one of the rule that has the id of a shared one.
    """
    systems = _code_systems(files)
    read: dict[str, ValueSet] = {}
    for file, path in files.value_sets():
        if path.stem in read:
            files.refuse(file, "id", f"a value set '{path.stem}' is shared already; give this one its own name")
        elif value_set := _value_set(files, file, path, systems):
            read[path.stem] = value_set
        else:
            files.problems.unusable_sets.add(path.stem)
    if not read and not files.problems.unusable_sets:
        raise ContentError(VALUE_SETS, "", "the folder holds no value set")
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
            like = did_you_mean(system.read_as, listed - {""})
            files.refuse("code-systems.toml", f"system.{index}.read_as", f"there is no system '{system.read_as}'{like}")
    return systems


def _value_set(files: ContentFiles, file: str, path: Path, systems: tuple[CodeSystem, ...]) -> ValueSet | None:
    """The value set of a file; None for one that cannot be used, and is refused."""
    content = files.problems.attempt(files.read_value_set, file, path)
    if content is None:
        return None
    value_set, problems = _parsed(path.stem, content, systems)
    for field, text in problems:
        files.refuse(file, field, text)
    return value_set


# What is wrong with a value set: the field, and what is wanted.
_Faults = list[tuple[str, str]]


# Checking one file as FHIR takes longer than all else together; a body of content is often read again with one change.
@lru_cache(maxsize=1024)
def _parsed(
    name: str, content: bytes, systems: tuple[CodeSystem, ...]
) -> tuple[ValueSet | None, tuple[tuple[str, str], ...]]:
    """The value set of a file called `name`, None where it has too little of one, and what is wrong with it."""
    data, faults = _as_fhir(content)
    if data is None:
        return None, tuple(faults)
    faults += [(field, "is missing") for field in _NEEDED if field not in data]
    if data.get("id", name) != name:
        faults.append(("id", "must be the file's name without .json"))
    if any(field not in data for field in _NEEDED):
        return None, tuple(faults)
    concepts, categories, patterns = _included(data["compose"], systems, faults)
    value_set = ValueSet(
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
    return value_set, tuple(faults)


def _extensions(compose: Mapping[str, Any], systems: tuple[CodeSystem, ...], url: str) -> Mapping[tuple[str, str], str]:
    """What the extensions with this URL say of the listed codes, by (system, code)."""
    known = _by_uri(systems)
    return {
        (known[include["system"]].uri, concept["code"]): extension["valueString"]
        for include in compose.get("include", ())
        if include.get("system") in known
        for concept in include.get("concept", ())
        for extension in concept.get("extension", ())
        if extension["url"] == url
    }


def _by_uri(systems: tuple[CodeSystem, ...]) -> Mapping[str, CodeSystem]:
    return {uri: system for system in systems for uri in (system.uri, *system.aliases)}


def _as_fhir(content: bytes) -> tuple[dict[str, Any] | None, _Faults]:
    """The data of a file that is a FHIR R4 ValueSet, or why it is none."""
    try:
        data: dict[str, Any] = json.loads(content.decode("utf-8"))
        FhirValueSet.model_validate(data)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return None, [("", f"not well-formed JSON: {error}")]
    except ValidationError as error:
        return None, [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
    return data, []


def _included(
    compose: Mapping[str, Any], systems: tuple[CodeSystem, ...], faults: _Faults
) -> tuple[tuple[tuple[str, str, str], ...], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The codes with their displays, the ICD categories, and the patterns of codes, that a ValueSet lists."""
    if "exclude" in compose:
        faults.append(("compose.exclude", "is not understood; list what is included"))
    if not compose.get("include"):
        faults.append(("compose.include", "is empty"))
    known = _by_uri(systems)
    concepts: list[tuple[str, str, str]] = []
    categories: list[tuple[str, str]] = []
    patterns: list[tuple[str, str]] = []
    for index, include in enumerate(compose.get("include", ())):
        field = f"compose.include.{index}"
        system = known.get(include.get("system", ""))
        if system is None:
            like = did_you_mean(include.get("system", ""), known)
            faults.append((f"{field}.system", f"must be a code system of code-systems.toml{like}"))
            continue
        if not include.get("concept") and not include.get("filter"):
            faults.append((field, "must have concept or filter"))
        concepts += [(system.uri, item["code"], item.get("display", "")) for item in include.get("concept", ())]
        for rule in include.get("filter", ()):
            if problem := _filter_problem(rule, system):
                faults.append((f"{field}.filter", problem))
                continue
            (patterns if rule["op"] == "regex" else categories).append((system.uri, rule["value"]))
    faults += _listed_twice([(system, code) for system, code, _ in concepts], systems)
    faults += _listed_twice(categories, systems)
    return tuple(concepts), tuple(categories), tuple(patterns)


def _listed_twice(listed: list[tuple[str, str]], systems: tuple[CodeSystem, ...]) -> Iterator[tuple[str, str]]:
    """Each code that is listed twice, in whichever spelling."""
    by_uri = {system.uri: system for system in systems}
    seen: set[tuple[str, str]] = set()
    for uri, code in listed:
        key = uri, icd_code(code) if by_uri[uri].is_icd else code.strip()
        if key in seen:
            yield "compose.include", f"{by_uri[uri].name} {code} is listed twice"
        seen.add(key)


def _filter_problem(rule: Mapping[str, str], system: CodeSystem) -> str:
    """Why a filter is neither an ICD category nor a regular expression for the codes of another system; else empty."""
    kind = (rule["property"], rule["op"])
    if kind == ("code", "regex") and not system.is_icd:
        return _pattern_problem(rule["value"])
    if kind != ("concept", "is-a") or not system.is_icd:
        return "only 'concept is-a' of an ICD category, or 'code regex' elsewhere, is understood"
    return "" if is_icd_category(rule["value"]) else "must be an ICD category of three characters or more"


def _pattern_problem(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return f"not a regular expression: {error}"
    return ""
