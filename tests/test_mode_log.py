"""A change of mode is one line of the log: for whom, from what, to what, and who did it."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.clinical.registry import service_ids
from cds_service.decision.mode_changes import mode_events, pairs_of
from cds_service.decision.open_ledger import modes_of
from cds_service.ledger.entries import ANONYMOUS, EVERY, Mode, ModeChange
from cds_service.settings import make_settings
from tests.builders import NOW

SERVICE, OTHER_SERVICE, *_ = service_ids()
PAIRS = [(service, client) for service in (SERVICE, OTHER_SERVICE) for client in ("x", "y")]


def change(mode: str, service: str = EVERY, client: str = EVERY, minutes: int = 0) -> ModeChange:
    return ModeChange(NOW + timedelta(minutes=minutes), service, client, Mode(mode), "Dr. Lee", "Jane Doe, 1968")


def told(
    before: list[ModeChange], after: list[ModeChange], start: dict[tuple[str, str], Mode] | None = None
) -> list[Any]:
    events = mode_events(PAIRS, start or {}, before, after)
    return [(event["service"], event["client"], event["from"], event["to"], event["by"]) for event in events]


def test_a_switch_for_everything_is_one_line() -> None:
    assert told([], [change("off")]) == [(EVERY, EVERY, "live", "off", "Dr. Lee")]


def test_a_switch_for_one_service_and_client_names_them() -> None:
    assert told([], [change("silent", SERVICE, "x")]) == [(SERVICE, "x", "live", "silent", "Dr. Lee")]


def test_where_modes_differed_before_there_is_a_line_for_each() -> None:
    before = [change("silent", SERVICE)]
    after = [change("off", minutes=1), *before]
    assert told(before, after) == [(EVERY, EVERY, "silent", "off", "Dr. Lee"), (EVERY, EVERY, "live", "off", "Dr. Lee")]


def test_what_was_in_force_already_is_no_line() -> None:
    assert told([change("off")], [change("off", minutes=1)]) == []
    assert told([], [change("live", SERVICE)]) == []


def test_the_mode_before_is_that_of_the_settings_where_nobody_had_switched() -> None:
    assert told([], [change("live")], {(EVERY, EVERY): Mode.SILENT}) == [(EVERY, EVERY, "silent", "live", "Dr. Lee")]


def test_changes_that_are_gone_from_the_ledger_are_told_too() -> None:
    services = ", ".join(sorted([SERVICE, OTHER_SERVICE]))
    assert told([change("off", client="x")], []) == [(services, "x", "off", "live", None)]


def test_the_pairs_are_those_that_can_call(tmp_path: Path) -> None:
    assert pairs_of(make_settings({"data_folder": str(tmp_path)})) == [(each, ANONYMOUS) for each in service_ids()]


# Several workers


def modes_lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record.__dict__["fields"] for record in caplog.records if record.message == "mode changed"]


def fail(error: Exception) -> None:
    raise AssertionError(error)


def test_of_several_workers_one_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = make_settings({"data_folder": str(tmp_path)})
    for _ in range(3):
        modes_of(settings, lambda: [change("off")], fail, log=True).mode(SERVICE, ANONYMOUS)
    (line,) = modes_lines(caplog)
    expected = {"service": EVERY, "client": EVERY, "from": "live", "to": "off", "by": "Dr. Lee"}
    assert line == expected | {"changed_at": NOW.isoformat()}
    # Why it was done may name a patient.
    assert "Jane" not in caplog.text


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = make_settings({"data_folder": str(tmp_path / "not" / "there")})
    for _ in range(2):
        modes_of(settings, lambda: [change("off")], fail, log=True).mode(SERVICE, ANONYMOUS)
    assert len(modes_lines(caplog)) == 1


def test_a_switch_while_the_service_was_down_is_told_at_its_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings({"data_folder": str(tmp_path)})
    modes_of(settings, lambda: [change("off")], fail, log=True).mode(SERVICE, ANONYMOUS)
    modes_of(settings, lambda: [change("off"), change("live", minutes=1)], fail, log=True).mode(SERVICE, ANONYMOUS)
    assert [(line["from"], line["to"]) for line in modes_lines(caplog)] == [("live", "off"), ("off", "live")]


def test_where_nothing_can_be_kept_each_worker_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    settings = make_settings({"data_folder": str(tmp_path / "file")})
    caplog.set_level(logging.INFO)
    for _ in range(2):
        modes_of(settings, lambda: [change("off")], fail, log=True).mode(SERVICE, ANONYMOUS)
    assert len(modes_lines(caplog)) == 2
