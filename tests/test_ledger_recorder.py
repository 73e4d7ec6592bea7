"""What happens to calls and feedback when the ledger is down, and when it is back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.decision.ledger_keeper import PAUSE_SECONDS
from cds_service.decision.open_ledger import open_ledger
from cds_service.decision.recorder import LedgerRecorder
from cds_service.ledger.entries import DecisionEntry, Mode
from cds_service.reporting.metrics import Metrics, Vocabulary
from cds_service.settings import Settings, make_settings
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, condition, day, request, supplied

PATH = "/cds-services/breast-cancer-back-pain-patient-view"
CALL = request("patient-view", supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5))))
KEY = "a key of the tests, that guards nothing"


def down(tmp_path: Path, **more: Any) -> Settings:
    """Settings whose ledger cannot be opened: a file stands where its folder should be."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    return make_settings({"data_folder": str(blocked / "ledger"), "pseudonym_key": KEY} | more)


def client_of(settings: Settings) -> FlaskClient:
    return make_app(settings, lambda: NOW).test_client()


def feedback(card: str) -> dict[str, Any]:
    return {"feedback": [{"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T11:00:00Z"}]}


def test_a_ledger_that_is_down_never_stops_a_card(tmp_path: Path) -> None:
    response = client_of(down(tmp_path)).post(PATH, json=CALL)
    assert (response.status_code, len(response.get_json()["cards"])) == (200, 1)


def test_a_ledger_that_is_down_is_counted_and_logged_and_shown_in_readiness(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(down(tmp_path))
    client.post(PATH, json=CALL)
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.get_json()["status"]) == (200, "ready")
    assert ready.get_json()["ledger"].startswith("down: ")
    assert 'cds_ledger_failures_total{operation="decision"} 1.0' in client.get("/metrics").text
    assert "the ledger failed" in caplog.text


def test_a_strict_site_gets_no_card_that_is_not_recorded(tmp_path: Path) -> None:
    client = client_of(down(tmp_path, ledger_strict=True))
    response = client.post(PATH, json=CALL)
    assert response.status_code == 503
    assert "does not mean that there is no risk" in response.text
    assert (client.get("/health/ready").status_code, client.get("/health/live").status_code) == (503, 200)
    counted = [line for line in client.get("/metrics").text.splitlines() if line.startswith("cds_calls_total")]
    assert len(counted) == 1 and 'outcome="failed",reason="NotRecorded"' in counted[0]


def test_feedback_that_cannot_be_stored_is_not_acknowledged(tmp_path: Path) -> None:
    response = client_of(down(tmp_path)).post(f"{PATH}/feedback", json=feedback("c"))
    assert response.status_code == 503
    assert response.get_json()["issue"][0]["code"] == "no-store"
    assert int(response.headers["Retry-After"]) > 0


def test_feedback_can_be_sent_again_when_the_ledger_is_back(tmp_path: Path) -> None:
    settings = down(tmp_path)
    client = client_of(settings)
    card = client.post(PATH, json=CALL).get_json()["cards"][0]["uuid"]
    assert client.post(f"{PATH}/feedback", json=feedback(card)).status_code == 503
    (tmp_path / "file").unlink()
    assert client.post(f"{PATH}/feedback", json=feedback(card)).status_code == 200
    ledger = open_ledger(settings)
    assert len(list(ledger.feedback(NOW - timedelta(days=1), NOW + timedelta(days=1)))) == 1
    ledger.close()


def entry(number: int) -> DecisionEntry:
    return DecisionEntry(
        UUID(int=number), NOW, "anonymous", "s", "patient-view", Mode.LIVE, "fired", "imaging-advised", "1", "d", 1.0
    )


def test_after_a_failure_calls_do_not_wait_for_the_ledger_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    recorder = LedgerRecorder(down(tmp_path), Metrics("1", Vocabulary(hooks={})), lambda: seconds[0])
    tries: list[int] = []
    prepare = recorder.ledger.prepare

    def counted(**how: Any) -> None:
        tries.append(1)
        prepare(**how)

    monkeypatch.setattr(recorder.ledger, "prepare", counted)
    for moment in (0.0, PAUSE_SECONDS - 0.01, PAUSE_SECONDS):
        seconds[0] = moment
        recorder.record_decision(entry(int(moment * 100)))
    assert len(tries) == 2


def test_a_fault_inside_the_ledger_stops_no_card_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise TypeError("a fault of our own")

    monkeypatch.setattr("cds_service.ledger.store.Ledger.record_decision", crash)
    client = client_of(make_settings({"data_folder": str(tmp_path)}))
    assert client.post(PATH, json=CALL).get_json()["cards"]


def test_a_retry_of_the_same_call_is_one_row(tmp_path: Path) -> None:
    settings = make_settings({"data_folder": str(tmp_path)})
    client = client_of(settings)
    for _ in range(2):
        client.post(PATH, json=CALL)
    ledger = open_ledger(settings)
    rows = list(ledger.decisions(NOW - timedelta(days=1), NOW + timedelta(days=1)))
    ledger.close()
    assert len(rows) == 1


def test_readiness_says_that_nothing_is_remembered_without_a_key(tmp_path: Path) -> None:
    ready = client_of(make_settings({"data_folder": str(tmp_path)})).get("/health/ready").get_json()
    assert ready["memory_of_answers"] == "off: the setting pseudonym_key is not set"


def test_a_comment_is_kept_only_where_the_settings_allow_it(tmp_path: Path) -> None:
    kept = {}
    for allowed in (True, False):
        settings = make_settings({"data_folder": str(tmp_path / str(allowed)), "feedback_comments": allowed})
        entry = {"card": "c", "outcome": "overridden", "overrideReason": {"userComment": "x" * 600}}
        assert client_of(settings).post(f"{PATH}/feedback", json={"feedback": [entry]}).status_code == 200
        ledger = open_ledger(settings)
        (row,) = ledger.feedback(NOW - timedelta(days=1), NOW + timedelta(days=1))
        ledger.close()
        kept[allowed] = row.comment
    assert kept == {True: "x" * 500, False: None}


def test_epics_plural_form_of_a_reason_is_understood(tmp_path: Path) -> None:
    settings = make_settings({"data_folder": str(tmp_path)})
    entry = {
        "card": "123456",
        "outcome": "overridden",
        "overrideReasons": [{"reason": {"code": "patient-declines"}}],
        "outcomeTimestamp": "2026-11-22T10:00:00Z",
    }
    client_of(settings).post(f"{PATH}/feedback", json={"feedback": [entry]})
    ledger = open_ledger(settings)
    (row,) = ledger.feedback(NOW - timedelta(days=1), NOW + timedelta(days=1))
    ledger.close()
    assert (row.reason, row.known) == ("patient-declines", False)


def test_a_reason_that_is_nobodys_code_is_counted_as_unlisted_and_its_text_is_not_kept(tmp_path: Path) -> None:
    settings = make_settings({"data_folder": str(tmp_path)})
    entry = {"card": "Jane Doe", "outcome": "overridden", "overrideReason": {"reason": {"code": "Jane Doe"}}}
    client_of(settings).post(f"{PATH}/feedback", json={"feedback": [entry]})
    ledger = open_ledger(settings)
    (row,) = ledger.feedback(NOW - timedelta(days=1), NOW + timedelta(days=1))
    ledger.close()
    assert (row.reason, row.card_id) == ("unlisted", UUID("5d0a4dc5-64d2-5d0c-8a43-7a7c6ce1f2a5"))
    assert b"Jane" not in (tmp_path / "ledger.sqlite3").read_bytes()
