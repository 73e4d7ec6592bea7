"""What the service says of itself at its start is what it does: tokens, clients, the workbench, the mode."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.cli import main as commands
from cds_service.clinical.registry import service_ids
from cds_service.clock import utc_now
from cds_service.decision.open_ledger import modes_of, open_ledger
from cds_service.ledger.entries import ANONYMOUS, EVERY, Mode, ModeChange
from cds_service.server import run
from cds_service.server.start_lines import mode_line, modes_in_force, start_lines
from cds_service.settings import Settings, make_settings
from tests.builders import NOW
from tests.http_calls import PATIENT_VIEW, a_call
from tests.token_maker import BASE_URL, ISSUER, key, key_set

OTHER = "https://other.example.org"
SERVICE, *_ = SERVICES = list(service_ids())


def settings(folder: Path, issuers: Sequence[str] = (), **values: Any) -> Settings:
    """Settings with trusted clients, whose keys are those of the tests."""
    keys = folder / "keys.json"
    keys.write_bytes(key_set(key()))
    clients = [{"issuer": issuer, "jwks_file": str(keys)} for issuer in issuers]
    return make_settings({"clients": clients, "base_url": BASE_URL, "data_folder": str(folder)} | values)


def said(found: Settings, address: str = "127.0.0.1") -> str:
    return "\n".join(start_lines(address, f"http://{address}:8000", found))


def asks_no_token(app: FlaskClient, path: str, call: object = None) -> bool:
    response = app.post(path, json=call) if call else app.get(path)
    assert response.status_code in (200, 401), (path, response.status_code)
    return response.status_code == 200


# With and without clients, development, and open discovery.
COMBINATIONS = list(itertools.product([(), (ISSUER,), (ISSUER, OTHER)], [False, True], [False, True]))


@pytest.mark.parametrize(("issuers", "development", "open_discovery"), COMBINATIONS)
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_every_word_about_tokens_is_what_the_service_does(
    tmp_path: Path, issuers: tuple[str, ...], development: bool, open_discovery: bool, address: str
) -> None:
    chosen = settings(tmp_path, issuers, development=development, open_discovery=open_discovery)
    app = make_app(chosen, lambda: NOW).test_client()
    lines = said(chosen, address)
    call, why = asks_no_token(app, f"/cds-services/{PATIENT_VIEW}", a_call()), False
    if development:
        why = asks_no_token(app, "/workbench/why", a_call())
        assert f"Workbench:    http://{address}:8000/ (development)" in lines
    else:
        assert app.post("/workbench/why", json=a_call()).status_code == 404
        assert "orkbench" not in lines
    who = "anyone on this machine" if address == "127.0.0.1" else "anyone who reaches this machine"
    assert (f"open: {who} may call, without a token" in lines) == call == (not issuers)
    assert ("Tokens:       not checked" in lines) == call
    assert ("Tokens:       checked at every call and every feedback" in lines) == (not call)
    assert ("not at discovery" in lines) == (not call and asks_no_token(app, "/cds-services"))
    assert ("the workbench's own calls have none and are refused" in lines) == (why and not call)
    assert (f"{who} may open the workbench and ask it why, without a token" in lines) == (why and not call)
    assert ("(closed: " in lines) == (not call and not why)
    assert ("--insecure" in lines) == (address != "127.0.0.1" and (call or why))
    assert [line.removeprefix("Client:       ") for line in lines.split("\n") if line.startswith("Client:")] == list(
        issuers
    )


def test_a_token_that_comes_to_an_open_service_is_not_looked_at(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    app = make_app(chosen, lambda: NOW).test_client()
    answer = app.post(f"/cds-services/{PATIENT_VIEW}", json=a_call(), headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 200
    assert "not checked, whatever a call brings" in said(chosen)


def test_a_client_is_named_with_its_label_its_tenants_and_what_it_may_call(tmp_path: Path) -> None:
    keys = str(tmp_path / "keys.json")
    chosen = settings(tmp_path, [ISSUER])
    restricted = {"label": "North", "tenants": ["a", "b"], "services": [SERVICE]}
    clients = [{"issuer": ISSUER, "jwks_file": keys, **restricted}, {"issuer": OTHER, "jwks_file": keys}]
    lines = said(make_settings({"clients": clients, "base_url": str(chosen.base_url)}))
    assert f"Client:       {ISSUER} (North), tenants a, b, only {SERVICE}\nClient:       {OTHER}" in lines


# Modes


def in_force(chosen: Settings, changes: Sequence[ModeChange] = ()) -> str:
    return mode_line(modes_in_force(modes_of(chosen, lambda: changes, lambda error: None), chosen))


@pytest.mark.parametrize("mode", list(Mode))
def test_one_mode_for_everything_is_one_word(tmp_path: Path, mode: Mode) -> None:
    modes = [{"service": EVERY, "client": EVERY, "mode": mode}]
    assert in_force(settings(tmp_path, modes=modes)) == f"Mode:         {mode}"


def test_without_a_word_about_modes_the_service_is_live(tmp_path: Path) -> None:
    assert in_force(settings(tmp_path)) == in_force(settings(tmp_path, [ISSUER])) == "Mode:         live"


def test_a_mode_that_differs_names_its_service_and_its_client(tmp_path: Path) -> None:
    modes = [{"service": SERVICE, "client": ISSUER, "mode": "silent"}]
    chosen = settings(tmp_path, [ISSUER, OTHER], modes=modes)
    assert in_force(chosen) == f"Mode:         live for everything else; silent for {ISSUER} at {SERVICE}"
    every = settings(tmp_path, [ISSUER, OTHER], modes=[{"service": EVERY, "client": OTHER, "mode": "off"}])
    assert in_force(every) == f"Mode:         live for everything else; off for {OTHER} at every service"
    one = settings(tmp_path, modes=[{"service": SERVICE, "client": ANONYMOUS, "mode": "off"}])
    assert in_force(one) == f"Mode:         live for everything else; off for every client at {SERVICE}"


def test_the_mode_is_that_of_the_ledger_where_it_was_switched(tmp_path: Path) -> None:
    chosen = settings(tmp_path, modes=[{"service": EVERY, "client": EVERY, "mode": "silent"}])
    assert in_force(chosen, [ModeChange(NOW, EVERY, EVERY, Mode.OFF, "Ann", "trial")]) == "Mode:         off"


# The command


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The command does all but listen; its ledger lies in this folder."""
    monkeypatch.setattr(commands, "port_problem", lambda address, port: None)
    monkeypatch.setattr(run, "serve", lambda *arguments: None)
    monkeypatch.setenv("CDS_DATA_FOLDER", str(tmp_path))
    yield tmp_path


def test_the_command_says_the_mode_that_was_switched_before_it_started(unserved: Path) -> None:
    first = CliRunner().invoke(commands.main, ["serve"])
    assert (first.exit_code, first.stderr.splitlines()[-1]) == (0, "Mode:         live")
    ledger = open_ledger(make_settings({"data_folder": str(unserved)}))
    ledger.set_mode(ModeChange(utc_now(), EVERY, EVERY, Mode.SILENT, "Ann", "trial"))
    ledger.close()
    assert CliRunner().invoke(commands.main, ["serve"]).stderr.splitlines()[-1] == "Mode:         silent"


def test_without_a_ledger_the_last_known_mode_is_said_to_be_that(
    unserved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_LEDGER_URL", "postgresql://127.0.0.1:1/none")
    result = CliRunner().invoke(commands.main, ["serve"])
    assert result.exit_code == 0
    assert result.stderr.splitlines()[-1] == "Mode:         live (as last known: the ledger cannot be read)"
    assert "The ledger cannot be used" in result.stderr
