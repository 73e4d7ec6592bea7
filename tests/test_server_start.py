"""How the server starts: where it listens, for whom, with how many connections, and how long it may take to stop."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cds_service.cli import main as commands
from cds_service.demo import run as demo_run
from cds_service.server.run import MOST_FILES, address_to_listen_on, connections_per_worker, port_problem, stop_seconds
from cds_service.settings import make_settings
from tests.token_maker import BASE_URL, ISSUER, key, key_set

Started = list[tuple[Any, ...]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """What the server would have been started with. Nothing listens beyond this machine, in tests neither."""
    calls: Started = []
    monkeypatch.setattr(commands, "port_problem", lambda address, port: None)
    monkeypatch.setattr(commands, "run_server", lambda *arguments: calls.append(arguments))
    return calls


def serve(*options: str) -> tuple[int, str]:
    """Exit status and output."""
    result = CliRunner().invoke(commands.main, ["serve", *options])
    return result.exit_code, result.output


@pytest.fixture
def with_a_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(key_set(key()))
    monkeypatch.setenv("CDS_CLIENTS", json.dumps([{"issuer": ISSUER, "jwks_file": str(tmp_path / "keys.json")}]))


# --- For whom


def test_without_clients_the_service_listens_on_this_machine_only() -> None:
    command = [sys.executable, "-m", "cds_service", "serve", "--host", "0.0.0.0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Error: No 'clients' are set: on 0.0.0.0 anyone who reaches this machine could")


@pytest.mark.usefixtures("with_a_client")
def test_clients_without_the_public_address_of_the_service_stop_the_start(started: Started) -> None:
    status, output = serve()
    assert (status, started) == (1, [])
    assert "'base_url' must be set" in output


@pytest.mark.parametrize("option", [[], ["--insecure"]], ids=["safe", "insecure"])
def test_only_insecure_lets_anyone_in_from_beyond_this_machine(started: Started, option: list[str]) -> None:
    status, output = serve("--host", "0.0.0.0", *option)
    assert (status, [call[0] for call in started]) == ((0, ["0.0.0.0"]) if option else (1, []))
    assert ("--insecure" in output) and ("anyone who reaches this machine" in output)


@pytest.mark.usefixtures("with_a_client")
@pytest.mark.parametrize("option", [[], ["--insecure"]], ids=["safe", "insecure"])
def test_only_insecure_shows_the_workbench_beyond_this_machine_with_clients_too(
    monkeypatch: pytest.MonkeyPatch, started: Started, option: list[str]
) -> None:
    monkeypatch.setenv("CDS_BASE_URL", BASE_URL)
    monkeypatch.setenv("CDS_DEVELOPMENT", "true")
    status, output = serve("--host", "0.0.0.0", *option)
    assert (status, len(started)) == ((0, 1) if option else (1, 0))
    assert "workbench" in output and "closed" not in output


# --- Where


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("LocalHost", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[0:0::1]", "::1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::", "::"),
        ("", None),
        ("[]", None),
        ("[::1", None),
        ("fe80::1%eth0", None),
        ("127.1", None),
        ("ehr.example.org", None),
    ],
)
def test_a_host_is_an_ip_address_or_localhost(host: str, address: str | None) -> None:
    assert address_to_listen_on(host) == address


@pytest.mark.parametrize(
    ("host", "address", "url"),
    [("localhost", "127.0.0.1", "http://127.0.0.1:8966/"), ("[::1]", "::1", "http://[::1]:8966/")],
)
def test_the_service_prints_where_it_is(started: Started, host: str, address: str, url: str) -> None:
    status, output = serve("--host", host, "--port", "8966")
    assert (status, [call[:2] for call in started]) == (0, [(address, 8966)])
    assert output.startswith(f"CDS services: {url}cds-services (open: anyone on this machine may call")


def test_a_host_that_cannot_be_listened_on_is_one_sentence(started: Started) -> None:
    status, output = serve("--host", "ehr.example.org", "--insecure")
    assert (status, started) == (1, [])
    told = "Error: Cannot listen on the given --host: it must be an IP address of this machine, or localhost.\n"
    assert output == told


def test_a_port_in_use_is_told_with_the_address_as_it_is_written() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port_problem("127.0.0.1", port) == f"Cannot listen on 127.0.0.1:{port}: Address already in use."
    assert (port_problem("2001:db8::1", port) or "").startswith(f"Cannot listen on [2001:db8::1]:{port}: ")


# --- Connections


@pytest.mark.parametrize(
    ("bounds", "raised_to", "connections"),
    [
        ((1024, 1024), None, 512),
        ((1024, 4096), 4096, 4096 - 1024),
        ((1024, MOST_FILES), MOST_FILES, MOST_FILES - 1024),
        ((1024, 10**6), MOST_FILES, MOST_FILES - 1024),
        ((1024, resource.RLIM_INFINITY), MOST_FILES, MOST_FILES - 1024),
        ((10**6, 10**6), None, MOST_FILES - 1024),
    ],
)
def test_a_worker_takes_as_many_connections_as_the_system_lets_it_have_files(
    monkeypatch: pytest.MonkeyPatch, bounds: tuple[int, int], raised_to: int | None, connections: int
) -> None:
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: bounds)
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: raised.append(limits))
    assert connections_per_worker() == connections
    assert raised == ([] if raised_to is None else [(raised_to, bounds[1])])


def test_where_more_files_are_not_granted_those_that_are_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: int, limits: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 10**6))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert connections_per_worker() == 512


# --- The end


@pytest.mark.parametrize(("call", "fhir"), [(10.0, 4.0), (1.0, 20.0)])
def test_the_time_to_stop_is_enough_to_wait_for_a_thread_and_then_to_work(call: float, fhir: float) -> None:
    settings = make_settings({"call_seconds": call, "fhir_deadline_seconds": fhir})
    assert stop_seconds(settings) > call + max(call, fhir)


def test_the_demo_waits_for_longer_than_the_service_takes_to_stop() -> None:
    assert stop_seconds(make_settings({})) < demo_run._SERVICE_STOP_SECONDS
