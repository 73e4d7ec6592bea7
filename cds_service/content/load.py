"""Read `cards/` from disk, check it, and hand it over as `Content`.

Everything is checked before the service starts: each file against its JSON Schema, each ValueSet and each
order as FHIR R4 (with `fhir.resources`), every reference from one file to another, every pattern and every
placeholder. What is wrong is named by file and field.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
from fhir.resources.R4B.valueset import ValueSet as FhirValueSet
from pydantic import ValidationError

from cds_service.content.model import Content, Guard, OrderDefinition, Rule, Statement, TextConcept, TextPatterns
from cds_service.content.placeholders import PLACEHOLDERS
from cds_service.content.terminology import CodeSystem, Terminology, ValueSet

# In an installation the content lies inside the package, in a checkout beside it.
_PACKAGE = Path(__file__).resolve().parent.parent
DEFAULT_FOLDERS = (_PACKAGE / "cards", _PACKAGE.parent / "cards")


class ContentError(Exception):
    """The content cannot be used: `file` and `field` say where, the message says what is expected."""

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field


def content_folder() -> Path:
    """The content that came with the service."""
    for folder in DEFAULT_FOLDERS:
        if (folder / "rule.toml").is_file():
            return folder
    raise ContentError("cards", "", "the folder with the clinical content was not found")


@cache
def load_content(folder: Path | None = None) -> Content:
    """Read and check the content in `folder` (default: the one that came with the service).

    Raises:
        ContentError: a file is missing, is not well-formed, or does not say what its schema asks for.
    """
    folder = folder or content_folder()
    terminology = _terminology(folder)
    orders = _orders(folder, terminology)
    rule = _rule(folder, terminology, orders)
    reasons = _toml(folder, "override-reasons")
    return Content(
        rule=rule,
        terminology=terminology,
        text_patterns=_text_patterns(folder, terminology),
        orders=orders,
        wording=_wording(folder),
        override_reasons=tuple({**reason, "system": reasons["system"]} for reason in reasons["reason"]),
        evidence=tuple(Statement(**statement) for statement in _toml(folder, "evidence")["statement"]),
        source_attributes=_toml(folder, "source-attributes"),
        digest=_digest(folder),
    )


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.toml"))
    yield from sorted((folder / "value-sets").glob("*.json"))


def _digest(folder: Path) -> str:
    """SHA-256 over names and bytes of all content files, hexadecimal."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _toml(folder: Path, name: str) -> Any:
    file = f"{name}.toml"
    try:
        data = tomllib.loads((folder / file).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContentError(file, "", "the file is missing") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContentError(file, "", f"not well-formed TOML: {error}") from error
    schema = json.loads(resources.files("cds_service.content").joinpath(f"schemas/{name}.json").read_text())
    for problem in jsonschema.Draft202012Validator(schema).iter_errors(data):
        raise ContentError(file, ".".join(map(str, problem.absolute_path)), problem.message)
    return data


def _terminology(folder: Path) -> Terminology:
    systems = [
        CodeSystem(item["uri"], item["name"], tuple(item["aliases"]), item.get("icd", False))
        for item in _toml(folder, "code-systems")["system"]
    ]
    paths = sorted((folder / "value-sets").glob("*.json"))
    if not paths:
        raise ContentError("value-sets", "", "the folder holds no value set")
    return Terminology(systems, [_value_set(path) for path in paths])


def _value_set(path: Path) -> ValueSet:
    file = f"value-sets/{path.name}"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        FhirValueSet.model_validate(data)
    except json.JSONDecodeError as error:
        raise ContentError(file, "", f"not well-formed JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ContentError(file, ".".join(map(str, first["loc"])), first["msg"]) from error
    for field in ("id", "url", "version", "status", "title", "purpose", "copyright", "compose"):
        if field not in data:
            raise ContentError(file, field, "is missing")
    if data["id"] != path.stem:
        raise ContentError(file, "id", "must be the file's name without .json")
    concepts: list[tuple[str, str, str]] = []
    categories: list[tuple[str, str]] = []
    for index, include in enumerate(data["compose"]["include"]):
        system = include.get("system")
        if not system:
            raise ContentError(file, f"compose.include.{index}.system", "is missing")
        concepts += [(system, item["code"], item.get("display", "")) for item in include.get("concept", ())]
        for rule in include.get("filter", ()):
            if (rule["property"], rule["op"]) != ("concept", "is-a"):
                raise ContentError(file, f"compose.include.{index}.filter", "only 'concept is-a' is understood")
            categories.append((system, rule["value"]))
    return ValueSet(data["id"], data["title"], data["purpose"], tuple(concepts), tuple(categories))


def _known_sets(file: str, field: str, names: Iterator[str], terminology: Terminology) -> None:
    for name in names:
        if name not in terminology.value_sets:
            raise ContentError(file, field, f"there is no value set '{name}'")


def _orders(folder: Path, terminology: Terminology) -> Mapping[str, OrderDefinition]:
    orders = {}
    for slug, item in _toml(folder, "orders").items():
        combinations = tuple(frozenset(names) for names in item["answered_by"])
        _known_sets("orders.toml", f"{slug}.answered_by", (n for c in combinations for n in c), terminology)
        orders[slug] = OrderDefinition(
            slug=slug,
            label=item["label"],
            title=item["title"],
            modality=item["modality"],
            codings=tuple(item["codings"]),
            body_site=item.get("body_site"),
            answered_by=combinations,
        )
    return orders


def _rule(folder: Path, terminology: Terminology, orders: Mapping[str, OrderDefinition]) -> Rule:
    data = _toml(folder, "rule")
    regions = data["mri_of_region"]
    slugs = [value for value in regions.values() if isinstance(value, str)]
    slugs += [*regions["unspecified"].values(), *data["studies"]["staging"]]
    for slug in slugs:
        if slug not in orders:
            raise ContentError("rule.toml", "mri_of_region, studies.staging", f"there is no order '{slug}'")
    _known_sets("rule.toml", "prefetch.observations", iter(data["prefetch"]["observations"]), terminology)
    _known_sets("rule.toml", "orders.relevant", iter(data["orders"]["relevant"]), terminology)
    return Rule(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        owner=data["owner"],
        released=data["released"],
        review_by=data["review_by"],
        source=data["source"],
        thresholds={name: item["value"] for name, item in data["threshold"].items()},
        prefetch_observations=tuple(data["prefetch"]["observations"]),
        mri_of_region=regions,
        staging=tuple(data["studies"]["staging"]),
        without_contrast_suffix=data["studies"]["without_contrast_suffix"],
        relevant_orders=frozenset(data["orders"]["relevant"]),
    )


def _text_patterns(folder: Path, terminology: Terminology) -> TextPatterns:
    file = "text-patterns.toml"
    data = _toml(folder, "text-patterns")
    _known_sets(file, "concept.id", (item["id"] for item in data["concept"]), terminology)
    for group in (*data["guard"].values(), *data["flag"].values(), *data["concept"]):
        for pattern in group["patterns"]:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ContentError(file, pattern, f"not a regular expression: {error}") from error
    for item in data["concept"]:
        for guard in item["guards"]:
            if guard not in data["guard"]:
                raise ContentError(file, f"{item['id']}.guards", f"there is no guard '{guard}'")
    return TextPatterns(
        guards={name: Guard(item["scope"], tuple(item["patterns"])) for name, item in data["guard"].items()},
        flags={name: tuple(item["patterns"]) for name, item in data["flag"].items()},
        concepts=tuple(
            TextConcept(item["id"], tuple(item["patterns"]), tuple(item["guards"])) for item in data["concept"]
        ),
    )


def _wording(folder: Path) -> Mapping[str, Mapping[str, str]]:
    file = "wording.toml"
    wording: Mapping[str, Mapping[str, str]] = _toml(folder, "wording")
    for section, sentences in PLACEHOLDERS.items():
        for name, allowed in sentences.items():
            sentence = wording.get(section, {}).get(name)
            if sentence is None:
                raise ContentError(file, f"{section}.{name}", "is missing")
            _check_placeholders(file, f"{section}.{name}", sentence, allowed)
    return wording


def _check_placeholders(file: str, field: str, sentence: str, allowed: frozenset[str]) -> None:
    try:
        used = {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}
    except ValueError as error:
        raise ContentError(file, field, f"braces do not match: {error}") from error
    for name in used - allowed:
        known = ", ".join(sorted(f"{{{item}}}" for item in allowed)) or "no names in braces"
        raise ContentError(file, field, f"{{{name}}} is not known here; it may use {known}")
