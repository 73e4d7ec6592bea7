"""Load and check the clinical content of `cards/`.

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
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
from fhir.resources.R4B.valueset import ValueSet as FhirValueSet
from pydantic import ValidationError

from cds_service.content.evidence_base import EvidenceBase, read_evidence_base
from cds_service.content.model import (
    Caution,
    Cautions,
    Content,
    EvidenceStatement,
    Guard,
    OrderDefinition,
    OverrideReason,
    Rule,
    TextConcept,
    TextPatterns,
    ThresholdReason,
)
from cds_service.content.placeholders import CAUTION_NAMES, PLACEHOLDERS
from cds_service.content.terminology import CodeSystem, Terminology, ValueSet, is_icd_category

# In an installation the content lies inside the package, in a checkout beside it.
_PACKAGE = Path(__file__).resolve().parent.parent
DEFAULT_FOLDERS = (_PACKAGE / "cards", _PACKAGE.parent / "cards")


# The folder of the rule's own content; what rules share stands beside it.
RULE_FOLDER = "breast_cancer_back_pain"

_SHARED = frozenset({"code-systems"})

# CDS Hooks: a card's summary has fewer than 140 characters.
LONGEST_SUMMARY = 139


class ContentError(Exception):
    """The content cannot be used: `file` and `field` say where, the message says what is expected."""

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field


def content_folder() -> Path:
    """The content that came with the service."""
    for folder in DEFAULT_FOLDERS:
        if (folder / f"{RULE_FOLDER}/rule.toml").is_file():
            return folder
    raise ContentError("cards", "", "the folder with the clinical content was not found")


def load_content(folder: Path | None = None) -> Content:
    """Read and check the content in `folder` (default: the one that came with the service), once per process.

    Raises:
        ContentError: a file is missing, is not well-formed, or does not say what its schema asks for.
    """
    return _load(folder or content_folder())


@cache
def _load(folder: Path) -> Content:
    terminology = _terminology(folder)
    orders = _orders(folder, terminology)
    wording = _wording(folder, orders)
    rule = _rule(folder, terminology, orders)
    reasons = _override_reasons(folder)
    return Content(
        rule=rule,
        terminology=terminology,
        text_patterns=_text_patterns(folder, terminology),
        orders=orders,
        wording=wording,
        cautions=_cautions(folder, terminology),
        override_reasons=reasons,
        evidence=tuple(EvidenceStatement(**statement) for statement in _toml(folder, "evidence")["statement"]),
        evidence_base=_evidence_base(folder),
        source_attributes=_toml(folder, "source-attributes"),
        digest=_digest(folder),
    )


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.toml"))
    yield from sorted((folder / RULE_FOLDER).glob("*.toml"))
    yield from sorted((folder / "value-sets").glob("*.json"))


def _digest(folder: Path) -> str:
    """SHA-256 over names and bytes of all content files, hexadecimal."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _toml(folder: Path, name: str) -> Any:
    file = f"{name}.toml" if name in _SHARED else f"{RULE_FOLDER}/{name}.toml"
    try:
        data = tomllib.loads((folder / file).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContentError(file, "", "the file is missing") from error
    except OSError as error:
        raise ContentError(file, "", f"cannot be read: {error.strerror}") from error
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
    known = {uri: system for system in systems for uri in (system.uri, *system.aliases)}
    return Terminology(systems, [_value_set(path, known) for path in paths])


def _value_set(path: Path, systems: Mapping[str, CodeSystem]) -> ValueSet:
    """Read one ValueSet; what this service would not understand is refused, not passed over."""
    file = f"value-sets/{path.name}"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        FhirValueSet.model_validate(data)
    except OSError as error:
        raise ContentError(file, "", f"cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ContentError(file, "", f"not well-formed JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ContentError(file, ".".join(map(str, first["loc"])), first["msg"]) from error
    for field in ("id", "url", "version", "status", "title", "purpose", "copyright", "compose"):
        if field not in data:
            raise ContentError(file, field, "is missing")
    if data["id"] != path.stem:
        raise ContentError(file, "id", "must be the file's name without .json")
    compose = data["compose"]
    if "exclude" in compose:
        raise ContentError(file, "compose.exclude", "is not understood; list what is included")
    if not compose.get("include"):
        raise ContentError(file, "compose.include", "is empty")
    concepts: list[tuple[str, str, str]] = []
    categories: list[tuple[str, str]] = []
    for index, include in enumerate(compose["include"]):
        field = f"compose.include.{index}"
        system = systems.get(include.get("system", ""))
        if system is None:
            raise ContentError(file, f"{field}.system", "must be a code system of code-systems.toml")
        if not include.get("concept") and not include.get("filter"):
            raise ContentError(file, field, "must have concept or filter")
        concepts += [(system.uri, item["code"], item.get("display", "")) for item in include.get("concept", ())]
        for rule in include.get("filter", ()):
            _check_category(file, f"{field}.filter", rule, system)
            categories.append((system.uri, rule["value"]))
    return ValueSet(data["id"], data["title"], data["purpose"], tuple(concepts), tuple(categories), data["copyright"])


def _check_category(file: str, field: str, rule: Mapping[str, str], system: CodeSystem) -> None:
    if (rule["property"], rule["op"]) != ("concept", "is-a") or not system.is_icd:
        raise ContentError(file, field, "only 'concept is-a' of an ICD category is understood")
    if not is_icd_category(rule["value"]):
        raise ContentError(file, field, "must be an ICD category of three characters or more")


def _known_sets(file: str, field: str, names: Iterator[str], terminology: Terminology) -> None:
    for name in names:
        if name not in terminology.value_sets:
            raise ContentError(file, field, f"there is no value set '{name}'")


def _orders(folder: Path, terminology: Terminology) -> Mapping[str, OrderDefinition]:
    orders = {}
    for slug, item in _toml(folder, "orders").items():
        combinations = tuple(frozenset(names) for names in item["answered_by"])
        _known_sets(
            f"{RULE_FOLDER}/orders.toml", f"{slug}.answered_by", (n for c in combinations for n in c), terminology
        )
        orders[slug] = OrderDefinition(
            slug=slug,
            name=item["name"],
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
    for field in ("released", "review_by"):
        try:
            date.fromisoformat(data[field])
        except ValueError as error:
            problem = f"'{data[field]}' is not a date of the calendar, YYYY-MM-DD"
            raise ContentError(f"{RULE_FOLDER}/rule.toml", field, problem) from error
    regions = data["mri_of_region"]
    slugs = [value for value in regions.values() if isinstance(value, str)]
    slugs += [*regions["unspecified"].values(), *data["studies"]["staging"], data["studies"]["brain"]]
    suffix = data["studies"]["without_contrast_suffix"]
    for slug in slugs:
        if slug.startswith("mri-") and slug in orders and slug + suffix not in orders:
            raise ContentError(f"{RULE_FOLDER}/orders.toml", slug + suffix, "is missing; a caution may ask for it")
        if slug not in orders:
            raise ContentError(
                f"{RULE_FOLDER}/rule.toml", "mri_of_region, studies.staging", f"there is no order '{slug}'"
            )
    _known_sets(
        f"{RULE_FOLDER}/rule.toml", "prefetch.observations", iter(data["prefetch"]["observations"]), terminology
    )
    _known_sets(f"{RULE_FOLDER}/rule.toml", "orders.relevant", iter(data["orders"]["relevant"]), terminology)
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
        brain=data["studies"]["brain"],
        without_contrast_suffix=data["studies"]["without_contrast_suffix"],
        relevant_orders=frozenset(data["orders"]["relevant"]),
        purpose=data["purpose"],
        threshold_reasons={
            name: ThresholdReason(item["why"], item["source"]) for name, item in data["threshold"].items()
        },
    )


def _cautions(folder: Path, terminology: Terminology) -> Cautions:
    file = f"{RULE_FOLDER}/cautions.toml"
    data = _toml(folder, "cautions")
    coded = {concept["id"] for concept in _toml(folder, "text-patterns")["concept"] if concept.get("text_only")}
    cautions = []
    for item in data["caution"]:
        field = f"caution.{item['id']}"
        for key in ("sets", "newest_of", "unless_later", "taken_back"):
            _known_sets(file, f"{field}.{key}", (n for n in item.get(key, ()) if n not in coded), terminology)
        _check_placeholders(file, f"{field}.sentence", item["sentence"], CAUTION_NAMES)
        cautions.append(
            Caution(
                id=item["id"],
                name=item["name"],
                found_in=item["found_in"],
                sentence=item["sentence"],
                concerns=tuple(item["concerns"]),
                sets=frozenset(item.get("sets", ())),
                without_contrast=frozenset(item.get("without_contrast", ())),
                withdraws=frozenset(item.get("withdraws", ())),
                not_for_gender=item.get("not_for_gender", ""),
                within_days=item.get("within_days"),
                newest_of=tuple(item.get("newest_of", ())),
                unless_later=frozenset(item.get("unless_later", ())),
                taken_back=frozenset(item.get("taken_back", item.get("sets", ()))),
                egfr_from=item.get("egfr_from", 0),
                egfr_below=item.get("egfr_below", 0),
                group=item.get("group", ""),
            )
        )
    tests = {item["observation"]: (item["positive"], item["negative"]) for item in data["test"]}
    names = [data["egfr"]["tests"], *tests, *(name for pair in tests.values() for name in pair)]
    _known_sets(file, "test, egfr", iter(names), terminology)
    return Cautions(tuple(cautions), data["egfr"]["tests"], data["egfr"]["recent_days"], tests)


def _override_reasons(folder: Path) -> tuple[OverrideReason, ...]:
    data = _toml(folder, "override-reasons")
    codes = [reason["code"] for reason in data["reason"]]
    for code in codes:
        if codes.count(code) > 1:
            raise ContentError(f"{RULE_FOLDER}/override-reasons.toml", "reason.code", f"'{code}' stands there twice")
    return tuple(_override_reason(reason, data["system"]) for reason in data["reason"])


def _override_reason(reason: dict[str, Any], system: str) -> OverrideReason:
    days = reason.get("days")
    return OverrideReason(
        code=reason["code"],
        display=reason["display"],
        system=system,
        only_for=reason.get("only_for", ""),
        days=days if isinstance(days, int) else None,
        keeps_away=days is not None,
        why_days=reason.get("why_days", ""),
        back_with=frozenset(reason.get("back_with", ("pain",))),
    )


def _evidence_base(folder: Path) -> EvidenceBase:
    try:
        return read_evidence_base(_toml(folder, "evidence"))
    except ValueError as error:
        raise ContentError(f"{RULE_FOLDER}/evidence.toml", "accuracy", str(error)) from error


def _text_patterns(folder: Path, terminology: Terminology) -> TextPatterns:
    file = f"{RULE_FOLDER}/text-patterns.toml"
    data = _toml(folder, "text-patterns")
    coded = (item["id"] for item in data["concept"] if not item.get("text_only"))
    _known_sets(file, "concept.id", coded, terminology)
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


def _wording(folder: Path, orders: Mapping[str, OrderDefinition]) -> Mapping[str, Mapping[str, str]]:
    file = f"{RULE_FOLDER}/wording.toml"
    wording: Mapping[str, Mapping[str, str]] = _toml(folder, "wording")
    for section, sentences in PLACEHOLDERS.items():
        for name, allowed in sentences.items():
            sentence = wording.get(section, {}).get(name)
            if sentence is None:
                raise ContentError(file, f"{section}.{name}", "is missing")
            _check_placeholders(file, f"{section}.{name}", sentence, allowed)
    _check_summaries(file, wording, orders)
    return wording


def _check_summaries(
    file: str, wording: Mapping[str, Mapping[str, str]], orders: Mapping[str, OrderDefinition]
) -> None:
    """Refuse a summary that could grow beyond what CDS Hooks allows, with any pain and any study in it."""
    pains = [*wording["pain"].values(), *wording["pain_undated"].values()]
    titles = [order.title for order in orders.values()]
    # The longest list of what may be left to do beside the spine MRI.
    modalities = "bone scan, CT and brain MRI"
    state = max(wording["state_short"].values(), key=len)
    for name, sentence in wording["summary"].items():
        filled = (
            sentence.format(pain=pain, study=title, modalities=modalities, state=state)
            for pain in pains
            for title in titles
        )
        longest = max(map(len, filled))
        if longest > LONGEST_SUMMARY:
            problem = f"can grow to {longest} characters with its names filled in; {LONGEST_SUMMARY} are allowed"
            raise ContentError(file, f"summary.{name}", problem)


def _check_placeholders(file: str, field: str, sentence: str, allowed: frozenset[str]) -> None:
    try:
        parsed = [item for item in string.Formatter().parse(sentence) if item[1] is not None]
    except ValueError as error:
        raise ContentError(file, field, f"braces do not match: {error}") from error
    for _, name, specification, conversion in parsed:
        if specification or conversion:
            raise ContentError(file, field, f"a name in braces takes no format: write {{{name}}}")
        if name in allowed:
            continue
        known = ", ".join(sorted(f"{{{item}}}" for item in allowed)) or "no names in braces"
        raise ContentError(file, field, f"{{{name}}} is not known here; it may use {known}")
