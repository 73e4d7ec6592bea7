"""A report as one self-contained HTML page: no script, no other host; with a dark color scheme, and fit for print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cds_service.plots.svg import (
    PLOT_STYLE,
    WIDTHS_STYLE,
    Figures,
    bar_chart,
    column_chart,
    figure,
    for_each_width,
    stacked_bar_chart,
)
from cds_service.reporting.report_text import GROUP_HEADS, Words, group_values, key_figures, percent, period
from cds_service.reporting.summary import Day, Group, Report

# More columns than this are too thin to be seen on a narrow page: weeks are shown instead.
_MOST_DAYS = 120
_DAYS_OF_A_WEEK = 7

# What becomes of a card, and of one of its orders. The place of a series decides on its color and pattern: the same
# word has the same ones in every plot, so those that only orders have come last.
_CARD_OUTCOMES = ("accepted", "overridden", "unanswered")
_ORDER_OUTCOMES = (*_CARD_OUTCOMES, "passed over")

_TEMPLATES = Environment(
    loader=PackageLoader("cds_service.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


def report_page(report: Report, words: Words, rule_version: str, made_at: datetime) -> str:
    """The page.

    Args:
        report: the numbers.
        words: of codes.
        rule_version: of the rule and content in use when the page is made.
        made_at: when it is made, with a time zone.
    """
    return _TEMPLATES.get_template("report.html.jinja").render(
        period=period(report),
        rule_version=rule_version,
        made_at=made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup(PLOT_STYLE + WIDTHS_STYLE),
        figures=key_figures(report),
        plots=list(_plots(report, words)),
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
