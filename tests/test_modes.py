"""Modes: live, silent and off, by service and client."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cds_service.app import make_app
from cds_service.decision.open_ledger import open_ledger
from cds_service.ledger.entries import EVERY, Mode, ModeChange
from cds_service.ledger.modes import REFRESH_SECONDS, Modes
from cds_service.settings import Settings, SettingsError, make_settings
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, condition, day, request, supplied

SERVICE = "breast-cancer-back-pain-patient-view"
ADDRESS = f"/cds-services/{SERVICE}"
CALL = request("patient-view", supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5))))


def change(mode: str, service: str = EVERY, client: str = EVERY, minutes: int = 0) -> ModeChange:
    return ModeChange(NOW + timedelta(minutes=minutes), service, client, Mode(mode), "Dr. Test", "a test")


def modes(*changes: ModeChange, start: dict[tuple[str, str], Mode] | None = None) -> Modes:
    return Modes(start or {}, lambda: changes, lambda error: pytest.fail(str(error)))


def test_a_service_is_live_unless_told_otherwise() -> None:
    assert modes().mode("a", "x") is Mode.LIVE


def test_the_most_precise_setting_counts() -> None:
    start = {(EVERY, EVERY): Mode.OFF, (EVERY, "x"): Mode.SILENT, ("a", EVERY): Mode.OFF, ("a", "x"): Mode.LIVE}
    switch = modes(start=start)
    assert [switch.mode(*pair) for pair in (("a", "x"), ("b", "x"), ("a", "y"), ("b", "y"))] == [
        Mode.LIVE,
        Mode.SILENT,
        Mode.OFF,
        Mode.OFF,
    ]


def test_a_change_at_run_time_counts_more_than_any_setting() -> None:
    assert modes(change("off"), start={("a", "x"): Mode.LIVE}).mode("a", "x") is Mode.OFF


def test_the_last_change_that_concerns_a_call_counts() -> None:
    switch = modes(change("live", "a", "x", minutes=1), change("off", minutes=2), change("silent", "b", minutes=3))
    assert switch.mode("a", "x") is Mode.OFF
    assert switch.mode("b", "x") is Mode.SILENT


def test_a_change_for_another_client_does_not_concern_a_call() -> None:
    assert modes(change("off", client="y")).mode("a", "x") is Mode.LIVE


class Switchboard:
    """A source of changes that counts how often it is read, and can fail."""

    def __init__(self, memory: Path | None = None) -> None:
        self.changes: list[ModeChange] = []
        self.reads = 0
        self.fails = False
        self.failures: list[Exception] = []
        self.seconds = 0.0
        self.modes = Modes({}, self, self.failures.append, memory, lambda: self.seconds)

    def __call__(self) -> Iterable[ModeChange]:
        self.reads += 1
        if self.fails:
            raise OSError("down")
        return self.changes


def test_a_change_is_seen_after_the_refresh_time_and_not_read_before() -> None:
    board = Switchboard()
    board.modes.mode("a", "x")
    board.changes = [change("off")]
    board.seconds = REFRESH_SECONDS - 0.01
    assert (board.modes.mode("a", "x"), board.reads) == (Mode.LIVE, 1)
    board.seconds = REFRESH_SECONDS
    assert (board.modes.mode("a", "x"), board.reads) == (Mode.OFF, 2)


def test_the_last_known_mode_stays_in_force_while_the_ledger_is_down() -> None:
    board = Switchboard()
    board.changes = [change("off")]
    board.modes.mode("a", "x")
    board.fails = True
    board.seconds = 10 * REFRESH_SECONDS
    assert board.modes.mode("a", "x") is Mode.OFF
    assert len(board.failures) == 1


def test_a_worker_that_starts_while_the_ledger_is_down_knows_what_was_switched_off(tmp_path: Path) -> None:
    memory = tmp_path / "modes.json"
    before = Switchboard(memory)
    before.changes = [change("live", "a"), change("off")]
    before.modes.mode("a", "x")
    after = Switchboard(memory)
    after.fails = True
    assert after.modes.mode("a", "x") is Mode.OFF


def test_what_was_switched_off_stays_off_when_the_ledger_is_made_anew_until_somebody_switches_it(
    tmp_path: Path,
) -> None:
    memory = tmp_path / "modes.json"
    running = Switchboard(memory)
    running.changes = [change("off")]
    assert running.modes.mode("a", "x") is Mode.OFF
    running.changes, running.seconds = [], REFRESH_SECONDS
    started = Switchboard(memory)
    boards = (running, started)
    assert [board.modes.mode("a", "x") for board in boards] == [Mode.OFF, Mode.OFF]
    for board in boards:
        board.changes, board.seconds = [change("live")], 2 * REFRESH_SECONDS
    assert [board.modes.mode("a", "x") for board in boards] == [Mode.LIVE, Mode.LIVE]


@pytest.mark.parametrize("content", ["", "{", "[{}]", '[{"mode": "gone"}]'])
def test_a_memory_of_modes_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    memory = tmp_path / "modes.json"
    memory.write_text(content, encoding="utf-8")
    board = Switchboard(memory)
    board.fails = True
    assert board.modes.mode("a", "x") is Mode.LIVE


def test_a_switch_is_seen_while_no_call_comes(tmp_path: Path) -> None:
    board = Switchboard()
    board.changes = [change("off")]
    board.modes.watch()
    deadline = time.monotonic() + 10
    while not board.reads and time.monotonic() < deadline:
        time.sleep(0.01)
    board.fails = True
    assert board.modes.mode("a", "x") is Mode.OFF


@pytest.mark.parametrize(
    "rules",
    [
        [{"service": "breast-cancer-back-pain-patientview", "mode": "off"}],
        [{"client": "https://nobody.example.org", "mode": "off"}],
        [{"mode": "off"}, {"mode": "live"}],
    ],
)
def test_a_mode_for_nothing_that_exists_or_twice_for_the_same_stops_the_start(rules: list[dict[str, str]]) -> None:
    with pytest.raises(SettingsError, match="modes"):
        make_settings({"modes": rules})


def app_in(folder: Path, **settings: Any) -> tuple[Flask, Settings]:
    made = make_settings({"data_folder": str(folder)} | settings)
    return make_app(made, lambda: NOW), made


def only_row(settings: Settings) -> Any:
    ledger = open_ledger(settings)
    (row,) = ledger.decisions(NOW - timedelta(days=1), NOW + timedelta(days=1))
    ledger.close()
    return row


def test_a_silent_service_evaluates_and_records_and_shows_nothing(tmp_path: Path) -> None:
    app, settings = app_in(tmp_path, modes=[{"mode": "silent"}])
    response = app.test_client().post(ADDRESS, json=CALL)
    row = only_row(settings)
    assert (response.status_code, response.get_json()) == (200, {"cards": []})
    assert (row.mode, row.outcome, row.shown) == (Mode.SILENT, "fired", False)
    assert row.card_id is not None and row.proposed[0] == "mri-lumbar-spine"


def test_a_silent_service_does_not_show_that_data_is_missing(tmp_path: Path) -> None:
    app, settings = app_in(tmp_path, modes=[{"mode": "silent"}])
    response = app.test_client().post(ADDRESS, json=request("patient-view", {}))
    assert (response.status_code, response.get_json()) == (200, {"cards": []})
    assert only_row(settings).outcome == "undetermined"


def test_a_service_that_is_off_evaluates_nothing_and_records_that(tmp_path: Path) -> None:
    app, settings = app_in(tmp_path, modes=[{"mode": "off"}])
    response = app.test_client().post(ADDRESS, json=CALL)
    row = only_row(settings)
    assert (response.status_code, response.get_json()) == (200, {"cards": []})
    assert (row.mode, row.outcome, row.met) == (Mode.OFF, "off", ())


def test_one_service_can_be_off_while_the_others_are_live(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path, modes=[{"service": SERVICE.replace("patient-view", "order-sign"), "mode": "off"}])
    assert app.test_client().post(ADDRESS, json=CALL).get_json()["cards"]


def test_a_switch_at_run_time_reaches_an_app_that_is_running(tmp_path: Path) -> None:
    _, settings = app_in(tmp_path)
    ledger = open_ledger(settings)
    ledger.prepare()
    ledger.set_mode(change("off"))
    ledger.close()
    app, _ = app_in(tmp_path)
    assert app.test_client().post(ADDRESS, json=CALL).get_json() == {"cards": []}


def test_feedback_to_a_card_that_was_never_shown_is_kept_and_marked_unknown(tmp_path: Path) -> None:
    app, settings = app_in(tmp_path, modes=[{"mode": "silent"}])
    client = app.test_client()
    client.post(ADDRESS, json=CALL)
    card = str(only_row(settings).card_id)
    told = client.post(f"{ADDRESS}/feedback", json={"feedback": [{"card": card, "outcome": "overridden"}]})
    ledger = open_ledger(settings)
    (kept,) = ledger.feedback(NOW - timedelta(days=1), NOW + timedelta(days=1))
    ledger.close()
    assert told.status_code == 200
    assert not kept.known
