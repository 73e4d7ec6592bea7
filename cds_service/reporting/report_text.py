"""A report as plain text for a terminal, and the words that it shares with the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta

from cds_service.ledger.entries import UNLISTED
from cds_service.reporting.report import Group, OrderOutcomes, Report

GROUP_HEADS = ("calls", "evaluated", "fired", "shown", "accepted", "overridden", "unanswered")
CARD_HEADS = ("shown", "accepted", "overridden", "unanswered")
ORDER_HEADS = ("proposed", "accepted", "passed over", "overridden", "unanswered")

UNKNOWN = "-"

# What stands in place of a code system, as the rows of the ledger hold it, and how it is told.
UNNAMED = "unnamed"
IN_PLACE_OF_A_SYSTEM = {
    "words": "had entries whose words said nothing that is known",
    "empty": "had entries with neither code nor words",
    "hints": "held hints of the disease without a diagnosis",
    "statuses": "had entries with a status that means nothing",
    "unknown-subjects": "had entries of which nobody knows whose they are",
    "other-patients": "had entries of another patient",
    "accepted-gaps": "may have been incomplete, which the site accepts",
    "imported": "were dated only by the day on which a whole list was recorded",
    "selections": "had selections that lead to no draft order",
}


def _no_name(_: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of codes, from the clinical content: override reasons, orders by slug, and names of code systems.

    `system_name` is what a known code system is called, and empty for any other.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)
    system_name: Callable[[str], str] = _no_name

    def reason(self, code: str) -> str:
        """An override reason in words."""
        if not code:
            return "No reason given"
        return self.reasons.get(code, "Another reason" if code == UNLISTED else code)

    def order(self, slug: str) -> str:
        """An order in words; the slug itself where the content no longer has it."""
        return self.orders.get(slug, slug)


def percent(share: float | None) -> str:
    """A share from 0 to 1 as it is read: `4.2 %`."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds as they are read: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 days`."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days"


def period(report: Report) -> str:
    """The first and the last day of a report (UTC)."""
    last = (report.until - timedelta(microseconds=1)).astimezone(UTC).date()
    return f"{report.since.astimezone(UTC).date().isoformat()} to {last.isoformat()}"


def key_figures(report: Report) -> list[tuple[str, str]]:
    """The figures of a report that are single numbers, with their names."""
    answered = report.accepted + report.overridden
    times = report.milliseconds
    return [
        ("Calls", f"{report.calls:,}"),
        ("Fired", _of(report.fired, report.firing_rate, "evaluated calls")),
        ("Undetermined", _of(report.undetermined, report.undetermined_share, "evaluated calls")),
        ("Failed", f"{report.failed:,}"),
        ("Switched off", f"{report.switched_off:,}"),
        ("Cards shown", f"{report.shown:,}"),
        ("Cards kept back by silent mode", f"{report.silent:,}"),
        ("Cards answered", _of(answered, report.answered_share, "cards shown")),
        ("Accepted, overridden, unanswered", f"{report.accepted:,}, {report.overridden:,}, {report.unanswered:,}"),
        ("Median time to answer", duration(report.median_feedback_seconds)),
        ("Time of a call, median and p95", f"{times[0]:g} ms, {times[1]:g} ms" if times else UNKNOWN),
        ("Feedback of unknown cards", f"{report.unknown_feedback:,} of {report.feedback:,} entries"),
    ]


def group_values(group: Group) -> tuple[int, ...]:
    """The numbers of a group under `GROUP_HEADS`."""
    counts = (group.calls, group.evaluated, group.fired)
    return (*counts, group.shown, group.accepted, group.overridden, group.unanswered)


def card_values(group: Group) -> tuple[int, ...]:
    """What became of the cards of a group, under `CARD_HEADS`."""
    return (group.shown, group.accepted, group.overridden, group.unanswered)


def patient_rows(report: Report) -> list[tuple[str, int]]:
    """How many patients saw so many cards."""
    seen = report.per_patient
    return [("1 card", seen.one), ("2 cards", seen.two), ("3 or more cards", seen.more)]


def order_values(order: OrderOutcomes) -> tuple[int, ...]:
    """The numbers of an order under `ORDER_HEADS`."""
    return (order.proposed, order.accepted, order.passed_over, order.overridden, order.unanswered)


def report_text(report: Report, words: Words) -> str:
    """The report as text; sections without anything to tell are left out."""
    sections = [
        [f"CDS service, {period(report)} (days of UTC)"],
        list(_pairs(key_figures(report))),
        _table("Calls by outcome and reason", ("calls",), [(f"{o}: {r}", (n,)) for o, r, n in report.outcomes]),
        _table("Orders on shown cards", ORDER_HEADS, [(item.slug, order_values(item)) for item in report.orders]),
        _table("Override reasons", ("cards",), [(words.reason(code), (count,)) for code, count in report.overrides]),
        _table("Undetermined calls by prefetch key", ("calls",), [(k, (n,)) for k, n in report.undetermined_by_key]),
        not_understood_lines(report, words),
        _table("By indicator", CARD_HEADS, [(group.name, card_values(group)) for group in report.by_indicator]),
        _table("Cards per patient", ("patients",), [(name, (n,)) for name, n in patient_rows(report) if n]),
        *(
            _table(title, GROUP_HEADS, [(group.name, group_values(group)) for group in groups])
            for title, groups in (
                ("By hook", report.by_hook),
                ("By rule version", report.by_version),
                ("By client", report.by_client),
            )
        ),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def not_understood_lines(report: Report, words: Words) -> list[str]:
    """In how many calls something was not understood, by prefetch key and code system."""
    if not report.not_understood:
        return []
    lines = ["Not understood, share of evaluated calls"]
    for key, system, count in report.not_understood:
        lines.append(f"  in {percent(count / report.evaluated)} of calls {not_understood_words(key, system, words)}")
    return lines


def not_understood_words(key: str, system: str, words: Words) -> str:
    """What was not understood, in words: `conditions had only codes of urn:oid:1.2.3`.

    A code of a known system that was not understood has not the shape of a code of it.
    """
    if told := IN_PLACE_OF_A_SYSTEM.get(system):
        return f"{key} {told}"
    if name := words.system_name(system):
        return f"{key} had entries with only codes that cannot be {name}"
    named = "an unnamed code system" if system == UNNAMED else system
    return f"{key} had entries with only codes of {named}"


def _of(count: int, share: float | None, whole: str) -> str:
    return f"{count:,}" if share is None else f"{count:,} ({percent(share)} of {whole})"


def _pairs(figures: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max(len(name) for name, _ in figures)
    for name, value in figures:
        yield f"  {name:<{width}}  {value}"


def _table(title: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> list[str]:
    if not rows:
        return []
    width = max(len(title), *(len(label) + 2 for label, _ in rows))
    columns = [max(len(head), *(len(f"{row[index]:,}") for _, row in rows)) for index, head in enumerate(heads)]
    lines = [f"{title:<{width}}" + "".join(f"  {head:>{size}}" for head, size in zip(heads, columns, strict=True))]
    for label, row in rows:
        lines.append(
            f"  {label:<{width - 2}}" + "".join(f"  {value:>{size},}" for value, size in zip(row, columns, strict=True))
        )
    return lines
