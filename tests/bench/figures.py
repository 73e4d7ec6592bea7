"""What is measured: a figure, what stands beside it, and their ratio, which alone is compared between runs."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

# How much worse than the committed one a ratio may be. On a machine that others use too, ratios of CPU time taken in
# interleaved rounds differed by up to a quarter from run to run (caches, clock frequency); what is half as much again
# is no chance, and a little is added so that nobody learns to run it twice.
CPU_MARGIN = 1.6

# Ratios of wall time hang on who else computes in these milliseconds, those of a 99th percentile on a few calls.
WALL_MARGIN = 2.5


@dataclass(frozen=True, slots=True)
class Figure:
    """Rounds of something and, in the same order, of what stands beside it.

    Attributes:
        name: unique and lasting, under which the ratio is committed: `in-process 50 firing`.
        what: is measured, in words.
        beside: what stands beside it, in words.
        ours: one value a round.
        theirs: the same.
        unit: of both.
        margin: factor by which the ratio may be worse than the committed one.
    """

    name: str
    what: str
    beside: str
    ours: Sequence[float]
    theirs: Sequence[float]
    unit: str = "ms of CPU"
    margin: float = CPU_MARGIN

    @property
    def ratio(self) -> float:
        """The median of the ratios of all rounds: each round saw the same machine."""
        return median(our / their for our, their in zip(self.ours, self.theirs, strict=True))


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was measured and is told, and is not compared."""

    what: str
    value: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the bench has measured.

    Attributes:
        title: heading of its table.
        text: how it was measured, as a paragraph.
        skipped: why it was not measured, if so.
    """

    title: str
    text: str
    figures: Sequence[Figure] = ()
    facts: Sequence[Fact] = ()
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done: rounds, and the time after which a part begins no further round."""

    rounds: int
    seconds: float
    short: bool = False

    def calls(self, usual: int) -> int:
        """How many calls make one value of a round."""
        return max(2, usual // 10) if self.short else usual


# With the servers that each part has to start, a whole run stays within six minutes, if others leave it the machine.
USUAL = Effort(rounds=7, seconds=50)
SHORT = Effort(rounds=2, seconds=10, short=True)

Task = Callable[[], float]


def interleaved(effort: Effort, tasks: Sequence[Task]) -> list[list[float]]:
    """The values of each task, a round after the other, in each of which every task has its turn.

    There are two rounds at least, whatever they take.
    """
    values: list[list[float]] = [[] for _ in tasks]
    end = time.monotonic() + effort.seconds
    for number in range(effort.rounds):
        if number > 1 and time.monotonic() > end:
            break
        for index, task in enumerate(tasks):
            values[index].append(task())
    return values


def cpu_ms(action: Callable[[], object], times: int) -> Task:
    """A task: the CPU time of this process for one of so many runs of an action, in milliseconds."""

    def measure() -> float:
        # What others left behind is not collected at the cost of this one.
        gc.collect()
        start = time.process_time()
        for _ in range(times):
            action()
        return (time.process_time() - start) * 1000 / times

    return measure


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
