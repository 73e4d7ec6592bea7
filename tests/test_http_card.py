"""The service over HTTP: the card and its orders."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.settings import make_settings
from tests.builders import SERVICES
from tests.http_calls import (
    CANCER,
    ICD_10_CM,
    MARK,
    MRI,
    NOW,
    ORDER_SIGN,
    PAIN,
    PATIENT,
    Json,
    a_call,
    bundle,
    card_of,
    cards_of,
    condition,
    draft,
    orders_of,
    post,
    with_context,
)

HOSTILE = "breast cancer <img src=x onerror=alert(1)> [x](http://evil) **bold** | table `tick` \\ end"


@pytest.mark.parametrize(
    "elements",
    [{"code": {"text": HOSTILE}}, {"code": {"coding": [{"system": ICD_10_CM, "code": "X", "display": HOSTILE}]}}],
    ids=["text", "display"],
)
def test_mistake_16_words_of_the_chart_stand_in_one_code_span_without_html(client: FlaskClient, elements: Json) -> None:
    card = card_of(post(client, a_call(conditions=bundle(condition("") | elements, PAIN))))
    [line] = [line for line in card["detail"].splitlines() if "img src" in line]
    [span] = re.findall(r"`([^`]*)`", line)
    assert span.startswith("breast cancer ‹img src=x onerror=alert(1)› [x](ht")
    assert not re.search(r"[<>*\[\]|]", line.replace(span, "").removeprefix("- "))


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE.replace("breast cancer", "low back pain"),
        "low back pain\n\n# Heading\n\n- list\n1. one",
        "low back pain\u2028<b>x</b>",
        "low back pain ``` fence",
        "low back pain \u202e reversed",
        "low back pain " + "<" * 500,
    ],
    ids=["markup", "lines", "line separator", "fence", "direction", "long"],
)
def test_mistake_16_no_word_of_the_chart_changes_the_form_of_the_card(client: FlaskClient, text: str) -> None:
    plain = card_of(post(client, a_call(conditions=bundle(CANCER, condition("", code={"text": "low back pain"})))))
    card = card_of(post(client, a_call(conditions=bundle(CANCER, condition("", code={"text": text})))))
    assert "<" not in card["detail"]
    assert re.sub(r"`[^`]*`", "`…`", card["detail"]) == re.sub(r"`[^`]*`", "`…`", plain["detail"])
    assert card["summary"] == plain["summary"]


def test_no_words_of_the_chart_stand_in_labels_descriptions_or_summary(client: FlaskClient) -> None:
    own = condition("", code={"text": f"breast cancer {MARK}"})
    card = card_of(post(client, a_call(conditions=bundle(own, PAIN | {"code": {"text": f"low back pain {MARK}"}}))))
    shown = [card["summary"], *(suggestion["label"] for suggestion in card["suggestions"])]
    shown += [action["description"] for suggestion in card["suggestions"] for action in suggestion["actions"]]
    assert MARK in card["detail"]
    assert [text for text in shown if MARK in text] == []


# For each region that a card names: the value sets whose first ICD-10-CM code stands for the pain.
REGIONS = {
    "cervical": ["back-pain-cervical"],
    "thoracic": ["back-pain-thoracic"],
    "lumbar": ["back-pain-lumbar"],
    "sacral": ["back-pain-sacral"],
    "several": ["back-pain-cervical", "back-pain-lumbar"],
    "unspecified": ["back-pain-unspecified"],
}


@pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
@pytest.mark.parametrize("unspecified", ["whole-spine", "spine"])
@pytest.mark.parametrize("region", REGIONS)
def test_no_summary_is_longer_than_139_characters_whatever_is_drafted(
    region: str, unspecified: str, dated: bool
) -> None:
    content = load_content()
    codes = [content.terminology.codes(name, ICD_10_CM)[0] for name in REGIONS[region]]
    pain = [condition(code, onsetDateTime="2026-11-17" if dated else None) for code in codes]
    client = make_app(make_settings({"region_unspecified": unspecified}), lambda: NOW).test_client()
    call = a_call("order-sign", conditions=bundle(CANCER, *pain))
    studies = [order["code"] for order in orders_of(cards_of(post(client, call, ORDER_SIGN))[0])]
    for count in range(len(studies)):
        for drafted in combinations(studies, count):
            drafts = [draft(f"draft-{place}", code=code) for place, code in enumerate(drafted)]
            call["context"]["draftOrders"] = bundle(draft("ibuprofen"), *drafts)
            [card] = cards_of(post(client, call, ORDER_SIGN))
            assert len(card["summary"]) <= 139, card["summary"]


STUDIES = ["mri-lumbar-spine", "bone-scan-whole-body", "ct-chest-abdomen-pelvis"]


@pytest.mark.parametrize(
    "drafted",
    [combination for count in range(3) for combination in combinations(STUDIES, count)],
    ids=lambda drafted: ", ".join(drafted) or "none",
)
def test_each_missing_study_is_one_create_and_the_mri_alone_is_recommended(
    client: FlaskClient, drafted: tuple[str, ...]
) -> None:
    orders = load_content().orders
    call = a_call("order-sign")
    drafts = [draft(slug, code={"coding": [dict(orders[slug].codings[0])]}) for slug in drafted]
    call["context"]["draftOrders"] = bundle(draft("ibuprofen"), *drafts)
    card = card_of(post(client, call, ORDER_SIGN))
    wanted = [orders[slug].codings[0]["code"] for slug in STUDIES if slug not in drafted]
    assert [order["code"]["coding"][0]["code"] for order in orders_of(card)] == wanted
    assert all(len(suggestion["actions"]) == 1 for suggestion in card["suggestions"])
    assert [suggestion.get("isRecommended", False) for suggestion in card["suggestions"]] == [
        code == MRI for code in wanted
    ]
    assert card["selectionBehavior"] == "any"


def test_where_every_study_is_drafted_there_is_no_card(client: FlaskClient) -> None:
    orders = load_content().orders
    call = a_call("order-sign")
    drafts = [draft(slug, code={"coding": [dict(orders[slug].codings[0])]}) for slug in STUDIES]
    call["context"]["draftOrders"] = bundle(*drafts)
    assert post(client, call, ORDER_SIGN).get_json() == {"cards": []}


def test_the_topic_is_letters_and_digits_and_the_same_for_every_card(client: FlaskClient) -> None:
    topics = [card_of(post(client, a_call(SERVICES[service].hook), service))["source"]["topic"] for service in SERVICES]
    assert re.fullmatch(r"[A-Za-z0-9]{1,100}", topics[0]["code"])
    assert topics == [topics[0]] * len(topics)


def test_every_override_reason_has_code_system_and_display(client: FlaskClient) -> None:
    reasons = card_of(post(client, a_call()))["overrideReasons"]
    assert all(reason[member] for reason in reasons for member in ("code", "system", "display"))
    assert len({reason["code"] for reason in reasons}) == len(reasons)


@pytest.mark.parametrize("code", [" M54.50", "M54.50 ", "M54. 50", "m54.50", "M5450"])
def test_an_order_is_valid_fhir_however_the_chart_spells_its_codes(client: FlaskClient, code: str) -> None:
    pain = PAIN | {"code": {"coding": [{"system": ICD_10_CM, "code": code, "display": " "}]}}
    for order in orders_of(card_of(post(client, a_call(conditions=bundle(CANCER, pain))))):
        ServiceRequest.model_validate(order)


def test_an_order_names_patient_visit_and_physician_of_the_call(client: FlaskClient) -> None:
    call = with_context(a_call(), encounterId="enc-1")
    for order in orders_of(card_of(post(client, call))):
        references = {name: order[name]["reference"] for name in ("subject", "encounter", "requester")}
        assert references == {
            "subject": f"Patient/{PATIENT}",
            "encounter": "Encounter/enc-1",
            "requester": "Practitioner/dr-1",
        }


# Decision 7.10.
@pytest.mark.parametrize("user", ["Patient/pt-1", "RelatedPerson/r-1"])
def test_a_user_who_may_not_order_is_no_requester(client: FlaskClient, user: str) -> None:
    card = card_of(post(client, with_context(a_call(), userId=user)))
    assert [order for order in orders_of(card) if "requester" in order] == []
