"""The demo: a FHIR server with the synthetic patients, alone and beside the service."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import pytest
import requests

from cds_service.demo.fhir_server import DemoFhirServer
from cds_service.demo.patients import EHR_BASE, load_patients
from cds_service.demo.processes import LOOPBACK, DemoError
from cds_service.demo.run import run_demo
from cds_service.demo.scenarios import read_scenario, scenarios_folder
from tests.server_calls import comes_true, free_port, is_running

if TYPE_CHECKING:
    from tests.fhir_server import LoadedServer

pytest_plugins = ("tests.fhir_server",)

pytestmark = pytest.mark.server

# Where there is a second loopback address, and /proc tells of processes.
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2 and /proc")

SHARED_IDS = ("row-043-1-cancer-refuted", "row-043-2-cancer-entered-in-error")
# On a port, with the patients of a folder.
RUN_DEMO = (
    "import sys; from pathlib import Path; from cds_service.demo import run; "
    "run.scenarios_folder = lambda: Path(sys.argv[2]); run.run_demo('127.0.0.1', int(sys.argv[1]))"
)


def get(base_url: str, path: str, token: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{base_url}/{path}", headers=headers, timeout=10)


def found(base_url: str, search: str) -> list[dict[str, Any]]:
    bundle = get(base_url, search).json()
    return [entry["resource"] for entry in bundle.get("entry", ())]


def is_open(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex((LOOPBACK, port)) == 0


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


# --- The server ---


@on_linux
def test_the_server_listens_on_the_loopback_address_alone(fhir_server: LoadedServer) -> None:
    port = port_of(fhir_server.base_url)
    # A server on all addresses would hold the port of every one of them.
    with socket.socket() as other:
        other.bind(("127.0.0.2", port))
    with socket.socket() as same, pytest.raises(OSError) as taken:
        same.bind((LOOPBACK, port))
    assert taken.value.errno == errno.EADDRINUSE


def test_everything_ends_with_the_block() -> None:
    with DemoFhirServer() as server:
        assert get(server.base_url, "metadata").json()["fhirVersion"] == "4.0.1"
        pid = server.pid
        assert pid and is_running(pid)
        command = Path(f"/proc/{pid}/cmdline")
        folder = Path(command.read_text().split("\0")[-2]) if command.exists() else None
        assert folder is None or (folder / "sekmet.db").exists()
    assert not is_running(pid)
    assert not is_open(port_of(server.base_url))
    assert folder is None or not folder.exists()


def test_the_server_ends_when_its_parent_is_killed() -> None:
    program = (
        "from cds_service.demo.fhir_server import DemoFhirServer\n"
        "with DemoFhirServer() as server:\n"
        "    print(server.pid, server.base_url, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid, base_url = parent.stdout.readline().split()
        assert is_open(port_of(base_url))
        parent.kill()
    assert comes_true(lambda: not is_running(int(pid)))
    assert not is_open(port_of(base_url))


def test_a_taken_port_is_named() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(DemoError, match=f"cannot listen on 127.0.0.1:{port}"), DemoFhirServer(port):
            pass


def test_without_the_tool_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DemoError, match=r"sekmet is not installed: pip install 'cds-service\[demo\]'"):
        DemoFhirServer().__enter__()


def test_a_server_that_fails_at_its_start_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path, *_: object) -> None:
        (folder / "settings.yaml").write_text("host: [1]", encoding="utf-8")

    monkeypatch.setattr("cds_service.demo.fhir_server._write_settings", broken)
    with pytest.raises(DemoError, match=r"ended at its start[\s\S]*host"), DemoFhirServer():
        pass


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.demo.fhir_server._START_SECONDS", 0.05)
    server = DemoFhirServer()
    with pytest.raises(DemoError, match="did not answer within 0.05 s"), server:
        pass
    assert server.exit_status is not None


def test_only_the_fhir_endpoint_is_let_through(fhir_server: LoadedServer) -> None:
    root = fhir_server.base_url.removesuffix("/fhir")
    for path in ("", "ui", "ui/traffic", "api/docs", "auth/token", "hooks", "fhirx"):
        assert requests.get(f"{root}/{path}", timeout=10, allow_redirects=False).status_code == 404


def test_a_web_page_may_read_and_search_but_not_write(fhir_server: LoadedServer) -> None:
    page = {"Origin": "https://page.example"}
    base = fhir_server.base_url
    read = requests.get(f"{base}/Patient/pt-001", headers=page, timeout=10)
    assert read.ok and read.headers["Access-Control-Allow-Origin"] == "*"
    form = {"patient": "pt-001"}
    assert requests.post(f"{base}/Condition/_search", data=form, headers=page, timeout=10).json()["total"] == 2
    subscription = {"resourceType": "Subscription", "status": "requested"}
    assert requests.post(f"{base}/Subscription", json=subscription, headers=page, timeout=10).status_code == 403
    assert requests.post(base, json={}, headers=page, timeout=10).status_code == 403


# --- Its patients ---


def test_every_resource_of_every_fixture_is_there(fhir_server: LoadedServer) -> None:
    report = fhir_server.report
    assert report.refused == () and report.without_patient == ()
    assert report.patients == len(list(scenarios_folder().iterdir()))
    kinds = ("Patient", "Condition", "Observation", "Encounter", "ServiceRequest", "DiagnosticReport", "Procedure")
    counts = {kind: get(fhir_server.base_url, f"{kind}?_summary=count").json()["total"] for kind in kinds}
    assert counts["Patient"] == report.patients
    assert min(counts.values()) > 0 and sum(counts.values()) <= report.resources


def test_a_patient_is_found_with_the_dates_of_the_fixture(fhir_server: LoadedServer) -> None:
    conditions = found(fhir_server.base_url, "Condition?patient=pt-001")
    assert {condition["id"]: condition["onsetDateTime"] for condition in conditions} == {
        "cond-001-1": "2017",
        "cond-001-2": "2026-11-17",
    }


def test_references_are_local(fhir_server: LoadedServer) -> None:
    for kind in ("Condition", "Observation", "Encounter", "Procedure"):
        resources = found(fhir_server.base_url, f"{kind}?_count=1000")
        assert resources
        assert EHR_BASE not in json.dumps(resources)


def test_results_are_not_made_up_for_active_orders(fhir_server: LoadedServer) -> None:
    assert found(fhir_server.base_url, "ServiceRequest?_count=1000")
    assert found(fhir_server.base_url, "Task") == []


def test_resources_that_share_an_id_are_renamed_and_told(fhir_server: LoadedServer) -> None:
    first = found(fhir_server.base_url, "Condition?patient=pt-043-1")
    second = found(fhir_server.base_url, "Condition?patient=pt-043-2")
    assert len(first) == len(second) == 2
    for name, old in fhir_server.report.renamed.items():
        kind, _, new_id = name.partition("/")
        assert new_id.endswith(f"-{old.removeprefix(f'{kind}/')}")
    assert not any(name.startswith("Patient/") for name in fhir_server.report.renamed)


@pytest.fixture
def scenarios(tmp_path: Path) -> Callable[..., Path]:
    """Scenario folders of the given requests."""

    def write(**requests_by_name: Any) -> Path:
        for name, request in requests_by_name.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "request.json").write_text(json.dumps(request))
            (tmp_path / name / "scenario.json").write_text("{}")
        return tmp_path

    return write


def call(patient: str, *resources: dict[str, Any], with_patient: bool = True) -> dict[str, Any]:
    prefetch: dict[str, Any] = {
        "patient": {"resourceType": "Patient", "id": patient} if with_patient else None,
        "conditions": {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in resources]},
        "observations": "<html>",
        "encounters": {"resourceType": "OperationOutcome", "id": "o", "issue": []},
    }
    return {"context": {"patientId": patient}, "prefetch": prefetch}


def condition(name: str | None, patient: str, **more: Any) -> dict[str, Any]:
    named = {"id": name} if name else {}
    return {"resourceType": "Condition", **named, "subject": {"reference": f"Patient/{patient}"}, **more}


@pytest.fixture
def empty_server() -> Iterator[DemoFhirServer]:
    with DemoFhirServer() as server:
        yield server


def test_what_the_server_refuses_is_named_and_the_rest_is_loaded(
    empty_server: DemoFhirServer, scenarios: Callable[..., Path]
) -> None:
    folder = scenarios(
        a=call("a", condition("good", "a"), condition("bad", "a", onsetDateTime="last week"), condition(None, "a")),
        b=call("b", condition("alone", "b"), with_patient=False),
    )
    report = load_patients(empty_server.base_url, folder, datetime.now(UTC))
    assert (report.patients, report.resources, report.without_patient) == (1, 3, ("b",))
    unnamed, bad = report.refused
    assert unnamed == "a: a resource without type or id"
    assert bad.startswith("a: Condition/bad: ") and "onsetDateTime" in bad
    assert [resource["id"] for resource in found(empty_server.base_url, "Condition?patient=a")] == ["good"]


def test_references_follow_a_renamed_resource(empty_server: DemoFhirServer, scenarios: Callable[..., Path]) -> None:
    visit = {"resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": "AMB"}}
    absolute = {"encounter": {"reference": f"{EHR_BASE}Encounter/v"}}
    folder = scenarios(
        a=call("a", visit, condition("c", "a", **absolute)), b=call("b", visit, condition("d", "b", **absolute))
    )
    report = load_patients(empty_server.base_url, folder, datetime.now(UTC))
    assert report.renamed == {"Encounter/a-v": "Encounter/v", "Encounter/b-v": "Encounter/v"}
    (of_b,) = found(empty_server.base_url, "Condition?patient=b")
    assert of_b["id"] == "d" and of_b["encounter"] == {"reference": "Encounter/b-v"}


def test_nothing_is_overwritten_in_silence(scenarios: Callable[..., Path]) -> None:
    now = datetime.now(UTC)
    folder = scenarios(a=call("same"), b=call("same"))
    with pytest.raises(DemoError, match="^a and b both have Patient/same$"):
        load_patients("http://127.0.0.1:1/fhir", folder, now)
    folder = scenarios(A=call("x", condition("c", "x"), condition("c", "x", recordedDate="2020")))
    with pytest.raises(DemoError, match="^A has two different resources Condition/c$"):
        load_patients("http://127.0.0.1:1/fhir", folder, now)


def test_a_folder_without_scenarios_and_a_server_that_is_away_are_named(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with pytest.raises(DemoError, match="no scenarios in"):
        load_patients("http://127.0.0.1:1/fhir", tmp_path, now)
    with pytest.raises(DemoError, match="does not take the patients: ConnectionError"):
        load_patients("http://127.0.0.1:1/fhir", scenarios_folder(), now)


# --- With bearer tokens ---


def test_the_secured_server_wants_its_token(secured_fhir_server: LoadedServer) -> None:
    base, token = secured_fhir_server.base_url, secured_fhir_server.token
    assert get(base, "metadata").status_code == 200
    for wrong in (None, "another-token"):
        assert get(base, "Patient/pt-001", wrong).status_code == 401
        assert get(base, "Condition?patient=pt-001", wrong).status_code == 401
    assert get(base, "Condition?patient=pt-001", token).json()["total"] == 2
    assert secured_fhir_server.report.patients == 2


def test_loading_without_the_token_says_so(secured_fhir_server: LoadedServer) -> None:
    with pytest.raises(DemoError, match="HTTP 401"):
        load_patients(secured_fhir_server.base_url, scenarios_folder(), datetime.now(UTC))


# --- Both together ---


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one patient, for tests of how the demo begins and ends: to load all takes seconds."""
    folder = tmp_path_factory.mktemp("few")
    shutil.copytree(scenarios_folder() / "row-001-lumbar-pain-icd10", folder / "row-001-lumbar-pain-icd10")
    return folder


@contextmanager
def running_demo(port: int, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demo as a process with the patients of a folder, and the FHIR address that it printed."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN_DEMO, str(port), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            told = re.fullmatch(r"FHIR server:  (http://127\.0\.0\.1:\d+/fhir) \((\d+) synthetic patients\)\n", line)
            assert told, line + process.stdout.read()
            assert int(told[2]) == len(list(folder.iterdir()))
            assert comes_true(lambda: is_open(port))
            yield process, told[1]
        finally:
            process.terminate()


def bare_call(fhir_server: str) -> dict[str, Any]:
    """A hook call without any prefetch."""
    request = read_scenario(scenarios_folder() / "row-001-lumbar-pain-icd10", datetime.now(UTC)).request
    return {**{key: value for key, value in request.items() if key != "prefetch"}, "fhirServer": fhir_server}


def test_the_demo_answers_and_both_stop_on_sigterm() -> None:
    port = free_port()
    with running_demo(port, scenarios_folder()) as (process, fhir):
        base = f"http://127.0.0.1:{port}"
        assert get(base, "health/live").json() == {"status": "live"}
        assert get(fhir, "Condition?patient=pt-001").json()["total"] == 2
        service = f"{base}/cds-services/breast-cancer-back-pain-patient-view"
        response = requests.post(service, json=bare_call(fhir), timeout=10)
        assert response.json()["cards"][0]["indicator"] == "warning"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0, output
    assert f"CDS services: {base}/cds-services" in output
    assert not is_open(port) and not is_open(port_of(fhir))


def test_both_end_when_the_demo_is_killed(few: Path) -> None:
    port = free_port()
    with running_demo(port, few) as (process, fhir):
        process.kill()
        assert comes_true(lambda: not is_open(port) and not is_open(port_of(fhir)))


def test_the_demo_stops_on_a_signal_to_its_whole_group(few: Path) -> None:
    port = free_port()
    # A run in the background may have told its programs to ignore what Ctrl-C sends.
    heeding = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"import os, signal; {heeding}; os.setpgid(0, 0); {RUN_DEMO}"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(port), str(few)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert comes_true(lambda: is_open(port))
        # As a terminal does on Ctrl-C.
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert not is_open(port)


def test_the_demo_ends_when_its_service_cannot_start(few: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        with running_demo(port, few) as (process, fhir):
            output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "DemoError: the service ended" in output
    assert not is_open(port_of(fhir))


@on_linux
def test_the_demo_ends_when_its_fhir_server_dies(few: Path) -> None:
    port = free_port()
    with running_demo(port, few) as (process, fhir):
        (pid,) = fhir_servers_of(process.pid)
        os.kill(pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "DemoError: the FHIR server ended (status -9)" in output
    assert not is_open(port) and not is_open(port_of(fhir))


def fhir_servers_of(parent: int) -> list[int]:
    """Process ids of the FHIR servers that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if above == parent and "-m\0cds_service.demo\0" in command:
            found.append(int(folder.name))
    return found


def test_servers_that_are_allowed_already_stay_allowed(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[str] = []

    def stop(host: str, port: int, environment: Mapping[str, str], insecure: bool) -> NoReturn:
        allowed.extend(json.loads(environment["CDS_FHIR_SERVERS"]))
        raise DemoError("far enough")

    monkeypatch.setenv("CDS_FHIR_SERVERS", '["https://ehr.example.org/fhir"]')
    monkeypatch.setattr("cds_service.demo.run._service", stop)
    monkeypatch.setattr("cds_service.demo.run.scenarios_folder", lambda: few)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(DemoError, match="far enough"):
        run_demo("127.0.0.1", 1)
    assert allowed[0] == "https://ehr.example.org/fhir"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/fhir", allowed[1])
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_demo_listens_beyond_this_machine_only_if_told_so(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []

    def stop(host: str, port: int, environment: Mapping[str, str], insecure: bool) -> NoReturn:
        told.append(insecure)
        raise DemoError("far enough")

    monkeypatch.setattr("cds_service.demo.run._service", stop)
    monkeypatch.setattr("cds_service.demo.run.scenarios_folder", lambda: few)
    with pytest.raises(DemoError, match="say --insecure"):
        run_demo("0.0.0.0", 1)
    with pytest.raises(DemoError, match="far enough"):
        run_demo("0.0.0.0", 1, insecure=True)
    assert told == [True]


@on_linux
def test_the_fhir_server_runs_alone_until_it_is_told_to_stop() -> None:
    port = free_port()
    command = [sys.executable, "-m", "cds_service", "demo", "--fhir-only", "--fhir-port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith(f"FHIR server:  http://127.0.0.1:{port}/fhir (")
        assert get(f"http://127.0.0.1:{port}/fhir", "Condition?patient=pt-001").json()["total"] == 2
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert not is_open(port)


def test_the_demo_needs_its_patients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cds_service.demo.scenarios._FOLDERS", (tmp_path / "scenarios",))
    with pytest.raises(DemoError, match="the synthetic patients are missing from this installation"):
        run_demo("127.0.0.1", 1)
