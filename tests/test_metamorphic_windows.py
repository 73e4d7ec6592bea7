"""What changes with one day more, past each window, and that nothing else of the card does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.decision.support import Decision
from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    Json,
    concept,
    condition,
    day,
    decision,
    encounter,
    observation,
    study,
)
from tests.metamorphic import answer_of, lines, listed, visit

WEAKNESS, FEVER, HEADACHE, KIDNEY_INJURY = "snomed 309774006", "icd10cm R50.9", "icd10cm R51.9", "icd10cm N17.9"
INJECTION = "Lumbar epidural steroid injection"

STAGING = ("bone-scan-whole-body", "ct-chest-abdomen-pelvis")
LUMBAR, LUMBAR_PLAIN = "mri-lumbar-spine", "mri-lumbar-spine-without-contrast"
WHOLE = "mri-whole-spine"

CANCER = condition(BREAST_CANCER, onset=day(3000))


# --- Charts


def pain(days: int) -> Json:
    """Low back pain whose onset was so many days ago."""
    return listed(LOW_BACK_PAIN, onset=day(days))


def egfr(value: int, days: int) -> Json:
    return observation("loinc 98979-8", day(days), valueQuantity={"value": value, "unit": "mL/min/{1.73_m2}"})


def mri_order(days: int, due: int | None = None, loinc: str = "24967-2") -> Json:
    """An open order of an MRI, written so many days ago, due in `due` days."""
    when = {} if due is None else {"occurrenceDateTime": day(-due)}
    return study("ServiceRequest", f"loinc {loinc}", when=day(days), status="active", **when)


def report(loinc: str, days: int) -> Json:
    return study("DiagnosticReport", f"loinc {loinc}", when=day(days))


def injection(days: int) -> Json:
    return study("Procedure", text=INJECTION, when=day(days))


def planned(days_ahead: int) -> Json:
    return encounter(concept(LOW_BACK_PAIN), when=day(-days_ahead), status="planned")


def worse(days: int) -> Json:
    return listed(LOW_BACK_PAIN, text="Low back pain, getting worse", onset=day(days))


# --- Windows that decide whether there is a card


@dataclass(frozen=True)
class Silence:
    """One more day, and there is a card or there is none.

    Attributes:
        chart: what the chart holds beside the cancer, of a number of days.
        last: the last number of days inside the window.
        comes_inside: the card comes inside the window, else past it.
        reason: why there is none.
    """

    chart: Callable[[int], list[Json]]
    last: int
    comes_inside: bool = True
    reason: Reason = Reason.PAIN_NOT_NEW


SILENCES: Mapping[str, Silence] = {
    "pain is new for 84 days": Silence(lambda days: [pain(days)], 84),
    "a visit for pain is new for 84 days": Silence(lambda days: visit(LOW_BACK_PAIN, day(days)), 84),
    "180 days before the pain are clean": Silence(
        lambda days: [pain(30), *visit(LOW_BACK_PAIN, day(30 + days))], 180, comes_inside=False
    ),
    "pain that ended is old for 180 days": Silence(
        lambda days: [
            pain(30),
            listed(LOW_BACK_PAIN, onset=day(2000), clinical="resolved", abatementDateTime=day(30 + days)),
        ],
        180,
        comes_inside=False,
    ),
    "pain of a month that reaches into the window has its clean days before the window": Silence(
        lambda days: [
            observation(CHIEF_COMPLAINT, "2026-08", valueString="low back pain"),
            *visit(LOW_BACK_PAIN, day(84 + days)),
        ],
        180,
        comes_inside=False,
    ),
    "pain that began within 90 days after a procedure of the spine is new": Silence(
        lambda days: [pain(20), injection(20 + days)], 90
    ),
    "a procedure of the spine tells of pain for 180 days": Silence(
        lambda days: [pain(20), injection(20 + days)], 180, comes_inside=False
    ),
    "a visit for the pain that is planned within 14 days is one of now": Silence(
        lambda days: [planned(days)], 14, reason=Reason.NO_BACK_PAIN
    ),
    "worse on the list counts for a year": Silence(lambda days: [worse(days)], 365),
}


# Decisions 2.1, 2.2, 2.5 and 2.8.
@pytest.mark.parametrize("name", SILENCES)
def test_past_a_window_of_newness_the_card_comes_or_goes_and_is_the_same_a_day_before(name: str) -> None:
    window = SILENCES[name]
    past = window.last + 1
    loud, quiet = (window.last, past) if window.comes_inside else (past, window.last)
    further = loud - 1 if window.comes_inside else loud + 1
    silent = decision(CANCER, *window.chart(quiet)).assessment
    assert (silent.outcome, silent.reason) == (Outcome.NOT_APPLICABLE, window.reason)
    card, same = (decision(CANCER, *window.chart(days)) for days in (loud, further))
    assert card.assessment.outcome is Outcome.FIRED
    assert _differences(card, same) == {}
    assert _lines(card) == _lines(same)


# --- Windows that change what the card says


@dataclass(frozen=True)
class Change:
    """One more day, and the card says something else.

    Attributes:
        chart: what the chart holds beside the cancer, of a number of days.
        last: the last number of days inside the window.
        inside, past: what is true of the card inside and past the window only, by its name in `_facts`.
        words: every line of the card that differs speaks of one of these.
    """

    chart: Callable[[int], list[Json]]
    last: int
    inside: Mapping[str, object] = field(default_factory=dict)
    past: Mapping[str, object] = field(default_factory=dict)
    words: str = ""


def orders(*slugs: str, mri: str = "urgent") -> tuple[tuple[str, str], ...]:
    """Orders with their priorities; an MRI of the spine has `mri`, staging is urgent where that is stat."""
    staging = "urgent" if mri == "stat" else "routine"
    return tuple((slug, mri if slug.startswith("mri-") else staging) for slug in slugs)


USUAL = orders(LUMBAR, *STAGING)
PLAIN = orders(LUMBAR_PLAIN, "bone-scan-whole-body", "ct-chest-abdomen-pelvis-without-contrast")
WHOLE_SPINE = orders(WHOLE, *STAGING)
EMERGENCY = orders(WHOLE, *STAGING, mri="stat")

CRITICAL = {"indicator": "critical", "critical": True}
WARNING = {"indicator": "warning", "critical": False}
ORDERED = {"indicator": "info", "orders": orders(*STAGING), "covered": ((LUMBAR, "ordered"),)}
NAMED_ORDER = {"indicator": "warning", "orders": USUAL, "open_orders": 1}

# Words of lines that an emergency, contrast or an order that is there changes.
OF_AN_EMERGENCY = r"EMERGENCY|Now|MRI|Call |Neurological examination|Keep flat|Whole-body|eGFR"
OF_CONTRAST = r"MRI|CT |eGFR|Caution"
OF_AN_ORDER = r"MRI|Evidence"

CHANGES: Mapping[str, Change] = {
    "a sign that was noted at a visit is one of now for 14 days, then it is asked for": Change(
        lambda days: [pain(40), *visit(WEAKNESS, day(days))],
        14,
        CRITICAL | {"orders": EMERGENCY, "cord": ("Weakness of limb",)},
        WARNING | {"orders": WHOLE_SPINE, "asked": ("Weakness of limb",)},
        OF_AN_EMERGENCY + "|Weakness",
    ),
    "a sign is asked for since the first day of the pain": Change(
        lambda days: [pain(40), *visit(WEAKNESS, day(days))],
        40,
        {"orders": WHOLE_SPINE, "asked": ("Weakness of limb",)},
        {"orders": USUAL},
        "MRI|Weakness",
    ),
    "a sign that lasts may begin 14 days before the pain": Change(
        lambda days: [pain(40), listed(WEAKNESS, onset=day(40 + days))],
        14,
        CRITICAL | {"orders": EMERGENCY, "cord": ("Weakness of limb",)},
        WARNING | {"orders": USUAL, "known": ("Weakness of limb",)},
        OF_AN_EMERGENCY + "|Weakness",
    ),
    "a sign was known before if it was recorded before the window of 84 days": Change(
        lambda days: [pain(40), *visit(WEAKNESS, day(2)), *visit(WEAKNESS, day(days))],
        84,
        CRITICAL | {"orders": EMERGENCY, "cord": ("Weakness of limb",)},
        WARNING | {"orders": USUAL, "known": ("Weakness of limb",)},
        OF_AN_EMERGENCY + "|Weakness",
    ),
    "an eGFR below 30 decides for 90 days": Change(
        lambda days: [pain(40), egfr(22, days)],
        90,
        {"orders": PLAIN, "cautions": ("egfr-below-30",), "recent_egfr": True},
        {"orders": USUAL, "cautions": (), "recent_egfr": False},
        OF_CONTRAST,
    ),
    "an eGFR that is no matter counts as one for 90 days": Change(
        lambda days: [pain(40), egfr(80, days)], 90, {"recent_egfr": True}, {"recent_egfr": False}, "eGFR"
    ),
    "acute kidney injury is an event of 30 days": Change(
        lambda days: [pain(40), listed(KIDNEY_INJURY, onset=day(days))],
        30,
        {"orders": PLAIN, "cautions": ("acute-kidney-injury",)},
        {"orders": USUAL, "cautions": ()},
        OF_CONTRAST + "|kidney",
    ),
    "an order answers pain whose first record is 30 days younger": Change(
        lambda days: [*visit(LOW_BACK_PAIN, day(20)), mri_order(20 + days)], 30, ORDERED, NAMED_ORDER, OF_AN_ORDER
    ),
    "an order answers pain whose onset is 7 days younger": Change(
        lambda days: [pain(20), mri_order(20 + days)], 7, ORDERED, NAMED_ORDER, OF_AN_ORDER
    ),
    "an order answers if it is due within 30 days": Change(
        lambda days: [pain(20), mri_order(2, due=days)], 30, ORDERED, NAMED_ORDER, OF_AN_ORDER
    ),
    "in an emergency an order answers if it is due within a day": Change(
        lambda days: [pain(20), *visit(WEAKNESS, day(3)), mri_order(2, due=days, loinc="30855-1")],
        1,
        {"indicator": "warning", "orders": orders(*STAGING, mri="stat"), "covered": ((WHOLE, "ordered"),)},
        {"indicator": "critical", "orders": EMERGENCY, "open_orders": 1},
        OF_AN_ORDER,
    ),
    "an order is spoken of for a year": Change(
        lambda days: [pain(20), mri_order(days)], 365, {"open_orders": 1}, {}, OF_AN_ORDER
    ),
    "an MRI answers if it was done since the first day of the pain": Change(
        lambda days: [pain(20), report("24967-2", days)],
        20,
        ORDERED | {"covered": ((LUMBAR, "done"),)},
        {"indicator": "warning", "orders": USUAL},
        OF_AN_ORDER + "|Recent imaging|MR Lumbar spine",
    ),
    "a CT answers if it was done 30 days before the pain": Change(
        lambda days: [pain(20), report("72254-6", 20 + days)],
        30,
        {"orders": orders(LUMBAR, "bone-scan-whole-body"), "covered": (("ct-chest-abdomen-pelvis", "done"),)},
        {"orders": USUAL},
        "CT|bone scan|Recent imaging",
    ),
    "a brain symptom that was noted at a visit counts for 28 days": Change(
        lambda days: [pain(40), *visit(HEADACHE, day(days))],
        28,
        {"orders": (*USUAL, ("mri-brain", "urgent")), "brain_unknown": ("Headache, unspecified",)},
        {"orders": USUAL},
        "Headache|MRI brain",
    ),
    "fever is one of now for 7 days": Change(
        lambda days: [pain(40), *visit(FEVER, day(days))],
        7,
        CRITICAL | {"orders": orders(WHOLE, mri="stat"), "infection": ("Fever, unspecified",)},
        WARNING | {"orders": USUAL, "possible_infection": ("Fever, unspecified",)},
        OF_AN_EMERGENCY + "|infection|Fever|Proposed",
    ),
    "fever makes an infection possible for 30 days": Change(
        lambda days: [pain(40), *visit(FEVER, day(days))],
        30,
        {"possible_infection": ("Fever, unspecified",)},
        {},
        "infection",
    ),
    "a procedure of the spine makes an infection possible for 90 days": Change(
        lambda days: [pain(40), injection(days)],
        90,
        {"possible_infection": (INJECTION,), "spinal_procedures": (INJECTION,)},
        {},
        "infection",
    ),
}


# Decisions 3.1, 3.7, 4.4, 4.13, 5.1, 5.3 and 10.1.
@pytest.mark.parametrize("name", CHANGES)
def test_past_a_window_what_it_is_about_changes_and_nothing_else_of_the_card(name: str) -> None:
    window = CHANGES[name]
    inside, past = (decision(CANCER, *window.chart(days)) for days in (window.last, window.last + 1))
    assert inside.assessment.outcome is past.assessment.outcome is Outcome.FIRED
    found = _differences(inside, past)
    assert {key: pair[0] for key, pair in found.items() if pair[0] is not None} == window.inside
    assert {key: pair[1] for key, pair in found.items() if pair[1] is not None} == window.past
    differing = set(_lines(inside)) ^ set(_lines(past))
    assert differing
    assert [line for line in differing if not re.search(window.words, line)] == []


# --- Comparing


def _lines(decided: Decision) -> list[str]:
    return [line for card in decided.response["cards"] for line in lines(card)]


def _differences(one: Decision, other: Decision) -> dict[str, tuple[object, object]]:
    """What is true of one card and not of the other; None where it has no such findings."""
    left, right = _facts(one), _facts(other)
    pairs = {key: (left.get(key), right.get(key)) for key in (*left, *right)}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _facts(decided: Decision) -> dict[str, object]:
    """All that a card rests on, by name, and the names of the findings beside cancer and pain by their groups."""
    found = decided.assessment
    assert isinstance(found, Assessment)
    answer = answer_of(found)
    facts: dict[str, object] = {
        "outcome": answer.outcome,
        "reason": answer.reason,
        "indicator": answer.indicator,
        "orders": answer.orders,
        "cautions": answer.cautions,
        "critical": found.critical,
        "region": found.region,
        "notes": found.notes,
        "removals": found.removals,
        "listed": len(found.listed),
        "open_orders": len(found.open_orders) or None,
        "outdated": len((*found.outdated_mri, *found.outdated_orders)),
        "recent_egfr": found.kidneys.egfr.recent if found.kidneys.egfr else None,
        "covered": tuple((study.slug, str(study.state)) for study in found.covered) or None,
    }
    return facts | {group.id: tuple(item.label or item.quote for item in group.findings) for group in found.groups}
