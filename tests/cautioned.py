"""What the service says of a patient whose criteria are met, with further resources beside: studies, cautions, card."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    Json,
    assessed,
    condition,
    day,
    decision,
    observation,
    only_card,
    patient,
    section,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
YOUNG = patient(birth="1992-05-04")

MRI, BONE_SCAN, CT = "mri-lumbar-spine", "bone-scan-whole-body", "ct-chest-abdomen-pelvis"
PLAIN_MRI, PLAIN_CT = MRI + "-without-contrast", CT + "-without-contrast"
STANDARD = (MRI, BONE_SCAN, CT)
NO_CONTRAST = (PLAIN_MRI, BONE_SCAN, PLAIN_CT)
NO_GADOLINIUM = (PLAIN_MRI, BONE_SCAN, CT)
NO_IODINE = (MRI, BONE_SCAN, PLAIN_CT)
PREGNANT = (PLAIN_MRI,)

EGFR, EGFR_UNIT = "loinc 98979-8", "mL/min/{1.73_m2}"


def beside(*resources: Json, **arguments: Any) -> Assessment:
    """The assessment of a woman of 58 with breast cancer, low back pain of 10 days and these resources."""
    return assessed(CANCER, PAIN, *resources, **arguments)


def studies(*resources: Json, **arguments: Any) -> tuple[str, ...]:
    return beside(*resources, **arguments).studies


def raised(*resources: Json, **arguments: Any) -> list[str]:
    return [item.caution.id for item in beside(*resources, **arguments).cautions]


def card_beside(*resources: Json, **arguments: Any) -> Json:
    return only_card(decision(CANCER, PAIN, *resources, **arguments))


def proposed(*resources: Json, **arguments: Any) -> str:
    return section(card_beside(*resources, **arguments), "Proposed")


def caution_section(*resources: Json, **arguments: Any) -> str:
    """The cautions in full, one a line: `- MRI and CT: sentence`."""
    return section(card_beside(*resources, **arguments), "Caution")


def not_checked(*resources: Json, **arguments: Any) -> str:
    """The one line on what was not checked, and no further line of the card."""
    return section(card_beside(*resources, **arguments), "Not checked:").split("\n", 1)[0]


def egfr(
    value: float,
    days: int = 10,
    code: str = EGFR,
    unit: str = EGFR_UNIT,
    ucum: str = "",
    comparator: str = "",
    status: str = "final",
) -> Json:
    quantity: Json = {"value": value, "unit": unit}
    quantity |= {"code": ucum, "system": "http://unitsofmeasure.org"} if ucum else {}
    quantity |= {"comparator": comparator} if comparator else {}
    return observation(code, day(days), status=status, valueQuantity=quantity)


def named(text: str, days: int, **value: Any) -> Json:
    """An observation whose code is a site's own, and which only its words name."""
    found = observation("local 4711", day(days), **value)
    found["code"]["text"] = text
    return found


def visit_diagnosis(code: str, days: int) -> Json:
    """A diagnosis of one visit, so many days ago; its status stays active, as EHRs leave it."""
    return condition(code, recorded=day(days), **OF_A_VISIT)
