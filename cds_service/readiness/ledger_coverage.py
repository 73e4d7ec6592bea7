"""The coverage of the calls that were answered, from the ledger; it holds no codes, and so names none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from cds_service.ledger.entries import DecisionEntry
from cds_service.readiness.coverage_report import CoverageReport, GapRow, SystemRow
from cds_service.readiness.documents import Damage
from cds_service.reporting.summary import EVALUATED

# What stands in the ledger beside the code systems (`Understanding.besides`).
_BESIDES = frozenset(
    {"hints", "statuses", "unknown-subjects", "other-patients", "accepted-gaps", "selections", "imported"}
)
NOT_SENT, LACKED = "not-supplied", "lacked"
_WHY = {NOT_SENT: "did not come with the call", LACKED: "was needed, and could not be had: no answer"}


def ledger_coverage(entries: Iterable[DecisionEntry], keys: Sequence[str]) -> CoverageReport:
    """What the calls of a period did not bring, or brought and was not understood.

    Args:
        entries: the decisions; those without an assessment are passed over.
        keys: the prefetch keys of the rules.
    """
    calls, systems, besides = 0, Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    calls_with, gaps = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for entry in entries:
        if entry.outcome not in EVALUATED:
            continue
        calls += 1
        gaps.update((key, NOT_SENT) for key in keys if key not in entry.prefetched)
        gaps.update((key, LACKED) for key in set(entry.missing))
        for key, found in entry.not_understood.items():
            for name, count in found.items():
                (besides if name in _BESIDES else systems)[key, name] += count
                calls_with[key, name] += 1
    return CoverageReport(
        source={"calls": calls},
        keys={},
        besides=_nested(besides),
        unknown_systems=[
            SystemRow(key, name, count, round(calls_with[key, name] / calls, 4))
            for (key, name), count in systems.most_common()
        ],
        unread_codes=(),
        unmapped_orders=(),
        prefetch_gaps=[GapRow(key, gap, _WHY[gap], count, calls) for (key, gap), count in gaps.most_common()],
        unread_statuses=(),
        unread_units=(),
        damage=Damage(),
        notes=(
            "The ledger holds no codes: give cds-service coverage an export or recorded calls to see which they are.",
            "Of each code system the share is that of the calls that had entries with only its codes.",
        ),
    )


def _nested(counts: Counter[tuple[str, str]]) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (key, name), count in sorted(counts.items()):
        found.setdefault(key, {})[name] = count
    return found
