"""Load and check the clinical content of `cards/`.

Everything is checked before the service starts: each file against its JSON Schema, each ValueSet and each
order as FHIR R4 (with `fhir.resources`), every reference from one file to another, every pattern and every
placeholder. What is wrong is named by file and field, all of it at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cds_service.content.cautions import read_cautions
from cds_service.content.cross_checks import check_every_set_is_named, check_read_by_name
from cds_service.content.error import ContentError, Problem, Problems
from cds_service.content.evidence_base import EvidenceBase, read_evidence_base
from cds_service.content.exclusions import check_exclusions
from cds_service.content.files import ContentFiles
from cds_service.content.model import Content, EvidenceStatement
from cds_service.content.orders import read_orders
from cds_service.content.overlay_files import overlay_file_problems
from cds_service.content.override_reasons import read_override_reasons
from cds_service.content.replay import read_replay
from cds_service.content.result_words import read_result_words
from cds_service.content.rule import read_rule
from cds_service.content.rule_source import RuleSource
from cds_service.content.text_patterns import read_text_patterns
from cds_service.content.value_sets import read_terminology
from cds_service.content.wording import read_wording

# In an installation the content lies inside the package, in a checkout beside it.
_PACKAGE = Path(__file__).resolve().parent.parent
DEFAULT_FOLDERS = (_PACKAGE / "cards", _PACKAGE.parent / "cards")


# What rules share; an overlay hardly ever has something of all of it.
_SHARED = ("code-systems.toml", "result-words.toml", "value-set-exclusions.toml", "value-sets")


def content_folder() -> Path:
    """The content that came with the service."""
    for folder in DEFAULT_FOLDERS:
        if (folder / "code-systems.toml").is_file():
            return folder
    raise ContentError("cards", "", "the folder with the clinical content was not found")


def is_whole_content(folder: Path) -> bool:
    """Whether a folder holds a whole content, and is no overlay: it has all that rules share, or most of it.

    One of the files may be missing, which is then told as such.
    """
    return sum((folder / name).exists() for name in _SHARED) >= len(_SHARED) - 1


def content_digest(folder: Path | None, rule: RuleSource) -> str:
    """The digest of a rule's content without overlays, whether or not it can be used.

    Args: see `load_content`.

    Raises:
        ContentError: a file cannot be read.
    """
    try:
        return ContentFiles(folder or content_folder(), rule.folder).digest()
    except OSError as error:
        raise ContentError(str(folder), "", f"cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class ContentReading:
    """What reading the content of all rules came to.

    Attributes:
        contents: of each rule, in their order; empty where there are problems.
        problems: everything that is wrong.
        notes: what somebody should know, though the content can be used.
        replaced: by file and place, what the content has where an overlay has something else; None for nothing.
    """

    contents: tuple[Content, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    replaced: Mapping[str, Any]


def load_content(folder: Path | None, rule: RuleSource) -> Content:
    """Read and check the content of the only rule, once per process.

    Args:
        folder: what rules share, with the rule's folder in it; None for the content that came with the service.
        rule: where the rule's own content lies, and what its code reads from it.

    Raises:
        ContentError: a file is missing, is not well-formed, or does not say what its schema asks for.
    """
    return load_contents(folder, (rule,))[0]


@cache
def load_contents(
    folder: Path | None, rules: tuple[RuleSource, ...], overlays: tuple[Path, ...] = ()
) -> tuple[Content, ...]:
    """Read and check the content of all rules that share a folder, once per process.

    Args:
        folder: see `load_content`.
        rules: every rule; a shared value set must be read, or known to be passed over, by one of them.
        overlays: folders that are laid over the content, each over those before it.

    Raises:
        ContentError: with all problems; see `load_content`.
    """
    reading = read_contents(folder, rules, overlays)
    if reading.problems:
        raise ContentError.of(reading.problems)
    return reading.contents


def read_contents(
    folder: Path | None, rules: tuple[RuleSource, ...], overlays: tuple[Path, ...] = ()
) -> ContentReading:
    """Read and check the content of all rules as it is now, and tell everything that is wrong with it.

    Args: see `load_contents`.
    """
    problems = Problems()
    shared = folder or content_folder()
    files = [ContentFiles(shared, rule.folder, overlays, problems) for rule in rules]
    problems.add(*overlay_file_problems(files))
    read = [(own, _read(own, rule)) for own, rule in zip(files, rules, strict=True)]
    whole = [(own, content) for own, content in read if content is not None]
    # Whether a set is named by a file that cannot be read, nobody can tell.
    if len(whole) == len(rules) and not problems.without_some:
        check_every_set_is_named(whole)
    return ContentReading(
        contents=() if problems.found else tuple(content for _, content in whole),
        problems=problems.found,
        notes=tuple(problems.notes),
        replaced={place: value for own in files for place, value in own.changes.replaced.items()},
    )


def _read(files: ContentFiles, source: RuleSource) -> Content | None:
    """The content of one rule; None where a file cannot be read at all. What is wrong is collected in `files`."""
    attempt = files.problems.attempt
    terminology = attempt(read_terminology, files)
    evidence = attempt(files.read_own, "evidence")
    result_words = attempt(read_result_words, files)
    override_reasons = attempt(read_override_reasons, files)
    source_attributes = attempt(files.read_own, "source-attributes")
    replay = attempt(read_replay, files)
    if terminology is None:
        return None
    check_read_by_name(files, source, terminology)
    orders = attempt(read_orders, files, terminology)
    wording = None if orders is None else attempt(read_wording, files, source, orders)
    rule = None if orders is None else attempt(read_rule, files, source, terminology, orders)
    text_patterns = attempt(read_text_patterns, files, source.text, terminology)
    cautions = attempt(read_cautions, files, terminology)
    evidence_base = None if evidence is None else attempt(_evidence_base, files, evidence)
    attempt(check_exclusions, files, terminology)
    if (
        evidence is None
        or evidence_base is None
        or result_words is None
        or override_reasons is None
        or replay is None
        or source_attributes is None
        or orders is None
        or wording is None
        or rule is None
        or text_patterns is None
        or cautions is None
    ):
        return None
    return Content(
        rule=rule,
        terminology=terminology,
        text_patterns=text_patterns,
        orders=orders,
        wording=wording,
        cautions=cautions,
        override_reasons=override_reasons,
        evidence=tuple(EvidenceStatement(**statement) for statement in evidence["statement"]),
        evidence_base=evidence_base,
        source_attributes=source_attributes,
        read_by_name=source.read_by_name,
        result_words=result_words,
        # Content with problems is never used; a file that cannot be read has no bytes to count.
        digest="" if files.problems.found else files.digest(),
        replay=replay,
    )


def _evidence_base(files: ContentFiles, evidence: Mapping[str, Any]) -> EvidenceBase:
    try:
        return read_evidence_base(evidence)
    except ValueError as error:
        raise ContentError(files.own("evidence"), "accuracy", str(error)) from error
