"""What was measured, as text for the terminal and as `docs/benchmarks.md` with its plot."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from textwrap import fill

import psutil

from cds_service.plots.figures import Figures
from cds_service.plots.svg import PLOT_STYLE, bar_chart
from tests.bench.figures import Figure, Part

PAGE = "benchmarks.md"
PLOT = "benchmarks.svg"

# What decides how fast it is.
_PACKAGES = ("flask", "granian", "orjson", "sqlalchemy", "werkzeug")

# What the plot shows: that which the project has set itself a bound for.
_PLOTTED = {
    "in-process 50 firing": "In process, 50 resources / orjson.loads",
    "in-process 5000 firing": "In process, 5,000 resources / orjson.loads",
    "end-to-end 50 firing everything on": "A call of 50 resources, everything on / canned card",
    "end-to-end 5000 firing everything on": "A call of 5,000 resources, everything on / canned card",
    "peer 50": "A call of 50 resources / HealthChain",
    "peer 5000": "A call of 5,000 resources / HealthChain",
    "no prefetch": "No prefetch, wall time / slowest single read",
}

_HEAD = """\
# Benchmarks

What a call costs, beside what is usual. `make bench` measures it anew and fails where a ratio has become much worse;
`make bench BENCH_WRITE=1 BENCH_PEERS=1` renews this page, its plot and the committed ratios (`benchmarks.json`), all of
one run.

**Only ratios are compared.** Milliseconds are those of one machine on one day, on which others computed too. What
computes is told in CPU time, what waits in wall time; each figure was taken in turn with what stands beside it, round
by round, and the ratio is the median of the ratios of all rounds. Charts are synthetic: mixtures as EHRs export them,
some 630 bytes a resource (`tests/bench/charts.py`).
"""


def as_text(part: Part) -> str:
    """A part as lines for the terminal."""
    lines = [part.title]
    if part.skipped:
        lines.append(f"  SKIPPED, NOT MEASURED: {part.skipped}")
    for item in part.figures:
        lines.append(f"  {_number(item.ratio):>7} times {item.beside}: {item.what}")
        lines.append(
            f"          {_number(median(item.ours))} to {_number(median(item.theirs))} {item.unit}, best"
            f" {_number(min(item.ours))} to {_number(min(item.theirs))}, {len(item.ours)} rounds"
        )
    lines += [f"          {fact.what}: {fact.value}" for fact in part.facts]
    return "\n".join(lines)


def write_page(parts: Sequence[Part], folder: Path) -> None:
    """Write the page and its plot into a folder."""
    (folder / PAGE).write_text(page(parts), encoding="utf-8")
    (folder / PLOT).write_text(plot([figure for part in parts for figure in part.figures]), encoding="utf-8")


def page(parts: Sequence[Part]) -> str:
    """The page as Markdown."""
    lines = [_HEAD, *_machine(), "", f"![Ratios, less is better]({PLOT})", ""]
    for part in parts:
        lines += [f"## {part.title}", "", fill(part.text, 120), ""]
        if part.skipped:
            lines += [f"Not measured: {part.skipped}.", ""]
        if part.figures:
            lines += [*_table(part.figures), ""]
        if part.facts:
            lines += ["Also seen, and not compared:", ""]
            lines += [f"- {fact.what}: {fact.value}" for fact in part.facts] + [""]
    return "\n".join(lines).rstrip() + "\n"


def plot(figures: Sequence[Figure]) -> str:
    """The ratios as a picture that stands alone."""
    ratios = {figure.name: figure.ratio for figure in figures}
    rows = [(label, (ratios[name],)) for name, label in _PLOTTED.items() if name in ratios]
    drawn = bar_chart(
        Figures(
            "bench", "Times what stands beside it; less is better", "Figure", ("ratio",), rows, unit="times", decimals=1
        ),
        80,
    )
    # Alone it has no page from which to take colors.
    style = (
        f"<style>{PLOT_STYLE}.plot {{ font-family: sans-serif; color: #1b1f24; background: #ffffff; }}\n"
        "@media (prefers-color-scheme: dark) { .plot { color: #e6e9ed; background: #15181c; } }</style>"
    )
    head, _, body = str(drawn).partition(">")
    head = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ').replace('width="100%"', 'width="640"')
    return f"{head}>{style}{body}\n"


def _table(figures: Sequence[Figure]) -> Iterator[str]:
    yield "| Figure | Measured | Beside | Ratio | Medians | Best | Rounds |"
    yield "|---|---|---|---|---|---|---|"
    for item in figures:
        medians = f"{_number(median(item.ours))} / {_number(median(item.theirs))} {item.unit}"
        best = f"{_number(min(item.ours))} / {_number(min(item.theirs))}"
        cells = (f"`{item.name}`", item.what, item.beside, f"**{_number(item.ratio)}**", medians, best)
        yield f"| {' | '.join(cells)} | {len(item.ours)} |"


def _machine() -> Iterator[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    memory = psutil.virtual_memory().total / 2**30
    yield f"- Date: {datetime.now(UTC):%Y-%m-%d}"
    yield f"- Machine: {_processor()}, {psutil.cpu_count()} processors, {memory:.0f} GiB, {platform.system()}"
    yield f"- Versions: Python {platform.python_version()}, cds-service {version('cds-service')}, {packages}"


def _processor() -> str:
    """The name of the processor, as the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _number(value: float) -> str:
    """Three digits, which is more than chance leaves."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
