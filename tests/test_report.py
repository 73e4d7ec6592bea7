"""The numbers of a report, and the page and the table that tell them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from cds_service.ledger.entries import DecisionEntry, FeedbackEntry, Mode
from cds_service.reporting.control_chart import charts
from cds_service.reporting.report import CardsPerPatient, Day, DayOutcomes, Group, OrderOutcomes, Report
from cds_service.reporting.report_page import report_page
from cds_service.reporting.report_text import Words, duration, percent, report_text
from cds_service.reporting.summary import summarize
from tests.ledger_entries import CT, MRI, NOON, ORDERS, SCAN, feedback_to, fired, quiet

SINCE, UNTIL = NOON - timedelta(days=2, hours=12), NOON + timedelta(hours=12)
WORDS = Words({"pain-not-new": "The back pain is not new"}, {"mri-lumbar-spine": "MRI lumbar spine with contrast"})


def summed(
    decisions: Iterable[DecisionEntry], feedback: Iterable[FeedbackEntry] = (), since: Any = SINCE, until: Any = UNTIL
) -> Report:
    return summarize(decisions, feedback, since, until)


def page(report: Report) -> str:
    return report_page(report, WORDS, "1.0.0+3f2a9c1b", NOON)


def orders(report: Report) -> dict[str, OrderOutcomes]:
    return {order.slug: order for order in report.orders}


def test_every_day_of_the_period_has_its_calls_and_cards() -> None:
    report = summed([
        fired(1, at=NOON - timedelta(days=2)), fired(2, mode=Mode.SILENT), quiet(3), fired(4), quiet(5, "off", "off"),
    ])  # fmt: skip
    assert report.days == (
        Day(date(2026, 11, 20), calls=1, fired=1, shown=1, silent=0),
        Day(date(2026, 11, 21), calls=0, fired=0, shown=0, silent=0),
        Day(date(2026, 11, 22), calls=4, fired=2, shown=1, silent=1),
    )


def test_a_call_belongs_to_the_period_from_its_first_moment_until_before_its_end() -> None:
    moments = (SINCE - timedelta(microseconds=1), SINCE, UNTIL - timedelta(microseconds=1), UNTIL)
    assert summed(fired(number, at=moment) for number, moment in enumerate(moments)).calls == 2


def test_outcomes_are_counted_by_reason_the_most_frequent_first() -> None:
    report = summed([quiet(1), quiet(2, "undetermined", "data-missing"), quiet(3), fired(4)])
    assert report.outcomes == (
        ("not-applicable", "no-back-pain", 2), ("fired", "imaging-advised", 1), ("undetermined", "data-missing", 1)
    )  # fmt: skip


def test_failed_and_switched_off_calls_are_calls_that_were_not_evaluated() -> None:
    report = summed([quiet(1, "failed", "KeyError"), quiet(2, "off", "off"), quiet(3, "undetermined"), quiet(4)])
    assert (report.calls, report.evaluated, report.failed, report.switched_off) == (4, 2, 1, 1)
    assert report.undetermined_share == 0.5


def test_only_cards_that_were_sent_count_as_shown() -> None:
    report = summed([fired(1), fired(2, mode=Mode.SILENT), quiet(3)])
    assert (report.shown, report.silent) == (1, 1)


def test_a_card_is_accepted_overridden_or_unanswered() -> None:
    report = summed(
        [fired(1), fired(2), fired(3)], [feedback_to(1), feedback_to(2, "overridden", reason="pain-not-new")]
    )
    assert (report.accepted, report.overridden, report.unanswered) == (1, 1, 1)
    assert report.answered_share == pytest.approx(2 / 3)


def test_an_order_is_accepted_when_its_suggestion_is_among_the_accepted_ones() -> None:
    report = summed(
        [fired(1), fired(2), fired(3), fired(4)],
        [feedback_to(1, accepted=(MRI, SCAN)), feedback_to(2, accepted=(MRI.upper(),)), feedback_to(3, "overridden")],
    )
    assert orders(report)["mri-lumbar-spine"] == OrderOutcomes("mri-lumbar-spine", 4, 2, 0, 1, 1)
    assert orders(report)["bone-scan-whole-body"] == OrderOutcomes("bone-scan-whole-body", 4, 1, 1, 1, 1)
    assert orders(report)["ct-chest-abdomen-pelvis"] == OrderOutcomes("ct-chest-abdomen-pelvis", 4, 0, 2, 1, 1)


def test_taking_a_draft_back_is_no_order() -> None:
    report = summed([fired(1, suggestions=ORDERS | {str(UUID(int=0xD)): "remove"})])
    assert set(orders(report)) == set(ORDERS.values())


def test_of_contradictory_answers_the_later_given_one_counts() -> None:
    late, early = feedback_to(1, "overridden", minutes=9, reason="pain-not-new"), feedback_to(1, minutes=2)
    for given in ([late, early], [early, late]):
        report = summed([fired(1)], given)
        assert (report.accepted, report.overridden) == (0, 1)


def test_of_feedback_given_at_the_same_time_the_later_received_one_counts() -> None:
    first = feedback_to(1, "overridden", received_at=NOON + timedelta(minutes=2))
    second = feedback_to(1, received_at=NOON + timedelta(minutes=3))
    for given in ([first, second], [second, first]):
        assert summed([fired(1)], given).accepted == 1


@pytest.mark.parametrize("foreign", [{"client": "other"}, {"tenant": "other"}, {"service": "other"}])
def test_feedback_of_others_does_not_count_for_a_card(foreign: dict[str, Any]) -> None:
    assert summed([fired(1)], [feedback_to(1, **foreign)]).unanswered == 1


def test_a_silent_card_cannot_be_answered() -> None:
    report = summed([fired(1, mode=Mode.SILENT)], [feedback_to(1)])
    assert (report.accepted, report.orders) == (0, ())


def test_feedback_that_came_after_the_period_counts_for_its_card() -> None:
    assert summed([fired(1)], [feedback_to(1, minutes=60 * 24 * 9)]).accepted == 1


def test_override_reasons_are_counted_once_per_card_the_most_frequent_first() -> None:
    given = [
        feedback_to(1, "overridden", reason="pain-not-new"),
        feedback_to(1, "overridden", minutes=2, reason="patient-declines"),
        feedback_to(2, "overridden", reason="patient-declines"), feedback_to(3, "overridden"), feedback_to(4),
    ]  # fmt: skip
    report = summed([fired(number) for number in range(1, 5)], given)
    assert report.overrides == (("patient-declines", 2), ("", 1))


def test_the_median_time_to_answer_runs_from_the_call_to_the_feedback() -> None:
    report = summed(
        [fired(1), fired(2), fired(3)],
        [feedback_to(1, minutes=1), feedback_to(2, minutes=2), feedback_to(3, minutes=60)],
    )
    assert report.median_feedback_seconds == 120


def test_feedback_from_before_the_call_counts_from_when_it_arrived() -> None:
    wrong_clock = feedback_to(1, outcome_at=NOON - timedelta(seconds=1), received_at=NOON + timedelta(seconds=30))
    assert summed([fired(1)], [wrong_clock]).median_feedback_seconds == 30
    same_moment = feedback_to(1, outcome_at=NOON, received_at=NOON + timedelta(seconds=30))
    assert summed([fired(1)], [same_moment]).median_feedback_seconds == 0


def test_the_times_of_calls_are_told_by_their_nearest_ranks() -> None:
    calls = [quiet(number, milliseconds=float(number)) for number in range(1, 101)]
    assert summed(calls).milliseconds == (50, 95)
    assert summed([quiet(1, milliseconds=7.0)]).milliseconds == (7, 7)


def test_calls_that_were_switched_off_have_no_time() -> None:
    assert summed([quiet(1, "off", "off", milliseconds=0.0)]).milliseconds is None


def test_calls_and_answers_are_grouped_by_hook_version_and_client() -> None:
    report = summed(
        [fired(1), fired(2, hook="order-sign", rule_version="1.1.0", tenant="north"), quiet(3, hook="order-sign")],
        [feedback_to(1), feedback_to(2, "overridden", tenant="north")],
    )
    assert report.by_hook == (Group("order-sign", 2, 2, 1, 1, 0, 1, 0), Group("patient-view", 1, 1, 1, 1, 1, 0, 0))
    assert [group.name for group in report.by_version] == ["1.0.0+3f2a9c1b", "1.1.0+3f2a9c1b"]
    assert [group.name for group in report.by_client] == ["https://ehr.example.org", "https://ehr.example.org (north)"]


def test_calls_and_cards_are_counted_by_day_and_outcome_on_the_day_of_the_card() -> None:
    yesterday = NOON - timedelta(days=1)
    report = summed(
        [fired(1, at=yesterday), fired(2, at=yesterday), fired(3), quiet(4, "undetermined", "data-missing")],
        [feedback_to(1), feedback_to(3, "overridden")],
    )
    assert report.outcomes_by_day == (
        DayOutcomes(date(2026, 11, 20), {}, {}),
        DayOutcomes(date(2026, 11, 21), {"fired": 2}, {"accepted": 1, "unanswered": 1}),
        DayOutcomes(date(2026, 11, 22), {"fired": 1, "undetermined": 1}, {"overridden": 1}),
    )
    assert [day.shown for day in report.outcomes_by_day] == [0, 2, 1]


def test_undetermined_calls_are_counted_under_every_key_that_they_lacked() -> None:
    lacking = [("conditions", "observations"), ("conditions",), ()]
    report = summed(quiet(number, "undetermined", "data-missing", missing=keys) for number, keys in enumerate(lacking))
    assert report.undetermined_by_key == (("conditions", 2), ("observations", 1))
    assert re.search(r"Undetermined calls by prefetch key +calls\n  conditions +2\n", report_text(report, WORDS))


def test_patients_are_counted_by_the_cards_that_they_saw() -> None:
    seen = {"a": 1, "b": 2, "c": 3, "d": 7, "": 2}
    people = [name for name, count in seen.items() for _ in range(count)]
    cards = [fired(number, patient=name) for number, name in enumerate(people)]
    silent = [fired(100, patient="a", mode=Mode.SILENT)]
    assert summed([*cards, *silent]).per_patient == CardsPerPatient(1, 1, 2, 2)


def test_the_same_pseudonym_at_two_clients_is_two_patients() -> None:
    cards = [fired(1, patient="a"), fired(2, patient="a", client="other"), fired(3, patient="a", tenant="north")]
    assert summed(cards).per_patient == CardsPerPatient(3, 0, 0, 0)


def test_cards_are_grouped_by_indicator_and_calls_without_a_card_have_none() -> None:
    report = summed([fired(1), fired(2, indicator="critical"), quiet(3)], [feedback_to(2)])
    assert [(group.name, group.shown, group.accepted) for group in report.by_indicator] == [
        ("critical", 1, 1), ("warning", 1, 0)
    ]  # fmt: skip


def test_the_tiles_tell_what_became_of_the_cards_and_which_keys_were_lacking() -> None:
    lacking = quiet(9, "undetermined", "data-missing", missing=("conditions",))
    html = page(summed([fired(1), fired(2), fired(3), fired(4), lacking], [feedback_to(1), feedback_to(2)]))
    tiles = re.findall(r'<dt>([^<]+)</dt><dd class="count">([^<]+)</dd><dd>([^<]*)</dd>', html)
    assert tiles == [
        ("Cards shown", "4", "in 5 calls"), ("Accepted", "2", "50.0 % of cards"), ("Overridden", "0", "0.0 % of cards"),
        ("Unanswered", "2", "50.0 % of cards"), ("Undetermined calls", "1", "lacked conditions 1"),
    ]  # fmt: skip


def test_undetermined_calls_from_before_their_keys_were_recorded_are_said_to_lack_an_unknown_one() -> None:
    assert "which key was lacking is not recorded" in page(summed([quiet(1, "undetermined", "data-missing")]))


def test_many_days_are_told_by_week_with_the_days_folded_away() -> None:
    month, longer = (page(summed([fired(1)], since=UNTIL - timedelta(days=days), until=UNTIL)) for days in (31, 32))
    assert "<h2>Day by day</h2>" in month and "Week by week" not in month
    assert "<h2>Week by week</h2>" in longer and "<summary>Day by day</summary>" in longer


def test_the_control_chart_stands_on_the_page_with_the_sentence_of_the_check() -> None:
    calls = [quiet(number, at=NOON - timedelta(days=number % 60)) for number in range(300)]
    calls += [fired(1000 + number, at=NOON - timedelta(days=number)) for number in range(60)]
    drawn = charts(calls, UNTIL, 7, 56)
    html = report_page(summed(calls), WORDS, "1.0.0+3f2a9c1b", NOON, drawn, UNTIL, 7)
    assert drawn[0].verdict.sentence in html
    assert re.findall(r'<th scope="row">(2026-\d\d-\d\d)</th><td>', html)[-1] and ">2026-09-21<" in html
    assert "Does the rule fire as it did?" not in page(summed(calls))


def test_feedback_of_unknown_cards_is_counted_apart() -> None:
    report = summed([fired(1)], [feedback_to(1), feedback_to(77, known=False)])
    assert (report.feedback, report.unknown_feedback) == (2, 1)


def test_feedback_that_arrived_after_the_period_is_no_feedback_of_it() -> None:
    end = (UNTIL - NOON) / timedelta(minutes=1)
    given = [feedback_to(77, known=False, minutes=minutes) for minutes in (-60 * 60 - 1, -60 * 60, end - 1, end)]
    report = summed([], given)
    assert (report.feedback, report.unknown_feedback) == (2, 2)


def test_the_firing_rate_is_that_of_the_evaluated_calls_everywhere() -> None:
    others = [quiet(2), quiet(3, "suppressed"), quiet(4, "undetermined"), quiet(5, "failed"), quiet(6, "off", "off")]
    report = summed([fired(1), *others])
    assert report.firing_rate == report.by_hook[0].firing_rate == 0.25
    assert "1 (25.0 % of evaluated calls)" in report_text(report, WORDS)
    html = page(report)
    row = re.search(r'<th scope="row">patient-view</th>((?:<td>[^<]*</td>)+)</tr>\n</tbody></table>\n</div>', html)
    assert row and re.findall(r"<td>([^<]*)", row[1]) == ["25.0 %", "6", "4", "1", "1", "0", "0", "1"]
    assert "Fired calls among the evaluated ones" in html


def test_groups_without_an_evaluated_call_have_no_firing_rate() -> None:
    assert summed([quiet(1, "off", "off")]).by_hook[0].firing_rate is None


def test_an_empty_period_has_no_shares() -> None:
    report = summed([])
    assert (report.calls, report.answered_share, report.undetermined_share) == (0, None, None)
    assert (report.median_feedback_seconds, report.milliseconds) == (None, None)


def test_the_text_tells_every_section_in_words() -> None:
    text = report_text(summed([fired(1), quiet(2)], [feedback_to(1, "overridden", reason="pain-not-new")]), WORDS)
    assert text.startswith("CDS service, 2026-11-20 to 2026-11-22 (days of UTC)")
    for line in (
        r"Cards answered +1 \(100\.0 % of cards shown\)", r"fired: imaging-advised +1", r"The back pain is not new +1",
        r"mri-lumbar-spine +1 +0 +0 +1 +0", r"patient-view +2 +2 +1 +1 +0 +1 +0", r"1\.0\.0\+3f2a9c1b +2",
    ):  # fmt: skip
        assert re.search(line, text), line


def test_an_override_reason_that_nobody_knows_is_told_as_such() -> None:
    assert [WORDS.reason(code) for code in ("", "unlisted", "pain-not-new", "old-code")] == [
        "No reason given", "Another reason", "The back pain is not new", "old-code"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"), (0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"),
        (2 * 86400 - 1, "47 h 59 min"), (2 * 86400, "2 days"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_its_own_size(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_a_share_is_told_in_percent() -> None:
    assert (percent(None), percent(0.0421)) == ("-", "4.2 %")


def test_the_page_is_whole_by_itself() -> None:
    html = page(summed([fired(1)], [feedback_to(1)]))
    assert not re.search(r"<script|\ssrc=|\shref=|url\(['\"]?http|@import|\son\w+=", html)
    assert "default-src 'none'" in html
    assert html.count("<figure") == html.count("The same figures as a table") == 6
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) > 0


def test_the_page_names_its_period_its_rule_and_what_it_cannot_know() -> None:
    html = page(summed([fired(1)]))
    assert "2026-11-20 to 2026-11-22" in html and "1.0.0+3f2a9c1b" in html
    assert "not known here" not in html and "cds_ledger_failures_total" in html


def test_the_page_explains_every_term_of_its_figures() -> None:
    html = page(summed([fired(1)])).lower()
    explained = set(", ".join(re.findall(r"<dt>([^<]+)</dt><dd>\D", html)).split(", "))
    for term in ("call", "fired", "suppressed", "not applicable", "undetermined", "failed", "switched off", "shown"):
        assert term in explained
    for term in ("kept back (silent)", "accepted", "overridden", "passed over", "unanswered", "firing rate"):
        assert term in explained


def test_what_stands_in_the_ledger_never_becomes_markup() -> None:
    evil = "<img src=x onerror=alert(1)>"
    html = page(summed([fired(1, client=evil, hook=evil, suggestions={MRI: evil}), quiet(2, evil, evil)], []))
    assert "<img" not in html and "&lt;img" in html


def test_a_long_period_is_shown_by_week() -> None:
    long = summed([fired(1)], since=UNTIL - timedelta(days=121))
    assert "Cards per week" in page(long)
    assert "Cards per day" in page(summed([fired(1)], since=UNTIL - timedelta(days=120)))


def test_the_same_word_has_the_same_color_and_pattern_in_every_plot_of_answers() -> None:
    html = page(summed([fired(1), fired(2)], [feedback_to(1)]))
    looks: dict[str, set[str]] = {}
    for name in ("orders", "hooks", "versions"):
        plot = html[html.index(f'<svg class="plot" role="img" aria-labelledby="{name}-title') :].partition("</svg>")[0]
        key = r'<rect class="plot-series-(\d)"[^>]*/>(?:<rect [^>]*/>)?<text x="2.6em" [^>]*>([^<]+)</text>'
        for series, word in re.findall(key, plot):
            looks.setdefault(word, set()).add(series)
    assert looks == {"accepted": {"1"}, "overridden": {"2"}, "unanswered": {"3"}, "passed over": {"4"}}


def test_cards_that_silence_kept_back_are_a_series_of_their_own_where_there_are_some() -> None:
    assert '<th scope="col">kept back (silent)</th>' in page(summed([fired(1, mode=Mode.SILENT)]))
    assert '<th scope="col">kept back (silent)</th>' not in page(summed([fired(1)]))


def test_no_pseudonym_and_no_comment_reaches_the_page_or_the_text() -> None:
    marked = "marked-4711"
    entry = fired(1, patient=marked, user=marked, evidence={"pain": (marked,)})
    report = summed([entry], [feedback_to(1, "overridden", comment=marked, accepted=(CT,))])
    assert marked not in page(report) + report_text(report, WORDS)
