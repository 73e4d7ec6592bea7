"""The demo: the service beside an EHR's FHIR server that holds the synthetic patients.

The FHIR server is sekmet-fhir, a development dependency. It runs as a process of its own on the loopback address,
keeps its data in a temporary folder and is never imported by the service. It is a test tool with consoles and
outgoing connections; of all that, only its FHIR endpoint is let through, see `_fhir_only`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import click
import requests

from cds_service.scenarios import NoScenarios, Scenario, read_scenario, scenarios_folder
from cds_service.settings import Settings, read_settings

LOOPBACK = "127.0.0.1"

# Where the resources of the scenarios say that they come from; references below it become relative.
EHR_BASE = "https://ehr.example.org/fhir/"

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
# The service answers the calls under way before it ends: a call may take ten seconds.
_SERVICE_STOP_SECONDS = 20.0
_WATCH_SECONDS = 0.2
_ANSWER_SECONDS = 60.0

# One transaction of so many patients stays well below a second, and a refused one is quickly sent again.
_PATIENTS_PER_TRANSACTION = 40

_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]
_Asgi = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class DemoError(Exception):
    """The demo cannot start or go on; the message names what failed and, where it is known, what to do."""


class DemoFhirServer:
    """A FHIR server on the loopback address that lives as long as the `with` block, empty at first.

    It also ends when this process ends in any other way, by a signal that cannot be caught too.

    Args:
        port: 0 for a free one.
        token: the bearer token without which only /metadata is answered; without it everything is open.
    """

    def __init__(self, port: int = 0, token: str | None = None) -> None:
        self._port = port
        self._token = token
        self._running = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """The FHIR base address, without a slash at the end. Known inside the `with` block."""
        return self._base_url

    @property
    def pid(self) -> int | None:
        """The server's process id, or None before it was started."""
        return self._process.pid if self._process else None

    @property
    def exit_status(self) -> int | None:
        """How the server's process ended, or None as long as it runs."""
        return self._process.poll() if self._process else None

    def __enter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            DemoError: it is not installed, cannot listen on the port, or does not answer.
        """
        if importlib.util.find_spec("sekmet") is None:
            raise DemoError("sekmet-fhir is not installed: pip install 'cds-service[dev]'")
        with ExitStack() as running:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="cds-demo-fhir-")))
            log = folder / "log"
            with _listening(self._port) as listener:
                self._base_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}/fhir"
                _write_settings(folder, self._base_url, self._token)
                self._process = _start_fhir(folder, listener, log)
            running.callback(_stop, self._process, _STOP_SECONDS)
            self._wait_until_it_answers(log)
            self._running = running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _wait_until_it_answers(self, log: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with _session(None) as session:
            while (left := deadline - time.monotonic()) > 0:
                if self.exit_status is not None:
                    raise DemoError(f"the FHIR server ended at its start (status {self.exit_status}):\n{_end_of(log)}")
                try:
                    answer = session.get(f"{self._base_url}/metadata", timeout=left)
                except requests.ConnectionError:
                    time.sleep(0.05)
                    continue
                except requests.Timeout:
                    break
                if answer.ok:
                    return
                raise DemoError(f"the FHIR server answers /metadata with {answer.status_code}:\n{_end_of(log)}")
        raise DemoError(f"the FHIR server did not answer within {_START_SECONDS:g} s:\n{_end_of(log)}")


def _listening(port: int) -> socket.socket:
    # The server inherits this socket, so that nothing else can take the port and it listens nowhere else.
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise DemoError(f"the FHIR server cannot listen on {LOOPBACK}:{port}: {error.strerror}") from error


def _write_settings(folder: Path, base_url: str, token: str | None) -> None:
    access: dict[str, Any] = {"types": ["bearer"], "tokens": [token]} if token else {"types": ["none"]}
    settings = {
        "base_url": base_url,
        "host": LOOPBACK,
        "data_dir": str(folder),
        "own_private_key_path": str(folder / "none.pem"),
        "server_auth": access,
        "validation": {"inbound": "strict"},
        # It would answer every active order with results of its own making.
        "simulator": {"enabled": False, "auto": []},
        # It would keep every request and answer in its database.
        "log_inbound": False,
    }
    # The file is YAML, of which JSON is a part.
    (folder / "settings.yaml").write_text(json.dumps(settings), encoding="utf-8")


def _start_fhir(folder: Path, listener: socket.socket, log: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEKMET_")}
    environment["SEKMET_CONFIG"] = str(folder / "settings.yaml")
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", __name__, "fhir", str(listener.fileno()), str(folder)],
            # See `_on_end_of_parent`.
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(listener.fileno(),),
            env=environment,
            # Ctrl-C goes to this process alone, which then stops the server.
            start_new_session=True,
        )


def _stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Ask a process to end; end it when it does not within so many seconds."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-10:]) or "(it said nothing)"


def _serve_fhir(descriptor: int, folder: Path) -> None:
    """What the FHIR server's own process does: serve on the inherited socket until it is told to end."""

    def tidy_up_and_end() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    _on_end_of_parent(tidy_up_and_end)
    import uvicorn

    app: _Asgi = importlib.import_module("sekmet.main").app_factory()
    config = uvicorn.Config(_fhir_only(app), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _serve_service(arguments: Sequence[str]) -> None:
    """What the service's own process does: the serve command, until it is told to end."""
    from cds_service.commands import main

    _on_end_of_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    main(["serve", *arguments])


def _on_end_of_parent(act: Callable[[], None]) -> None:
    """Act when the parent has ended, however it did.

    Standard input is a pipe to which the parent never writes. It ends when the parent does, which waits for this
    process before it closes the pipe in the ordinary way.
    """

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        act()

    threading.Thread(target=wait, daemon=True).start()


def _fhir_only(app: _Asgi) -> _Asgi:
    """`app` without its consoles, and without writing by pages that are open in a browser.

    The tool has forms that send requests to other servers, and subscriptions that do. Any web page can reach a
    server on the loopback address; a browser names the page in `Origin` with everything that is not plain reading.
    """

    async def guarded(scope: _Scope, receive: _Receive, send: _Send) -> None:
        status = _refusal(scope) if scope["type"] == "http" else None
        if status is None:
            return await app(scope, receive, send)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return guarded


def _refusal(scope: _Scope) -> int | None:
    path: str = scope["path"]
    if path != "/fhir" and not path.startswith("/fhir/"):
        return 404
    reading = scope["method"] in ("GET", "HEAD", "OPTIONS") or path.endswith("/_search")
    by_a_page = any(name.lower() == b"origin" for name, _ in scope["headers"])
    return 403 if by_a_page and not reading else None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What `load_patients` did.

    Attributes:
        patients: Patient resources that the server now holds.
        resources: all resources that the server took, the patients among them.
        refused: "scenario: Type/id: reason" for each resource that was not taken.
        renamed: for each resource whose Type/id several scenarios use, the new Type/id and the one in the scenario.
        without_patient: scenarios without a Patient resource; their other data was loaded.
    """

    patients: int
    resources: int
    refused: tuple[str, ...]
    renamed: Mapping[str, str]
    without_patient: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Chart:
    """The resources of one scenario by "Type/id"; unnamed counts those without type or id."""

    scenario: str
    patient_id: str
    resources: Mapping[str, dict[str, Any]]
    unnamed: int


def load_patients(base_url: str, scenarios_folder: Path, now: datetime, token: str | None = None) -> LoadReport:
    """Put the patients of all scenarios, as of `now` (with a time zone), into a FHIR server.

    Raises:
        DemoError: there are no scenarios, two of them have the same patient, or the server does not take part.
        ValueError: a scenario cannot be read.
    """
    folders = sorted(path.parent for path in scenarios_folder.glob("*/request.json"))
    if not folders:
        raise DemoError(f"no scenarios in {scenarios_folder}")
    charts, renamed = _with_own_ids([_chart(read_scenario(folder, now)) for folder in folders])
    refused = {f"{chart.scenario}: a resource without type or id": "" for chart in charts if chart.unnamed}
    with _session(token) as session:
        for first in range(0, len(charts), _PATIENTS_PER_TRANSACTION):
            refused |= _put(session, base_url, charts[first : first + _PATIENTS_PER_TRANSACTION])
    keys = [key for chart in charts for key in chart.resources if f"{chart.scenario}: {key}" not in refused]
    without_patient = [chart.scenario for chart in charts if f"Patient/{chart.patient_id}" not in chart.resources]
    return LoadReport(
        patients=sum(1 for key in keys if key.startswith("Patient/")),
        resources=len(keys),
        refused=tuple(f"{name}: {reason}" if reason else name for name, reason in refused.items()),
        renamed=renamed,
        without_patient=tuple(without_patient),
    )


def _chart(scenario: Scenario) -> _Chart:
    resources: dict[str, dict[str, Any]] = {}
    unnamed = 0
    for resource in _resources(scenario.request.get("prefetch") or {}):
        if not isinstance(resource.get("resourceType"), str) or not isinstance(resource.get("id"), str):
            unnamed += 1
            continue
        key = f"{resource['resourceType']}/{resource['id']}"
        if resources.setdefault(key, resource) != resource:
            raise DemoError(f"{scenario.name} has two different resources {key}")
    return _Chart(scenario.name, scenario.request["context"]["patientId"], resources, unnamed)


def _resources(prefetch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a server can hold: no error pages, and no OperationOutcome, which tells of a search and not of a patient."""
    for value in prefetch.values():
        if not isinstance(value, dict):
            continue
        is_bundle = value.get("resourceType") == "Bundle"
        found = [entry.get("resource") for entry in value.get("entry") or ()] if is_bundle else [value]
        for resource in found:
            if isinstance(resource, dict) and resource.get("resourceType") != "OperationOutcome":
                yield resource


def _with_own_ids(charts: Sequence[_Chart]) -> tuple[list[_Chart], dict[str, str]]:
    """The charts with every Type/id of their own, and the new names of those that were shared.

    A patient is not renamed: the hook call of the scenario names it.
    """
    uses = Counter(key for chart in charts for key in chart.resources)
    renamed: dict[str, str] = {}
    own: list[_Chart] = []
    for chart in charts:
        names = {key: _own_name(key, chart) for key in chart.resources if uses[key] > 1}
        moved = {names.get(key, key): _moved(resource, key, names) for key, resource in chart.resources.items()}
        own.append(_Chart(chart.scenario, chart.patient_id, moved, chart.unnamed))
        renamed |= {new: old for old, new in names.items()}
    users: dict[str, str] = {}
    for chart in own:
        for key in chart.resources:
            if (first := users.setdefault(key, chart.scenario)) != chart.scenario:
                raise DemoError(f"{first} and {chart.scenario} both have {key}")
    return own, renamed


def _own_name(key: str, chart: _Chart) -> str:
    kind, _, name = key.partition("/")
    return key if kind == "Patient" else f"{kind}/{chart.patient_id}-{name}"


def _moved(resource: dict[str, Any], key: str, names: Mapping[str, str]) -> dict[str, Any]:
    local: dict[str, Any] = _with_local_references(resource, names)
    return {**local, "id": names.get(key, key).partition("/")[2]}


def _with_local_references(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_local_references(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {name: _with_local_references(item, names) for name, item in value.items()}
    if isinstance(reference := copy.get("reference"), str):
        relative = reference.removeprefix(EHR_BASE)
        copy["reference"] = names.get(relative, relative)
    return copy


def _put(session: requests.Session, base_url: str, charts: Sequence[_Chart]) -> dict[str, str]:
    """Put all resources of these charts; the answer is "scenario: Type/id" and reason for each that was refused."""
    names = [(chart.scenario, key) for chart in charts for key in chart.resources]
    entries = [
        {"resource": resource, "request": {"method": "PUT", "url": key}}
        for chart in charts
        for key, resource in chart.resources.items()
    ]
    answer = _post(session, base_url, {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    if answer.ok:
        return {}
    # A transaction fails as a whole. One by one, the server takes the rest and says what is wrong with each.
    answer = _post(session, base_url, {"resourceType": "Bundle", "type": "batch", "entry": entries})
    if not answer.ok:
        raise DemoError(f"{base_url} refuses the patients (HTTP {answer.status_code})")
    responses = [entry["response"] for entry in answer.json()["entry"]]
    return {
        f"{scenario}: {key}": _reason(response)
        for (scenario, key), response in zip(names, responses, strict=True)
        if not response["status"].startswith("2")
    }


def _post(session: requests.Session, base_url: str, bundle: dict[str, Any]) -> requests.Response:
    try:
        answer = session.post(base_url, data=json.dumps(bundle), timeout=_ANSWER_SECONDS)
    except requests.RequestException as error:
        raise DemoError(f"{base_url} does not take the patients: {type(error).__name__}") from error
    if answer.status_code in (401, 403) or answer.status_code >= 500:
        raise DemoError(f"{base_url} refuses the patients (HTTP {answer.status_code})")
    return answer


def _reason(response: Mapping[str, Any]) -> str:
    issues = response.get("outcome", {}).get("issue") or [{}]
    return str(issues[0].get("diagnostics", response["status"]))


def _session(token: str | None) -> requests.Session:
    session = requests.Session()
    # Neither a proxy nor the passwords of a .netrc file belong between two processes of this machine.
    session.trust_env = False
    session.headers.update({"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"})
    session.headers["Prefer"] = "return=minimal"
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    return session


def run_demo(host: str, port: int, fhir_port: int = 0) -> None:
    """Serve with a FHIR server full of synthetic patients beside, until Ctrl-C, SIGTERM or the end of either.

    Raises:
        DemoError: either cannot start, or ended on its own.
        SettingsError: a setting is unknown or cannot be used.
    """
    try:
        folder = scenarios_folder()
    except NoScenarios as error:
        raise DemoError(f"the demo cannot start: {error}") from error
    settings = read_settings()
    try:
        with _signals_as_interrupt(), DemoFhirServer(fhir_port) as fhir:
            report = load_patients(fhir.base_url, folder, datetime.now(UTC))
            click.echo(f"FHIR server:  {fhir.base_url} ({report.patients} synthetic patients)")
            for line in report.refused:
                click.echo(f"Not loaded:   {line}", err=True)
            with _service(host, port, _environment(settings, fhir.base_url, f"http://{host}:{port}")) as service:
                _watch(service, fhir)
    except KeyboardInterrupt:
        # Asked to stop, and both have stopped.
        return


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Turn the first signal that asks to stop into KeyboardInterrupt; ignore more, so that stopping completes."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in before:
            signal.signal(number, lambda _number, _frame: None)
        raise KeyboardInterrupt

    # What is ignored from the start, as under nohup, stays ignored.
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in wanted if signal.getsignal(number) != signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(settings: Settings, fhir_server: str, address: str) -> dict[str, str]:
    """The environment of the demo's service: in development, with a memory and a ledger of its own.

    The key is a new one at each start: what was answered to a synthetic patient is forgotten with it.
    """
    own = {
        "CDS_DEVELOPMENT": "true",
        "CDS_FHIR_SERVERS": json.dumps([*settings.fhir_servers, fhir_server]),
    }
    if settings.base_url is None:
        own["CDS_BASE_URL"] = address
    if settings.pseudonym_key is None:
        own["CDS_PSEUDONYM_KEY"] = f"key-{secrets.token_hex(32)}"
    if settings.data_folder is None and settings.ledger_url is None:
        own["CDS_DATA_FOLDER"] = str(scenarios_folder().parent.parent / "data")
    return os.environ | own


@contextmanager
def _service(host: str, port: int, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The service with its production server; it prints its own address."""
    service = subprocess.Popen(
        [sys.executable, "-m", __name__, "service", "--host", host, "--port", str(port)],
        stdin=subprocess.PIPE,
        env=dict(environment),
    )
    try:
        yield service
    finally:
        _stop(service, _SERVICE_STOP_SECONDS)


def _watch(service: subprocess.Popen[bytes], fhir: DemoFhirServer) -> None:
    while True:
        if (status := service.poll()) is not None:
            raise DemoError(f"the service ended (status {status})")
        if fhir.exit_status is not None:
            raise DemoError(f"the FHIR server ended (status {fhir.exit_status})")
        time.sleep(_WATCH_SECONDS)


if __name__ == "__main__":
    if sys.argv[1] == "fhir":
        _serve_fhir(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        _serve_service(sys.argv[2:])
