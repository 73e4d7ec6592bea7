"""(f) Large bodies: how late small calls become while one client sends bodies of 3 MB without end."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.charts import HOOK_INSTANCE, hook_call
from tests.bench.client import Client, Job
from tests.bench.figures import WALL_MARGIN, Effort, Fact, Figure, Part, interleaved, percentile
from tests.bench.servers import service
from tests.server_calls import PATH

TITLE = "Large bodies"
_TEXT = (
    "Calls of 50 resources, one after the other, while another client sends calls of 5,000 resources (3 MB) without end"
    " to the same worker; beside the same calls alone."
)

_CALLS = 100


def measure(effort: Effort) -> Part:
    """The small calls beside the large ones, and alone, in turn."""
    with TemporaryDirectory(prefix="cds-bench-") as folder, Client() as client, service() as server:
        small, large = Path(folder) / "small.json", Path(folder) / "large.json"
        small.write_bytes(hook_call(50, firing=True))
        large.write_bytes(hook_call(5000, firing=True))
        server.wait()
        every: dict[str, list[float]] = {"": [], str(large): []}

        def tail(beside: str) -> float:
            calls = effort.calls(_CALLS)
            job = Job(server.port, PATH, str(small), calls, instance=HOOK_INSTANCE, beside=beside)
            milliseconds = client.run(job).milliseconds
            every[beside] += milliseconds
            return percentile(milliseconds, 99)

        tail("")
        every[""].clear()
        # As many rounds as time allows: that the large calls last is no fault of the bench.
        with_large, alone = interleaved(effort, [lambda: tail(str(large)), lambda: tail("")])
    figure = Figure(
        "large bodies p99",
        "p99 of small calls beside large ones",
        "p99 of the same alone",
        with_large,
        alone,
        "ms",
        WALL_MARGIN,
    )
    facts = [
        Fact(f"small calls {where}", f"p50 {percentile(times, 50):.1f} ms, p99 {percentile(times, 99):.1f} ms")
        for where, times in (("alone", every[""]), ("beside large ones", every[str(large)]))
    ]
    return Part(TITLE, _TEXT, [figure], facts)
