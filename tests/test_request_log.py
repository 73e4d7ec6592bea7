"""One line per request, of a stable shape, with nothing of a patient, a user or a token."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.decision.support import DecisionSupport
from cds_service.settings import make_settings
from cds_service.web.call_log import LOGGER_NAME
from tests.builders import BREAST_CANCER, HOOK_INSTANCE, LOW_BACK_PAIN, NOW, condition, day, request, supplied

SERVICE = "breast-cancer-back-pain-patient-view"
PATH = f"/cds-services/{SERVICE}"
CALL = request("patient-view", supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5))))

SETTINGS = {"pseudonym_key": "a key of the tests, that guards nothing"}

KEYS = {
    "timestamp", "level", "event", "method", "route", "status", "milliseconds", "address", "decision_id", "issuer",
    "tenant", "service", "hook", "hook_instance", "mode", "outcome", "reason", "settings_digest", "fetched",
    "not_understood",
    "refusal", "stored", "repeated", "unknown_cards",
}  # fmt: skip


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    return make_app(make_settings(SETTINGS | {"data_folder": str(tmp_path)}), lambda: NOW).test_client()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO, LOGGER_NAME)
    return lambda: [json.loads(record.message) for record in caplog.records if record.name == LOGGER_NAME]


def test_a_call_is_one_line_with_its_outcome(client: FlaskClient, lines: Any) -> None:
    response = client.post(PATH, json=CALL)
    (line,) = lines()
    assert line["decision_id"] == response.headers["X-Decision-Id"]
    assert (line["service"], line["hook"], line["hook_instance"]) == (SERVICE, "patient-view", HOOK_INSTANCE)
    assert (line["outcome"], line["reason"], line["mode"]) == ("fired", "imaging-advised", "live")
    assert (line["status"], line["issuer"], line["level"], line["fetched"]) == (200, "anonymous", "info", [])


@pytest.mark.parametrize("path", [PATH, f"{PATH}/feedback", "/cds-services/unknown", "/nothing-here"])
def test_every_line_has_the_same_keys(client: FlaskClient, lines: Any, path: str) -> None:
    client.post(path, json=CALL)
    (line,) = lines()
    assert line.keys() == KEYS


@pytest.mark.parametrize(
    "path", ["/cds-services", "/nothing", "/evidence", "/health/live", "/metrics", "/openapi.json"]
)
def test_every_answer_has_an_id(client: FlaskClient, path: str) -> None:
    assert len(client.get(path).headers["X-Decision-Id"]) == 36


def test_feedback_is_a_line_that_says_what_was_stored(client: FlaskClient, lines: Any) -> None:
    card = client.post(PATH, json=CALL).get_json()["cards"][0]["uuid"]
    entry = {"card": card, "outcome": "overridden"}
    other = {"card": "00000000-0000-4000-8000-000000000000", "outcome": "accepted"}
    client.post(f"{PATH}/feedback", json={"feedback": [entry, entry, other]})
    line = lines()[-1]
    assert (line["stored"], line["repeated"], line["unknown_cards"]) == (2, 1, 1)


def test_health_and_metrics_are_no_lines(client: FlaskClient, lines: Any) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        client.get(path)
    assert lines() == []


def test_a_hook_instance_that_is_no_uuid_is_not_logged(client: FlaskClient, lines: Any) -> None:
    client.post(PATH, json=CALL | {"hookInstance": "Jane-Doe-1968"})
    assert lines()[0]["hook_instance"] is None


def test_without_a_key_no_hook_instance_is_logged(tmp_path: Path, lines: Any) -> None:
    make_app(make_settings({"data_folder": str(tmp_path)}), lambda: NOW).test_client().post(PATH, json=CALL)
    assert lines()[0]["hook_instance"] is None


def test_an_address_that_was_made_up_is_not_logged(
    client: FlaskClient, lines: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/cds-services/Jane-Doe-1968?patient=Jane-Doe-1968", json=CALL)
    client.open("/Jane-Doe-1968", method="JANEDOE")
    assert len(lines()) == 2
    assert "Jane" not in caplog.text and "JANE" not in caplog.text


def test_a_crash_is_an_error_line_and_a_row_with_the_same_id(
    client: FlaskClient, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(DecisionSupport, "_assessed", crash)
    response = client.post(PATH, json=CALL)
    (line,) = lines()
    assert response.status_code == 500
    assert (line["level"], line["outcome"], line["reason"]) == ("error", "failed", "RuntimeError")
    assert line["decision_id"] == response.headers["X-Decision-Id"]
    assert line["decision_id"] in response.get_json()["issue"][0]["details"]["text"]


# What one write to a pipe keeps in one piece on Linux: the lines of several workers are never torn.
PIPE_BUF = 4096


def test_a_line_is_short_however_many_code_systems_are_not_understood(client: FlaskClient, lines: Any) -> None:
    unread = [
        condition("local x", text="")
        | {"code": {"coding": [{"system": f"urn:oid:1.2.{'3' * 40}.{number}", "code": "x"}]}}
        for number in range(3000)
    ]
    usual = [condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5)), condition("local y")]
    client.post(
        PATH, json=request("patient-view", supplied(*usual, *[condition("local y") for _ in range(5)], *unread))
    )
    (line,) = lines()
    counted = line["not_understood"]["conditions"]
    assert len(json.dumps(line)) < PIPE_BUF
    # The most frequent system comes first, and nothing is left out of the sum.
    assert next(iter(counted)) != "others"
    assert sum(counted.values()) == 3006
