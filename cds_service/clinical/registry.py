"""The rules that this service answers. A new rule is one more entry here, beside its two folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cds_service.clinical.rules.breast_cancer_back_pain.definition import BREAST_CANCER_BACK_PAIN
from cds_service.clinical.rules.rule import Rule, RuleDefinition
from cds_service.content.load import load_contents
from cds_service.content.model import Content
from cds_service.protocol.services import Service

RULES: tuple[RuleDefinition, ...] = (BREAST_CANCER_BACK_PAIN,)


def services() -> tuple[Service, ...]:
    """The CDS services of all rules."""
    return tuple(service for rule in RULES for service in rule.services)


def service_ids() -> tuple[str, ...]:
    """Their ids."""
    return tuple(service.id for service in services())


def contents(folder: Path | None = None) -> tuple[Content, ...]:
    """The content of all rules.

    Args:
        folder: what rules share, with the folders of the rules in it; None for the content that came with the service.

    Raises:
        ContentError: a file cannot be used; the error names it.
    """
    return load_contents(folder, tuple(rule.source for rule in RULES))


def rules(folder: Path | None, choices: Mapping[str, Any]) -> tuple[Rule, ...]:
    """All rules with their content and a site's settings by name.

    Raises:
        ContentError: see `contents`.
    """
    return tuple(rule.make(content, choices) for rule, content in zip(RULES, contents(folder), strict=True))
