"""The band check: both sides of every limit, small numbers, silence, and weeks that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from math import comb
from random import Random
from typing import Any

import pytest

from cds_service.ledger.entries import DecisionEntry
from cds_service.reporting.control_chart import (
    FEWEST_CALLS,
    FEWEST_PERIODS,
    STOP_TAIL,
    TAIL,
    Band,
    Share,
    Verdict,
    charts,
    check,
    expected,
    limits,
    sigma_z,
    stopped_calling,
    stopped_firing,
    widening,
)
from tests.ledger_entries import NOON, SERVICE, fired, quiet


def calls(fired_calls: int, others: int, days_ago: float, **changes: Any) -> Iterator[DecisionEntry]:
    """So many calls that fired, and that did not, on one day."""
    moment = NOON - timedelta(days=days_ago)
    for number in range(fired_calls):
        yield fired(number, at=moment, **changes)
    for number in range(others):
        yield quiet(number, at=moment, **changes)


def weeks(fired_calls: int, others: int) -> list[DecisionEntry]:
    """Eight earlier weeks that are all alike."""
    return [entry for week in range(8) for entry in calls(fired_calls, others, 10 + 7 * week)]


def judged(*entries: Iterable[DecisionEntry]) -> Verdict:
    (verdict,) = check([entry for part in entries for entry in part], NOON, 7, 56)
    return verdict


def tail(counts: Iterable[int], drawn: int, total: int, marked: int) -> float:
    """The exact chance of these counts, by whole numbers."""
    return sum(comb(marked, k) * comb(total - marked, drawn - k) for k in counts) / comb(total, drawn)


@pytest.mark.parametrize(
    ("recent", "earlier"),
    [(50, Share(40, 400)), (10, Share(1, 30)), (40, Share(160, 320)), (100, Share(99, 100)), (7, Share(35, 35))],
)
def test_the_limits_are_the_first_counts_outside_the_tails_of_three_sigma(recent: int, earlier: Share) -> None:
    def below(count: int) -> float:
        return tail(range(count + 1), recent, recent + earlier.calls, count + earlier.count)

    def above(count: int) -> float:
        most = min(recent, count + earlier.count)
        return tail(range(count, most + 1), recent, recent + earlier.calls, count + earlier.count)

    band = limits(recent, earlier)
    assert below(band.low) >= TAIL and above(band.high) >= TAIL
    assert band.low == 0 or below(band.low - 1) < TAIL
    assert band.high == recent or above(band.high + 1) < TAIL


def test_the_limits_lie_around_the_rate_of_the_earlier_calls_alone() -> None:
    assert expected(84, Share(96, 672)) == 12
    low, high = limits(84, Share(96, 672))
    assert 12 - low <= 10 and high - 12 <= 12


def test_a_spread_widens_both_limits_by_its_factor_and_never_beyond_what_can_be() -> None:
    plain, wide = limits(100, Share(160, 800)), limits(100, Share(160, 800), spread=1.5)
    assert plain == Band(8, 34)
    # 20 are expected: 18 below it and 21 above.
    assert wide == Band(2, 41)
    assert limits(100, Share(160, 800), spread=50) == Band(0, 100)


def test_no_card_at_all_is_told_by_its_exact_chance_alone() -> None:
    # By whole numbers: all cards fall among the earlier calls.
    def chance(recent: int, earlier: Share) -> float:
        total = recent + earlier.calls
        return comb(earlier.calls, earlier.count) / comb(total, earlier.count)

    for earlier in (Share(45, 336), Share(96, 672), Share(3, 1000)):
        enough = next(recent for recent in range(1, 10**6) if chance(recent, earlier) < STOP_TAIL)
        assert stopped_firing(enough, earlier)
        assert not stopped_firing(enough - 1, earlier)


def test_a_service_that_never_fired_cannot_stop_firing() -> None:
    assert not stopped_firing(100_000, Share(0, 30))


def test_weeks_that_differ_do_not_hide_that_a_service_stopped_firing() -> None:
    uneven = [
        entry for week in range(8) for entry in calls(*((16, 68) if week % 2 else (2, 82)), days_ago=10 + 7 * week)
    ]
    verdict = judged(uneven, calls(0, 84, 1))
    assert not verdict.in_band
    assert "fired in 0 of 84 calls (0.0 %)" in verdict.sentence
    assert verdict.sentence.endswith("; about 9 were to be expected.")


def test_periods_that_differ_no_more_than_by_chance_have_no_extra_spread() -> None:
    assert widening(sigma_z([Share(10, 100)] * 8)) == 1


def test_the_spread_is_the_mean_moving_range_in_sigmas() -> None:
    # A rate of 1/4 over 300 calls has a sigma of 0.025; the periods lie 4 sigmas above and below it in turn.
    periods = [Share(105, 300), Share(45, 300)] * 2
    assert sigma_z(periods) == pytest.approx(8 / 1.128)


def test_fewer_periods_than_needed_tell_no_spread() -> None:
    periods = [Share(105, 300), Share(45, 300)] * 2
    assert len(periods) == FEWEST_PERIODS
    assert sigma_z(periods[:-1]) == 1
    assert sigma_z([*periods[:-1], Share(0, 0)]) == 1


def test_a_share_of_nothing_or_of_all_tells_no_spread() -> None:
    assert sigma_z([Share(0, 100)] * 5) == 1
    assert sigma_z([Share(100, 100)] * 5) == 1


def test_silence_is_too_unlikely_from_so_many_earlier_calls_on() -> None:
    # (56 / 63) to the power of the calls passes 0.00135 between 56 and 57.
    assert not stopped_calling(56, 56, 7)
    assert stopped_calling(57, 56, 7)
    assert not stopped_calling(0, 56, 7)


def test_a_rate_like_before_is_within_the_band() -> None:
    verdict = judged(weeks(5, 45), calls(6, 44, 1))
    assert verdict.in_band
    assert verdict.sentence == (
        f"{SERVICE}: within the band: fired in 6 of 50 calls (12.0 %), before in 40 of 400 calls (10.0 %)."
    )


def test_no_fired_call_where_many_are_expected_is_out_of_the_band() -> None:
    verdict = judged(weeks(10, 40), calls(0, 50, 1))
    assert not verdict.in_band
    assert "out of the band: fired in 0 of 50 calls (0.0 %), before in 80 of 400 calls (20.0 %)" in verdict.sentence


def test_no_fired_call_where_few_are_expected_may_be_chance() -> None:
    verdict = judged(weeks(1, 49), calls(0, 50, 1))
    assert verdict.in_band
    assert verdict.sentence.endswith("; none in so few calls may be chance, a longer time (--days) tells more.")


def test_both_sides_of_the_upper_limit() -> None:
    def verdict(count: int) -> Verdict:
        return judged(weeks(5, 45), calls(count, 50 - count, 1))

    highest = max(count for count in range(51) if verdict(count).in_band)
    assert limits(50, Share(40, 400)).high == highest
    assert f"up to {highest} would be within the band" in verdict(highest + 1).sentence
    assert not verdict(50).in_band


def test_both_sides_of_the_lower_limit() -> None:
    def verdict(count: int) -> Verdict:
        return judged(weeks(20, 30), calls(count, 50 - count, 1))

    lowest = min(count for count in range(20) if verdict(count).in_band)
    assert lowest > 0 and not verdict(lowest - 1).in_band
    assert f"{lowest} or more would be within the band" in verdict(lowest - 1).sentence


def test_one_fired_call_after_few_that_did_not_is_no_alarm() -> None:
    assert judged(calls(0, FEWEST_CALLS, 20), calls(1, 9, 1)).in_band


def test_too_few_earlier_calls_are_said_and_not_judged() -> None:
    few = judged(calls(0, FEWEST_CALLS - 1, 20), calls(50, 0, 1))
    assert few.in_band
    assert few.sentence == f"{SERVICE}: too few earlier calls to tell (29 in the 56 days before, 30 are needed)."
    assert not judged(calls(0, FEWEST_CALLS, 20), calls(50, 0, 1)).in_band


def test_without_any_earlier_call_nothing_is_judged() -> None:
    assert "too few earlier calls to tell (0 in" in judged(calls(5, 5, 1)).sentence


@pytest.mark.parametrize(("spread", "factor"), [(0.3, 1), (1, 1), (1.44, 1.2), (3.9, 3.9**0.5), (4, 2), (9, 2)])
def test_a_spread_counts_by_its_square_root_from_one_to_two(spread: float, factor: float) -> None:
    assert widening(spread) == pytest.approx(factor)


def test_weeks_that_differ_much_widen_the_band() -> None:
    uneven = [
        entry for week in range(8) for entry in calls(*((15, 35) if week % 2 else (1, 49)), days_ago=10 + 7 * week)
    ]
    even = weeks(8, 42)
    assert judged(uneven, calls(19, 31, 1)).in_band
    assert not judged(even, calls(22, 28, 1)).in_band
    assert judged(uneven, calls(22, 28, 1)).in_band


def test_calls_that_stopped_altogether_are_out_of_the_band() -> None:
    verdict = judged(weeks(1, 49))
    assert not verdict.in_band
    assert verdict.sentence == (
        f"{SERVICE}: out of the band: no call in the last 7 days, and 400 calls in the 56 days before."
    )


def test_silence_after_few_calls_may_be_chance() -> None:
    verdict = judged(calls(3, FEWEST_CALLS, 60))
    assert verdict.in_band
    assert "it was not called, which may be chance" in verdict.sentence


def test_a_service_that_was_switched_off_is_not_judged() -> None:
    verdict = judged(weeks(10, 40), [quiet(1, "off", "off", at=NOON - timedelta(days=1))])
    assert verdict.in_band
    assert "it was switched off" in verdict.sentence


def test_calls_that_all_fail_are_out_of_the_band() -> None:
    moment = NOON - timedelta(days=1)
    verdict = judged(weeks(10, 40), [quiet(number, "failed", "KeyError", at=moment) for number in range(20)])
    assert not verdict.in_band
    assert "failed in 20 of 20 calls (100.0 %), before in 0 of 400 calls (0.0 %)" in verdict.sentence


def test_a_share_that_cannot_be_concluded_may_fall_and_must_not_rise() -> None:
    def open_calls(count: int, days_ago: float) -> list[DecisionEntry]:
        moment = NOON - timedelta(days=days_ago)
        return [quiet(number, "undetermined", "data-missing", at=moment) for number in range(count)]

    earlier = [entry for week in range(8) for entry in open_calls(10, 10 + 7 * week)]
    risen = judged(weeks(5, 35), earlier, calls(5, 20, 1), open_calls(25, 1))
    assert not risen.in_band
    assert "could not be concluded in 25 of 50 calls (50.0 %), before in 80 of 400 calls (20.0 %)" in risen.sentence
    assert judged(weeks(5, 35), earlier, calls(5, 45, 1)).in_band


def test_silent_calls_count_like_live_ones() -> None:
    assert not judged(weeks(10, 40), calls(0, 50, 1, mode="silent")).in_band


def test_each_service_is_judged_for_itself() -> None:
    other = [fired(number, at=NOON - timedelta(days=1), service="other") for number in range(40)]
    first, second = check([*weeks(10, 40), *calls(0, 50, 1), *other], NOON, 7, 56)
    assert (first.service, first.in_band) == (SERVICE, False)
    assert (second.service, second.in_band) == ("other", True)


@pytest.mark.parametrize(
    ("days_ago", "recent"), [(0.0, False), (0.001, True), (7.0, True), (7.001, False), (63.0, False), (63.001, False)]
)
def test_a_call_belongs_to_the_last_days_up_to_their_first_moment(days_ago: float, recent: bool) -> None:
    verdict = judged(weeks(5, 45), calls(0, 1, 3), calls(1, 0, days_ago))
    assert ("fired in 1 of 2 calls" in verdict.sentence) is recent


def test_calls_older_than_the_days_before_are_passed_over() -> None:
    assert "of 401 calls" in judged(weeks(5, 45), calls(1, 0, 63.0), calls(1, 9, 1)).sentence
    assert "of 400 calls" in judged(weeks(5, 45), calls(1, 0, 63.001), calls(1, 9, 1)).sentence


# Services that never change, or that change in the last week: calls a day, the share that fires.
SERVICES = [(6, 0.2), (12, 0.15), (20, 0.15), (50, 0.1)]
SEEDS = 100


def simulated(seed: str, calls_a_day: int, rate: float, change: float, spread: float = 1.0) -> Verdict:
    """Eight weeks at a rate, and a last one at `change` times that; weeks differ by `spread` times chance."""
    random = Random(seed)
    number = 7 * calls_a_day
    # The spread of a beta distribution around the rate that, with chance, makes `spread` times that of chance.
    together = (number - 1) / (spread**2 - 1) - 1 if spread > 1 else 0
    entries: list[DecisionEntry] = []
    for week, (card, none) in enumerate(WEEKLY):
        own = random.betavariate(rate * together, (1 - rate) * together) if together else rate
        shown = sum(random.random() < own * (1 if week else change) for _ in range(number))
        entries += [card] * shown + [none] * (number - shown)
    return judged(entries)


# The same entry stands for all calls of a week: the check counts them only.
WEEKLY = [(fired(1, at=moment), quiet(2, at=moment)) for moment in (NOON - timedelta(days=3 + 7 * w) for w in range(9))]


def alarms(calls_a_day: int, rate: float, change: float, spread: float = 1.0) -> float:
    """In how many of 100 simulations the service is told to be out of its band."""
    seeds = (f"{calls_a_day} {rate} {change} {spread} {number}" for number in range(SEEDS))
    return 100 * sum(not simulated(seed, calls_a_day, rate, change, spread).in_band for seed in seeds) / SEEDS


@pytest.mark.parametrize(("calls_a_day", "rate"), SERVICES)
def test_a_service_that_stops_firing_is_told_and_one_that_goes_on_is_not(calls_a_day: int, rate: float) -> None:
    # Chance brings 2 limits of 0.135 % each, and the stop at 0.5 % where few cards are expected.
    assert alarms(calls_a_day, rate, change=0) >= 99
    assert alarms(calls_a_day, rate, change=1) <= 1.5


@pytest.mark.parametrize(("calls_a_day", "rate"), SERVICES)
def test_weeks_that_differ_half_again_as_much_as_by_chance_hide_no_stop_and_seldom_alarm(
    calls_a_day: int, rate: float
) -> None:
    assert alarms(calls_a_day, rate, change=0, spread=1.5) >= 96
    assert alarms(calls_a_day, rate, change=1, spread=1.5) <= 6


@pytest.mark.parametrize(("calls_a_day", "rate", "falls", "triples"), [(12, 0.15, 15, 95), (50, 0.1, 80, 99)])
def test_a_rate_that_falls_to_a_third_or_triples_is_told_the_surer_the_more_calls_there_are(
    calls_a_day: int, rate: float, falls: float, triples: float
) -> None:
    assert alarms(calls_a_day, rate, change=1 / 3) >= falls
    assert alarms(calls_a_day, rate, change=3) >= triples


def test_too_few_cards_a_week_to_tell_a_stop_are_told_over_four() -> None:
    # Three calls a day of which 15 % fire: three cards a week.
    entries = [entry for week in range(9) for entry in calls(3, 18, 3 + 7 * week + 21)]
    silent = [entry for week in range(4) for entry in calls(0, 21, 3 + 7 * week)]
    assert judged(entries, calls(0, 21, 3)).in_band
    earlier = [entry for entry in entries if NOON - entry.at > timedelta(days=28)]
    (verdict,) = check([*silent, *earlier], NOON, 28, 56)
    assert not verdict.in_band


def test_a_chart_has_every_period_the_oldest_first_with_the_limits_by_which_the_last_one_is_judged() -> None:
    (chart,) = charts([*weeks(12, 72), *calls(4, 80, 1)], NOON, 7, 56)
    assert chart.verdict == judged(weeks(12, 72), calls(4, 80, 1))
    assert [point.age for point in chart.points] == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    last = chart.points[-1]
    assert (last.fired, last.expected, last.band) == (Share(4, 84), 12, limits(84, Share(96, 672)))


def test_a_period_without_calls_and_a_service_with_too_few_have_no_limits() -> None:
    (empty,) = charts(weeks(12, 72), NOON, 7, 56)
    assert (empty.points[-1].fired, empty.points[-1].band) == (Share(0, 0), None)
    (young,) = charts([*calls(1, FEWEST_CALLS - 2, 10), *calls(1, 9, 1)], NOON, 7, 56)
    assert all(point.band is None and point.expected is None for point in young.points)
