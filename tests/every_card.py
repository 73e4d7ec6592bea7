"""The cards of all scenarios and of every kind on the page of cards, and charts of each kind of emergency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    Json,
    condition,
    day,
    decision,
    only_card,
)
from tests.cards import SECTIONS
from tests.metamorphic import decided, fixtures

WORDS = load_content().wording
CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
BONE_METASTASIS = condition("icd10cm C79.51", onset=day(400))
LUMBAR, WHOLE = "loinc 24967-2", "loinc 30855-1"
NBSP = "\N{NO-BREAK SPACE}"


def visit(code: str = "", days: int = 0, text: str = "") -> Json:
    """A diagnosis of one visit, by code or in words."""
    return condition(*([code] if code else []), recorded=day(days), text=text, **OF_A_VISIT)


def card(*resources: Json, **more: Any) -> Json:
    """The card of a patient with breast cancer and these resources, low back pain where there are none."""
    return only_card(decision(CANCER, *(resources or (PAIN,)), **more))


@cache
def all_cards() -> Mapping[str, Json]:
    """The card of every scenario that brings one, and of every kind on the page of cards, by name."""
    found = {name: decided(call).response["cards"] for name, call in fixtures().items()}
    for title, kinds in SECTIONS:
        for kind in kinds:
            found[f"{title}: {kind.title}"] = kind.answer()["cards"]
    return {name: cards[0] for name, cards in found.items() if cards}


def breaking(*, holds: Callable[[Json], bool]) -> list[str]:
    """The names of the cards that break a rule."""
    return [name for name, item in all_cards().items() if not holds(item)]


# What the chart holds beside cancer and low back pain, by the name of what makes it an emergency.
EMERGENCIES: Mapping[str, Sequence[Json]] = {
    "cauda-equina": [visit("icd10cm G83.4")],
    "cord-compression": [visit("icd10cm G95.20")],
    "sign-motor": [visit("snomed 309774006")],
    "sign-sphincter": [visit("icd10cm R33.9")],
    "sign-sensory": [visit("icd10cm R20.0")],
    "sign-gait": [visit("icd10cm R26.0")],
    "nonspecific": [visit("icd10cm R53.1"), visit("icd10cm R29.6")],
    "spinal-infection": [visit("icd10cm M46.46")],
    "fever": [visit("icd10cm R50.9", 1)],
    "pathological-fracture": [visit("icd10cm M84.58XA")],
    "metastasis-spinal-cord": [condition("snomed 94600009", onset=day(90))],
}
INFECTIONS = ("spinal-infection", "fever")
OF_THE_CORD = [name for name in EMERGENCIES if name not in INFECTIONS]
