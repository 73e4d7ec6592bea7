"""Plots as inline SVG, and the same figures as an HTML table. Pure functions of `Figures`; no script, no other host.

Widths are percentages and heights are in `em`: a plot follows the width of its page while its text keeps the size
that the reader chose (WCAG 2.2, 1.4.4 and 1.4.10). Colors are custom properties of `PLOT_STYLE`, beside patterns and
written values, so that nothing is told by color alone (1.4.1). There is no style attribute: pages forbid them.

It does not aggregate, sort or round what it is given beyond one decimal for display.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from textwrap import wrap
from typing import Protocol

from markupsafe import Markup

from cds_service.plots.figures import MOST_SERIES, Figures, Range, Value, as_sentence, estimate, table, upper_bound

__all__ = [
    "MOST_SERIES",
    "PLOT_STYLE",
    "WIDTHS_STYLE",
    "Figures",
    "Range",
    "Value",
    "bar_chart",
    "column_chart",
    "figure",
    "for_each_width",
    "line_chart",
    "stacked_bar_chart",
    "table",
]

# A line of so many characters fits into 288 px (a page 320 px wide, less its margins) at 14 px.
_LINE = 38

# And so many into 608 px, which a page of 40rem (`WIDTHS_STYLE`) has at least.
_WIDE_LINE = 80

# Heights in em: a line of text, a bar, the space below a bar, and the plot area of a column chart.
_TEXT, _BAR, _GAP, _AREA = 1.35, 0.9, 0.75, 11.0

# Percent of the width that the numbers beside a column chart take: four digits on the narrowest page.
_GUTTER = 11.0

PLOT_STYLE = """\
.plot {
  --plot-ink: currentColor; --plot-ground: #ffffff; --plot-track: #e6e9ed; --plot-line: #6b7480;
  --plot-1: #1f5f99; --plot-2: #b3541e; --plot-3: #5f6771; --plot-4: #2b7a59;
  display: block; width: 100%; font-size: 0.875rem; font-variant-numeric: tabular-nums; overflow: visible;
}
.plot text { fill: var(--plot-ink); }
.plot .plot-value, .plot .plot-group { font-weight: 600; }
.plot .plot-track { fill: var(--plot-track); }
.plot .plot-line, .plot .plot-range { stroke: var(--plot-line); stroke-width: 1; fill: none; }
.plot .plot-range { stroke: var(--plot-ink); stroke-width: 2; }
.plot .plot-halo { stroke: var(--plot-ground); stroke-width: 6; }
.plot .plot-series-1 { fill: var(--plot-1); }
.plot .plot-series-2 { fill: var(--plot-2); }
.plot .plot-series-3 { fill: var(--plot-3); }
.plot .plot-series-4 { fill: var(--plot-4); }
.plot .plot-mark { stroke: var(--plot-ground); stroke-width: 1.5; fill: none; }
.plot .plot-curve-1 { stroke: var(--plot-1); }
.plot .plot-curve-2 { stroke: var(--plot-2); stroke-dasharray: 6 4; }
.plot .plot-curve-3 { stroke: var(--plot-3); stroke-dasharray: 2 3; }
.plot .plot-curve-4 { stroke: var(--plot-4); stroke-dasharray: 10 3 2 3; }
.plot .plot-curve { stroke-width: 2; fill: none; vector-effect: non-scaling-stroke; }
.plot-figure { margin: 1.5rem 0; max-width: 44rem; break-inside: avoid; }
.plot-figure figcaption { font-weight: 600; margin-bottom: 0.5rem; }
.plot-figure details { margin-top: 0.5rem; }
.plot-scroll { overflow-x: auto; }
.plot-table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.plot-table caption { text-align: left; padding: 0.25rem 0; }
.plot-table th, .plot-table td { padding: 0.2rem 0.75rem 0.2rem 0; border-bottom: 1px solid; text-align: right; }
.plot-table th:first-child { text-align: left; font-weight: 400; }
.plot-table thead th, .plot-table thead th:first-child { font-weight: 600; vertical-align: bottom; }
@media (prefers-color-scheme: dark) {
  .plot {
    --plot-ground: #15181c; --plot-track: #2b3138; --plot-line: #929ba6;
    --plot-1: #6fb0ea; --plot-2: #ec9f6b; --plot-3: #a5adb7; --plot-4: #6fca9f;
  }
}
@media (prefers-contrast: more) {
  .plot { --plot-track: transparent; --plot-line: currentColor; }
}
@media (forced-colors: active) {
  .plot {
    forced-color-adjust: none; --plot-ink: CanvasText; --plot-ground: Canvas; --plot-track: Canvas;
    --plot-line: CanvasText; --plot-1: CanvasText; --plot-2: CanvasText; --plot-3: CanvasText; --plot-4: CanvasText;
  }
  .plot .plot-track { stroke: CanvasText; stroke-width: 1; }
}
@media print {
  .plot {
    --plot-ink: #000000; --plot-ground: #ffffff; --plot-track: #e6e9ed; --plot-line: #6b7480;
    --plot-1: #1f5f99; --plot-2: #b3541e; --plot-3: #5f6771; --plot-4: #2b7a59;
  }
}
"""

# Of plots that are drawn for narrow and for wide pages: one of the two is shown, also to a screen reader.
WIDTHS_STYLE = """\
.plot-wide { display: none; }
@media (min-width: 40rem) {
  .plot-wide { display: block; }
  .plot-narrow { display: none; }
}
"""


class _BarChart(Protocol):
    def __call__(self, figures: Figures, line: int = _LINE) -> Markup: ...


def for_each_width(chart: _BarChart, figures: Figures) -> Markup:
    """A chart of bars whose labels break on a narrow page and run on a wide one; SVG cannot break text by itself."""
    narrow, wide = chart(figures), chart(figures, _WIDE_LINE)
    if narrow == wide:
        return narrow
    # Names in a page are unique, shown or not.
    wide = chart(replace(figures, name=f"{figures.name}-wide"), _WIDE_LINE)
    return Markup('<div class="plot-narrow">{}</div><div class="plot-wide">{}</div>').format(narrow, wide)


def bar_chart(figures: Figures, line: int = _LINE) -> Markup:
    """One horizontal bar per row and series, its text above it, its interval across it where it has one.

    `line`: after so many characters text is broken; by default it fits into a page 320 px wide.
    """
    top = figures.top or max((upper_bound(value) for _, values in figures.rows for value in values), default=0)
    parts, y = [], 0.0
    for label, values in figures.rows:
        if len(figures.series) > 1:
            y, text = _lines(label, "", y, line, "plot-group")
            parts.append(text)
        for index, value in enumerate(values):
            own = figures.series[index] if len(figures.series) > 1 else label
            y, text = _lines(own, figures.number(value, figures.unit), y, line)
            parts += [text, _track(y), *_bar(figures, index, value, y, top)]
            y += _BAR + _GAP
        y += _GAP if len(figures.series) > 1 else 0
    return _svg(figures, parts, y)


def stacked_bar_chart(figures: Figures, line: int = _LINE) -> Markup:
    """One horizontal bar per row, its series one after another, with their values written above it.

    `line`: after so many characters text is broken; by default it fits into a page 320 px wide.
    """
    totals = [_sum(values) for _, values in figures.rows]
    top = figures.top or max(totals, default=0)
    y, legend = _legend(figures)
    parts = [legend]
    for (label, values), total in zip(figures.rows, totals, strict=True):
        y, name = _lines(label, figures.number(total, figures.unit), y, line)
        # No break between a word and its number: wrap() breaks at plain spaces only.
        listed = ", ".join(
            f"{part}\N{NO-BREAK SPACE}{figures.number(value)}"
            for part, value in zip(figures.series, values, strict=True)
        )
        y, text = _lines(listed, "", y, line)
        parts += [name, text, _track(y)]
        x = 0.0
        for index, value in enumerate(values):
            width = _share(estimate(value), top)
            parts.append(_block(figures, index, _percent(x), _em(y), _percent(width), _em(_BAR)))
            x += width
        y += _BAR + _GAP
    return _svg(figures, parts, y)


def column_chart(figures: Figures) -> Markup:
    """One column per row, its series stacked from below: for days and weeks, in the order of the rows."""
    top = figures.top or max((_sum(values) for _, values in figures.rows), default=0)
    y, legend = _legend(figures) if len(figures.series) > 1 else (_TEXT / 2, Markup())
    parts = [legend, *_grid(figures, y, top)]
    step = (100 - _GUTTER) / max(len(figures.rows), 1)
    for place, (_, values) in enumerate(figures.rows):
        foot = y + _AREA
        for index, value in enumerate(values):
            height = _share(estimate(value), top) / 100 * _AREA
            foot -= height
            x, width = _percent(_GUTTER + (place + 0.1) * step), _percent(step * 0.8)
            if height:
                parts.append(_block(figures, index, x, _em(foot), width, _em(height)))
    parts += _ends(figures, y + _AREA + _TEXT)
    return _svg(figures, parts, y + _AREA + 2 * _TEXT)


def line_chart(figures: Figures) -> Markup:
    """One line per series over the rows, in their order; a value that is not known interrupts it."""
    top = figures.top or max((upper_bound(value) for _, values in figures.rows for value in values), default=0)
    y, legend = _legend(figures, "line") if len(figures.series) > 1 else (_TEXT / 2, Markup())
    parts = [legend, *_grid(figures, y, top)]
    parts.append(
        Markup(
            '<svg x="{}" y="{}" width="{}" height="{}" viewBox="0 0 100 100" preserveAspectRatio="none"'
            ' overflow="visible">'
        ).format(_percent(_GUTTER), _em(y), _percent(100 - _GUTTER), _em(_AREA))
    )
    for index in range(len(figures.series)):
        drawn = Markup('<path class="plot-curve plot-curve-{}" d="{}"/>')
        parts.append(drawn.format(index + 1, _path([values[index] for _, values in figures.rows], top)))
    parts += [Markup("</svg>"), *_ends(figures, y + _AREA + _TEXT)]
    return _svg(figures, parts, y + _AREA + 2 * _TEXT)


def figure(figures: Figures, picture: Markup) -> Markup:
    """A plot under its title, with its table folded away below it."""
    return Markup(
        '<figure class="plot-figure"><figcaption>{}</figcaption>\n{}\n<details><summary>The same figures as a table'
        '</summary>\n<div class="plot-scroll" role="group" aria-label="{}" tabindex="0">{}</div></details></figure>'
    ).format(figures.title, picture, f"Table: {figures.title}", table(figures))


def _svg(figures: Figures, parts: Sequence[Markup], height: float) -> Markup:
    body = Markup("\n").join(parts) if figures.rows else Markup('<text x="0" y="1em">No data in this period.</text>')
    return Markup(
        '<svg class="plot" role="img" aria-labelledby="{name}-title {name}-desc" width="100%" height="{height}">\n'
        '<title id="{name}-title">{title}</title><desc id="{name}-desc">{desc}</desc>\n{patterns}\n{body}\n</svg>'
    ).format(
        name=figures.name,
        height=_em(height if figures.rows else _TEXT),
        title=figures.title,
        desc=figures.description or as_sentence(figures),
        patterns=_patterns(figures),
        body=body,
    )


def _patterns(figures: Figures) -> Markup:
    """What tells the series apart beside their color: plain, stripes, dots, upright lines."""
    marks = ("M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4", "M2,2 h2 M6,6 h2", "M2,0 v8 M6,0 v8")
    pattern = Markup(
        '<pattern id="{}-mark-{}" width="8" height="8" patternUnits="userSpaceOnUse">'
        '<path class="plot-mark" d="{}"/></pattern>'
    )
    used = marks[: len(figures.series) - 1]
    return Markup("<defs>{}</defs>").format(
        Markup().join(pattern.format(figures.name, index, mark) for index, mark in enumerate(used, start=2))
    ) if used else Markup()  # fmt: skip


def _block(figures: Figures, index: int, x: str, y: str, width: str, height: str) -> Markup:
    """A rectangle in the color and the pattern of a series."""
    place = Markup('x="{}" y="{}" width="{}" height="{}"').format(x, y, width, height)
    block = Markup('<rect class="plot-series-{}" {}/>').format(index + 1, place)
    if index:
        block += Markup('<rect {} fill="url(#{}-mark-{})"/>').format(place, figures.name, index + 1)
    return block


def _bar(figures: Figures, index: int, value: Value, y: float, top: float) -> Iterator[Markup]:
    yield _block(figures, index, "0", _em(y), _percent(_share(estimate(value), top)), _em(_BAR))
    if isinstance(value, Range):
        line = Markup('<line class="plot-range{}" x1="{}" x2="{}" y1="{}" y2="{}"/>')
        low, high = (_percent(_share(bound, top)) for bound in (value.low, value.high))
        # The halo first: an interval must stand out from the bar that it crosses.
        for halo in (" plot-halo", ""):
            yield line.format(halo, low, high, _em(y + _BAR / 2), _em(y + _BAR / 2))
            for bound in (low, high):
                yield line.format(halo, bound, bound, _em(y + _BAR * 0.1), _em(y + _BAR * 0.9))


def _track(y: float) -> Markup:
    """The whole width of the scale, behind a bar."""
    return Markup('<rect class="plot-track" x="0" y="{}" width="100%" height="{}"/>').format(_em(y), _em(_BAR))


def _lines(text: str, value: str, y: float, line: int, kind: str = "plot-label") -> tuple[float, Markup]:
    """Text and, behind it, a value, on as many lines as they need; returns where they end."""
    lines = wrap(text, line) or [""]
    if value and len(lines[-1]) + len(value) + 1 > line:
        lines.append("")
    spans = []
    for place, words in enumerate(lines):
        last = value if place == len(lines) - 1 else ""
        figure_text = Markup('<tspan class="plot-value">{}</tspan>').format(last) if last else ""
        y += _TEXT
        gap = " " if words and last else ""
        spans.append(Markup('<tspan x="0" y="{}">{}{}{}</tspan>').format(_em(y - 0.35), words, gap, figure_text))
    return y, Markup('<text class="{}">{}</text>').format(kind, Markup().join(spans))


def _legend(figures: Figures, kind: str = "block") -> tuple[float, Markup]:
    """One line per series with its color and pattern; returns where it ends."""
    lines = []
    for index, name in enumerate(figures.series):
        y = index * _TEXT
        if kind == "line":
            key = Markup('<line class="plot-curve plot-curve-{}" x1="0" x2="2em" y1="{}" y2="{}"/>').format(
                index + 1, _em(y + _TEXT / 2), _em(y + _TEXT / 2)
            )
        else:
            key = _block(figures, index, "0", _em(y + 0.2), "2em", _em(_BAR))
        lines.append(key + Markup('<text x="2.6em" y="{}">{}</text>').format(_em(y + _TEXT - 0.35), name))
    return len(figures.series) * _TEXT + _GAP, Markup("\n").join(lines)


def _grid(figures: Figures, y: float, top: float) -> Iterator[Markup]:
    """Lines at zero, half and all of the scale, each with its value."""
    for share in (0.0, 0.5, 1.0):
        at = y + _AREA * (1 - share)
        yield Markup('<line class="plot-line" x1="{}" x2="100%" y1="{}" y2="{}"/>').format(
            _percent(_GUTTER), _em(at), _em(at)
        )
        if top or not share:
            yield Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
                _percent(_GUTTER - 1.5), _em(at + 0.35), f"{_tick(top * share)} {figures.unit}".rstrip()
            )


def _ends(figures: Figures, y: float) -> Iterator[Markup]:
    """The first and the last label below a chart of columns or lines."""
    text = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')
    if figures.rows:
        yield text.format(_percent(_GUTTER), _em(y), "start", figures.rows[0][0])
    if len(figures.rows) > 1:
        yield text.format("100%", _em(y), "end", figures.rows[-1][0])


def _path(values: Sequence[Value], top: float) -> str:
    """A line through the middle of each place, broken where a value is not known."""
    drawn, pen = [], "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        x = (place + 0.5) / len(values) * 100
        drawn.append(f"{pen}{x:.2f},{100 - _share(estimate(value), top):.2f}")
        # A lone point is drawn as a line of its own, short enough to look like one.
        drawn.append("h0.4" if pen == "M" else "")
        pen = "L"
    return "".join(drawn)


def _sum(values: Sequence[Value]) -> float:
    return sum(map(estimate, values))


def _share(value: float, top: float) -> float:
    """A value as percent of the scale, at most all of it."""
    return min(100.0, 100 * value / top) if top else 0.0


def _tick(value: float) -> str:
    """A number beside a chart, in few characters."""
    if value == int(value) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 10 else f"{value:.1f}"


def _em(value: float) -> str:
    return f"{value:.2f}em"


def _percent(value: float) -> str:
    return f"{value:.2f}%"
