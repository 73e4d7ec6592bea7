"""A coverage report as text, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cds_service.clinical.reading.understanding import EMPTY, UNNAMED, WORDS
from cds_service.readiness.coverage import KeyCounts
from cds_service.readiness.coverage_report import CodeRow, CoverageReport, GapRow, SystemRow, WordRow

WIDTH = 100

_NAMES: Mapping[str, str] = {
    WORDS: "(words only, of no known meaning)",
    EMPTY: "(neither a code nor words)",
    UNNAMED: "(no named code system)",
}


def coverage_text(report: CoverageReport, most_rows: int) -> str:
    """The report as tables; of each the first `most_rows` rows, and how many more there are."""
    blocks = [_head(report), *_tables(report, most_rows), *_damage(report)]
    blocks += [f"Note: {note}" for note in report.notes]
    return "\n\n".join(_folded(block) for block in blocks)


def _head(report: CoverageReport) -> str:
    source = report.source
    read = [f"{source[name]:,} {what}" for name, what in _READ.items() if source.get(name)]
    size = source.get("bytes", 0) / 1e6
    return f"Read: {', '.join(read) or 'nothing'}{f' ({size:,.1f} MB)' if size else ''}."


_READ = {
    "files": "files",
    "calls": "hook calls",
    "resources": "resources",
    "of_other_types": "of them of types that no rule asks for",
    "files_passed_over": "files passed over that are neither FHIR nor hook calls",
}


def _tables(report: CoverageReport, most: int) -> Iterator[str]:
    if report.keys:
        yield "\n".join(_entries(report.keys))
    titles = (_SYSTEMS, _PROPOSED, _CODES, _ORDERS, _GAPS, _STATUSES, _UNITS)
    tables = (
        [_system(row) for row in report.unknown_systems],
        [_code(row) for row in report.unread_codes if row.proposal],
        [_code(row) for row in report.unread_codes if not row.proposal],
        [_code(row) for row in report.unmapped_orders],
        [_gap(row) for row in report.prefetch_gaps],
        [_word(row) for row in report.unread_statuses],
        [_word(row) for row in report.unread_units],
    )
    for title, rows in zip(titles, tables, strict=True):
        if rows:
            yield "\n".join([title, *rows[:most], *_more(rows, most)])
    if report.besides:
        lines = [
            f"  {key:<18} {name} {count:,}" for key, found in report.besides.items() for name, count in found.items()
        ]
        yield "\n".join(["What else makes a silence worth less (entries)", *lines])


def _besides(besides: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for key, found in besides.items():
        for name, count in found.items():
            yield f"  {key:<18} {name} {count:,}"


def _more(rows: Sequence[object], most: int) -> list[str]:
    return [f"  … and {len(rows) - most:,} more (--top, or --format json)"] if len(rows) > most else []


def _entries(keys: Mapping[str, KeyCounts]) -> Iterator[str]:
    yield "Entries by prefetch key"
    yield f"  {'':<18} {'entries':>13} {'understood':>13} {'of no interest':>15} {'not understood':>23}"
    for key, item in keys.items():
        share = f"({item.not_understood / item.entries:.1%})" if item.entries else ""
        yield (
            f"  {key:<18} {item.entries:>13,} {item.understood:>13,} {item.irrelevant:>15,}"
            f" {item.not_understood:>14,} {share:>8}"
        )
    for key, item in keys.items():
        if item.by_words and item.entries:
            yield f"  {key}: {item.by_words:,} ({item.by_words / item.entries:.1%}) are understood by their words alone"


_ORDER_COLUMNS = f"  {'entries':>11}  {'key':<18} "
_WORD_COLUMNS = f"{_ORDER_COLUMNS}{'where':<20} said"

# The titles of the tables, each with the names of its columns.
_SYSTEMS = f"Code systems that are not understood\n  {'entries':>11} {'of key':>7}  {'key':<18} system"
_PROPOSED = f"Codes that are not read, and what their words say (for people to decide)\n{_ORDER_COLUMNS}system and code"
_CODES = f"Other codes that are not read (no value set, no known code system)\n{_ORDER_COLUMNS}system and code"
_ORDERS = f"Order codes of the site without a mapping\n{_ORDER_COLUMNS}system and code"
_GAPS = f"Prefetch keys that were missing or not all\n  {'times':>11} {'of':>11}  {'key':<18} why"
_STATUSES = f"Statuses that are not understood\n{_WORD_COLUMNS}"
_UNITS = f"Units that are not understood\n{_WORD_COLUMNS}"


def _system(row: SystemRow) -> str:
    count = _count(row.count, row.too_high_by)
    return f"  {count:>11} {row.share:>7.1%}  {row.key:<18} {_NAMES.get(row.system, row.system)}"


def _code(row: CodeRow) -> str:
    count = _count(row.count, row.too_high_by)
    lines = [f"  {count:>11}  {row.key:<18} {_NAMES.get(row.system, row.system)} {row.code}"]
    indent = f"  {'':>11}  {'':<18} "
    if row.display:
        lines.append(f"{indent}{row.display}")
    if by_words := max(0, row.count - row.too_high_by - row.not_understood):
        lines.append(f"{indent}read by the words beside it in {by_words:,}")
    if row.ordered_as:
        lines.append(f"{indent}order_codings names it {row.ordered_as}; drafts with it alone are not recognized")
    if row.proposal:
        lines.append(f"{indent}→ {row.proposal.sentence}")
    return "\n".join(lines)


def _gap(row: GapRow) -> str:
    return f"  {row.count:>11,} {row.of:>11,}  {row.key:<18} {row.why}"


def _word(row: WordRow) -> str:
    return f"  {_count(row.count, row.too_high_by):>11}  {row.key:<18} {row.element:<20} {row.word}"


def _count(count: int, too_high_by: int) -> str:
    return f"≤{count:,}" if too_high_by else f"{count:,}"


def _damage(report: CoverageReport) -> Iterator[str]:
    if report.damage.count:
        left = report.damage.count - len(report.damage.places)
        more = [f"  … and {left:,} more"] if left > 0 else []
        lines = [f"  {at}" for at in report.damage.places]
        yield "\n".join([f"Damaged and passed over: {report.damage.count:,}", *lines, *more])


def _folded(block: str) -> str:
    """Lines that are too long go on in the next, indented as far as they were."""
    return "\n".join(part for line in block.split("\n") for part in _fold(line))


def _fold(line: str) -> Iterator[str]:
    indent = len(line) - len(line.lstrip())
    while len(line) > WIDTH:
        cut = line.rfind(" ", indent + 1, WIDTH + 1)
        # An address has no blank to cut at.
        cut = cut if cut > WIDTH // 2 else WIDTH
        yield line[:cut].rstrip()
        line = " " * (indent + 4) + line[cut:].lstrip()
    yield line
