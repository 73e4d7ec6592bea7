"""(d) Start: from spawning the service to its first card, and whether the first call is slower than those after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench.charts import HOOK_INSTANCE, hook_call
from tests.bench.client import Client, Job
from tests.bench.figures import WALL_MARGIN, Effort, Fact, Figure, Part, interleaved
from tests.bench.servers import BenchServer, own, service
from tests.server_calls import PATH

TITLE = "Start"
_TEXT = (
    "From spawning the process, with an empty ledger, to the first answered call, beside the canned card on the same"
    " server; and the CPU time of the first call beside the median of the twenty after it."
)

_LATER = 20


def measure(effort: Effort) -> Part:
    """Starts of the service and of the canned card, in turn."""
    firsts: list[float] = []
    laters: list[float] = []
    with TemporaryDirectory(prefix="cds-bench-") as folder, Client() as client:
        body = Path(folder) / "body.json"
        body.write_bytes(hook_call(50, firing=True))

        def start(make: Callable[[], BenchServer]) -> tuple[float, float, float]:
            """Seconds to the first response, and the CPU time of the first call and of a later one."""
            with make() as server:
                server.wait()
                costs = []
                for number in range(1 + _LATER):
                    before = server.cpu_seconds()
                    client.run(Job(server.port, PATH, str(body), 1, instance=HOOK_INSTANCE))
                    costs.append((server.cpu_seconds() - before) * 1000)
                    if not number:
                        seconds = time.perf_counter() - server.spawned_at
                return seconds, costs[0], median(costs[1:])

        def ours() -> float:
            seconds, first, later = start(service)
            firsts.append(first)
            laters.append(later)
            return seconds

        rounds = Effort(min(3, effort.rounds), effort.seconds)
        starts, canned = interleaved(rounds, [ours, lambda: start(lambda: own("canned_json"))[0]])
    return Part(
        TITLE,
        _TEXT,
        [
            Figure(
                "start to first card", "spawned until the first card", "canned card", starts, canned, "s", WALL_MARGIN
            ),
            # Of single calls, a few of them: chance counts for more than in means.
            Figure(
                "first call",
                "the first call, 50 resources",
                "median of the next twenty",
                firsts,
                laters,
                margin=WALL_MARGIN,
            ),
        ],
        [Fact("start to first card", f"{min(starts):.2f} s at best")],
    )
