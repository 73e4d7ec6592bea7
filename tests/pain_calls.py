"""Calls about a patient with breast cancer, of whom the tests ask whether back pain is new."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    Json,
    assessment,
    condition,
    day,
)

LOW_BACK_PAIN_SNOMED = "snomed 279039007"
CHRONIC_LOW_BACK_PAIN = "snomed 278860009"
CHRONIC_NECK_PAIN = "snomed 1121000119107"
CHRONIC_BACK_PAIN = "snomed 134407002"
CHRONIC_PAIN = "snomed 82423001"
CHEST = "snomed 51185008"

CANCER = condition(BREAST_CANCER, onset=day(3000))


def assessment_of(*resources: Json, **arguments: Any) -> Assessment:
    """The assessment of a patient with breast cancer and these resources."""
    return assessment(CANCER, *resources, **arguments)


def is_new(*resources: Json, **arguments: Any) -> bool:
    """Whether these resources are new back pain, so that the card is shown."""
    found = assessment_of(*resources, **arguments)
    assert found.outcome in (Outcome.FIRED, Outcome.NOT_APPLICABLE)
    if found.outcome is Outcome.NOT_APPLICABLE:
        assert found.reason in (Reason.NO_BACK_PAIN, Reason.PAIN_NOT_NEW)
    return found.outcome is Outcome.FIRED


def low_back_pain(days_ago: int, **elements: Any) -> Json:
    return condition(LOW_BACK_PAIN, onset=day(days_ago), **elements)
