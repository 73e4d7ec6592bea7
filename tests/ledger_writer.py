"""A process that writes to a ledger, for tests of several writers and of writers that are killed.

    python -m tests.ledger_writer prepare URL
    python -m tests.ledger_writer share URL NUMBER OF TOTAL   every OF-th of TOTAL decisions and answers, from NUMBER on
    python -m tests.ledger_writer endless URL NUMBER          answers until it is killed; prints the number of each kept
    python -m tests.ledger_writer fork URL                    one answer, then one in a child process, then one more

It waits for a line on its input, so that several begin together. What a user of the ledger sees is all it uses.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count

from cds_service.ledger.store import Ledger
from tests.ledger_rows import a_decision, feedback_entry

# Each such number is written by every process, as clients that send twice would have it.
SHARED_EVERY = 50

# Answers sent together: batches of several processes overlap, each in an order of its own.
_BATCH = 5

# A slow disk shall make a test slow, and not fail it.
_PATIENT_SECONDS = 30.0


def main(task: str, url: str, *numbers: str) -> None:
    """Run one task and print what came of it."""
    ledger = Ledger(url, busy_seconds=_PATIENT_SECONDS)
    print("ready", flush=True)
    sys.stdin.readline()
    match task, [int(number) for number in numbers]:
        case "prepare", []:
            ledger.prepare()
            ledger.ping()
        case "share", [number, of, total]:
            print(json.dumps(_share(ledger, number, of, total)))
        case "fork", []:
            _fork(ledger)
        case "endless", [number]:
            _endless(ledger, number)
    ledger.close()


def _share(ledger: Ledger, number: int, of: int, total: int) -> list[float]:
    """Write a share of the decisions and answers; return how many seconds each transaction took."""
    mine = [each for each in range(total) if each % of == number or each % SHARED_EVERY == 0]
    seconds = []
    for start in range(0, len(mine), _BATCH):
        batch = mine[start : start + _BATCH]
        for each in batch:
            seconds.append(_timed(partial(ledger.record_decision, a_decision(each))))
        answers = [feedback_entry(each) for each in (batch if number % 2 else reversed(batch))]
        seconds.append(_timed(partial(ledger.record_feedback, answers)))
    return seconds


def _timed(write: Callable[[], object]) -> float:
    begin = time.perf_counter()
    write()
    return time.perf_counter() - begin


def _endless(ledger: Ledger, number: int) -> None:
    for each in count(number):
        ledger.record_feedback([feedback_entry(each)])
        print(each, flush=True)


def _fork(ledger: Ledger) -> None:
    ledger.record_feedback([feedback_entry(1)])
    if not (child := os.fork()):
        ledger.record_feedback([feedback_entry(2)])
        os._exit(0)
    _, status = os.waitpid(child, 0)
    ledger.record_feedback([feedback_entry(3)])
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
