"""Plots say what their figures say: to the eye, to a screen reader and in a table."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from cds_service.plots.svg import (
    PLOT_STYLE,
    WIDTHS_STYLE,
    Figures,
    Range,
    bar_chart,
    column_chart,
    figure,
    for_each_width,
    line_chart,
    stacked_bar_chart,
    table,
)

CHARTS = (bar_chart, stacked_bar_chart, column_chart, line_chart)


def figures(*rows: tuple[str, tuple[Any, ...]], series: tuple[str, ...] = ("Cards",), **more: Any) -> Figures:
    return Figures("plot", "Cards by reason", "Reason", series, rows, **more)


def drawn(picture: Markup) -> ElementTree.Element:
    """The plot as XML, which it must be to be read alike by all browsers."""
    return ElementTree.fromstring(picture)


def rects(picture: Markup, kind: str) -> list[dict[str, str]]:
    return [item.attrib for item in drawn(picture).iter("rect") if item.get("class") == kind]


def words(picture: Markup) -> str:
    return " | ".join("".join(item.itertext()) for item in drawn(picture).iter("text"))


def test_a_bar_is_as_long_as_its_value_beside_the_largest() -> None:
    picture = bar_chart(figures(("a", (5,)), ("b", (20,)), ("c", (0,))))
    assert [bar["width"] for bar in rects(picture, "plot-series-1")] == ["25.00%", "100.00%", "0.00%"]


def test_the_scale_can_be_given() -> None:
    picture = bar_chart(figures(("a", (25,)), unit="%", top=100))
    assert rects(picture, "plot-series-1")[0]["width"] == "25.00%"


def test_a_value_beyond_the_scale_fills_it() -> None:
    assert rects(bar_chart(figures(("a", (120,)), top=100)), "plot-series-1")[0]["width"] == "100.00%"


def test_every_bar_has_its_label_and_value_written_above_it() -> None:
    assert words(bar_chart(figures(("Declines", (1204,)), ("Imaged", (3,))))) == "Declines 1,204 | Imaged 3"


def test_a_long_label_is_broken_and_its_value_follows_it() -> None:
    picture = bar_chart(figures(("Symptoms are present, not recorded in the chart", (12,))))
    lines = [item for item in drawn(picture).iter("tspan") if item.get("x") == "0"]
    assert ["".join(line.itertext()) for line in lines] == ["Symptoms are present, not recorded in", "the chart 12"]
    assert len({line.get("y") for line in lines}) == 2


@pytest.mark.parametrize("chart", [bar_chart, stacked_bar_chart])
def test_a_label_that_breaks_on_a_narrow_page_runs_on_a_wide_one(chart: Any) -> None:
    label = "Symptoms are present, not recorded in the chart"
    both = for_each_width(chart, figures((label, (12, 3)), series=("x", "y")))
    narrow, wide = ElementTree.fromstring(f"<div>{both}</div>")
    assert (narrow.get("class"), wide.get("class")) == ("plot-narrow", "plot-wide")
    assert not any((item.text or "").startswith(label) for item in narrow.iter("tspan"))
    assert any((item.text or "").startswith(label) for item in wide.iter("tspan"))
    names = [item.get("id") for item in (*narrow.iter(), *wide.iter()) if item.get("id")]
    assert len(names) == len(set(names)) == 6


@pytest.mark.parametrize("chart", [bar_chart, stacked_bar_chart])
def test_a_plot_without_a_broken_label_is_drawn_once(chart: Any) -> None:
    short = figures(("Declines", (12,)))
    assert for_each_width(chart, short) == chart(short)


def test_of_the_two_drawings_of_a_plot_a_page_shows_one() -> None:
    wide = WIDTHS_STYLE.partition("@media (min-width: 40rem)")
    assert ".plot-wide { display: none; }" in wide[0]
    assert ".plot-narrow { display: none; }" in wide[2] and ".plot-wide { display: block; }" in wide[2]


def test_an_interval_is_drawn_from_its_lower_to_its_upper_bound_and_written() -> None:
    picture = bar_chart(figures(("MRI", (Range(90.6, 85, 95),)), unit="%", top=100))
    ranges = [item.attrib for item in drawn(picture).iter("line") if item.get("class") == "plot-range"]
    assert [(line["x1"], line["x2"]) for line in ranges] == [
        ("85.00%", "95.00%"), ("85.00%", "85.00%"), ("95.00%", "95.00%")
    ]  # fmt: skip
    assert "MRI 90.6 % (85.0 to 95.0)" in words(picture)


def test_a_figure_that_is_not_known_is_said_and_not_drawn() -> None:
    picture = bar_chart(figures(("MRI", (None,)), unit="%", top=100))
    assert words(picture) == "MRI not reported"
    assert rects(picture, "plot-series-1")[0]["width"] == "0.00%"


def test_stacked_parts_follow_one_another_and_their_values_are_written() -> None:
    picture = stacked_bar_chart(figures(("MRI", (1, 3)), ("CT", (8, 0)), series=("taken", "left")))
    first, second = rects(picture, "plot-series-1")[1], rects(picture, "plot-series-2")[1]
    assert (first["x"], first["width"]) == ("0.00%", "12.50%")
    assert (second["x"], second["width"]) == ("12.50%", "37.50%")
    assert "MRI 4 | taken\N{NO-BREAK SPACE}1, left\N{NO-BREAK SPACE}3 | CT 8" in words(picture)


def test_columns_stand_on_one_another_from_the_foot_of_the_chart() -> None:
    picture = column_chart(figures(("Mon", (4, 4)), ("Tue", (2, 0)), series=("shown", "silent")))
    _legend, monday, tuesday = rects(picture, "plot-series-1")
    above = rects(picture, "plot-series-2")[1]
    foot = float(monday["y"][:-2]) + float(monday["height"][:-2])
    assert float(tuesday["y"][:-2]) + float(tuesday["height"][:-2]) == pytest.approx(foot)
    assert float(above["y"][:-2]) + float(above["height"][:-2]) == pytest.approx(float(monday["y"][:-2]))
    assert float(monday["height"][:-2]) == pytest.approx(2 * float(tuesday["height"][:-2]))


def test_a_chart_over_days_names_the_scale_and_the_first_and_the_last_day() -> None:
    picture = column_chart(figures(("2026-11-20", (4,)), ("2026-11-21", (9,)), ("2026-11-22", (1,))))
    assert words(picture) == "0 | 4.5 | 9 | 2026-11-20 | 2026-11-22"


def test_a_line_is_interrupted_where_a_value_is_not_known() -> None:
    picture = line_chart(figures(("a", (0,)), ("b", (10,)), ("c", (None,)), ("d", (5,))))
    (path,) = (item.get("d", "") for item in drawn(picture).iter("path"))
    assert re.findall(r"[ML][\d.]+,[\d.]+", path) == ["M12.50,100.00", "L37.50,0.00", "M87.50,50.00"]


@pytest.mark.parametrize("chart", CHARTS)
def test_a_plot_is_an_image_with_a_name_and_a_description(chart: Any) -> None:
    svg = drawn(chart(figures(("Declines", (3,)), ("Imaged", (4,)))))
    assert svg.get("role") == "img"
    named = [svg.find(f".//*[@id='{name}']") for name in svg.get("aria-labelledby", "").split()]
    assert [item.text for item in named if item is not None] == ["Cards by reason", "Declines: 3; Imaged: 4."]


def test_the_description_of_many_rows_is_their_extent() -> None:
    described = column_chart(figures(*((f"day {number}", (number,)) for number in range(1, 14))))
    assert "day 1 to day 13: Cards 91 in all, at most 13." in described
    rates = line_chart(figures(*((f"day {number}", (number,)) for number in range(1, 14)), unit="%"))
    assert "day 1 to day 13: Cards from 1 % to 13 %." in rates


@pytest.mark.parametrize("chart", CHARTS)
def test_nothing_to_draw_is_said(chart: Any) -> None:
    assert words(chart(figures())) == "No data in this period."


@pytest.mark.parametrize("chart", CHARTS)
def test_all_values_nothing_is_drawn_without_a_fault(chart: Any) -> None:
    assert drawn(chart(figures(("a", (0,)), ("b", (0,))))) is not None


@pytest.mark.parametrize("chart", CHARTS)
def test_text_never_becomes_markup(chart: Any) -> None:
    evil = '</title><script>alert("1")</script>'
    hostile = Figures("plot", evil, evil, (evil, "b"), [(evil, (1, 2))], unit=evil, description=evil)
    whole = figure(hostile, chart(hostile))
    assert "<script" not in whole and 'alert("' not in whole
    assert "&lt;script&gt;" in whole


@pytest.mark.parametrize("chart", CHARTS)
def test_a_plot_needs_no_script_no_style_attribute_and_no_other_host(chart: Any) -> None:
    whole = figure(shown := figures(("a", (1, 2)), series=("x", "y")), chart(shown))
    assert not re.search(r"<script|\sstyle=|\son\w+=|https?:|href=|@import", whole)
    assert not re.search(r"https?:|@import|url\(", PLOT_STYLE)


def test_a_second_series_has_a_pattern_and_not_only_a_color() -> None:
    picture = stacked_bar_chart(figures(("a", (1, 2, 3, 4)), series=("w", "x", "y", "z")))
    svg = drawn(picture)
    patterns = {item.get("id"): ElementTree.tostring(item) for item in svg.iter("pattern")}
    used = {found[1] for item in svg.iter("rect") if (found := re.match(r"url\(#(.+)\)", item.get("fill", "")))}
    assert used == set(patterns) and len(used) == 3
    assert len({item.split(b'd="')[1] for item in patterns.values()}) == 3


def test_the_style_covers_dark_pages_print_contrast_and_forced_colors() -> None:
    for media in ("prefers-color-scheme: dark", "prefers-contrast: more", "forced-colors: active", "print"):
        assert media in PLOT_STYLE
    assert PLOT_STYLE.count("{") == PLOT_STYLE.count("}")


def test_the_table_holds_every_figure_of_the_plot() -> None:
    shown = figures(("MRI", (Range(90.6, 85, 95), 95.4)), ("Scan", (86, None)), series=("Sens", "Spec"), unit="%")
    html = ElementTree.fromstring(table(shown))
    heads = ["".join(item.itertext()) for item in html.iter("th")]
    assert heads == ["Reason", "Sens (%)", "Spec (%)", "MRI", "Scan"]
    assert [item.text for item in html.iter("td")] == ["90.6 (85.0 to 95.0)", "95.4", "86.0", "not reported"]
    assert [item.text for item in html.iter("caption")] == ["Cards by reason"]


def test_a_figure_has_its_title_its_plot_and_its_table_folded_away() -> None:
    shown = figures(("a", (1,)))
    html = ElementTree.fromstring(figure(shown, bar_chart(shown)))
    assert [child.tag for child in html] == ["figcaption", "svg", "details"]
    assert html.find("details/div/table") is not None


@pytest.mark.parametrize(
    ("series", "values", "problem"),
    [
        ((), (), "1 to 4 series"),
        (("a", "b", "c", "d", "e"), (1, 2, 3, 4, 5), "1 to 4 series"),
        (("a", "b"), (1,), "one value per series"),
        (("a",), (-0.1,), "negative"),
    ],
)
def test_figures_that_cannot_be_drawn_are_refused(series: Any, values: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        figures(("row", values), series=series)


def test_numbers_have_one_decimal_as_soon_as_one_of_them_needs_it() -> None:
    assert figures(("a", (1,)), ("b", (1204,))).number(1204) == "1,204"
    assert figures(("a", (1,)), ("b", (0.5,))).number(1, "%") == "1.0 %"
    assert figures(("a", (0.123,)), decimals=2).number(0.123) == "0.12"
