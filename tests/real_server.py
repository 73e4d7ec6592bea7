"""The service as it is run: `cds-service serve` in a process of its own, on a free port of this machine.

A test module gets the fixture `start_service` by `pytest_plugins = ("tests.real_server",)`; it imports this module for
type checking only, since pytest wants to be the first to import a plugin. What a test started has ended when the test
has. What tests say to the service is in `tests/server_calls.py`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol

import pytest
import requests

from tests.server_calls import (
    HOST,
    MOST_BYTES,
    PATH,
    PATIENCE_SECONDS,
    Json,
    a_call,
    comes_true,
    everything_from,
    free_port,
    is_running,
)


class RealServer:
    """A running service, with what it has written to standard output and standard error so far.

    Args:
        folder: of this server alone; the ledger lies in `folder / "data"`, unless a setting says otherwise.
        workers: processes.
        prefix: a program that starts the service in its own place.
        settings: by name.
    """

    def __init__(self, folder: Path, workers: int, prefix: Sequence[str] = (), **settings: Any) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self._out, self._err = folder / "out.txt", folder / "err.txt"
        self.settings: Json = {"data_folder": str(self.data)} | settings
        command = ["serve", "--host", HOST, "--port", str(self.port), "--workers", str(workers)]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "cds_service", *command],
                stdout=out,
                stderr=err,
                env=environment(self.settings),
            )
        if not comes_true(lambda: self._ended() or self.started() >= workers) or self._ended():
            self.kill()
            raise AssertionError(f"the service did not start: {self.output()}{self.errors()}")

    @property
    def base(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the service itself, the parent of its workers."""
        return self._process.pid

    def output(self) -> str:
        """Everything on standard output."""
        return self._out.read_text()

    def errors(self) -> str:
        """Everything on standard error."""
        return self._err.read_text()

    def events(self) -> list[Json]:
        """The log, one value a line; standard output has nothing else."""
        return [json.loads(line) for line in self.output().splitlines()]

    def lines(self) -> list[Json]:
        """The lines of requests."""
        return [event for event in self.events() if event["event"] == "request"]

    def workers(self) -> list[int]:
        """The process ids of the workers that now run, in the order in which they were started."""
        told = re.findall(r"Spawning worker-\d+ with PID: (\d+)", self.errors())
        return [pid for pid in map(int, told) if is_running(pid)]

    def started(self) -> int:
        """How many workers have begun to listen so far; readiness alone would be answered by the first of them."""
        return len(re.findall(r"Started worker-\d+$", self.errors(), re.MULTILINE))

    def call(self, body: Json | None = None, path: str = PATH, token: str = "", **more: Any) -> requests.Response:
        """Post a body, by default a call that is answered by a card, over a new connection."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = a_call() if body is None else body
        return requests.post(self.base + path, json=content, headers=headers, timeout=PATIENCE_SECONDS, **more)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.base + path, timeout=PATIENCE_SECONDS)

    def says(self, data: bytes) -> bytes:
        """What comes back to bytes that are sent as they are, until the server ends the connection."""
        with self.connection() as connection:
            # A server that has refused may close while the rest is on its way; what it said is there to be read.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)
            return everything_from(connection)

    def connection(self) -> socket.socket:
        """A new connection, whose operations take PATIENCE_SECONDS at most."""
        return socket.create_connection((HOST, self.port), PATIENCE_SECONDS)

    def metric(self, name: str) -> float:
        """The sum over all series of a metric."""
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return sum(map(float, found))

    def end_worker(self, pid: int, how: signal.Signals = signal.SIGKILL) -> None:
        """End one worker; the server starts another."""
        os.kill(pid, how)

    def tell_to_stop(self) -> None:
        """Send SIGTERM, as a supervisor does."""
        self._process.send_signal(signal.SIGTERM)

    def tell_all_to_stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Send a signal to every process, workers first, as systemd or a terminal may do."""
        for pid in self.workers():
            os.kill(pid, signal_number)
        self._process.send_signal(signal_number)

    def exit_status(self) -> int:
        """Wait for the end of the process."""
        return self._process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End the process and its workers, whatever they do; at the end of a test."""
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def kill_alone(self) -> None:
        """Kill the process alone; its workers are not told to stop."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End in good order, or else by force."""
        self.tell_to_stop()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def _ended(self) -> bool:
        return self._process.poll() is not None


class StartService(Protocol):
    """Starts a service with these settings; it is stopped when the test ends."""

    def __call__(self, workers: int = 1, **settings: Any) -> RealServer: ...


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """See `StartService`."""
    with ExitStack() as running:

        def start(workers: int = 1, **settings: Any) -> RealServer:
            return running.enter_context(_running(Path(mkdtemp(dir=tmp_path)), workers, **settings))

        yield start


@pytest.fixture(scope="module")
def standing_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """Two workers and small bodies, for tests that leave it as it was."""
    with _running(tmp_path_factory.mktemp("standing"), 2, max_body_bytes=MOST_BYTES) as service:
        yield service


@contextmanager
def _running(folder: Path, workers: int, **settings: Any) -> Iterator[RealServer]:
    service = RealServer(folder, workers, **settings)
    try:
        yield service
    finally:
        service.stop()


def environment(settings: Json) -> dict[str, str]:
    """The environment of this process with these settings instead of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CDS_", "PROMETHEUS_"))}
    return own | {f"CDS_{name.upper()}": json.dumps(value) for name, value in settings.items()}
