"""What the service reads in a chart, as dated entries in rows: the content of the timeline picture and of its table.

What the rule passed over is shown too, marked as not counted, so that a reader sees why there is no card. How a chart
becomes a timeline is in `chart_reading`, how it is drawn in `picture`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from cds_service.chart.span import Span


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the chart.

    Attributes:
        label: our words for it; `quoted` if they are the EHR's.
        when: its date, as precisely as it is known; None is undated.
        source: where it stands (`Condition/123`).
        counts: the rule counts it for this answer.
        remark: what the rule makes of it, in a few words.
        why: why it does, where that is a clause of its own.
        until: the last day of what lasted; today where it is `ongoing`.
        is_open: it is still to be done.
    """

    label: str
    when: Span | None
    source: str
    counts: bool = True
    remark: str = ""
    why: str = ""
    until: date | None = None
    ongoing: bool = False
    is_open: bool = False
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of thing with its entries; `gap` says why more may exist than was sent."""

    title: str
    entries: tuple[Entry, ...]
    gap: str = ""

    @property
    def nothing(self) -> str:
        """What stands in place of entries; the chart may still hold what the rule refuses, which is no entry."""
        return "nothing that counts in what was sent" if self.gap else "nothing that counts"


@dataclass(frozen=True, slots=True)
class Window:
    """Days between two dates, both included, that the rule looks at."""

    name: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that is drawn: `new` and `clean` are the windows, `passed_over` what does not count, and why."""

    today: date
    new: Window
    clean: Window
    rows: tuple[Row, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def oldest(self) -> date:
        """The first day of anything that is drawn."""
        days = [entry.when.earliest for row in self.rows for entry in row.entries if entry.when]
        return min([self.clean.first, *days])


def undated(entries: Iterable[Entry]) -> list[Entry]:
    """The entries without a date."""
    return [entry for entry in entries if entry.when is None]


def grouped(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The dated entries, those with the same words together, in the order of the first of each."""
    by_words: dict[tuple[str, str, str, bool], list[Entry]] = {}
    for entry in entries:
        if entry.when is not None:
            by_words.setdefault((entry.label, entry.remark, entry.why, entry.counts), []).append(entry)
    return list(by_words.values())
