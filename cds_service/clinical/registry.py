"""The rules that this service answers. A new rule is one more entry here, beside its two folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cds_service.clinical.rules.breast_cancer_back_pain.definition import BREAST_CANCER_BACK_PAIN
from cds_service.clinical.rules.rule import Rule, RuleDefinition
from cds_service.content.load import ContentReading, content_digest, is_whole_content, load_contents, read_contents
from cds_service.content.model import Content
from cds_service.content.rule_source import RuleSource
from cds_service.protocol.services import Service

RULES: tuple[RuleDefinition, ...] = (BREAST_CANCER_BACK_PAIN,)


def services() -> tuple[Service, ...]:
    """The CDS services of all rules."""
    return tuple(service for rule in RULES for service in rule.services)


def service_ids() -> tuple[str, ...]:
    """Their ids."""
    return tuple(service.id for service in services())


def contents(folder: Path | None = None, overlays: tuple[Path, ...] = ()) -> tuple[Content, ...]:
    """The content of all rules, read once per process.

    Args:
        folder: what rules share, with the folders of the rules in it; None for the content that came with the service.
        overlays: folders that are laid over the content, each over those before it.

    Raises:
        ContentError: files cannot be used; the error names them.
    """
    return load_contents(folder, _sources(), overlays)


def read(folder: Path | None = None, overlays: tuple[Path, ...] = ()) -> ContentReading:
    """The content of all rules as it is now, with everything that is wrong with it; see `contents`."""
    return read_contents(folder, _sources(), overlays)


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a whole content, with what rules share, and is no overlay."""
    return is_whole_content(folder)


def digests(folder: Path | None = None) -> list[str]:
    """The digest of the content of each rule without overlays; see `contents`. Raises ContentError."""
    return [content_digest(folder, source) for source in _sources()]


def rules(contents: Sequence[Content], choices: Mapping[str, Any]) -> tuple[Rule, ...]:
    """All rules with their content and a site's settings by name."""
    return tuple(rule.make(content, choices) for rule, content in zip(RULES, contents, strict=True))


def _sources() -> tuple[RuleSource, ...]:
    return tuple(rule.source for rule in RULES)
