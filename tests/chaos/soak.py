"""Call for so long that what is not given back would be seen: `python -m tests.chaos.soak`.

SOAK_CALLS= sets how many calls, SOAK_WRITE=1 writes docs/reliability.md. Memory and descriptors are those of all
processes of the service, taken while no call is under way.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import psutil

from tests.bench.client import Client, Job
from tests.builders import PATIENT_ID
from tests.chaos.page import machine, write
from tests.real_server import RealServer
from tests.server_calls import FEEDBACK, PATH, a_call

# Stands for an id of each call's own: of the call, of its patient, of a card.
_ID = "@instance"

CLIENTS = 8
WORKERS = 2

# First so many clients call at once, a few times each: pools of threads and connections are then as large as they get.
_BURST_CLIENTS, _BURST_CALLS = 64, 10

# So often memory and descriptors are looked at.
LOOKS = 100

# From a tenth of the calls on all threads, connections and caches are there.
WARM = LOOKS // 10

# What may be added to the memory from then to the end.
MOST_GROWTH = 0.05

# So many of the looks are feedback, the others calls with a card.
_EVERY_FEEDBACK = 5

# A worker closes a connection that its client has closed at once, and counts what is left.
SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Look:
    """The service at one moment: calls so far, resident bytes and open descriptors of all its processes."""

    calls: int
    bytes: int
    descriptors: int


@dataclass(slots=True)
class Soak:
    """What was measured; `refused`: feedback that could not be stored in time, on a disk that others use."""

    looks: list[Look] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    refused: int = 0

    @property
    def growth(self) -> float:
        """What was added to the memory from the tenth look to the last, as a part of it."""
        return self.looks[-1].bytes / self.looks[WARM - 1].bytes - 1

    @property
    def more_descriptors(self) -> int:
        """How many descriptors there are at the end beyond those at the tenth look."""
        return self.looks[-1].descriptors - self.looks[WARM - 1].descriptors


def run_soak(folder: Path, calls: int, settle: float = SETTLE_SECONDS) -> Soak:
    """Call a service of its own.

    Args:
        settle: seconds before each look.

    Raises:
        RuntimeError: a call was not answered 200, nor a feedback 503.
    """
    # Each call is about another patient: what is remembered of one is read in each call about that one.
    call = json.dumps(a_call() | {"hookInstance": _ID}).replace(PATIENT_ID, _ID)
    (folder / "card.json").write_text(call)
    (folder / "feedback.json").write_text(json.dumps({"feedback": [{"card": _ID, "outcome": "accepted"}]}))
    soak = Soak()
    service = RealServer(folder, WORKERS, calls_per_minute=10**9, pseudonym_key="a-key-of-the-soak-with-32-letters")
    begun = time.monotonic()
    try:
        processes = [psutil.Process(pid) for pid in (service.pid, *service.workers())]
        with Client() as client:
            burst = _BURST_CLIENTS * _BURST_CALLS
            client.run(_job(service, PATH, folder / "card.json", burst, _BURST_CLIENTS))
            for number in range(LOOKS):
                path, body = (FEEDBACK, "feedback.json") if number % _EVERY_FEEDBACK == 4 else (PATH, "card.json")
                share = calls // LOOKS // CLIENTS * CLIENTS
                result = client.run(_job(service, path, folder / body, share, CLIENTS))
                soak.milliseconds += result.milliseconds
                soak.refused += sum(status != 200 for status in result.statuses)
                time.sleep(settle)
                soak.looks.append(_look(processes, len(soak.milliseconds)))
    finally:
        soak.seconds = time.monotonic() - begun
        service.stop()
    return soak


def _job(service: RealServer, path: str, body: Path, calls: int, clients: int) -> Job:
    statuses = (200, 503) if path == FEEDBACK else (200,)
    return Job(service.port, path, str(body), calls, clients, instance=_ID, instances=-1, statuses=statuses)


def complaints(soak: Soak) -> Iterator[str]:
    """What did not hold, in sentences."""
    if soak.growth >= MOST_GROWTH:
        yield f"memory grew by {soak.growth:.1%}, more than {MOST_GROWTH:.0%}"
    if soak.more_descriptors > 0:
        yield f"there are {soak.more_descriptors} descriptors more at the end"


def soak_text(soak: Soak) -> str:
    """All figures as Markdown."""
    calls, percentiles = len(soak.milliseconds), quantiles(soak.milliseconds, n=100)
    lines = [
        f"Run on {machine()}.",
        "",
        f"{calls:,} calls of {CLIENTS} clients in {soak.seconds:,.0f} s ({calls / soak.seconds:,.0f} a second), one in"
        f" {_EVERY_FEEDBACK} of them feedback ({soak.refused:,} to be sent again); {WORKERS} workers, SQLite, every"
        " call recorded. Half took"
        f" {percentiles[49]:.1f} ms or less, 99 of 100 {percentiles[98]:.1f} ms,"
        f" the longest {max(soak.milliseconds):.0f} ms.",
        "",
        "| Calls so far | Memory of all processes | Descriptors |",
        "|---|---|---|",
        *(_row(look) for look in _shown(soak.looks)),
        "",
        f"From a tenth of the calls to the end memory grew by {soak.growth:.1%} (bound: {MOST_GROWTH:.0%}), and"
        f" descriptors by {soak.more_descriptors}.",
    ]
    found = list(complaints(soak))
    return "\n".join([*lines, *(["", "**What did not hold:** " + "; ".join(found) + "."] if found else [])])


def _shown(looks: Sequence[Look]) -> Iterator[Look]:
    yield looks[0]
    yield from looks[WARM - 1 :: WARM]


def _row(look: Look) -> str:
    return f"| {look.calls:,} | {look.bytes / 2**20:.1f} MiB | {look.descriptors} |"


def _look(processes: Sequence[psutil.Process], calls: int) -> Look:
    return Look(
        calls,
        sum(process.memory_info().rss for process in processes),
        sum(process.num_fds() for process in processes),
    )


def main() -> int:
    """Run it, print it; the exit status is 1 where something did not hold."""
    with tempfile.TemporaryDirectory(prefix="cds-soak-") as name:
        soak = run_soak(Path(name), int(os.environ.get("SOAK_CALLS", "1000000")))
    text = soak_text(soak)
    print(text)
    if os.environ.get("SOAK_WRITE"):
        write("soak", text)
    return 1 if list(complaints(soak)) else 0


if __name__ == "__main__":
    sys.exit(main())
