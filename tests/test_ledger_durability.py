"""Several processes write to one ledger, and some are killed: nothing is lost, nothing is there twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from cds_service.ledger.store import Ledger
from cds_service.ledger.tables import decision
from tests.ledger_rows import NOW, an_answer, numbered
from tests.ledger_writer import SHARED_EVERY

pytest_plugins = ("tests.ledger_databases",)

pytestmark = pytest.mark.server

_ROOT = Path(__file__).parent.parent
_DAY = timedelta(days=1)
_WRITERS = 4
_OF_EACH = 10_000


@contextmanager
def _writers(tasks: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that have begun their tasks at the same moment; those that still run at the end are killed."""
    with ExitStack() as stack:
        processes = []
        for task in tasks:
            command = [sys.executable, "-m", "tests.ledger_writer", *task]
            process = subprocess.Popen(command, cwd=_ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(process.kill)
            processes.append(process)
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield processes


def _outputs(processes: Sequence[subprocess.Popen[str]]) -> list[str]:
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs


def _calls(url: str) -> int:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect() as connection:
            return int(connection.execute(select(func.sum(decision.c.calls))).scalar_one())
    finally:
        engine.dispose()


def test_workers_that_prepare_an_empty_database_at_the_same_moment_all_succeed(empty_url: str) -> None:
    with _writers([["prepare", empty_url]] * 4) as processes:
        _outputs(processes)
    ledger = Ledger(empty_url)
    ledger.ping()
    ledger.close()


def test_a_forked_worker_writes_beside_its_parent(ledger: Ledger, ledger_url: str) -> None:
    with _writers([["fork", ledger_url]]) as processes:
        _outputs(processes)
    kept = sorted(entry.card_id for entry in ledger.feedback(NOW, NOW + _DAY))
    assert kept == sorted(numbered("card", number) for number in (1, 2, 3))


@pytest.mark.slow
def test_four_processes_lose_nothing_and_double_nothing(ledger: Ledger, ledger_url: str) -> None:
    tasks = [["share", ledger_url, str(number), str(_WRITERS), str(_OF_EACH)] for number in range(_WRITERS)]
    with _writers(tasks) as processes:
        begin = time.perf_counter()
        seconds = sorted(second for output in _outputs(processes) for second in json.loads(output))
        took = time.perf_counter() - begin
    p50, p99 = (seconds[len(seconds) * share // 100] * 1000 for share in (50, 99))
    print(f"{len(seconds)} transactions in {took:.1f} s; p50 {p50:.2f}, p99 {p99:.2f}, max {seconds[-1] * 1000:.0f} ms")
    written = Counter(entry.decision_id for entry in ledger.decisions(NOW, NOW + _DAY))
    assert written == Counter(numbered("decision", number) for number in range(_OF_EACH))
    answered = Counter((entry.card_id, entry.known) for entry in ledger.feedback(NOW, NOW + _DAY))
    assert answered == Counter((numbered("card", number), True) for number in range(_OF_EACH))
    assert _calls(ledger_url) == _OF_EACH + (_WRITERS - 1) * _OF_EACH // SHARED_EVERY


def test_what_was_acknowledged_is_there_after_the_writers_are_killed(ledger_url: str) -> None:
    acknowledged: list[int] = []
    for start in (0, 100_000):
        tasks = [["endless", ledger_url, str(start + offset)] for offset in (0, 50_000)]
        with _writers(tasks) as processes:
            _lines(processes[0], 50)
            for process in processes:
                process.send_signal(signal.SIGKILL)
            acknowledged += range(start, start + 50)
            acknowledged += [int(line) for process in processes for line in _rest(process)]
    ledger = Ledger(ledger_url)
    ledger.ping()
    kept = {entry.card_id for entry in ledger.feedback(NOW, NOW + _DAY)}
    assert {number for number in acknowledged if numbered("card", number) not in kept} == set()
    # At most the one answer that each of the four was writing was kept without a word.
    assert len(kept) - len(set(acknowledged)) <= 4
    assert ledger.record_feedback([an_answer(-1)]).stored == 1
    ledger.close()


def _lines(process: subprocess.Popen[str], number: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(number)]


def _rest(process: subprocess.Popen[str]) -> list[str]:
    """The whole lines that a killed process had printed."""
    assert process.stdout is not None
    return [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
