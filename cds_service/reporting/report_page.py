"""A report as one self-contained HTML page: no script, no other host; with a dark color scheme, and fit for print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cds_service.plots.svg import (
    PLOT_STYLE,
    Figures,
    bar_chart,
    column_chart,
    figure,
    for_each_width,
    line_chart,
    stacked_bar_chart,
)
from cds_service.reporting.control_chart import Chart, Point
from cds_service.reporting.report import Day, DayOutcomes, Group, Report
from cds_service.reporting.report_text import (
    CARD_HEADS,
    GROUP_HEADS,
    Words,
    card_values,
    group_values,
    key_figures,
    not_understood_words,
    patient_rows,
    percent,
    period,
)

# More columns than this are too thin to be seen on a narrow page: weeks are shown instead.
_MOST_DAYS = 120
_DAYS_OF_A_WEEK = 7

# As many rows of days are read at a glance; of more the weeks are shown, and the days are folded away.
_MOST_ROWS = 31

# What fills the height of a control chart, so that half of it is a whole number as well.
_ROUND_PERCENTAGES = (2, 4, 10, 20, 40, 60, 80, 100)

# The outcomes of calls, and how they are headed.
_CALL_OUTCOMES = {
    "fired": "Fired",
    "suppressed": "Suppressed",
    "not-applicable": "Not applicable",
    "undetermined": "Undetermined",
    "failed": "Failed",
    "off": "Switched off",
}

# What becomes of a card, and of one of its orders. The place of a series decides on its color and pattern: the same
# word has the same ones in every plot, so those that only orders have come last.
_CARD_OUTCOMES = ("accepted", "overridden", "unanswered")
_ORDER_OUTCOMES = (*_CARD_OUTCOMES, "passed over")

_TEMPLATES = Environment(
    loader=PackageLoader("cds_service.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


def report_page(
    report: Report,
    words: Words,
    rule_version: str,
    made_at: datetime,
    charts: Sequence[Chart] = (),
    chart_end: datetime | None = None,
    chart_days: int = _DAYS_OF_A_WEEK,
) -> str:
    """The page.

    Args:
        report: the numbers.
        words: of codes.
        rule_version: of the rule and content in use when the page is made.
        made_at: when it is made, with a time zone.
        charts: control charts, in periods of `chart_days` up to `chart_end` (by default the end of the report).
    """
    return _TEMPLATES.get_template("report.html.jinja").render(
        period=period(report),
        rule_version=rule_version,
        made_at=made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup(PLOT_STYLE),
        tiles=list(_tiles(report)),
        charts=[
            (_control_chart(chart, number, chart_end or report.until, chart_days), chart.verdict.sentence)
            for number, chart in enumerate(charts, start=1)
        ],
        chart_days=chart_days,
        indicator_heads=CARD_HEADS,
        indicators=[(group.name, [f"{value:,}" for value in card_values(group)]) for group in report.by_indicator],
        patients=[(name, [f"{count:,}"]) for name, count in patient_rows(report)],
        without_pseudonym=report.per_patient.without_pseudonym,
        call_heads=list(_CALL_OUTCOMES.values()),
        card_heads=[head.capitalize() for head in CARD_HEADS],
        by_day=_by_day(report.outcomes_by_day),
        figures=key_figures(report),
        plots=list(_plots(report, words)),
        not_understood=[
            (not_understood_words(key, system, words), percent(count / report.evaluated), f"{count:,}")
            for key, system, count in report.not_understood
        ],
        group_heads=("firing rate", *GROUP_HEADS),
        groups=[
            (title, [(group.name, _group_cells(group)) for group in groups])
            for title, groups in (
                ("Hook", report.by_hook),
                ("Rule version", report.by_version),
                ("Client", report.by_client),
            )
        ],
    )


def _tiles(report: Report) -> Iterator[tuple[str, str, str]]:
    """Name, number, and what stands below it."""
    yield "Cards shown", f"{report.shown:,}", f"in {report.calls:,} calls"
    for name, count in (
        ("Accepted", report.accepted),
        ("Overridden", report.overridden),
        ("Unanswered", report.unanswered),
    ):
        yield name, f"{count:,}", f"{percent(count / report.shown)} of cards" if report.shown else ""
    keys = ", ".join(f"{key} {count:,}" for key, count in report.undetermined_by_key)
    beside = f"lacked {keys}" if keys else "which key was lacking is not recorded" if report.undetermined else ""
    yield "Undetermined calls", f"{report.undetermined:,}", beside


def _control_chart(chart: Chart, number: int, until: datetime, days: int) -> Markup:
    """Percentages of the evaluated calls; limits are those of as many calls as each period had."""

    def values(point: Point) -> tuple[float | None, ...]:
        calls = point.fired.calls
        counts = (point.fired.count, point.expected, *(point.band or (None, None)))
        return tuple(None if count is None or not calls else 100 * count / calls for count in counts)

    drawn = [(_first_day(point, until, days), values(point)) for point in chart.points]
    most = max((value for _, row in drawn for value in row if value is not None), default=0)
    figures = Figures(
        f"chart-{number}", f"{chart.verdict.service}: fired, %", "From",
        ("fired", "expected from earlier", "lower limit", "upper limit"), drawn,
        top=next(top for top in _ROUND_PERCENTAGES if top >= most), decimals=1,
    )  # fmt: skip
    return figure(figures, line_chart(figures))


def _first_day(point: Point, until: datetime, days: int) -> str:
    return (until - timedelta(days=days * (point.age + 1))).astimezone(UTC).date().isoformat()


def _by_day(days: Sequence[DayOutcomes]) -> dict[str, object]:
    """The rows of the table of outcomes: of days, or of weeks with the days behind."""
    if len(days) <= _MOST_ROWS:
        return {"title": "Day by day", "of": "Day", "rows": [_row([day]) for day in days], "single": []}
    weeks = [days[start : start + _DAYS_OF_A_WEEK] for start in range(0, len(days), _DAYS_OF_A_WEEK)]
    single = [_row([day]) for day in days]
    return {"title": "Week by week", "of": "Week from", "rows": [_row(week) for week in weeks], "single": single}


def _row(days: Sequence[DayOutcomes]) -> tuple[str, list[int], list[int]]:
    calls, answers = Counter[str](), Counter[str]()
    for day in days:
        calls.update(day.calls)
        answers.update(day.answers)
    cards = [answers.total(), *(answers[name] for name in _CARD_OUTCOMES)]
    return days[0].day.isoformat(), [calls[name] for name in _CALL_OUTCOMES], cards


def _plots(report: Report, words: Words) -> Iterator[Markup]:
    days = _cards_over_time(report)
    yield figure(days, column_chart(days))
    outcomes = Figures(
        "outcomes", "Calls by outcome and reason", "Outcome and reason", ("Calls",),
        [(f"{outcome}: {reason}", (count,)) for outcome, reason, count in report.outcomes],
    )  # fmt: skip
    yield figure(outcomes, for_each_width(bar_chart, outcomes))
    orders = Figures(
        "orders", "Orders proposed on shown cards", "Order", _ORDER_OUTCOMES,
        [
            (words.order(item.slug), (item.accepted, item.overridden, item.unanswered, item.passed_over))
            for item in report.orders
        ],
    )  # fmt: skip
    yield figure(orders, for_each_width(stacked_bar_chart, orders))
    overrides = Figures(
        "overrides", "Why cards were overridden", "Reason", ("Cards",),
        [(words.reason(code), (count,)) for code, count in report.overrides],
    )  # fmt: skip
    yield figure(overrides, for_each_width(bar_chart, overrides))
    for name, title, of, groups in (
        ("hooks", "Shown cards by hook", "Hook", report.by_hook),
        ("versions", "Shown cards by rule version", "Rule version", report.by_version),
    ):
        cards = Figures(name, title, of, _CARD_OUTCOMES, [(group.name, _card_outcomes(group)) for group in groups])
        yield figure(cards, for_each_width(stacked_bar_chart, cards))


def _cards_over_time(report: Report) -> Figures:
    """Cards by day, or by week from the first day on where there are many days."""
    weekly = len(report.days) > _MOST_DAYS
    size = _DAYS_OF_A_WEEK if weekly else 1
    parts = [report.days[start : start + size] for start in range(0, len(report.days), size)]
    kinds: Sequence[str] = ("shown", "kept back (silent)") if report.silent else ("shown",)
    return Figures(
        "cards", f"Cards per {'week' if weekly else 'day'}", "Week from" if weekly else "Day", kinds,
        [(part[0].day.isoformat(), _cards(part)[: len(kinds)]) for part in parts],
    )  # fmt: skip


def _cards(days: Sequence[Day]) -> tuple[int, int]:
    return sum(day.shown for day in days), sum(day.silent for day in days)


def _card_outcomes(group: Group) -> tuple[int, int, int]:
    return group.accepted, group.overridden, group.unanswered


def _group_cells(group: Group) -> list[str]:
    return [percent(group.firing_rate), *(f"{value:,}" for value in group_values(group))]
