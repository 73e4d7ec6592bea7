"""The public CDS Hooks Sandbox as a client: its bytes, its tokens, its drafts that are not valid FHIR, its feedback.

What it does with a card on its screen cannot be tested here; docs/sandbox.md says what it cannot show.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from cds_service.decision.open_ledger import open_ledger
from tests.builders import Json, outcome
from tests.fuzz_mutations import MARK
from tests.fuzz_responses import check_card, foreign_markup
from tests.public_sandbox import (
    CALLS,
    DISCOVERY,
    HEADERS,
    ORDER_SELECT,
    ORDER_SIGN,
    ORIGIN,
    PATIENT_VIEW,
    SIGNER,
    Sandbox,
    changed,
    draft_of,
    fixture,
    sandbox_settings,
    text_of,
    token,
    with_token,
)
from tests.token_maker import KeyServer, key_set
from tests.wire_fhir_server import WireFhirServer

if TYPE_CHECKING:
    from tests.real_server import StartService

pytest_plugins = ("tests.real_server",)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


# --- The browser asks first


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (DISCOVERY, "discovery"),
        (f"{DISCOVERY}/", "discovery"),
        (PATIENT_VIEW, "post"),
        (PATIENT_VIEW.replace("services/", "services//"), "post"),
        (f"{PATIENT_VIEW}/feedback", "post"),
    ],
)
def test_a_preflight_is_answered_without_a_token_and_without_a_redirect(sandbox: Sandbox, path: str, kind: str) -> None:
    response = sandbox.preflight(path, kind)
    asked = HEADERS[f"preflight-{kind}"]
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert asked["Access-Control-Request-Method"] in response.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = set(response.headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert set(asked["Access-Control-Request-Headers"].split(",")) <= allowed
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_page_from_elsewhere_gets_no_permission(sandbox: Sandbox) -> None:
    response = sandbox.preflight(PATIENT_VIEW, "post", Origin="http://localhost:8081")
    assert "Access-Control-Allow-Origin" not in response.headers


def test_the_browser_may_read_every_answer_errors_too(sandbox: Sandbox) -> None:
    body = fixture("patient-view")
    responses = [
        sandbox.discover(),
        sandbox.call(body),
        sandbox.call(body, Authorization=""),
        sandbox.call(body | {"hook": "order-sign"}, PATIENT_VIEW),
        sandbox.call(body | {"prefetch": {}}),
        sandbox.call(body, f"{DISCOVERY}/unknown"),
        sandbox.call(body, DISCOVERY),
        sandbox.call(body, **{"Content-Type": "text/plain"}),
    ]
    assert [response.status_code for response in responses] == [200, 200, 401, 400, 412, 404, 405, 415]
    assert {response.headers.get("Access-Control-Allow-Origin") for response in responses} == {ORIGIN}
    # Else a cache could give one page the permission of another.
    assert all("Origin" in response.headers.get("Vary", "") for response in responses)


# --- Its tokens


@pytest.mark.parametrize("path", [DISCOVERY, f"{DISCOVERY}/"])
def test_discovery_is_found_with_and_without_a_slash_by_a_token_for_just_that_address(
    sandbox: Sandbox, path: str
) -> None:
    response = sandbox.discover(path)
    assert (response.status_code, len(json.loads(response.data)["services"])) == (200, 3)


@pytest.mark.parametrize("path", [PATIENT_VIEW, PATIENT_VIEW.replace("services/", "services//")])
def test_a_token_for_just_the_address_called_is_accepted(sandbox: Sandbox, path: str) -> None:
    assert sandbox.call(fixture("patient-view"), path).status_code == 200


@pytest.mark.parametrize("path", [PATIENT_VIEW, PATIENT_VIEW.replace("services/", "services//")])
def test_a_token_for_just_the_feedback_address_is_accepted(sandbox: Sandbox, path: str) -> None:
    (card,) = sandbox.cards(fixture("patient-view"))
    assert sandbox.feed_back("feedback-accepted", card, path).status_code == 200


@pytest.mark.parametrize("meant", [f"{PATIENT_VIEW}/feedback", ORDER_SELECT, DISCOVERY, ""])
def test_a_token_for_another_address_is_not(sandbox: Sandbox, meant: str) -> None:
    headers = with_token("call", token(meant))
    assert sandbox.client.post(PATIENT_VIEW, data=b"{}", headers=headers).status_code == 401


def test_an_address_of_keys_in_the_token_is_never_followed(sandbox: Sandbox) -> None:
    with KeyServer(key_set(SIGNER)) as server:
        headers = with_token("call", token(PATIENT_VIEW, jku=server.url))
        assert sandbox.client.post(PATIENT_VIEW, data=b"{}", headers=headers).status_code == 401
        assert server.asked == []


# --- Its calls


def test_the_fixtures_are_as_unlike_fhir_as_what_the_sandbox_sends() -> None:
    empty, chosen = draft_of(fixture("order-select-imaging-empty")), draft_of(fixture("order-select-medication"))
    assert (empty["code"], empty["reasonCode"]) == ({"coding": [{}]}, [])
    assert isinstance(chosen["category"], dict) and isinstance(chosen["reasonCode"], dict)
    assert not {"intent", "medicationCodeableConcept"} & draft_of(fixture("order-select-medication-empty")).keys()
    bundle = fixture("order-select-imaging-reason")["context"]["draftOrders"]
    assert "type" not in bundle and "fullUrl" not in bundle["entry"][0]


@pytest.mark.parametrize(
    ("name", "indicators"),
    [
        ("patient-view", ["warning"]),
        ("patient-view-unknown-patient", []),
        ("order-select-imaging-empty", []),
        ("order-select-imaging-study", ["info"]),
        ("order-select-imaging-reason", ["info"]),
        ("order-select-medication-empty", []),
        ("order-select-medication", ["warning"]),
        ("order-sign-medication", ["warning"]),
    ],
)
def test_each_screen_of_the_sandbox_gets_its_answer(sandbox: Sandbox, name: str, indicators: list[str]) -> None:
    assert [card["indicator"] for card in sandbox.cards(fixture(name))] == indicators


def test_every_change_of_a_field_is_a_call_of_its_own(sandbox: Sandbox) -> None:
    names = ["empty", "study", "reason", "reason", "empty", "study"]
    bodies = [fixture(f"order-select-imaging-{name}") | {"hookInstance": str(uuid4())} for name in names]
    shown = [sandbox.cards(body) for body in bodies]
    assert [len(cards) for cards in shown] == [0, 1, 1, 1, 0, 1]
    assert len({card["uuid"] for cards in shown for card in cards}) == 4


CPT = "http://www.ama-assn.org/go/cpt"


@pytest.mark.parametrize("pain", [True, False], ids=["pain on the chart", "pain only as the reason"])
@pytest.mark.parametrize(
    ("code", "indicator", "first"),
    [
        ("72131", "warning", "Order: MRI lumbar spine"),
        ("72132", "warning", "Order: MRI lumbar spine"),
        ("72133", "warning", "Order: MRI lumbar spine"),
        ("72148", "info", "Order: Whole-body bone scan"),
        ("72149", "info", "Order: Whole-body bone scan"),
        ("72158", "info", "Order: Whole-body bone scan"),
    ],
)
def test_a_lumbar_study_for_low_back_pain_is_answered_by_what_it_leaves_open(
    sandbox: Sandbox, code: str, indicator: str, first: str, pain: bool
) -> None:
    body = changed(fixture("order-select-imaging-reason"), code={"coding": [{"code": code, "system": CPT}]})
    if not pain:
        take_pain_away(body)
    (card,) = sandbox.cards(body)
    labels = [suggestion["label"] for suggestion in card["suggestions"]]
    assert (card["indicator"], labels[0][: len(first)]) == (indicator, first)
    assert ("Remove the CT of the spine: shows cord and marrow poorly" in labels) is (indicator == "warning")


def take_pain_away(body: Json) -> None:
    """Leave the cancer as the only condition on the chart."""
    conditions = body["prefetch"]["conditions"]
    conditions |= {"entry": conditions["entry"][:1], "total": 1}


@pytest.mark.parametrize("reason", [[], [{"coding": [{"code": "254837009", "system": "http://snomed.info/sct"}]}]])
def test_a_lumbar_study_without_pain_on_chart_and_order_brings_no_card(sandbox: Sandbox, reason: list[Json]) -> None:
    body = changed(fixture("order-select-imaging-reason"), reasonCode=reason)
    take_pain_away(body)
    assert sandbox.cards(body) == []


@pytest.mark.parametrize(
    ("hook", "path"), [("order-select", PATIENT_VIEW), ("order-sign", ORDER_SELECT), ("order-select", ORDER_SIGN)]
)
def test_a_hook_without_its_screen_is_refused_by_name(sandbox: Sandbox, hook: str, path: str) -> None:
    response = sandbox.call(fixture("order-select-imaging-reason") | {"hook": hook}, path)
    assert (response.status_code, text_of(response)[:5]) == (400, "hook:")


# --- What the prefetch lacks


@pytest.mark.parametrize("key", ["patient", "conditions"])
def test_a_key_that_was_left_out_is_named_where_it_decides(sandbox: Sandbox, key: str) -> None:
    body = fixture("patient-view")
    del body["prefetch"][key]
    response = sandbox.call(body)
    assert response.status_code == 412 and f"{key}: not supplied" in text_of(response)


def test_a_key_that_was_left_out_is_said_on_the_card_where_it_refines(sandbox: Sandbox) -> None:
    body = fixture("patient-view")
    del body["prefetch"]["allergies"]
    (card,) = sandbox.cards(body)
    assert "**Not checked:** not supplied: contrast allergy" in card["detail"]


@pytest.mark.parametrize(("left", "status"), [(2, 200), (1, 412)], ids=["the pain came", "the pain may follow"])
def test_a_first_page_counts_as_far_as_it_goes(sandbox: Sandbox, left: int, status: int) -> None:
    body = fixture("patient-view")
    page = body["prefetch"]["conditions"]
    page["entry"] = page["entry"][:left]
    page["link"].append({"relation": "next", "url": "http://127.0.0.1:8001/fhir/Condition?_offset=2"})
    response = sandbox.call(body)
    assert response.status_code == status
    assert ("part of the problem list" if status == 200 else "only the first page") in response.text


@pytest.mark.parametrize("body", [{"prefetch": {}}, {"prefetch": None}, {}], ids=["empty", "null", "left out"])
def test_a_call_without_any_prefetch_is_refused_by_the_keys(sandbox: Sandbox, body: Json) -> None:
    bare = {name: value for name, value in fixture("patient-view").items() if name != "prefetch"}
    response = sandbox.call(bare | body)
    assert response.status_code == 412 and "conditions: not supplied" in text_of(response)


def test_the_default_patient_who_does_not_exist_is_not_called_free_of_cancer(tmp_path: Path) -> None:
    """The search results for a stranger are empty, and say nothing of him (decision 6.7)."""
    body = fixture("patient-view-unknown-patient")
    with WireFhirServer() as server:
        sandbox = Sandbox(tmp_path, clients=[], fhir_servers=[server.base])
        response = sandbox.call(body | {"fhirServer": server.base})
        assert [item.target.rpartition("/")[2] for item in server.requests] == ["smart-1288992"]
    assert response.status_code == 412 and "patient: the patient is not known to the FHIR server" in text_of(response)


def test_the_default_patient_who_does_not_exist_leaves_the_service_calm_where_it_may_not_ask(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, clients=[])
    assert sandbox.cards(fixture("patient-view-unknown-patient")) == []


def test_a_server_that_does_not_know_the_patient_is_no_fault_of_the_service(tmp_path: Path) -> None:
    def unknown(exchange: Any) -> None:
        exchange.resource(outcome(code="not-found"), 404)

    body = fixture("patient-view-unknown-patient")
    secret = body["fhirAuthorization"]["access_token"]
    kinds = ["Patient/smart-1288992", "Condition", "Observation"]
    for handlers in ({}, dict.fromkeys(kinds, unknown)):
        with WireFhirServer(token=secret, handlers=handlers) as server:
            sandbox = Sandbox(tmp_path, clients=[], fhir_servers=[server.base])
            response = sandbox.call(body | {"fhirServer": server.base, "prefetch": {}})
            assert server.requests
        assert response.status_code == 412 and not {secret, "smart-1288992"} & set(text_of(response).split())


# --- What it does with cards


@pytest.mark.parametrize("name", [name for name in CALLS if fixture(name)["prefetch"]])
def test_every_card_can_be_shown_taken_and_dismissed(sandbox: Sandbox, name: str) -> None:
    for card in sandbox.cards(fixture(name)):
        check_card(card)
        # Without these the page offers no button, or stumbles.
        assert UUID(card["uuid"]) and card["source"]["label"]
        for suggestion in card["suggestions"]:
            assert UUID(suggestion["uuid"]) and suggestion["label"] and suggestion["actions"]
        assert all(reason["code"] and reason["display"] for reason in card["overrideReasons"])


@pytest.mark.parametrize(
    "markup",
    ["<img src=x onerror=alert(1)>", "<script>x</script>", "![x](https://ehr.example.org/x)", "[x](https://a.example)"],
)
def test_words_of_the_chart_bring_no_html_and_no_image_to_the_page(sandbox: Sandbox, markup: str) -> None:
    assert foreign_markup(markup)
    body = fixture("patient-view")
    cancer, _ = body["prefetch"]["conditions"]["entry"]
    # Words without a code are quoted on the card.
    cancer["resource"]["code"] = {"text": f"Breast cancer {MARK} {markup}"}
    (card,) = sandbox.cards(body)
    assert MARK in card["detail"]
    assert foreign_markup(card["detail"]) == []


# --- What it says of them


def test_a_card_that_was_accepted_and_then_dismissed_keeps_both_answers_and_the_last_counts(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (card,) = sandbox.cards(fixture("patient-view"))
    names = ["feedback-accepted", "feedback-overridden", "feedback-overridden-reason"]
    responses = [sandbox.feed_back(name, card) for name in names]
    assert [(response.status_code, response.json) for response in responses] == [(200, {})] * 3
    ledger = open_ledger(sandbox.settings)
    kept = ledger.card_feedback(UUID(card["uuid"]))
    ledger.close()
    assert sorted(item.outcome for item in kept) == ["accepted", "overridden", "overridden"]
    assert all(item.known for item in kept)
    # The patient declined in the last of them: the same chart stays silent.
    assert sandbox.cards(fixture("patient-view") | {"hookInstance": str(uuid4())}) == []


def test_the_time_of_an_answer_is_kept_to_the_millisecond(sandbox: Sandbox) -> None:
    (card,) = sandbox.cards(fixture("patient-view"))
    sandbox.feed_back("feedback-accepted", card)
    ledger = open_ledger(sandbox.settings)
    (kept,) = ledger.card_feedback(UUID(card["uuid"]))
    ledger.close()
    assert kept.outcome_at == datetime(2026, 11, 22, 9, 18, 37, 108_000, UTC)
    assert kept.accepted == (card["suggestions"][0]["uuid"],)


# --- The prefetch proxy, and clients that err


def test_the_prefetch_proxy_is_understood(sandbox: Sandbox) -> None:
    body = fixture("order-select-prefetch-proxy")
    response = sandbox.call(body, **{"Content-Type": "application/json;charset=utf-8"})
    assert body["prefetch"] == {} and response.status_code == 412
    assert "conditions: not supplied" in text_of(response)


def test_what_the_prefetch_proxy_leaves_out_is_read_from_an_allowed_server(tmp_path: Path) -> None:
    chart = fixture("order-select-imaging-reason")["prefetch"]
    resources = [chart["patient"], *(entry["resource"] for entry in chart["conditions"]["entry"])]
    with WireFhirServer(*resources) as server:
        sandbox = Sandbox(tmp_path, clients=[], fhir_servers=[server.base])
        (card,) = sandbox.cards(fixture("order-select-prefetch-proxy") | {"fhirServer": server.base})
    assert card["indicator"] == "info"


def test_a_client_whose_context_names_another_patient_than_its_prefetch_gets_no_card_and_is_told(
    sandbox: Sandbox,
) -> None:
    body = fixture("patient-view")
    body["context"]["patientId"] = "random-7f3a"
    response = sandbox.call(body)
    assert response.status_code == 412
    assert "patient: holds data of another patient" in text_of(response) and "random-7f3a" not in response.text


# --- The same over the wire


@pytest.fixture
def wire(start_service: StartService, tmp_path: Path) -> Iterator[http.client.HTTPConnection]:
    """One kept-alive connection of a browser to the service as it is run."""
    server = start_service(**{**sandbox_settings(tmp_path), "data_folder": str(tmp_path / "data")})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)
    yield connection
    connection.close()


def test_a_whole_visit_over_one_connection(wire: http.client.HTTPConnection) -> None:
    now = datetime.now(UTC)

    def says(method: str, path: str, kind: str, body: object = None) -> tuple[int, Any]:
        sent = HEADERS[kind] if method == "OPTIONS" else with_token(kind, token(path, now))
        wire.request(method, path, json.dumps(body).encode() if body else None, {"Host": "127.0.0.1:8000"} | sent)
        response = wire.getresponse()
        content = response.read()
        assert response.getheader("Access-Control-Allow-Origin") == ORIGIN and not response.will_close
        return response.status, json.loads(content or b"null")

    assert says("OPTIONS", f"{DISCOVERY}/", "preflight-discovery")[0] == 200
    status, found = says("GET", f"{DISCOVERY}/", "discovery")
    assert status == 200
    # As the page does: what was typed, a slash, the id.
    path = f"{DISCOVERY}//{found['services'][0]['id']}"
    assert says("OPTIONS", path, "preflight-post")[0] == 200
    status, response = says("POST", path, "call", fixture("patient-view", now))
    assert (status, len(response["cards"])) == (200, 1)
    entry = {"card": response["cards"][0]["uuid"], "outcome": "overridden", "outcomeTimestamp": now.isoformat()}
    assert says("OPTIONS", f"{path}/feedback", "preflight-post")[0] == 200
    assert says("POST", f"{path}/feedback", "feedback", {"feedback": [entry]}) == (200, {})
    assert says("POST", path, "call", {"hook": "order-sign"})[0] == 400
