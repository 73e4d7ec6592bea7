"""The rules that this service answers."""

from __future__ import annotations

from cds_service.clinical.rules.breast_cancer_back_pain.definition import BREAST_CANCER_BACK_PAIN
from cds_service.clinical.rules.rule import RuleDefinition
from cds_service.protocol.services import Service

RULES: tuple[RuleDefinition, ...] = (BREAST_CANCER_BACK_PAIN,)


def services() -> tuple[Service, ...]:
    """The CDS services of all rules."""
    return tuple(service for rule in RULES for service in rule.services)


def service_ids() -> tuple[str, ...]:
    """Their ids."""
    return tuple(service.id for service in services())
