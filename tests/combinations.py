"""Patients who combine the facts that change a card, and what the service answers to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from cds_service.clinical.rules.assessment import Outcome
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    PATIENT_ID,
    SERVICES,
    Json,
    concept,
    condition,
    day,
    observation,
    patient,
    reference,
)

LONGEST_DETAIL = 1_200

NO = "no"
YES = "yes"


def other(resource_type: str, **elements: object) -> Json:
    """A resource for which there is no builder of its own."""
    return {"resourceType": resource_type, "subject": reference("Patient", PATIENT_ID)} | elements


def report(identity: str, loinc: str, days_ago: int) -> Json:
    return other(
        "DiagnosticReport",
        id=identity,
        status="final",
        code=concept(f"loinc {loinc}"),
        effectiveDateTime=day(days_ago),
    )


def egfr(value: float, days_ago: int = 10) -> Json:
    quantity = {"value": value, "unit": "mL/min/{1.73_m2}"}
    return observation("loinc 98979-8", day(days_ago), valueQuantity=quantity)


def allergy(code: str = "", text: str = "") -> Json:
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"allergy-{code.replace(' ', '-') or len(text)}",
        "patient": reference("Patient", PATIENT_ID),
        "code": concept(*([code] if code else []), text=text),
    }


HISTORY = (condition(BREAST_CANCER, onset=day(2000)), condition(LOW_BACK_PAIN, onset=day(10)))

PREGNANT: dict[str, tuple[Json, ...]] = {NO: (), YES: (condition("icd10cm Z33.1", onset=day(60)),)}
ALIVE = patient("1988-05-04")


def orders_of(cards: Sequence[Json]) -> list[Json]:
    actions = [
        action for card in cards for suggestion in card.get("suggestions", ()) for action in suggestion["actions"]
    ]
    return [action["resource"] for action in actions if action["type"] == "create"]


def loinc_of(order: Json) -> str:
    """The LOINC code of an order; there is exactly one."""
    (code,) = [item["code"] for item in order["code"]["coding"] if item["system"] == "http://loinc.org"]
    return str(code)


@cache
def service() -> DecisionSupport:
    return DecisionSupport()


def answer(document: Json) -> tuple[Outcome, str, Json]:
    decision = service().decide(HookCall(SERVICES[f"breast-cancer-back-pain-{document['hook']}"], NOW), document)
    return decision.assessment.outcome, decision.assessment.reason, dict(decision.response_or_error())


def longest(cards: Iterable[tuple[object, Json]]) -> tuple[object, Json]:
    """The card with the longest detail, and of whom it speaks."""
    return max(cards, key=lambda pair: len(beside_quotes(pair[1]["detail"])))


def beside_quotes(detail: str) -> str:
    """The detail without the section that quotes studies, which has a length of its own."""
    return "\n\n".join(part for part in detail.split("\n\n") if not part.startswith("**Recent imaging**"))


STUDIES = {
    "24937-5": ("spine MRI", "cervical", True),
    "30667-0": ("spine MRI", "cervical", False),
    "24981-3": ("spine MRI", "thoracic", True),
    "36532-0": ("spine MRI", "thoracic", False),
    "24967-2": ("spine MRI", "lumbar", True),
    "30679-5": ("spine MRI", "lumbar", False),
    "30855-1": ("spine MRI", "whole", True),
    "30854-4": ("spine MRI", "whole", False),
    "39818-0": ("bone scan", "whole body", False),
    "72254-6": ("CT", "chest, abdomen, pelvis", True),
    "72253-8": ("CT", "chest, abdomen, pelvis", False),
    "24587-8": ("brain MRI", "brain", True),
    "30657-1": ("brain MRI", "brain", False),
}

# What is in hand: kind of study and region.
LUMBAR_MRI, WHOLE_SPINE_MRI = ("spine MRI", "lumbar"), ("spine MRI", "whole")
BONE_SCAN, CT = ("bone scan", "whole body"), ("CT", "chest, abdomen, pelvis")


# Whole words: "unlikely" in the card about children is not a promise.
PROMISES = re.compile(r"\blikely\b|\ball clear\b|\bno risk\b|\bnothing found\b", re.IGNORECASE)
HTML = re.compile(r"<[A-Za-z/!?]|&(lt|gt|#)|javascript:", re.IGNORECASE)
