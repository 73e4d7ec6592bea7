"""The mistakes that were found in other CDS Hooks services, each by a `test_mistake_…` that shows it is not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from flask.testing import FlaskClient

from cds_service.decision.caller import Caller
from cds_service.decision.decision_id import decision_id
from cds_service.decision.hook_call import HookCall
from cds_service.demo.scenarios import read_request
from cds_service.protocol.hook_request import HookRequest
from cds_service.protocol.services import Service
from tests.builders import SERVICES
from tests.http_calls import (
    CANCER,
    NOW,
    ORDER_SELECT,
    ORDER_SIGN,
    PAIN,
    PATIENT,
    PATIENT_VIEW,
    ROOT,
    Json,
    a_call,
    assert_refused,
    bundle,
    card_of,
    draft,
    orders_of,
    post,
    with_context,
    without,
)


@pytest.mark.parametrize(
    ("prefetch", "missing"),
    [
        (None, ["patient", "conditions", "observations"]),
        ({}, ["patient", "conditions", "observations"]),
        ({"patient": {"resourceType": "Patient", "id": PATIENT}}, ["conditions", "observations"]),
        ({"patient": {"resourceType": "Patient", "id": PATIENT}, "conditions": bundle(CANCER)}, ["observations"]),
    ],
    ids=["null", "empty", "the patient only", "no observations"],
)
def test_mistake_2_a_missing_prefetch_is_refused_by_the_names_of_the_keys(
    client: FlaskClient, prefetch: Json | None, missing: list[str]
) -> None:
    response = post(client, a_call() | {"prefetch": prefetch})
    assert_refused(response, 412)
    assert response.get_json()["issue"][0]["diagnostics"] == f"Missing prefetch keys: {', '.join(missing)}"


def test_mistake_2_a_call_without_the_member_prefetch_is_refused_and_does_not_crash(client: FlaskClient) -> None:
    assert_refused(post(client, without(a_call(), "prefetch")), 412, "conditions: not supplied")


def test_mistake_2_conditions_null_are_known_to_be_empty(client: FlaskClient) -> None:
    assert post(client, a_call(conditions=None)).get_json() == {"cards": []}


def test_mistake_2_what_is_missing_but_cannot_change_the_answer_is_not_missed(client: FlaskClient) -> None:
    call = a_call(conditions=bundle(PAIN))
    call["prefetch"] = without(call["prefetch"], "observations")
    assert post(client, call).get_json() == {"cards": []}


@pytest.mark.parametrize("url", ["https://ehr.example.org/fhir?page=2", "http://169.254.169.254/latest", "file:///etc"])
def test_mistake_4_a_first_page_is_not_the_chart_and_no_link_is_followed_blindly(client: FlaskClient, url: str) -> None:
    page = bundle(PAIN, link=[{"relation": "next", "url": url}])
    response = post(client, a_call(conditions=page))
    assert_refused(response, 412, "conditions: only the first page was supplied")
    assert url not in response.get_data(as_text=True)


def a_session(*selected: str) -> Json:
    """An order session with a walk (unrelated), then ibuprofen, and these of them selected."""
    call = a_call("order-select")
    call["context"]["draftOrders"] = bundle(draft("walk"), draft("ibuprofen"))
    call["context"]["selections"] = [f"ServiceRequest/{name}" for name in selected]
    return call


def test_mistake_5_a_draft_that_is_not_selected_brings_no_card(client: FlaskClient) -> None:
    assert post(client, a_session("walk"), ORDER_SELECT).get_json() == {"cards": []}


@pytest.mark.parametrize("selected", [["ibuprofen"], ["walk", "ibuprofen"]], ids=["alone", "as the second"])
def test_mistake_5_the_second_draft_is_read_when_it_is_selected(client: FlaskClient, selected: list[str]) -> None:
    assert card_of(post(client, a_session(*selected), ORDER_SELECT))


def test_mistake_5_where_a_selection_leads_to_no_draft_any_may_be_meant(client: FlaskClient) -> None:
    assert card_of(post(client, a_session("none"), ORDER_SELECT))


def test_mistake_5_every_order_says_why_by_code_and_by_reference(client: FlaskClient) -> None:
    for order in orders_of(card_of(post(client, a_call()))):
        coded = [reason["coding"][0]["code"] for reason in order["reasonCode"] if "coding" in reason]
        assert sorted(coded) == ["C50.911", "M54.50"]
        assert {item["reference"] for item in order["reasonReference"]} == {"Condition/c-C50.911", "Condition/c-M54.50"}


def test_mistake_6_every_suggestion_is_one_create_of_a_resource_that_is_an_object(client: FlaskClient) -> None:
    card = card_of(post(client, a_call()))
    assert card["selectionBehavior"] == "any"
    for suggestion in card["suggestions"]:
        [action] = suggestion["actions"]
        assert action["type"] == "create"
        assert ServiceRequest.model_validate(action["resource"]).status == "draft"


def ids_of(card: Json) -> list[str]:
    return [card["uuid"], *(suggestion["uuid"] for suggestion in card["suggestions"])]


def test_mistake_7_a_repeated_call_gets_the_same_ids(client: FlaskClient) -> None:
    assert ids_of(card_of(post(client, a_call()))) == ids_of(card_of(post(client, a_call())))


def test_mistake_7_no_two_ids_of_one_answer_are_the_same(client: FlaskClient) -> None:
    ids = ids_of(card_of(post(client, a_call())))
    assert len(set(ids)) == len(ids) == 4


def _others() -> Iterator[tuple[str, Json]]:
    yield PATIENT_VIEW, json.loads(json.dumps(a_call()).replace(PATIENT, "pt-2"))
    yield PATIENT_VIEW, a_call() | {"hookInstance": "5b0f2c1e-8d0a-4c1b-9a53-0e6f0a4d7c12"}
    yield ORDER_SELECT, a_call("order-select")
    yield ORDER_SIGN, a_call("order-sign")


@pytest.mark.parametrize(
    ("service", "call"), list(_others()), ids=["patient", "hook instance", "order-select", "order-sign"]
)
def test_mistake_7_another_call_gets_other_ids(client: FlaskClient, service: str, call: Json) -> None:
    first = ids_of(card_of(post(client, a_call())))
    assert not set(first) & set(ids_of(card_of(post(client, call, service))))


def test_mistake_7_the_id_of_a_decision_is_the_same_in_every_process_and_release() -> None:
    call = HookCall(Service("service", "patient-view", "", "", ""), NOW, Caller("client"))
    request = HookRequest("patient-view", "instance", PATIENT, "Practitioner/dr-1")
    found = decision_id(call, request, ["mri-lumbar-spine"], "1.0.0")
    assert str(found) == "269e0fa4-9615-54f9-8970-f79b45a86a25"


_ANSWER_ALL = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from cds_service.demo.scenarios import read_request
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
now = datetime(2026, 11, 22, 12, tzinfo=UTC)
support = DecisionSupport()
for folder in sorted(Path(sys.argv[1]).iterdir()):
    call = read_request(folder, now)
    print(json.dumps(support.decide(HookCall(support.service_for(call), now), call).response))
"""


def test_mistake_7_two_processes_answer_every_patient_letter_for_letter_alike() -> None:
    command = [sys.executable, "-c", _ANSWER_ALL, str(ROOT / "fixtures" / "scenarios")]
    answers = [
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1]
    assert '"uuid"' in answers[0]


def test_mistake_12_unknown_members_and_extensions_are_passed_over(client: FlaskClient) -> None:
    extension = {"com.example.trigger": "18", "deep": [{"a": None}]}
    call = with_context(a_call(), extension=extension, surprise=[1]) | {"extension": extension, "surprise": None}
    call["prefetch"]["extension"] = extension
    call["prefetch"]["questionnaires"] = None
    assert card_of(post(client, call))["indicator"] == "warning"


def test_mistake_12_an_unknown_service_is_not_found(client: FlaskClient) -> None:
    assert_refused(post(client, a_call(), "breast-cancer"), 404, "GET /cds-services")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_mistakes_12_and_14_every_service_answers_its_own_hook_and_refuses_the_others(
    client: FlaskClient, service: str, hook: str
) -> None:
    response = post(client, a_call(hook), service)
    if SERVICES[service].hook == hook:
        assert card_of(response)
    else:
        assert_refused(response, 400, "hook: ")


def test_mistake_14_no_two_services_share_an_id(client: FlaskClient) -> None:
    ids = [entry["id"] for entry in client.get("/cds-services").get_json()["services"]]
    assert sorted(ids) == sorted(set(ids)) == sorted(SERVICES)


@pytest.mark.parametrize(
    "row",
    ["037-family-history-code", "038-1-family-member-history", "043-1-cancer-refuted", "043-2-cancer-entered-in-error",
     "046-cancer-unconfirmed"],
)  # fmt: skip
def test_mistake_18_what_is_not_the_patients_own_proven_cancer_does_not_count(client: FlaskClient, row: str) -> None:
    call = read_request(ROOT / "fixtures" / "scenarios" / f"row-{row}", NOW)
    assert post(client, call).get_json() == {"cards": []}
