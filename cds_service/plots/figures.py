"""Figures as values: what a plot draws, said in words and as an HTML table.

A plot and its table are made of the same `Figures`, so that they cannot differ. Nothing here aggregates or sorts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

# Series beyond the fourth would repeat a pattern.
MOST_SERIES = 4

# A longer list is not read out; its extent is.
_LONGEST_LIST = 12


@dataclass(frozen=True, slots=True)
class Range:
    """A value with the bounds of its interval, all in the unit of the figures."""

    value: float
    low: float
    high: float


# None: the figure is not known.
Value = float | Range | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a plot draws and its table says.

    Attributes:
        name: unique in the page, letters, digits and `-`; begins the ids of the plot.
        title: what is shown, in a few words.
        of: what the rows are (`Order`, `Day`), heading of the table's first column.
        series: what the values of a row are, at most `MOST_SERIES`.
        rows: label and one value per series, none of them negative.
        unit: follows a value, with a space before it.
        top: value that fills the whole width or height; by default the largest one (the largest sum, if stacked).
        decimals: of every number; by default one where some number needs it, else none.
        description: read to those who do not see the plot, instead of a list of the figures.
    """

    name: str
    title: str
    of: str
    series: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Value]]]
    unit: str = ""
    top: float | None = None
    decimals: int | None = None
    description: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.series) <= MOST_SERIES:
            raise ValueError(f"a plot has 1 to {MOST_SERIES} series")
        for label, values in self.rows:
            if len(values) != len(self.series):
                raise ValueError(f"the row '{label}' needs one value per series")
            if any(value is not None and estimate(value) < 0 for value in values):
                raise ValueError(f"the row '{label}' has a negative value")

    def number(self, value: Value, unit: str = "") -> str:
        """A value as it is read: `1,204`, `90.6 %`, `90.6 % (85.1 to 94.4)`, `not reported`."""
        if value is None:
            return "not reported"
        if isinstance(value, Range):
            return f"{self.number(value.value, unit)} ({self.number(value.low)} to {self.number(value.high)})"
        decimals = self.decimals
        if decimals is None:
            decimals = 0 if all(map(_whole, (item for _, values in self.rows for item in values))) else 1
        return f"{value:,.{decimals}f} {unit}".rstrip()


def as_sentence(figures: Figures) -> str:
    """The figures as one sentence, for those who do not see the plot; of many rows only their extent."""
    if not figures.rows:
        return "No data in this period."
    if len(figures.rows) > _LONGEST_LIST:
        extents = (_extent(figures, index) for index in range(len(figures.series)))
        return f"{figures.rows[0][0]} to {figures.rows[-1][0]}: {'; '.join(extents)}."
    several = len(figures.series) > 1
    rows = (
        f"{label}: " + ", ".join(
            f"{name} {figures.number(value, figures.unit)}" if several else figures.number(value, figures.unit)
            for name, value in zip(figures.series, values, strict=True)
        )
        for label, values in figures.rows
    )  # fmt: skip
    return "; ".join(rows) + "."


def _extent(figures: Figures, index: int) -> str:
    """Of one series: counts add up, what has a unit does not."""
    known = [estimate(values[index]) for _, values in figures.rows if values[index] is not None]
    name, most = figures.series[index], figures.number(max(known, default=None), figures.unit)
    if figures.unit:
        return f"{name} from {figures.number(min(known, default=None), figures.unit)} to {most}"
    return f"{name} {figures.number(sum(known))} in all, at most {most}"


def table(figures: Figures) -> Markup:
    """The figures as a table with a caption."""
    unit = f" ({figures.unit})" if figures.unit else ""
    heads = Markup().join(Markup('<th scope="col">{}{}</th>').format(name, unit) for name in figures.series)
    rows = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            label, Markup().join(Markup("<td>{}</td>").format(figures.number(value)) for value in values)
        )
        for label, values in figures.rows
    )
    return Markup(
        '<table class="plot-table"><caption>{}</caption>\n<thead><tr><th scope="col">{}</th>{}</tr></thead>\n'
        "<tbody>\n{}\n</tbody></table>"
    ).format(figures.title, figures.of, heads, rows)


def estimate(value: Value) -> float:
    """The value without its interval; nothing for one that is not known."""
    return 0.0 if value is None else value.value if isinstance(value, Range) else float(value)


def upper_bound(value: Value) -> float:
    """The largest number that must fit into the scale."""
    return max(value.value, value.high) if isinstance(value, Range) else estimate(value)


def _whole(value: Value) -> bool:
    numbers = (value.value, value.low, value.high) if isinstance(value, Range) else (estimate(value),)
    return all(float(item).is_integer() for item in numbers)
