"""A second rule, made up in `tests/made_up_rule`, needs one entry in the registry and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.clinical import registry
from cds_service.decision.explanation import explain
from cds_service.decision.hook_call import HookCall
from cds_service.decision.open_ledger import open_ledger
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import read_request, scenarios_folder
from cds_service.settings import Settings, SettingsError, make_settings
from cds_service.workbench.why import explained
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, Json, condition, day, request, supplied
from tests.made_up_rule import MADE_UP_RULE
from tests.made_up_rule.rule import FOUND, SERVICE

PAIN = condition("snomed 22253000", onset=day(3))
PATH = f"/cds-services/{SERVICE.id}"
KEY = "a-key-of-the-tests-0123456789abcdef"


@pytest.fixture(autouse=True)
def _two_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RULES", (*registry.RULES, MADE_UP_RULE))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings({"data_folder": str(tmp_path), "pseudonym_key": KEY})


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    with make_app(settings, lambda: NOW).test_client() as client:
        yield client


def a_call() -> Json:
    return request("patient-view", supplied(PAIN))


def test_discovery_shows_the_services_of_both_rules_each_with_its_own_prefetch(client: FlaskClient) -> None:
    services = {item["id"]: item for item in client.get("/cds-services").get_json()["services"]}
    assert set(services) == set(registry.service_ids()) and len(services) == 4
    assert services[SERVICE.id]["prefetch"] == {"conditions": "Condition?patient={{context.patientId}}"}
    assert "encounters" in services["breast-cancer-back-pain-patient-view"]["prefetch"]


def test_a_call_of_the_second_rule_is_answered_with_its_own_card(client: FlaskClient) -> None:
    response = client.post(PATH, json=a_call())
    (card,) = response.get_json()["cards"]
    assert card["summary"] == "Something hurts (1): made-up advice."
    assert card["detail"] == f"**Why**\n- Pain (onset {day(3)}, 3\N{NO-BREAK SPACE}days ago)"
    assert card["source"]["topic"]["code"] == "madeuppain"
    assert [reason["code"] for reason in card["overrideReasons"]] == ["made-up-reason"]
    (suggestion,) = card["suggestions"]
    assert suggestion["label"] == "Order: Bone scan (made up)"
    assert suggestion["actions"][0]["resource"]["priority"] == "routine"


def test_the_second_rule_is_silent_where_it_finds_nothing(client: FlaskClient) -> None:
    assert client.post(PATH, json=request("patient-view", supplied())).get_json() == {"cards": []}


def test_its_decisions_and_the_feedback_on_its_cards_stand_in_the_ledger(
    client: FlaskClient, settings: Settings
) -> None:
    (card,) = client.post(PATH, json=a_call()).get_json()["cards"]
    told = {"card": card["uuid"], "outcome": "overridden", "overrideReason": {"reason": {"code": "made-up-reason"}}}
    stored = client.post(f"{PATH}/feedback", json={"feedback": [told | {"outcomeTimestamp": NOW.isoformat()}]})
    assert stored.status_code == 200
    ledger = open_ledger(settings)
    try:
        (row,) = ledger.decisions(NOW - timedelta(days=1), NOW + timedelta(days=1))
        (response,) = ledger.card_feedback(row.card_id or UUID(int=0))
    finally:
        ledger.close()
    assert (row.service, row.reason, row.proposed) == (SERVICE.id, FOUND, ("made-up-bone-scan",))
    assert row.rule_version == "0.1.0"
    assert response.reason == "made-up-reason"


def test_its_reason_codes_are_labels_of_the_metrics(client: FlaskClient) -> None:
    client.post(PATH, json=a_call())
    assert f'reason="{FOUND}"' in client.get("/metrics").text


def test_explain_and_the_workbench_show_its_questions_findings_and_timeline(settings: Settings) -> None:
    support = DecisionSupport(settings)
    text = explain(support.decide(HookCall(SERVICE, NOW), a_call()))
    assert text.startswith("Card: something hurts.")
    assert "[yes] Does something hurt?" in text and "All pain:" in text
    shown = explained(support, HookCall(SERVICE, NOW), a_call())
    assert [row.title for row in shown.timeline.rows] == ["Pain"]
    assert shown.facts["notes"] == ["Nothing of this is medicine."]


def test_the_openapi_description_names_its_addresses(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").get_json()["paths"]
    assert {PATH, f"{PATH}/feedback"} <= paths.keys()


def test_its_service_can_be_switched_off_by_a_setting(tmp_path: Path) -> None:
    modes = [{"mode": "off", "service": SERVICE.id}]
    app = make_app(make_settings({"data_folder": str(tmp_path), "modes": modes}), lambda: NOW)
    assert app.test_client().post(PATH, json=a_call()).get_json() == {"cards": []}


def test_without_its_entry_in_the_registry_its_service_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "RULES", registry.RULES[:1])
    client = make_app(make_settings({"data_folder": str(tmp_path)}), lambda: NOW).test_client()
    assert client.post(PATH, json=a_call()).status_code == 404
    with pytest.raises((SettingsError, ValueError), match="there is no service"):
        make_settings({"modes": [{"mode": "off", "service": SERVICE.id}]})


def test_the_second_rule_changes_no_answer_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    together = DecisionSupport()
    monkeypatch.setattr(registry, "RULES", registry.RULES[:1])
    alone = DecisionSupport()
    for folder in sorted(scenarios_folder().glob("*/request.json")):
        call = read_request(folder, NOW)
        service = alone.service_for(call)
        assert service is not None
        assert json.dumps(together.decide(HookCall(service, NOW), call).response) == json.dumps(
            alone.decide(HookCall(service, NOW), call).response
        ), folder.parent.name


def test_the_first_rule_still_answers_beside_the_second(client: FlaskClient) -> None:
    call = request("patient-view", supplied(condition(BREAST_CANCER), condition(LOW_BACK_PAIN, onset=day(5))))
    (card,) = client.post("/cds-services/breast-cancer-back-pain-patient-view", json=call).get_json()["cards"]
    assert card["summary"].startswith("Breast cancer history")
