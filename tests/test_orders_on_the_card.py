"""The orders of a card: how urgent, by when, what the radiologist is asked, and what a suggestion is called."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.advice.plain_text import LONGEST_QUESTION, plainly_quoted, question_text
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.sentences import EXTRA, STAYS, Sentence, What
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    Json,
    allergy,
    concept,
    condition,
    created,
    day,
    decision,
    draft,
    name_of,
    only_card,
    reference,
    removed,
    study,
)
from tests.cautioned import egfr

CONTENT = load_content()

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
CAUDA_EQUINA = condition("icd10cm G83.4", onset=day(0))
FEVER = condition("icd10cm R50.9", onset=day(0))
BONE_METASTASIS = condition("icd10cm C79.51", onset=day(400))
HEADACHE = condition("icd10cm R51.9", onset=day(1))
SACRAL_PAIN = condition("icd10cm M53.3", onset=day(10))
RADIOGRAPH, SPINE_CT = draft("cpt 72100"), draft("cpt 72131")


def card(*resources: Json, **more: Any) -> Json:
    return only_card(decision(CANCER, *(resources or (PAIN,)), **more))


def orders(*resources: Json, **more: Any) -> dict[str, Json]:
    """The orders of a card, by what they are: `spine`, `bone scan`, `CT`, `brain`."""
    found = created(card(*resources, **more))
    names = ("spine", "bone scan", "CT", "brain")
    return {next(name for name in names if name in order["code"]["text"]): order for order in found}


def question(order: Json) -> str:
    """What the radiologist is asked."""
    return str(order["note"][0]["text"])


def days_wanted(order: Json) -> float | None:
    """From when to when an order is wanted, in days; None where it says nothing of it."""
    assert not [name for name in order if name.startswith("occurrence") and name != "occurrencePeriod"]
    if (period := order.get("occurrencePeriod")) is None:
        return None
    start, end = (datetime.fromisoformat(period[name]) for name in ("start", "end"))
    assert start == NOW.replace(microsecond=0)
    return (end - start) / timedelta(days=1)


# --- How urgent, and by when


# Decision 3.11.
@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ((PAIN,), {"spine": ("urgent", 7), "bone scan": ("routine", None), "CT": ("routine", None)}),
        ((PAIN, CAUDA_EQUINA), {"spine": ("stat", 1), "bone scan": ("urgent", None), "CT": ("urgent", None)}),
    ],
    ids=["suspicious pain", "emergency"],
)
def test_the_mri_says_by_when_it_is_wanted_and_staging_does_not(
    resources: tuple[Json, ...], expected: dict[str, tuple[str, float | None]]
) -> None:
    found = {name: (order["priority"], days_wanted(order)) for name, order in orders(*resources).items()}
    assert found == expected


# Decision 3.11.
def test_staging_stays_routine_where_the_mri_is_done() -> None:
    mri = study("DiagnosticReport", "loinc 24967-2", when=day(3))
    assert {order["priority"] for order in created(card(PAIN, mri))} == {"routine"}


# Decision 10.4.
@pytest.mark.parametrize("beside", [(), (CAUDA_EQUINA,)], ids=["suspicious pain", "emergency"])
def test_the_brain_mri_is_urgent_within_a_week_and_never_stat(beside: tuple[Json, ...]) -> None:
    brain = orders(PAIN, HEADACHE, *beside)["brain"]
    assert (brain["priority"], days_wanted(brain)) == ("urgent", 7)


# --- What the radiologist is asked


# Decision 7.11.
def test_the_question_stands_first_in_the_reasons_and_in_the_note() -> None:
    for order in orders(PAIN, HEADACHE, CAUDA_EQUINA).values():
        first, *findings = order["reasonCode"]
        assert first == {"text": question(order)}
        assert "?" in question(order).split(".")[0]
        assert findings and all(item["coding"] for item in findings)


# Decision 7.11.
def test_the_question_names_history_pain_and_signs_with_their_dates() -> None:
    assert question(orders(PAIN, CAUDA_EQUINA)["spine"]) == (
        "Compression of cord or cauda equina? Spinal metastasis? "
        f"Cauda equina syndrome (onset {day(0)}). Breast cancer (onset {day(3000)}). New low back pain since {day(10)}."
    )


# Decision 7.11.
@pytest.mark.parametrize(
    ("resources", "study_name", "asked"),
    [
        ((PAIN,), "spine", "Spinal metastasis? Compression of cord or cauda equina?"),
        ((PAIN, FEVER), "spine", "Discitis or epidural abscess?"),
        ((PAIN, BONE_METASTASIS), "spine", "Progression, instability, or compression of cord or cauda equina?"),
        ((PAIN, BONE_METASTASIS), "bone scan", "Known metastatic disease: extent in bone, progression?"),
        ((PAIN, condition("icd10cm M48.55XA", onset=day(5))), "spine", "Pathological or unstable fracture?"),
        ((PAIN,), "bone scan", "Work-up of suspected recurrence: bone metastases?"),
        ((PAIN,), "CT", "Work-up of suspected recurrence: metastases in chest, abdomen or pelvis?"),
        ((PAIN, HEADACHE), "brain", "Brain or leptomeningeal metastasis?"),
    ],
    ids=["pain", "fever", "known metastasis", "known, bone scan", "fracture", "bone scan", "CT", "brain"],
)
def test_each_study_asks_what_it_can_answer(resources: tuple[Json, ...], study_name: str, asked: str) -> None:
    assert question(orders(*resources)[study_name]).startswith(asked)


# Decision 7.11.
def test_pain_of_which_only_a_record_is_dated_is_not_said_to_have_begun_then() -> None:
    recorded = question(orders(condition(LOW_BACK_PAIN, recorded=day(10)))["spine"])
    assert f"New low back pain, first recorded {day(10)}." in recorded
    assert "Low back pain, onset unknown." in question(orders(condition(LOW_BACK_PAIN))["spine"])


# Decision 7.11.
@pytest.mark.parametrize(
    ("resource", "study_name", "said"),
    [
        (egfr(22), "spine", f"eGFR 22 mL/min/1.73 m2 ({day(10)})."),
        (egfr(82), "CT", f"eGFR 82 mL/min/1.73 m2 ({day(10)})."),
        (allergy(text="gadolinium contrast"), "spine", "Gadolinium reaction: "),
        (condition("icd10cm Z95.0", onset=day(900)), "spine", "Check MR conditions: "),
        (condition("icd10cm Z33.1", onset=day(30)), "spine", "Pregnant ("),
    ],
    ids=["low eGFR", "eGFR", "allergy", "pacemaker", "pregnancy"],
)
def test_what_changes_the_protocol_stands_in_the_question(resource: Json, study_name: str, said: str) -> None:
    assert said in question(orders(PAIN, resource)[study_name])


# Decision 7.11.
def test_a_caution_stands_only_in_the_orders_that_it_concerns() -> None:
    found = orders(PAIN, condition("icd10cm Z95.0", onset=day(900)))
    assert [name for name, order in found.items() if "MR conditions" in question(order)] == ["spine"]


# Decision 7.8.
def test_no_question_says_that_a_metastasis_or_compression_is_there_or_not() -> None:
    for order in orders(PAIN, CAUDA_EQUINA).values():
        for sentence in re.findall(r"[^.?]+[.?]", question(order)):
            assert sentence.endswith("?") or not re.search("metasta|compression|recurrence", sentence, re.IGNORECASE)


HOSTILE = 'Severe low back pain\n\n# [x](https://evil.example) <b onclick="a()">`*_!_*` www.evil.example a@b.example'


# Decision 7.11.
def test_words_of_the_ehr_stand_in_an_order_as_plain_text_on_one_line() -> None:
    for order in orders(condition(text=HOSTILE, onset=day(3)), allergy(text=f"gadolinium {HOSTILE}")).values():
        texts = [question(order), *(item["text"] for item in order["reasonCode"])]
        assert not [text for text in texts if re.search(r"[\n<>`*_#\[\]]|://|www\.|@", text)]
    assert plainly_quoted("a\n*b*") == '"a b"'


# Decision 7.11.
def test_a_question_that_would_be_too_long_loses_what_matters_least() -> None:
    words = CONTENT.wording
    filler = [Sentence(f"{'x' * 90}{number}.", goes=EXTRA) for number in range(5)]
    text = question_text([Sentence("Metastasis?", goes=STAYS), *filler], words, NOW.date())
    assert text == "Metastasis?"
    crowd = [Sentence("{finding}.", {"finding": What(Finding("", "", label="y" * 200 + str(n)))}) for n in range(9)]
    assert len(question_text(crowd, words, NOW.date())) == LONGEST_QUESTION


# --- What the suggestions are called


# Decision 7.10.
def test_what_matters_stands_in_the_label_and_in_the_description() -> None:
    emergency = card(PAIN, CAUDA_EQUINA)["suggestions"][0]
    study_name = "MRI whole spine without and with IV contrast"
    assert emergency["label"] == f"Order stat (24 h): {study_name}"
    assert emergency["actions"][0]["description"] == f"Draft order, stat, within 24 h: {study_name}"
    usual = card(PAIN, egfr(22))["suggestions"][0]
    assert usual["label"] == "Order: MRI lumbar spine without contrast"
    assert usual["actions"][0]["description"] == "Draft order, urgent, within 7 days: MRI lumbar spine without contrast"


# Decisions 7.1 and 7.10.
def test_the_sacrum_is_named_where_no_code_without_contrast_does() -> None:
    plain = card(SACRAL_PAIN, egfr(22))["suggestions"][0]
    action = plain["actions"][0]
    assert all("without contrast, include sacrum" in text for text in (plain["label"], action["description"]))
    assert "Include sacrum." in question(action["resource"])
    coded = card(SACRAL_PAIN)["suggestions"]
    assert coded[0]["label"] == "Order: MRI lumbar spine and sacrum without and with IV contrast"
    assert not any("nclude sacrum" in question(order["actions"][0]["resource"]) for order in coded)


# Decision 7.5.
def test_every_suggestion_says_whether_it_is_recommended_and_only_the_spine_mri_is() -> None:
    suggestions = card(PAIN, HEADACHE, hook="order-select", drafts=[RADIOGRAPH])["suggestions"]
    assert [item["isRecommended"] for item in suggestions] == [True, False, False, False, False]
    staging = card(PAIN, study("DiagnosticReport", "loinc 24967-2", when=day(3)))["suggestions"]
    assert [item["isRecommended"] for item in staging] == [False, False]


# --- Removals


# Decision 5.7.
@pytest.mark.parametrize(
    ("order", "label"),
    [
        (RADIOGRAPH, "Remove the spine radiograph: does not exclude metastasis"),
        (SPINE_CT, "Remove the CT of the spine: shows cord and marrow poorly"),
    ],
    ids=["radiograph", "CT"],
)
def test_a_removal_says_why_for_that_kind_of_study(order: Json, label: str) -> None:
    removal = card(PAIN, hook="order-select", drafts=[order])["suggestions"][-1]
    assert removal["label"] == label and len(label) <= 80
    assert label.split(": ")[1] in removal["actions"][0]["description"]


STONE = condition("icd10cm N20.0", onset=day(2))


# Decision 5.7.
@pytest.mark.parametrize(
    "because",
    [
        {"reasonCode": [concept("icd10cm N20.0")]},
        {"reasonCode": [concept(text="Kidney stone")]},
        {"reasonCode": [concept(text="Fall on the hip")]},
        {"reasonCode": [concept(LOW_BACK_PAIN), concept(text="Kidney stone")]},
        {"reasonReference": [reference("Condition", STONE["id"])]},
        {"reasonReference": [reference("Condition", "elsewhere")]},
        {"note": [{"text": "for the stone"}]},
    ],
    ids=["coded", "in words", "fall", "beside back pain", "as a reference", "as an unknown reference", "as a note"],
)
@pytest.mark.parametrize("order", [RADIOGRAPH, SPINE_CT], ids=["radiograph", "CT"])
def test_a_draft_with_another_reason_is_not_offered_for_removal(order: Json, because: Json) -> None:
    assert removed(card(PAIN, STONE, hook="order-sign", drafts=[order | because])) == []


# Decision 5.7.
@pytest.mark.parametrize(
    "because",
    [
        {},
        {"reasonCode": [concept(LOW_BACK_PAIN)]},
        {"reasonCode": [concept(text="low back pain for a week")]},
        {"reasonCode": [concept(LOW_BACK_PAIN), concept(BREAST_CANCER)]},
        {"reasonReference": [reference("Condition", PAIN["id"])]},
    ],
    ids=["none", "coded", "in words", "with the cancer", "as a reference"],
)
def test_a_draft_for_the_pain_is_offered_for_removal(because: Json) -> None:
    assert removed(card(PAIN, hook="order-sign", drafts=[RADIOGRAPH | because])) == [name_of(RADIOGRAPH)]


# --- What profiles ask for beyond FHIR

US_CORE, CRD = "US Core ServiceRequest 8.0", "CRD ServiceRequest 2.1"

# The element, who demands it (required) or wants it supported, and what an order has there; None: nothing, since a hook
# call does not tell it.
DEMANDS: list[tuple[str, tuple[str, ...], object]] = [
    ("status", (US_CORE, CRD), "draft"),
    ("intent", (US_CORE, CRD), "proposal"),
    ("category", (US_CORE,), [{"coding": [{"system": "http://snomed.info/sct", "code": "363679005"}]}]),
    ("code", (US_CORE, CRD), dict),
    ("subject", (US_CORE, CRD), {"reference": "Patient/pt-1"}),
    ("encounter", (US_CORE,), {"reference": "Encounter/visit-1"}),
    ("occurrencePeriod", (US_CORE, CRD), dict),
    ("authoredOn", (US_CORE, CRD), "2026-11-22T12:00:00Z"),
    ("requester", (US_CORE, CRD), {"reference": "Practitioner/practitioner-1"}),
    ("reasonCode", (US_CORE, CRD), list),
    ("reasonReference", (US_CORE, CRD), list),
    ("identifier", (CRD,), None),
    ("basedOn", (CRD,), None),
    ("doNotPerform", (CRD,), None),
    ("quantityQuantity", (CRD,), None),
    ("performer", (CRD,), None),
    ("locationReference", (CRD,), None),
    ("extension", (CRD,), None),
]


# Decision 7.10.
@pytest.mark.parametrize(("element", "wanted_by", "expected"), DEMANDS, ids=[row[0] for row in DEMANDS])
def test_an_order_meets_the_profiles_as_far_as_a_hook_call_tells(
    element: str, wanted_by: tuple[str, ...], expected: object
) -> None:
    order = orders(PAIN, encounter_id="visit-1")["spine"]
    assert wanted_by
    if isinstance(expected, type):
        assert isinstance(order[element], expected) and order[element]
    elif element == "category":
        assert order[element][0]["coding"][0]["code"] == "363679005"
    else:
        assert order.get(element) == expected


# Decision 7.10.
def test_every_order_is_valid_fhir_with_a_code_that_the_profiles_know() -> None:
    for order in orders(PAIN, HEADACHE, CAUDA_EQUINA, egfr(22)).values():
        ServiceRequest.model_validate(order)
        assert order["code"]["coding"][0]["system"] == "http://loinc.org"
