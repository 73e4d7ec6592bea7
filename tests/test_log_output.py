"""The log on standard output: no call waits for whoever reads it, and what is lost is told."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from cds_service.web.call_log import log_to_standard_output
from cds_service.web.log_output import MOST_KEPT_BYTES, UnwaitingHandler, standard_output, writer_to
from tests.real_server import environment
from tests.server_calls import HOST, PATIENCE_SECONDS, comes_true, free_port

if TYPE_CHECKING:
    from tests.real_server import StartService

pytest_plugins = ("tests.real_server",)

WAIT_SECONDS = 5.0


@contextmanager
def ends() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe, or what is left of them."""
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        for end in (reading, writing):
            with suppress(OSError):
                os.close(end)


def a_log(descriptor: int) -> logging.Logger:
    """A logger of its own that writes there."""
    log = logging.Logger("of this test")
    log.addHandler(UnwaitingHandler(writer_to(descriptor)))
    return log


def in_time(log: logging.Logger, lines: int) -> bool:
    """Whether so many lines are taken at once, by a thread that is left behind where they are not."""

    def write() -> None:
        for number in range(lines):
            log.info("line %d %s", number, "x" * 90)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(WAIT_SECONDS)
    return not thread.is_alive()


def read_all(reading: int, into: list[bytes]) -> None:
    while data := os.read(reading, 65_536):
        into.append(data)


@pytest.mark.parametrize("lines", [3_000, 30_000])
def test_a_pipe_that_nobody_reads_holds_nobody_up_and_has_all_lines_in_order_but_those_it_says_were_lost(
    lines: int,
) -> None:
    with ends() as (reading, writing):
        log = a_log(writing)
        assert in_time(log, lines)
        found: list[bytes] = []
        reader = threading.Thread(target=read_all, args=(reading, found), daemon=True)
        reader.start()
        assert comes_true(lambda: b"lost" in b"".join(found) or b"".join(found).count(b"\n") == lines)
        text = b"".join(found).decode().splitlines()
        kept = [line for line in text if line.startswith("line ")]
        assert [int(line.split()[1]) for line in kept] == list(range(len(kept)))
        assert (len(kept) == lines) == (lines == 3_000)
        assert all(line == "log lines were lost" for line in text if line not in kept)


def test_how_many_lines_were_lost_is_told_once() -> None:
    told: list[bytes] = []
    full = True

    def write(data: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        told.append(data)
        return len(data)

    handler = UnwaitingHandler(write)
    handler.setFormatter(logging.Formatter("%(message)s %(fields)s", defaults={"fields": ""}))
    log = logging.Logger("of this test")
    log.addHandler(handler)
    log.info("first")
    log.info("second")
    full = False
    log.info("third")
    log.info("fourth")
    assert b"".join(told).decode().splitlines() == ["log lines were lost {'lines': 2}", "third ", "fourth "]


def test_a_reader_that_has_gone_raises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ends() as (reading, writing):
        os.close(reading)
        assert in_time(a_log(writing), 10)
    assert capsys.readouterr().err == ""


def test_a_socket_that_nobody_reads_holds_nobody_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        log = a_log(ours.fileno())
        assert in_time(log, 20_000)


def test_a_terminal_that_nobody_reads_holds_nobody_up() -> None:
    reading, terminal = os.openpty()
    try:
        assert in_time(a_log(terminal), 20_000)
    finally:
        os.close(reading)
        os.close(terminal)


def test_a_file_has_every_line(tmp_path: Path) -> None:
    with (tmp_path / "log.txt").open("wb") as file:
        assert in_time(a_log(file.fileno()), 1_000)
    assert len((tmp_path / "log.txt").read_bytes().splitlines()) == 1_000


def test_the_pipe_still_waits_for_everybody_else() -> None:
    with ends() as (_, writing):
        a_log(writing).info("a line")
        assert os.get_blocking(writing)


def test_without_standard_output_nothing_is_written_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert isinstance(standard_output(), logging.NullHandler)


def test_what_is_kept_is_bounded() -> None:
    def full(_: bytes) -> int:
        raise BlockingIOError

    log = logging.Logger("of this test")
    handler = UnwaitingHandler(full)
    log.addHandler(handler)
    for _ in range(3):
        log.info("x" * (MOST_KEPT_BYTES // 2))
    assert len(handler._kept) == 1 and handler._lost == 2


def test_the_log_of_the_service_goes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger("cds_service")
    before = root.handlers[:], root.level, root.propagate
    with ends() as (reading, writing), os.fdopen(os.dup(writing), "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        try:
            log_to_standard_output()
            logging.getLogger("cds_service.somewhere").warning("something", extra={"fields": {"count": 2}})
        finally:
            root.handlers[:], root.level, root.propagate = before
        line = json.loads(os.read(reading, 4_096))
    assert (line["event"], line["count"], line["level"]) == ("something", 2, "warning")


# Takes the place of a program whose standard output is a pipe that nobody reads, as behind a collector that hangs.
_UNREAD = """
import os, sys
reading, writing = os.pipe()
os.set_inheritable(reading, True)
os.dup2(writing, 1)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.slow
def test_a_service_whose_log_nobody_reads_answers_every_call_and_stops(start_service: StartService) -> None:
    service = start_service(prefix=[sys.executable, "-c", _UNREAD])
    # Some 600 bytes for each call, and a pipe takes 64 kB.
    assert [service.call().status_code for _ in range(250)] == [200] * 250
    assert service.get("/health/ready").status_code == 200
    service.tell_to_stop()
    assert service.exit_status() == 0


# The same for both streams, in a pipe that is full from the start.
_FULL = """
import os, sys
reading, writing = os.pipe()
os.set_inheritable(reading, True)
os.set_blocking(writing, False)
try:
    while os.write(writing, b"x" * 4096):
        pass
except BlockingIOError:
    os.set_blocking(writing, True)
os.dup2(writing, 1)
os.dup2(writing, 2)
os.execv(sys.argv[1], sys.argv[1:])
"""

# Standard error on a disk without a byte left.
_NO_ROOM = """
import os, sys
os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def served(prefix: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A service of two workers whose streams are what the prefix makes of them, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(port), "--workers", "2"]
    with (folder / "out.txt").open("wb") as out:
        settings = environment({"data_folder": str(folder / "data")})
        service = subprocess.Popen([*prefix, *command], stdout=out, env=settings)
    try:
        assert comes_true(lambda: answers(port))
        yield service, port
        service.terminate()
        assert service.wait(PATIENCE_SECONDS) == 0
    finally:
        service.kill()
        service.wait()


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def has_another(pid: int, before: set[int]) -> bool:
    return len(children(pid) - before) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")
@pytest.mark.parametrize("streams", [_FULL, _NO_ROOM], ids=["a full pipe", "a full disk"])
def test_a_service_whose_standard_error_takes_nothing_starts_replaces_a_worker_and_stops(
    tmp_path: Path, streams: str
) -> None:
    with served([sys.executable, "-c", streams], tmp_path) as (service, port):
        for _ in range(2):
            assert comes_true(lambda: len(children(service.pid)) == 2)
            (ended, *_) = before = children(service.pid)
            os.kill(ended, signal.SIGKILL)
            assert comes_true(partial(has_another, service.pid, before))
            assert comes_true(lambda: answers(port))


@pytest.mark.slow
def test_a_service_without_standard_error_starts_and_stops(tmp_path: Path) -> None:
    with served(["sh", "-c", 'exec "$@" 2>&-', "sh"], tmp_path):
        pass


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://{HOST}:{port}/health/live", timeout=PATIENCE_SECONDS).ok
    except requests.ConnectionError:
        return False
