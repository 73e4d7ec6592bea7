"""What a card says, in which order, and what it never says: the line, the emergency, length and numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import (
    BREAST_CANCER,
    Json,
    condition,
    created,
    day,
    decision,
    draft,
    only_card,
    section,
    study,
)
from tests.cautioned import egfr
from tests.combinations import LONGEST_DETAIL, beside_quotes
from tests.every_card import (
    EMERGENCIES,
    INFECTIONS,
    LUMBAR,
    NBSP,
    OF_THE_CORD,
    PAIN,
    WHOLE,
    WORDS,
    all_cards,
    breaking,
    card,
    visit,
)

HEADINGS = (
    "**Now**",
    "**Caution**",
    "**Why this patient**",
    "**Recent imaging**",
    "**Proposed**",
    "**eGFR:**",
    "**Not checked:**",
    "**Evidence:**",
)


# --- The line


def emergency(name: str, **more: Any) -> Json:
    return card(PAIN, *EMERGENCIES[name], **more)


def test_every_kind_of_emergency_is_tried() -> None:
    assert set(EMERGENCIES) == set(WORDS["flag"])


# Decision 7.15.
@pytest.mark.parametrize("name", EMERGENCIES)
def test_the_line_of_an_emergency_names_what_makes_it_one_the_pain_and_the_order(name: str) -> None:
    said = f"EMERGENCY: {WORDS['flag'][name]}, new low back pain, history of breast cancer. Order whole-spine MRI stat."
    assert emergency(name)["summary"] == said
    assert emergency(name)["indicator"] == "critical"


# Decision 7.15.
@pytest.mark.parametrize(
    ("sign", "flag"),
    [
        (visit(text="numb in the saddle area"), "cauda-equina"),
        (visit("snomed 449813001"), "cauda-equina"),
        (visit(text="cannot move her legs"), "sign-motor"),
        (visit(text="spinal cord compression"), "cord-compression"),
    ],
    ids=["saddle in words", "saddle by code", "legs in words", "cord in words"],
)
def test_a_sign_in_words_is_named_by_what_it_means(sign: Json, flag: str) -> None:
    assert card(PAIN, sign)["summary"].startswith(f"EMERGENCY: {WORDS['flag'][flag]}, ")


# Decision 7.15.
def test_of_several_emergencies_the_sign_of_the_cord_stands_in_the_line() -> None:
    several = card(PAIN, *EMERGENCIES["fever"], *EMERGENCIES["pathological-fracture"], *EMERGENCIES["sign-sphincter"])
    assert WORDS["flag"]["sign-sphincter"] in several["summary"]


# Decision 7.15.
def test_no_card_says_red_flag() -> None:
    assert not breaking(holds=lambda item: "red flag" not in f"{item['summary']} {item['detail']}".lower())


# --- What an emergency says


# Decision 7.15.
@pytest.mark.parametrize("name", OF_THE_CORD)
def test_an_emergency_says_first_what_to_do_whom_to_call_and_what_to_examine(name: str) -> None:
    assert emergency(name)["detail"].startswith("**Now**\n")
    assert section(emergency(name), "Now").splitlines() == [
        "- MRI whole spine without and with IV contrast stat, within 24 hours. Do not wait for laboratory results.",
        "- Call spine surgery, radiation oncology or the MSCC coordinator now.",
        "- Neurological examination with perianal sensation; post-void residual.",
        "- Keep flat if movement hurts or signs are present; steroid per local protocol.",
    ]


# Decision 3.7.
@pytest.mark.parametrize("name", INFECTIONS)
def test_an_infection_asks_for_cultures_and_names_no_steroid(name: str) -> None:
    first, second = section(emergency(name), "Now").splitlines()
    assert first.endswith("stat, within 24 hours. Do not wait for laboratory results.")
    assert "CRP, ESR and blood cultures now" in second
    assert not re.search("steroid|keep flat", emergency(name)["detail"], re.IGNORECASE)


# Decisions 3.7 and 7.15.
@pytest.mark.parametrize("infection", INFECTIONS)
def test_a_sign_of_the_cord_beside_an_infection_brings_the_call_and_no_steroid(infection: str) -> None:
    both = card(PAIN, *EMERGENCIES["sign-motor"], *EMERGENCIES[infection])
    now = section(both, "Now")
    assert "Call spine surgery" in now and "perianal sensation" in now and "blood cultures now" in now
    assert not re.search("steroid|keep flat", both["detail"], re.IGNORECASE)


# Decision 7.15.
@pytest.mark.parametrize("name", EMERGENCIES)
@pytest.mark.parametrize("beside", [[], [egfr(22, days=91)], [egfr(2.1, unit="mg/dL")]], ids=["none", "old", "odd"])
def test_an_emergency_asks_for_no_egfr_and_for_no_check_before_signing(name: str, beside: list[Json]) -> None:
    detail = card(PAIN, *EMERGENCIES[name], *beside)["detail"]
    assert "eGFR" not in detail and "before signing" not in detail
    assert "Check before signing" in card(PAIN, *beside)["detail"]


# Decision 7.15.
def test_an_emergency_still_names_what_was_not_supplied() -> None:
    said = section(emergency("cauda-equina", without=["allergies"]), "Not checked:")
    assert said.splitlines()[0] == "not supplied: contrast allergy."


# Decision 7.15.
@pytest.mark.parametrize(
    "there",
    [
        study("ServiceRequest", WHOLE, status="active", when=day(0)),
        study("ServiceRequest", WHOLE, status="active", when=day(0), priority="stat"),
        study("ServiceRequest", WHOLE, status="active", when=day(6)),
        study("ServiceRequest", LUMBAR, status="active", when=day(6)),
        study("DiagnosticReport", WHOLE, when=day(6)),
    ],
    ids=["routine", "stat", "before the sign", "another region", "done before the sign"],
)
def test_whatever_mri_is_there_an_emergency_does_not_wait_for_the_laboratory(there: Json) -> None:
    assert section(card(PAIN, visit("icd10cm G83.4"), there), "Now").count("Do not wait for laboratory results.") == 1


# Decision 7.8.
def test_no_dose_of_a_steroid_is_ever_named() -> None:
    assert not breaking(holds=lambda item: not re.search(r"dexameth|\d ?mg\b(?!/)", item["detail"], re.IGNORECASE))


# --- Every card


def sentences(item: Json) -> Iterator[str]:
    """The sentences of summary and detail, without bullets; words of the chart count as one word."""
    text = re.sub(r"`[^`]*`", "`words`", f"{item['summary']}\n{item['detail']}")
    for line in filter(None, text.splitlines()):
        yield from re.split(r"(?<=[.?!]) (?=[A-Z])", line.removeprefix("- "))


# Decision 7.5.
def test_no_sentence_stands_on_a_card_twice() -> None:
    def said_once(item: Json) -> bool:
        return all(count == 1 for sentence, count in Counter(sentences(item)).items() if "`words`" not in sentence)

    assert not breaking(holds=said_once)


# Decision 7.14.
def test_what_is_said_of_a_chosen_mri_without_contrast_is_said_once() -> None:
    chosen = card(PAIN, hook="order-select", drafts=[draft("loinc 30679-5")])["detail"]
    assert chosen.count("adequate (ACR)") == chosen.count("leptomeningeal") == 1


# Decision 7.14.
def test_the_sections_stand_in_one_order_on_every_card_cautions_before_the_why() -> None:
    def is_ordered(item: Json) -> bool:
        places = [item["detail"].find(heading) for heading in HEADINGS]
        found = [place for place in places if place >= 0]
        return found == sorted(found) and all(item["detail"].count(heading) <= 1 for heading in HEADINGS)

    assert not breaking(holds=is_ordered)
    assert sum("**Caution**" in item["detail"] for item in all_cards().values()) > 20


# Decision 7.14.
def test_beside_its_quotes_no_card_has_more_than_1200_characters() -> None:
    assert not breaking(holds=lambda item: len(beside_quotes(item["detail"])) <= LONGEST_DETAIL)


# Decision 7.14.
def test_a_long_quote_takes_no_room_from_the_card() -> None:
    report = study("DiagnosticReport", LUMBAR, when=day(1), conclusion="No fracture. " * 30)
    quoted = card(PAIN, report)
    without = card(PAIN, study("DiagnosticReport", LUMBAR, when=day(1)))
    assert beside_quotes(quoted["detail"]) == beside_quotes(without["detail"])
    assert len(section(quoted, "Recent imaging")) > 350


# Decision 7.14.
def test_a_number_and_its_unit_are_never_parted() -> None:
    parted = re.compile(r"\d (?:%|(?:hour|day|week|month|year)s?\b|mL/|m2\b)")
    assert not breaking(holds=lambda item: not parted.search(re.sub(r"`[^`]*`", "", item["detail"])))
    assert f"within 24{NBSP}hours" in emergency("cauda-equina")["detail"]
    assert f"eGFR 22{NBSP}mL/min/1.73{NBSP}m2 ({day(10)}, 10{NBSP}days ago)" in card(PAIN, egfr(22))["detail"]
    assert f"last 90{NBSP}days" in card()["detail"]


# Decision 7.14.
def test_words_of_the_chart_and_the_fields_of_an_order_keep_their_blanks() -> None:
    told = card(visit(text="severe low back pain for 3 days"))
    assert "`severe low back pain for 3 days`" in told["detail"]
    assert not any(NBSP in str(order) for order in created(card(PAIN, egfr(22))))
    assert not any(NBSP in item["label"] for item in emergency("cauda-equina")["suggestions"])


# Decision 7.14.
@pytest.mark.parametrize(
    ("cancer", "kept"),
    [
        (
            condition(
                "icd10cm C50.412",
                display="Malignant neoplasm of upper-outer quadrant of left female breast",
                onset=day(900),
            ),
            "upper-outer quadrant of left female breast",
        ),
        (
            condition(
                "icd10cm C50.911",
                text="Infiltrating ductal carcinoma of the right breast, ER+/PR+, HER2 positive",
                onset=day(900),
            ),
            "right breast, ER+/PR+, HER2 positive",
        ),
    ],
    ids=["side in the name of the code", "receptors at the end"],
)
def test_the_side_and_the_receptors_of_the_cancer_stand_on_the_card_as_the_chart_has_them(
    cancer: Json, kept: str
) -> None:
    assert kept in only_card(decision(cancer, PAIN))["detail"]


def test_the_usual_name_of_a_code_is_not_said_twice() -> None:
    plain = condition(BREAST_CANCER, display="Malignant neoplasm of breast", onset=day(900))
    assert only_card(decision(plain, PAIN))["detail"].lower().count("malignant neoplasm") == 1
