"""The bench: its charts are what it says, each of its parts runs, and its page tells every committed ratio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from tests.bench.charts import SIZES, hook_call, resources
from tests.bench.figures import Effort, Fact, Figure, Part, interleaved, percentile
from tests.bench.page import page, plot
from tests.builders import NOW, SERVICES

ROOT = Path(__file__).parent.parent
COMMITTED: dict[str, float] = json.loads((ROOT / "docs" / "benchmarks.json").read_text())["ratios"]

# One round, few calls.
TINY = "Effort(rounds=1, seconds=1, short=True)"

# In a process of its own: it imports what the tests load as plugins.
PROGRAM = """
import json
from tests.bench import {module}
from tests.bench.figures import Effort
part = {module}.measure({effort})
print(json.dumps([[figure.name, figure.ratio] for figure in part.figures]))
"""


def run(module: str) -> dict[str, float]:
    """The ratios of one part of the bench, by name, as a tiny run of it finds them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BENCH")}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module, effort=TINY)],
        capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300,
    )  # fmt: skip
    assert not told.returncode, told.stderr
    return dict(json.loads(told.stdout.splitlines()[-1]))


def figure(ours: list[float], theirs: list[float], name: str = "a figure") -> Figure:
    return Figure(name, "ours", "theirs", ours, theirs)


# --- Charts


@pytest.mark.parametrize("size", SIZES)
def test_a_chart_has_as_many_resources_and_bytes_as_it_should(size: int) -> None:
    assert len(resources(size, True, NOW)) == size
    assert 600 < len(hook_call(size, True, NOW)) / size < 680


@pytest.mark.parametrize("size", [50, 500])
@pytest.mark.parametrize("firing", [True, False])
def test_a_firing_chart_gets_a_card_and_a_silent_one_does_not(size: int, firing: bool) -> None:
    call = HookCall(SERVICES["breast-cancer-back-pain-patient-view"], NOW)
    decision = DecisionSupport().decide(call, json.loads(hook_call(size, firing, NOW)))
    assert len(decision.response_or_error()["cards"]) == firing


def test_the_same_chart_is_the_same_bytes() -> None:
    assert hook_call(500, True, NOW) == hook_call(500, True, NOW) != hook_call(500, False, NOW)


# --- Ratios


def test_the_ratio_is_the_median_of_those_of_the_rounds() -> None:
    # The second round had a busy machine, and the third a busier one for ours.
    assert figure([2.0, 20.0, 9.0], [1.0, 10.0, 1.0]).ratio == 2.0


def test_rounds_take_turns_and_end_when_their_time_is_over() -> None:
    turns: list[str] = []

    def task(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    values = interleaved(Effort(rounds=5, seconds=0), [lambda: task("a"), lambda: task("b")])
    assert turns == ["a", "b", "a", "b"]
    assert values == [[1, 3], [2, 4]]


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile(range(1, 101), 99) == 99
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([7.0], 99) == 7.0


def test_only_a_ratio_beyond_its_margin_is_called_worse() -> None:
    program = (
        "from tests.bench.figures import Figure; from tests.bench.ratios import worse;"
        "made = [Figure(name, '', 'x', [ratio], [1.0]) for name, ratio in (('a', 1.5), ('b', 1.7), ('new', 9.0))];"
        "print(*worse(made, {'a': 1.0, 'b': 1.0}), sep='\\n')"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert told.stdout == "WORSE: b: 1.70 times x, committed 1.00, margin 1.6\n"


# --- The page


def test_the_page_names_every_committed_ratio_and_every_committed_ratio_is_of_its_run() -> None:
    told = (ROOT / "docs" / "benchmarks.md").read_text()
    rows = [line.split("|") for line in told.splitlines() if line.startswith("| `")]
    assert {row[1].strip(" `"): float(row[4].strip(" *").replace(",", "")) for row in rows} == COMMITTED


def test_the_page_tells_what_was_not_measured_and_why() -> None:
    parts = [
        Part("One", "How.", [figure([3.0], [1.5])], [Fact("a thing", "5 ms")]),
        Part("Two", "How.", skipped="there is no network"),
    ]
    told = page(parts)
    assert "| `a figure` | ours | theirs | **2** | 3 / 1.5 ms of CPU | 3 / 1.5 | 1 |" in told
    assert "- a thing: 5 ms" in told and "Not measured: there is no network." in told
    assert f"- Date: {datetime.now(UTC).year}" in told and "Python 3." in told


def test_the_plot_is_a_picture_that_stands_alone() -> None:
    drawn = plot([figure([3.0], [1.5], "no prefetch")])
    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "slowest single read" in drawn and "2.0 times" in drawn
    assert (ROOT / "docs" / "benchmarks.svg").read_text().startswith("<svg xmlns=")


# --- Its parts


def test_the_part_in_process_runs() -> None:
    ratios = run("in_process")
    assert len(ratios) == 6 and ratios.keys() <= COMMITTED.keys()
    assert all(ratio > 0 for ratio in ratios.values())


def test_the_part_with_peers_is_skipped_unless_it_is_asked_for() -> None:
    assert run("peers") == {}


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("module", ["end_to_end", "start", "no_prefetch", "large_bodies"])
def test_each_part_with_servers_runs(module: str) -> None:
    ratios = run(module)
    assert ratios and ratios.keys() <= COMMITTED.keys()
    assert all(ratio > 0 for ratio in ratios.values())


def test_a_part_that_there_is_not_is_refused() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.bench"], env=os.environ | {"BENCH": "nothing"}, cwd=ROOT, capture_output=True
    )
    assert told.returncode == 2 and b"there is no part nothing" in told.stderr
