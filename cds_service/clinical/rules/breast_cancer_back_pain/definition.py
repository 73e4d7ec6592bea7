"""The definition of this rule for the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.clinical.rules.breast_cancer_back_pain.content import SOURCE
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.clinical.rules.breast_cancer_back_pain.rule import BreastCancerBackPain
from cds_service.clinical.rules.breast_cancer_back_pain.services import SERVICES
from cds_service.clinical.rules.rule import RuleDefinition
from cds_service.content.model import Content


def _make(content: Content, choices: Mapping[str, Any]) -> BreastCancerBackPain:
    return BreastCancerBackPain(content, RuleOptions.of(content, choices))


BREAST_CANCER_BACK_PAIN = RuleDefinition(source=SOURCE, services=SERVICES, reasons=frozenset(Reason), make=_make)
