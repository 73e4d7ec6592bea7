"""The card of a patient in whom everything comes together: it stays short, and says what matters first."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.protocol.validation import problem
from tests.builders import (
    Json,
    bundle,
    condition,
    day,
    patient,
    prefetch,
    request,
)
from tests.combinations import (
    ALIVE,
    HISTORY,
    HTML,
    LONGEST_DETAIL,
    PREGNANT,
    PROMISES,
    STUDIES,
    WHOLE_SPINE_MRI,
    YES,
    allergy,
    answer,
    beside_quotes,
    egfr,
    loinc_of,
    longest,
    orders_of,
    report,
)

# 4,000 characters of what an EHR may send in one text, with markup that a client must never see as such.
NOISE = " <img src=x onerror=alert(1)> [here](javascript:alert(1)) `code` **bold** \u0000 and more words"


def long_text(words: str) -> str:
    return (words + NOISE * 50)[:4_000]


SIGNS = {
    "coded": (
        condition("icd10cm M84.58XA", onset=day(40)),
        condition("snomed 866087009", onset=day(41)),
        condition("snomed 12454008", onset=day(42)),
        condition("snomed 782390002", onset=day(43)),
        condition("icd10cm M46.36", onset=day(44)),
        condition("snomed 94600009", onset=day(45)),
    ),
    "in words": tuple(
        condition(text=long_text(words), recorded=day(20 + number))
        for number, words in enumerate(
            ("bilateral leg weakness", "foot drop", "urinary retention", "perineal numbness", "paraplegia")
        )
    ),
}
CANCERS = {
    "coded": (
        condition("snomed 1082901000112103", onset=day(4000)),
        condition("snomed 353511000119101", onset=day(5000)),
        condition("snomed 1081561000119108", onset=day(6000)),
        condition("icd10cm C50.A1", onset=day(3000)),
    ),
    "in words": tuple(
        condition(text=long_text(words), recorded=day(2000))
        for words in ("left breast cancer", "right breast cancer", "carcinoma of the breast", "breast ca")
    ),
}
PAINS = {
    "coded": tuple(
        condition(code, onset="2026", recorded=day(number), text="unremitting night pain, worse" + NOISE)
        for number, code in enumerate(
            ("icd10cm M54.18", "icd10cm M54.13", "icd10cm M54.11", "icd10cm M54.15", "icd10cm M54.9"),
            start=20,
        )
    ),
    "in words": tuple(
        condition(text=long_text(f"unremitting night pain, worse, {words}"), onset="2026", recorded=day(20))
        for words in ("low back pain", "neck pain", "thoracic pain", "sacral pain", "back pain")
    ),
}
BESIDE = (
    condition("icd10cm R29.898", onset=day(30)),
    condition("snomed 94274006", onset=day(600)),
    condition("snomed 94250008", onset=day(700)),
    condition("icd10cm M80.08XA", onset=day(50)),
    condition("icd10cm M48.50XA", onset=day(51)),
    condition("icd10cm M48.54XA", onset=day(52)),
    condition("icd10cm R63.4", onset=day(30)),
    condition("icd10cm E83.52", onset=day(31)),
    condition("snomed 422868009", onset=day(32)),
    condition("snomed 25064002", onset=day(30)),
    condition("icd10cm R51.0", onset=day(31)),
    condition("icd10cm S39.012A", onset=day(33)),
    report("report-radiograph", "24972-2", 3),
)
CAUTIONS = (
    egfr(22, days_ago=25),
    condition("icd10cm Z99.2", onset=day(30)),
    condition("icd10cm N17.9", onset=day(30)),
    condition("icd10cm N18.6", onset=day(30)),
    condition("icd10cm Z91.041", recorded=day(30)),
    condition("icd10cm Z95.810", onset=day(30)),
    condition("icd10cm Z18.10", onset=day(30)),
    condition("snomed 69805005", onset=day(30)),
    condition("icd10cm F40.240", onset=day(30)),
    condition(text=long_text("tissue expander"), recorded=day(30)),
    allergy(text=long_text("contrast media")),
    allergy(text=long_text("gadolinium and more")),
    allergy(text=long_text("iodinated contrast, once more")),
)
WITHOUT_CONTRAST_CAUTION = (egfr(22, days_ago=400), condition("icd10cm Z95.810", onset=day(30)))


@dataclass(frozen=True, slots=True)
class Crowd:
    """One chart with everything in it: what its findings are written in, and which larger facts hold."""

    wording: str
    emergency: bool
    pregnant: bool
    contrast_allowed: bool
    missing_keys: bool

    def __str__(self) -> str:
        names = ("emergency", "pregnant", "contrast_allowed", "missing_keys")
        facts = [name.replace("_", " ") for name in names if getattr(self, name)]
        return ", ".join([self.wording, *facts])


def crowded_call(crowd: Crowd) -> Json:
    """Every list is only the first page of more, and holds an entry and an element that cannot be read."""
    chart = prefetch(
        patient("1988-05-04"),
        *CANCERS[crowd.wording],
        *PAINS[crowd.wording],
        *(SIGNS[crowd.wording] if crowd.emergency else ()),
        *BESIDE,
        *(WITHOUT_CONTRAST_CAUTION if crowd.contrast_allowed else CAUTIONS),
        *(PREGNANT[YES] if crowd.pregnant else ()),
        *(condition(text="unreadable", onset="the day before yesterday") for _ in range(20)),
    )
    for key in set(chart) - {"patient"}:
        chart[key]["link"] = bundle(next_page=True)["link"]
        chart[key].setdefault("entry", []).append({"resource": None})
    if crowd.missing_keys:
        for key in ("encounters", "serviceRequests", "diagnosticReports", "procedures", "allergies"):
            del chart[key]
    return request("patient-view", chart, encounterId="encounter-1")


CROWDS = [
    Crowd(wording, *facts) for wording in ("coded", "in words") for facts in itertools.product([True, False], repeat=4)
]


@cache
def crowded_card(crowd: Crowd) -> Json:
    (card,) = answer(crowded_call(crowd))[2]["cards"]
    found: Json = card
    return found


def test_the_worst_case_fits_in_1200_characters() -> None:
    crowd, card = longest((crowd, crowded_card(crowd)) for crowd in CROWDS)
    print(f"\n{crowd}\n{len(card['detail'])} characters:\n{card['detail']}")
    assert len(beside_quotes(card["detail"])) <= LONGEST_DETAIL


@pytest.mark.parametrize("crowd", CROWDS, ids=str)
def test_the_worst_case_keeps_to_the_schema_and_out_of_html(crowd: Crowd) -> None:
    card = crowded_card(crowd)
    assert problem("response", {"cards": [card]}) is None
    assert not HTML.search(_outside_code(card["detail"])) and "<" not in card["detail"]
    assert not PROMISES.search(card["detail"])
    for order in orders_of([card]):
        ServiceRequest.model_validate_json(orjson.dumps(order))


@pytest.mark.parametrize("crowd", CROWDS, ids=str)
def test_the_worst_case_still_names_the_emergency_and_puts_the_mri_first(crowd: Crowd) -> None:
    card = crowded_card(crowd)
    first = orders_of([card])[0]
    assert STUDIES[loinc_of(first)][:2] == WHOLE_SPINE_MRI
    assert (card["indicator"] == "critical") == crowd.emergency == (first["priority"] == "stat")
    assert card["summary"].startswith("EMERGENCY: ") == crowd.emergency
    assert ("**Now**\n- MRI whole spine" in card["detail"]) == crowd.emergency


def _outside_code(markdown: str) -> str:
    """Markdown without its code spans, in which nothing is read as markup."""
    return re.sub(r"`[^`]*`", "", markdown)


def test_markup_in_the_comparator_of_a_result_never_reaches_the_card() -> None:
    result = egfr(22)
    result["valueQuantity"]["comparator"] = "<img src=x onerror=alert(1)>"
    chart = prefetch(ALIVE, *HISTORY, result)
    (card,) = answer(request("patient-view", chart))[2]["cards"]
    assert not HTML.search(card["detail"])


def test_markup_in_the_id_of_a_record_never_reaches_the_card() -> None:
    marked: Any = [item | {"id": f"<b>{number}</b>"} for number, item in enumerate(HISTORY)]
    (card,) = answer(request("patient-view", prefetch(ALIVE, *marked)))[2]["cards"]
    assert not HTML.search(orjson.dumps(card).decode())
