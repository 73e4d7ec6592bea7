"""Load and check the clinical content of `cards/`.

Everything is checked before the service starts: each file against its JSON Schema, each ValueSet and each
order as FHIR R4 (with `fhir.resources`), every reference from one file to another, every pattern and every
placeholder. What is wrong is named by file and field.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cds_service.content.cautions import read_cautions
from cds_service.content.cross_checks import check_every_set_is_named, check_read_by_name
from cds_service.content.error import ContentError
from cds_service.content.evidence_base import EvidenceBase, read_evidence_base
from cds_service.content.exclusions import check_exclusions
from cds_service.content.files import ContentFiles
from cds_service.content.model import Content, EvidenceStatement
from cds_service.content.orders import read_orders
from cds_service.content.override_reasons import read_override_reasons
from cds_service.content.result_words import read_result_words
from cds_service.content.rule import read_rule
from cds_service.content.rule_source import RuleSource
from cds_service.content.text_patterns import read_text_patterns
from cds_service.content.value_sets import read_terminology
from cds_service.content.wording import read_wording

# In an installation the content lies inside the package, in a checkout beside it.
_PACKAGE = Path(__file__).resolve().parent.parent
DEFAULT_FOLDERS = (_PACKAGE / "cards", _PACKAGE.parent / "cards")


def content_folder() -> Path:
    """The content that came with the service."""
    for folder in DEFAULT_FOLDERS:
        if (folder / "code-systems.toml").is_file():
            return folder
    raise ContentError("cards", "", "the folder with the clinical content was not found")


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
def load_contents(folder: Path | None, rules: tuple[RuleSource, ...]) -> tuple[Content, ...]:
    """Read and check the content of all rules that share a folder, once per process.

    Args:
        folder: see `load_content`.
        rules: every rule; a shared value set must be read, or known to be passed over, by one of them.

    Raises:
        ContentError: see `load_content`.
    """
    shared = folder or content_folder()
    contents = tuple(_load(shared, rule) for rule in rules)
    check_every_set_is_named(shared, tuple(zip(rules, contents, strict=True)))
    return contents


@cache
def _load(folder: Path, source: RuleSource) -> Content:
    files = ContentFiles(folder, source.folder)
    terminology = read_terminology(files)
    check_read_by_name(files, source, terminology)
    orders = read_orders(files, terminology)
    wording = read_wording(files, source, orders)
    rule = read_rule(files, source, terminology, orders)
    content = Content(
        rule=rule,
        terminology=terminology,
        text_patterns=read_text_patterns(files, source.text, terminology),
        orders=orders,
        wording=wording,
        cautions=read_cautions(files, terminology),
        override_reasons=read_override_reasons(files),
        evidence=tuple(EvidenceStatement(**statement) for statement in files.read_own("evidence")["statement"]),
        evidence_base=_evidence_base(files),
        source_attributes=files.read_own("source-attributes"),
        read_by_name=source.read_by_name,
        result_words=read_result_words(files),
        digest=files.digest(),
    )
    check_exclusions(files, terminology)
    return content


def _evidence_base(files: ContentFiles) -> EvidenceBase:
    try:
        return read_evidence_base(files.read_own("evidence"))
    except ValueError as error:
        raise ContentError(files.own("evidence"), "accuracy", str(error)) from error
