"""(b) End to end: the service as it is run, beside a canned Flask card on the same server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from tests.bench.charts import HOOK_INSTANCE, hook_call
from tests.bench.client import Client, Job, Result
from tests.bench.databases import postgresql_url
from tests.bench.figures import WALL_MARGIN, Effort, Fact, Figure, Part, Task, interleaved, percentile
from tests.bench.servers import BenchServer, own, service
from tests.server_calls import PATH, times_of_now
from tests.token_maker import BASE_URL, ISSUER, key, key_set, token

TITLE = "End to end"
_TEXT = (
    "`cds-service serve` with one worker, its log written; each call over a kept connection, with another"
    " `hookInstance`. CPU time is that of the worker, all its threads. *Canned card*: a Flask application whose POST"
    " route decodes the body by `request.get_json()`, looks at nothing and answers a constant card by `jsonify`, behind"
    " the same front and with the same settings of Granian, so that all that is not ours costs it the same; *body not"
    " decoded*: the same with `request.get_data()`. *Everything on*: the ledger in SQLite, patients remembered under a"
    " key, and a token checked for each call (ES384, each used once)."
)

# Servers by the names under which figures are committed.
CANNED, BYTES, WSGI = "canned", "canned bytes", "canned wsgi"
OFF, SQLITE, POSTGRESQL, ALL = "ledger off", "sqlite", "postgresql", "everything on"

_IN_WORDS = {
    OFF: "without rows in the ledger",
    SQLITE: "ledger in SQLite",
    POSTGRESQL: "ledger in PostgreSQL",
    ALL: "everything on",
}
_BESIDE = {CANNED: "canned card", BYTES: "canned card, body not decoded"}

# What the ledger costs does not hang on the size of a chart.
_SMALL_ONLY = (OFF, POSTGRESQL)

# Which server, how many resources, whether a card is due.
Kind = tuple[str, int, bool]

# The key under which patients are remembered, of the bench alone.
_PSEUDONYM_KEY = "a-key-of-the-bench-with-32-letters"

# Calls that make one value of a round: a second of work or less. The canned card is cheap, and has five times as many.
CALLS = {50: 40, 5000: 2}
_CANNED_MORE = 5
_CLIENTS, _CALLS_TOGETHER = 8, 160


@dataclass(slots=True)
class Bench:
    """Running servers by name, the client, and the bodies by size and kind."""

    client: Client
    servers: Mapping[str, BenchServer]
    bodies: Mapping[tuple[int, bool], Path]
    # Milliseconds of wall time by server and number of clients, round by round.
    latencies: dict[tuple[str, int], list[list[float]]] = field(default_factory=dict)

    def run(self, name: str, size: int, firing: bool, calls: int, clients: int = 1) -> Result:
        """So many calls of a server."""
        tokens = [token(None, "ES384", None, **times_of_now()) for _ in range(calls)] if name == ALL else []
        body = str(self.bodies[size, firing])
        return self.client.run(Job(self.servers[name].port, PATH, body, calls, clients, tokens, HOOK_INSTANCE))

    def cpu(self, name: str, size: int, firing: bool, calls: int) -> Task:
        """A task: the CPU time of the worker for one of so many calls, in milliseconds."""

        def measure() -> float:
            before = self.servers[name].cpu_seconds()
            result = self.run(name, size, firing, calls)
            if size == 50 and firing:
                self.latencies.setdefault((name, 1), []).append(result.milliseconds)
            return (self.servers[name].cpu_seconds() - before) * 1000 / calls

        return measure

    def together(self, name: str, calls: int) -> Task:
        """A task: the 99th percentile of calls of eight clients, in milliseconds of wall time."""

        def measure() -> float:
            milliseconds = self.run(name, 50, True, calls, _CLIENTS).milliseconds
            self.latencies.setdefault((name, _CLIENTS), []).append(milliseconds)
            return percentile(milliseconds, 99)

        return measure


def everything_on(folder: Path) -> dict[str, Any]:
    """The settings under which all is on that a hospital would have."""
    keys = folder / "keys.json"
    keys.write_bytes(key_set(key()))
    clients = [{"issuer": ISSUER, "jwks_file": str(keys)}]
    return {"base_url": BASE_URL, "clients": clients, "pseudonym_key": _PSEUDONYM_KEY}


@contextmanager
def bodies_in(folder: Path) -> Iterator[dict[tuple[int, bool], Path]]:
    """Files with the bodies, by size and kind."""
    files = {}
    for size, firing in ((50, True), (50, False), (5000, True)):
        files[size, firing] = folder / f"{size}-{firing}.json"
        files[size, firing].write_bytes(hook_call(size, firing))
    yield files


@contextmanager
def _running() -> Iterator[Bench]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cds-bench-")))
        bodies = stack.enter_context(bodies_in(folder))
        postgresql = stack.enter_context(postgresql_url())
        servers = {
            CANNED: own("canned_json"),
            BYTES: own("canned_bytes"),
            WSGI: own("canned_wsgi"),
            OFF: own("without_ledger"),
            SQLITE: service(),
            ALL: service(**everything_on(folder)),
        }
        if postgresql:
            servers[POSTGRESQL] = service(ledger_url=postgresql)
        for server in servers.values():
            stack.enter_context(server)
        for server in servers.values():
            server.wait()
        yield Bench(stack.enter_context(Client()), servers, bodies)


def measure(effort: Effort) -> Part:
    """CPU time and latency of all variants, in turn."""
    with _running() as bench:
        for name in bench.servers:
            cards = orjson.loads(bench.run(name, 50, True, 3).first)["cards"]
            assert len(cards) == 1, f"{name} answered no card"
        kinds = [(name, 50, True) for name in bench.servers]
        kinds += [(name, 5000, True) for name in bench.servers if name not in _SMALL_ONLY]
        kinds += [(name, 50, False) for name in (CANNED, ALL)]
        costs = {kind: _calls(effort, *kind[:2]) for kind in kinds}
        tasks = [bench.cpu(*what, calls) for what, calls in costs.items()]
        calls = max(2 * _CLIENTS, effort.calls(_CALLS_TOGETHER))
        crowds = (CANNED, SQLITE, ALL)
        tasks += [bench.together(name, calls) for name in crowds]
        values = interleaved(effort, tasks)
    cpu = dict(zip(costs, values, strict=False))
    tails = dict(zip(crowds, values[len(costs) :], strict=True))
    figures = [_figure(cpu, kind, CANNED) for kind in costs if kind[0] in _IN_WORDS]
    figures += [_figure(cpu, (ALL, size, True), BYTES) for size in CALLS]
    middles = [percentile(round_, 50) for round_ in bench.latencies[ALL, _CLIENTS]]
    figures.append(
        Figure(
            f"latency p99 to p50 {_CLIENTS} clients",
            f"p99 of {_CLIENTS} clients, 50 resources, everything on",
            "p50 of the same",
            tails[ALL],
            middles,
            "ms",
            WALL_MARGIN,
        )
    )
    return Part(TITLE, _TEXT, figures, _facts(bench, cpu))


def _figure(cpu: Mapping[Kind, Sequence[float]], kind: Kind, beside: str) -> Figure:
    name, size, firing = kind
    card = "firing" if firing else "silent"
    suffix = "" if beside == CANNED else f" beside {beside}"
    what = f"a call of {size:,} resources, {card}, {_IN_WORDS[name]}"
    key = f"end-to-end {size} {card} {name}{suffix}"
    return Figure(key, what, _BESIDE[beside], cpu[kind], cpu[beside, size, firing])


def _calls(effort: Effort, name: str, size: int) -> int:
    return effort.calls(CALLS[size]) * (_CANNED_MORE if name in (CANNED, BYTES, WSGI) else 1)


def _facts(bench: Bench, cpu: Mapping[Kind, Sequence[float]]) -> list[Fact]:
    """The canned card on Granian's own WSGI interface, and the latencies."""
    facts = [
        Fact(
            f"canned card on Granian's own WSGI interface, without the front, {size:,} resources",
            f"{median(cpu[WSGI, size, True]):.2f} ms of CPU (behind the front {median(cpu[CANNED, size, True]):.2f})",
        )
        for size in CALLS
    ]
    for (name, clients), rounds in sorted(bench.latencies.items(), key=lambda item: item[0][1]):
        if name in (CANNED, SQLITE, POSTGRESQL, ALL):
            every = [value for round_ in rounds for value in round_]
            who = f"{clients} client{'s' if clients > 1 else ''}"
            what = f"latency, 50 resources, firing, {who}: {_IN_WORDS.get(name, 'canned card')}"
            p50, p99 = percentile(every, 50), percentile(every, 99)
            facts.append(Fact(what, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms of {len(every):,} calls"))
    return facts
