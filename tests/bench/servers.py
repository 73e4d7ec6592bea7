"""Servers in processes of their own, on free ports of this machine: start, CPU time of the worker, end."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import psutil

from tests.real_server import environment
from tests.server_calls import HOST, PATIENCE_SECONDS, comes_true, free_port

ROOT = Path(__file__).resolve().parents[2]

# Several start at the same time, perhaps while others use the machine.
_START_SECONDS = 180.0


class BenchServer:
    """One running server.

    Args:
        command: without the interpreter; `{port}` stands for the port.
        settings: of the service, by name.
        python: the interpreter.
        started: appears on standard error when the server listens; its worker is named there by Granian, or is the
            process itself.
    """

    def __init__(
        self,
        command: Sequence[str],
        settings: Mapping[str, Any] | None = None,
        python: str = sys.executable,
        started: str = r"Started worker-\d+$",
    ) -> None:
        self._folder = TemporaryDirectory(prefix="cds-bench-")
        self.port = free_port()
        self._log = Path(self._folder.name) / "err.txt"
        self._started = started
        values = {"data_folder": f"{self._folder.name}/data"} | dict(settings or {})
        arguments = [part.format(port=self.port) for part in command]
        self.spawned_at = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [python, *arguments], stdout=subprocess.DEVNULL, stderr=log, env=environment(values), cwd=ROOT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self) -> Self:
        """Wait until it listens."""
        comes_true(lambda: self._process.poll() is not None or self._listens(), _START_SECONDS)
        if not self._listens():
            said = self._said()
            self.stop()
            raise RuntimeError(f"a server did not start: {said[-2000:]}")
        return self

    def cpu_seconds(self) -> float:
        """The CPU time of the worker since it began, of all its threads."""
        worker = self._worker()
        try:
            # Linux: the process's own clock, in nanoseconds (clock_getcpuclockid; CPUCLOCK_SCHED is 2). What /proc
            # tells is counted in hundredths of a second, as much as some ten calls take.
            return time.clock_gettime((~worker << 3) | 2)
        except (AttributeError, OSError):
            times = psutil.Process(worker).cpu_times()
            return float(times.user + times.system)

    def stop(self) -> None:
        """End it, in good order if it can."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _worker(self) -> int:
        named = re.search(r"Spawning worker-\d+ with PID: (\d+)", self._said())
        return int(named[1]) if named else self._process.pid

    def _listens(self) -> bool:
        return re.search(self._started, self._said(), re.MULTILINE) is not None

    def _said(self) -> str:
        return self._log.read_text(errors="replace")


def service(**settings: Any) -> BenchServer:
    """The service as it is run: `cds-service serve` with one worker and these settings."""
    command = ["-m", "cds_service", "serve", "--host", HOST, "--port", "{port}", "--workers", "1"]
    # Else a bench of a minute would be refused by the bound of calls a minute.
    return BenchServer(command, {"calls_per_minute": 1_000_000} | settings)


def own(name: str, **settings: Any) -> BenchServer:
    """One of `own_apps`."""
    command = ["-m", "tests.bench.own_apps", name, "{port}"]
    return BenchServer(command, {"calls_per_minute": 1_000_000} | settings)
