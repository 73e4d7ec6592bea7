"""Has a service left the band of its earlier days? A control chart over the firing rate, as pure functions.

Rules of decision support mostly fail in silence: they stop firing, or fire everywhere, and nobody is told. Statistical
process control of their rates had a sensitivity of 95 % and a positive predictive value of 29 % in the rules that it
fits (154 of 226; Kassakian et al., Appl Clin Inform 2017;8:910-923): an alarm is a reason to look, not a fault.

The chart is a p chart (proportions; NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.3.2) with limits at 3 sigma,
and with two changes that its assumptions call for here:

- The rate is known from the earlier calls only. Instead of the normal approximation, the limits are the exact ones of
  the hypergeometric distribution, given how many calls fired in both periods together (as in the Q chart for a
  proportion that is not known before; Quesenberry, J Qual Technol 1991;23:239-246). A short past gives wide limits.
- Days and weeks differ by more than chance (clinics, seasons). The distance of the limits is multiplied by sigma z, the
  spread between earlier periods of the same length relative to chance, where that is above 1 (p' chart; Laney, Qual
  Eng 2002;14:531-537). It is taken from at least `FEWEST_PERIODS` periods.

Each service is judged for itself: calls that stopped, the share that fired (both ways), and the shares that could not
be concluded or failed (upwards: fewer of them are no fault). Nothing is said of cards or answers.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from cds_service.ledger.entries import DecisionEntry
from cds_service.ledger.summary import EVALUATED

# The part of a normal distribution beyond 3 sigma, on one side.
TAIL = 0.00135

# With fewer earlier calls (someone tries the service before it is used) a rate says nothing yet.
FEWEST_CALLS = 30

# Three moving ranges are the least from which a spread can be guessed.
FEWEST_PERIODS = 4

# The mean moving range of two, in sigmas of a normal distribution (d2).
_MOVING_RANGE = 1.128


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


def check(decisions: Iterable[DecisionEntry], until: datetime, days: int, baseline: int) -> list[Verdict]:
    """Compare the last days of each service with those before.

    Args:
        decisions: at least those of `days + baseline` days before `until`; others are passed over.
        until: end of the last days, with a time zone.
        days, baseline: length of the last period and of the time before it, in days.
    """
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
        _verdict(service, periods[service], days, oldest[service] / timedelta(days=1) - days, baseline)
        for service in sorted(periods)
    ]


def limits(recent: int, earlier: Share, together: int, spread: float = 1.0) -> Band:
    """The counts among `recent` calls that are within the band.

    Args:
        recent: calls in the last period.
        earlier: of the time before; only its calls count here.
        together: how many calls of both periods fired.
        spread: sigma z, at least 1.
    """
    low, high = _exact_limits(recent, recent + earlier.calls, together)
    center = together * recent / (recent + earlier.calls)
    wide_low, wide_high = center - spread * (center - low), center + spread * (high - center)
    # What is a whole number but for rounding stays within.
    return Band(max(0, math.ceil(wide_low - 1e-9)), min(recent, math.floor(wide_high + 1e-9)))


def sigma_z(periods: Sequence[Share]) -> float:
    """The spread between periods relative to that of chance, at least 1; 1 where it cannot be known."""
    seen = [period for period in periods if period.calls]
    count, calls = sum(period.count for period in seen), sum(period.calls for period in seen)
    if len(seen) < FEWEST_PERIODS or not 0 < count < calls:
        return 1.0
    rate = count / calls
    scores = [(p.count / p.calls - rate) / math.sqrt(rate * (1 - rate) / p.calls) for p in seen]
    ranges = [abs(later - sooner) for sooner, later in zip(scores, scores[1:])]
    return max(1.0, sum(ranges) / len(ranges) / _MOVING_RANGE)


def stopped(earlier_calls: int, earlier_days: float, days: int) -> bool:
    """Whether no call in the last days is too unlikely, given so many in the days before."""
    return bool(earlier_calls) and (earlier_days / (earlier_days + days)) ** earlier_calls < TAIL


def _verdict(
    service: str, periods: Mapping[int, Counter[str]], days: int, earlier_days: float, baseline: int
) -> Verdict:
    recent = periods.get(0, Counter())
    before = [counts for number, counts in sorted(periods.items()) if number]
    earlier = sum(before, Counter[str]())
    known = sum(earlier[outcome] for outcome in EVALUATED)
    if not recent["calls"] and stopped(earlier["calls"], earlier_days, days):
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
    return Verdict(service, True, f"{service}: within the band: fired in {now}, before in {then}.")


def _problem(outcome: str, words: str, recent: Counter[str], before: Sequence[Counter[str]]) -> str:
    """Why a share has left its band, or an empty string."""
    now, then = _share(outcome, recent), _share(outcome, sum(before, Counter()))
    if not now.calls:
        return ""
    spread = sigma_z([_share(outcome, counts) for counts in before])
    band = limits(now.calls, then, now.count + then.count, spread)
    if now.count > band.high:
        return f"{words} in {now}, before in {then}; up to {band.high:,} would be within the band"
    if outcome == "fired" and now.count < band.low:
        return f"{words} in {now}, before in {then}; {band.low:,} or more would be within the band"
    return ""


def _share(outcome: str, counts: Mapping[str, int]) -> Share:
    """Of the calls that came to an assessment; for failures, of those that should have."""
    calls = sum(counts.get(name, 0) for name in EVALUATED)
    return Share(counts.get(outcome, 0), calls + (counts.get("failed", 0) if outcome == "failed" else 0))


def _exact_limits(drawn: int, calls: int, marked: int) -> Band:
    """The counts of marked calls among those drawn that are not in a tail of the hypergeometric distribution."""
    center = drawn * marked / calls
    sigma = math.sqrt(center * (1 - marked / calls) * (calls - drawn) / max(1, calls - 1))
    # Further out there is no chance that would count, and with many calls most of the counts lie there.
    least = max(0, drawn + marked - calls, math.floor(center - 10 * sigma - 10))
    most = min(drawn, marked, math.ceil(center + 10 * sigma + 10))
    low, below = least, _chance(least, drawn, calls, marked)
    while below < TAIL and low < most:
        low += 1
        below += _chance(low, drawn, calls, marked)
    high, above = most, _chance(most, drawn, calls, marked)
    while above < TAIL and high > low:
        high -= 1
        above += _chance(high, drawn, calls, marked)
    return Band(low, high)


def _chance(count: int, drawn: int, calls: int, marked: int) -> float:
    ways = _log_choose(marked, count) + _log_choose(calls - marked, drawn - count) - _log_choose(calls, drawn)
    return math.exp(ways)


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
