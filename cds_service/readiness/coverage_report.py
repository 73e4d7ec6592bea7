"""The coverage of a hospital's data as rows, ready to be printed or written as JSON.

What stands in a chart may hold anything. So a display, a status or a unit is shown only where it was seen for two
patients or more; and a code that was seen for one patient only and could be a number of this patient is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds_service.chart.records import Gap
from cds_service.clinical.reading.understanding import STATUSES
from cds_service.readiness.coverage import ORDER_KEYS, CodeNotes, Coverage, KeyCounts, SeenFor
from cds_service.readiness.documents import Damage, Documents
from cds_service.readiness.entry_reading import UnreadCode
from cds_service.readiness.frequent import Counted
from cds_service.readiness.proposals import Proposal, Proposals

HIDDEN = "(seen for one patient only)"

# What may be a number of a patient: a long one. Codes are short, and printed without blanks.
_LONG_NUMBER = re.compile(r"\d{6}")
_CODE = re.compile(r"[\x21-\x7e]{1,64}")

_GAPS = {gap.code: str(gap) for gap in Gap}


@dataclass(frozen=True, slots=True)
class SystemRow:
    """A code system (or `words`, `empty`, `unnamed`) by which entries of a key count as not understood."""

    key: str
    system: str
    count: int
    share: float
    too_high_by: int = 0


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code that is not read.

    Attributes:
        display: its most shared name, or `HIDDEN`.
        count: entries with it, too high by `too_high_by` at most.
        not_understood: of these, entries of which nothing else says what they are; the others were read by their words.
        proposal: what it may mean, by its words.
        ordered_as: the order for which the setting `order_codings` names it.
    """

    key: str
    system: str
    code: str
    display: str
    count: int
    not_understood: int
    too_high_by: int = 0
    proposal: Proposal | None = None
    ordered_as: str = ""


@dataclass(frozen=True, slots=True)
class GapRow:
    """How often what came under a prefetch key was not all: `gap` by its code, `why` in words, `of` all results."""

    key: str
    gap: str
    why: str
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class WordRow:
    """A status or a unit that means nothing; `element` is where it stood, or the value set of the test."""

    key: str
    element: str
    word: str
    count: int
    too_high_by: int = 0


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """All of it. Rows are sorted by frequency.

    Attributes:
        source: what was read, by name and number.
        keys: entries by prefetch key.
        besides: what else makes a silence worth less, by key and name.
        notes: what a reader of the numbers should know.
    """

    source: Mapping[str, int]
    keys: Mapping[str, KeyCounts]
    besides: Mapping[str, Mapping[str, int]]
    unknown_systems: Sequence[SystemRow]
    unread_codes: Sequence[CodeRow]
    unmapped_orders: Sequence[CodeRow]
    prefetch_gaps: Sequence[GapRow]
    unread_statuses: Sequence[WordRow]
    unread_units: Sequence[WordRow]
    damage: Damage
    notes: Sequence[str] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """The report with stable names."""
        return {
            "source": dict(self.source),
            "entries": {key: _counts(item) for key, item in self.keys.items()},
            "besides": {key: dict(item) for key, item in self.besides.items()},
            "unknown_systems": [_row(item) for item in self.unknown_systems],
            "unread_codes": [_row(item) for item in self.unread_codes],
            "prefetch_gaps": [_row(item) for item in self.prefetch_gaps],
            "unmapped_orders": [_row(item) for item in self.unmapped_orders],
            "unread_statuses": [_row(item) for item in self.unread_statuses],
            "unread_units": [_row(item) for item in self.unread_units],
            "damaged": {"count": self.damage.count, "places": list(self.damage.places)},
            "notes": list(self.notes),
        }


def report_of(coverage: Coverage, documents: Documents | None = None, show_all: bool = False) -> CoverageReport:
    """What was counted so far.

    Args:
        coverage: the counts.
        documents: the files that were read, if there were any.
        show_all: also show what was seen for one patient only; for test data.
    """
    damage = Damage()
    for each in (coverage.damage, *([documents.damage] if documents else ())):
        damage.count += each.count
        damage.places += each.places
    rows = list(_code_rows(coverage, show_all))
    besides: dict[str, dict[str, int]] = {}
    for (key, name), count in sorted(coverage.besides.items()):
        besides.setdefault(key, {})[name] = count
    return CoverageReport(
        source=_source(coverage, documents),
        keys=dict(sorted(coverage.keys.items())),
        besides=besides,
        unknown_systems=[
            SystemRow(key, system, item.count, _share(item.count, coverage.keys[key]), item.too_high_by)
            for (key, system), item in coverage.systems
        ],
        unread_codes=[row for row in rows if row.key not in ORDER_KEYS],
        unmapped_orders=[row for row in rows if row.key in ORDER_KEYS],
        prefetch_gaps=list(_gap_rows(coverage)),
        unread_statuses=[
            WordRow(key, element, _shown(word, item.notes, show_all), item.count, item.too_high_by)
            for (key, element, word), item in coverage.statuses
        ],
        unread_units=[
            WordRow(key, test, _shown(unit, item.notes, show_all), item.count, item.too_high_by)
            for (key, test, unit), item in coverage.units
        ],
        damage=damage,
        notes=tuple(_notes(coverage, show_all)),
    )


def _gap_rows(coverage: Coverage) -> Iterator[GapRow]:
    for (key, gap), count in coverage.gaps.most_common():
        yield GapRow(key, gap, _GAPS[gap], count, coverage.results[key])


def _source(coverage: Coverage, documents: Documents | None) -> dict[str, int]:
    found = {"calls": coverage.calls, "resources": coverage.resources}
    found["of_other_types"] = coverage.of_other_types
    if documents:
        found |= {"files": documents.files, "files_passed_over": documents.passed_over, "bytes": documents.size}
    return found


def _share(count: int, counts: KeyCounts) -> float:
    return round(count / counts.entries, 4) if counts.entries else 0.0


def _code_rows(coverage: Coverage, show_all: bool) -> Iterator[CodeRow]:
    proposals = [Proposals(rule) for rule in coverage.evaluator.rules]
    ordered = {
        (item.system, item.code): slug
        for slug, codings in coverage.evaluator.settings.order_codings.items()
        for item in codings
    }
    found = sorted(coverage.codes, key=lambda each: (-each[1].notes.not_understood, -each[1].count))
    for (key, code), item in found:
        displays = sorted(item.notes.displays.items(), key=lambda each: not each[1].is_shared)
        name = next((display for display, seen in displays if show_all or seen.is_shared), HIDDEN if displays else "")
        # A proposal is made of our own words, and tells nothing of the display that is not shown.
        names = [display for display, _ in displays] or [""]
        proposed = (each.of(code.code, display) for display in names for each in proposals)
        yield CodeRow(
            key=key,
            system=code.system,
            code=_shown_code(code, item, show_all),
            display=name,
            count=item.count,
            not_understood=item.notes.not_understood,
            too_high_by=item.too_high_by,
            proposal=next((each for each in proposed if each), None),
            ordered_as=ordered.get((code.system, code.code), ""),
        )


def _shown_code(code: UnreadCode, item: Counted[CodeNotes], show_all: bool) -> str:
    if not _CODE.fullmatch(code.code):
        return "(no code)"
    may_be_of_a_patient = _LONG_NUMBER.search(code.code) and not item.notes.seen.is_shared
    return HIDDEN if may_be_of_a_patient and not show_all else code.code


def _shown(word: str, seen: SeenFor, show_all: bool) -> str:
    return word if seen.is_shared or show_all else HIDDEN


def _notes(coverage: Coverage, show_all: bool) -> Iterator[str]:
    kept = coverage.codes
    if kept.replaced:
        yield (
            f"There are more than {len(kept):,} different codes: only the most frequent are listed. Counts may be too"
            f" high, by too_high_by at most; a code that is not listed was seen {kept.most_missed:,} times at most."
        )
    if not show_all:
        yield "Displays, statuses and units are shown where two patients or more have them (--show-all for test data)."
    unknown_statuses = sum(count for (_, name), count in coverage.besides.items() if name == STATUSES)
    if unknown_statuses:
        yield f"{unknown_statuses:,} statuses say nothing that is understood; they count as missing."


def _counts(item: KeyCounts) -> dict[str, int]:
    return {
        "entries": item.entries,
        "understood": item.understood,
        "read_by_words": item.by_words,
        "irrelevant": item.irrelevant,
        "not_understood": item.not_understood,
    }


def _row(item: SystemRow | CodeRow | GapRow | WordRow) -> dict[str, Any]:
    """A row by the names of its columns; a proposal with its own."""
    row = {name: getattr(item, name) for name in item.__slots__}
    if isinstance(item, CodeRow):
        made = item.proposal
        row["proposal"] = made and {name: getattr(made, name) for name in made.__slots__}
    return row
