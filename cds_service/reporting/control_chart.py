"""A control chart over the firing rate: has a service left the range of its earlier days? Pure functions.

Rules of decision support mostly fail unnoticed: they stop firing, or fire for everyone, and nobody is told. Statistical
process control of their rates had a sensitivity of 95 % and a positive predictive value of 29 % in the rules that it
fits (154 of 226; Kassakian et al., Appl Clin Inform 2017;8:910-923): an alarm is a reason to look, not a fault.

The chart is a p chart (proportions; NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.3.2) with limits at 3 sigma,
and with two changes that its assumptions call for here:

- The rate is known from the earlier calls only, and the last days have no part in it. Instead of the normal
  approximation, the limits are the exact ones for a prediction from a sample, by the hypergeometric distribution (the
  method is reviewed by Krishnamoorthy and Peng, Improved Closed-Form Prediction Intervals for Binomial and Poisson
  Distributions, 2011). A short past gives wide limits.
- Days and weeks differ by more than chance (clinics, seasons). Laney multiplies the distance of the limits by sigma z,
  the spread between earlier periods relative to chance (p' chart; Qual Eng 2002;14:531-537). From the few periods that
  there are it is a noisy guess: its square root is taken, halfway to 1 by ratio, at least 1 and at most `MOST_SPREAD`.

To stop firing altogether is judged on its own, by the exact chance of no card in so many calls, which no spread makes
more likely. With about six or more cards expected in the last days it is found; below that a longer period is needed
(`--days 28`), and the sentence says so. `tests/test_control_chart.py` measures missed changes and false alarms.

Each service is judged for itself: calls that stopped, the share that fired (both ways), and the shares that could not
be concluded or failed (upwards: fewer of them are no fault). Nothing is said of cards or answers.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from cds_service.ledger.entries import DecisionEntry
from cds_service.reporting.summary import EVALUATED

# The part of a normal distribution beyond 3 sigma, on one side.
TAIL = 0.00135

# No card at all is the fault that matters most, and is reported from a chance of 1 in 200 on: chance alone then brings
# one such alarm in four years of weeks, and only to services that fire about five times a week. Others have fewer.
STOP_TAIL = 0.005

# Where the weeks differ by more than twice of chance, limits that follow them would let anything pass.
MOST_SPREAD = 2.0

# With fewer earlier calls (someone tries the service before it is used) a rate means nothing yet.
FEWEST_CALLS = 30

# Three moving ranges are the least from which a spread can be guessed.
FEWEST_PERIODS = 4

# The mean moving range of two, in sigmas of a normal distribution (d2).
_MOVING_RANGE = 1.128

# So small a part of a tail changes none of its decisions, even times a million counts.
_NEGLIGIBLE = TAIL * 1e-9


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many calls."""

    count: int
    calls: int

    def __str__(self) -> str:
        if not self.calls:
            return "none"
        return f"{self.count:,} of {self.calls:,} calls ({100 * self.count / self.calls:.1f} %)"


class Band(NamedTuple):
    """The counts that are within the limits, both included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one service; `in_band` also where it cannot be told."""

    service: str
    in_band: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Point:
    """One period of a chart: its age in periods (0 for the last days), the share that fired, and the limits of it.

    `band` and `expected` are None where there are too few earlier calls to tell, or none in the period.
    """

    age: int
    fired: Share
    expected: float | None
    band: Band | None


@dataclass(frozen=True, slots=True)
class Chart:
    """The firing rate of one service over the periods that `check` compares, the oldest first, and its verdict."""

    verdict: Verdict
    points: tuple[Point, ...]


def check(decisions: Iterable[DecisionEntry], until: datetime, days: int, baseline: int) -> list[Verdict]:
    """Compare the last days of each service with those before.

    Args:
        decisions: at least those of `days + baseline` days before `until`; others are passed over.
        until: end of the last days, with a time zone.
        days, baseline: length of the last period and of the time before it, in days.
    """
    return [chart.verdict for chart in charts(decisions, until, days, baseline)]


def charts(decisions: Iterable[DecisionEntry], until: datetime, days: int, baseline: int) -> list[Chart]:
    """The chart of each service: what `check` says, and the periods from which it says it. Arguments as there."""
    periods: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    oldest: dict[str, timedelta] = {}
    for entry in decisions:
        age = until - entry.at
        if timedelta(0) < age <= timedelta(days=days + baseline):
            # Exactly `days` old is the first moment of the last period.
            number = math.ceil(age / timedelta(days=days)) - 1
            period = periods[entry.service][number]
            period["calls"] += 1
            period[entry.outcome] += 1
            oldest[entry.service] = max(age, oldest.get(entry.service, age))
    return [
        Chart(
            _verdict(service, periods[service], days, oldest[service] / timedelta(days=1) - days, baseline),
            _points(periods[service], math.ceil((days + baseline) / days)),
        )
        for service in sorted(periods)
    ]


def _points(periods: Mapping[int, Counter[str]], count: int) -> tuple[Point, ...]:
    """Each period against all earlier ones together, as the last days are judged."""
    before = [counts for number, counts in sorted(periods.items()) if number]
    earlier = _share("fired", sum(before, Counter()))
    spread = widening(sigma_z([_share("fired", counts) for counts in before]))
    points = []
    for age in reversed(range(count)):
        fired = _share("fired", periods.get(age, Counter()))
        told = bool(fired.calls) and earlier.calls >= FEWEST_CALLS
        points.append(
            Point(
                age,
                fired,
                expected(fired.calls, earlier) if told else None,
                limits(fired.calls, earlier, spread) if told else None,
            )
        )
    return tuple(points)


def limits(recent: int, earlier: Share, spread: float = 1.0) -> Band:
    """The counts among `recent` calls that are within the band.

    Args:
        recent: calls in the last period.
        earlier: how many of the time before fired, of at least one call.
        spread: the factor of the distance from the count that is expected, at least 1.
    """
    center = expected(recent, earlier)
    low = bisect_left(range(math.ceil(center)), True, key=lambda count: not _too_few(count, recent, earlier, TAIL))
    above = range(math.floor(center) + 1, recent + 1)
    high = above.start - 1 + bisect_left(above, True, key=lambda count: _too_many(count, recent, earlier, TAIL))
    wide_low, wide_high = center - spread * (center - low), center + spread * (high - center)
    # What is a whole number but for rounding stays within.
    return Band(max(0, math.ceil(wide_low - 1e-9)), min(recent, math.floor(wide_high + 1e-9)))


def expected(recent: int, earlier: Share) -> float:
    """How many of the last calls would be marked at the earlier rate."""
    return recent * earlier.count / earlier.calls


def stopped_firing(recent: int, earlier: Share) -> bool:
    """Whether no card in the last calls is too unlikely at the earlier rate."""
    return _too_few(0, recent, earlier, STOP_TAIL)


def sigma_z(periods: Sequence[Share]) -> float:
    """The spread between periods relative to that of chance, from their mean moving range; 1 where it is not known."""
    seen = [period for period in periods if period.calls]
    count, calls = sum(period.count for period in seen), sum(period.calls for period in seen)
    if len(seen) < FEWEST_PERIODS or not 0 < count < calls:
        return 1.0
    rate = count / calls
    scores = [(p.count / p.calls - rate) / math.sqrt(rate * (1 - rate) / p.calls) for p in seen]
    ranges = [abs(later - sooner) for sooner, later in itertools.pairwise(scores)]
    return sum(ranges) / len(ranges) / _MOVING_RANGE


def widening(spread: float) -> float:
    """How far sigma z widens the limits: its square root, from 1 to `MOST_SPREAD`."""
    return min(MOST_SPREAD, math.sqrt(max(1.0, spread)))


def stopped_calling(earlier_calls: int, earlier_days: float, days: int) -> bool:
    """Whether no call in the last days is too unlikely, given so many in the days before."""
    return bool(earlier_calls) and (earlier_days / (earlier_days + days)) ** earlier_calls < TAIL


def _verdict(
    service: str, periods: Mapping[int, Counter[str]], days: int, earlier_days: float, baseline: int
) -> Verdict:
    recent = periods.get(0, Counter())
    before = [counts for number, counts in sorted(periods.items()) if number]
    earlier = sum(before, Counter[str]())
    known = sum(earlier[outcome] for outcome in EVALUATED)
    if not recent["calls"] and stopped_calling(earlier["calls"], earlier_days, days):
        text = f"no call in the last {days} days, and {earlier['calls']:,} calls in the {baseline} days before"
        return Verdict(service, False, f"{service}: out of the band: {text}.")
    if known < FEWEST_CALLS:
        text = f"too few earlier calls to tell ({known} in the {baseline} days before, {FEWEST_CALLS} are needed)"
        return Verdict(service, True, f"{service}: {text}.")
    if recent["calls"] == recent["off"]:
        text = "it was switched off" if recent["off"] else "it was not called, which may be chance"
        return Verdict(service, True, f"{service}: nothing to compare in the last {days} days: {text}.")
    problems = [
        problem
        for outcome, words in (("fired", "fired"), ("undetermined", "could not be concluded"), ("failed", "failed"))
        if (problem := _problem(outcome, words, recent, before))
    ]
    if problems:
        return Verdict(service, False, f"{service}: out of the band: {'; '.join(problems)}.")
    now, then = _share("fired", recent), _share("fired", earlier)
    text = f"within the band: fired in {now}, before in {then}"
    if then.count and not now.count:
        text += "; none in so few calls may be chance, a longer time (--days) tells more"
    return Verdict(service, True, f"{service}: {text}.")


def _problem(outcome: str, words: str, recent: Counter[str], before: Sequence[Counter[str]]) -> str:
    """Why a share has left its band, or an empty string."""
    now, then = _share(outcome, recent), _share(outcome, sum(before, Counter()))
    if not now.calls:
        return ""
    shares = f"{words} in {now}, before in {then}"
    if outcome == "fired" and not now.count and stopped_firing(now.calls, then):
        return f"{shares}; about {expected(now.calls, then):,.0f} were to be expected"
    band = limits(now.calls, then, widening(sigma_z([_share(outcome, counts) for counts in before])))
    if now.count > band.high:
        return f"{shares}; up to {band.high:,} would be within the band"
    if outcome == "fired" and now.count < band.low:
        return f"{shares}; {band.low:,} or more would be within the band"
    return ""


def _share(outcome: str, counts: Mapping[str, int]) -> Share:
    """Of the calls that came to an assessment; for failures, of those that should have."""
    calls = sum(counts.get(name, 0) for name in EVALUATED)
    return Share(counts.get(outcome, 0), calls + (counts.get("failed", 0) if outcome == "failed" else 0))


def _too_few(count: int, recent: int, earlier: Share, tail: float) -> bool:
    """Whether so few or fewer are less likely than `tail`, where so many in all were spread over all calls."""
    if count >= expected(recent, earlier):
        return False
    together, calls = count + earlier.count, recent + earlier.calls
    fewest = max(0, together - earlier.calls)
    return _stays_below(tail, (_chance(k, recent, calls, together) for k in range(count, fewest - 1, -1)))


def _too_many(count: int, recent: int, earlier: Share, tail: float) -> bool:
    """Whether so many or more are less likely than `tail`, where so many in all were spread over all calls."""
    if count <= expected(recent, earlier):
        return False
    together, calls = count + earlier.count, recent + earlier.calls
    most = min(recent, together)
    return _stays_below(tail, (_chance(k, recent, calls, together) for k in range(count, most + 1)))


def _stays_below(tail: float, chances: Iterable[float]) -> bool:
    """Whether the chances, which get smaller outwards, have a sum below `tail`."""
    total = 0.0
    for chance in chances:
        total += chance
        # Further out there is nothing that would count, and with many calls most of the counts lie there.
        if total >= tail or chance < _NEGLIGIBLE:
            break
    return total < tail


def _chance(count: int, drawn: int, calls: int, marked: int) -> float:
    ways = _log_choose(marked, count) + _log_choose(calls - marked, drawn - count) - _log_choose(calls, drawn)
    return math.exp(ways)


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
