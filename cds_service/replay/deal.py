"""First pass: read one part of the export and deal its lines to the partitions of their patients.

A line is decoded only as far as its head goes. What cannot be used is counted and named by file and line, and never
stops the replay.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cds_service.replay.export import Lines
from cds_service.replay.heads import NOT_JSON, Head, read_head
from cds_service.replay.plan import Plan, plan_in
from cds_service.replay.record import KEYS
from cds_service.replay.work import Work, peak_kilobytes, write_json, write_whole

# Lines in memory before they are written out, in bytes.
_FLUSH_BYTES = 48 * 1024 * 1024

# Patients whose partition is remembered; so many take some 20 MB.
_MOST_REMEMBERED = 200_000

# The order sessions of order hooks hold drugs too.
_DRUG_ORDERS = "MedicationRequest"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(slots=True)
class _Dealt:
    """What one part came to, as it is counted."""

    plan: Plan
    work: Work
    number: int
    types: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str]] = field(default_factory=list)
    without_patient: Counter[str] = field(default_factory=Counter)
    bases: Counter[str] = field(default_factory=Counter)
    dated: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    segments: list[dict[str, Any]] = field(default_factory=list)
    buckets: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    held: int = 0
    places: dict[str, int] = field(default_factory=dict)

    def add(self, line: int, text: bytes, head: Head) -> None:
        self.types[head.kind] += 1
        if head.kind not in KEYS and not (head.kind == _DRUG_ORDERS and self.plan.options.has_orders):
            return
        if not head.patient:
            self.without_patient[head.kind] += 1
            return
        if self.plan.patients is not None and head.patient not in self.plan.patients:
            return
        if head.dated:
            self.dated[head.dated[:10]] += 1
        elif head.updated:
            self.updated[head.updated[:10]] += 1
        if head.kind != "Patient":
            self.bases[head.base] += 1
        prefix = f"{head.patient}\t{head.kind}\t{head.identity}\t{head.base}\t{self.number}:{line}\t".encode()
        self.buckets[self._partition(head.patient)].append(prefix + text)
        self.held += len(text)
        if self.held > _FLUSH_BYTES:
            self.flush()

    def _partition(self, patient: str) -> int:
        if (found := self.places.get(patient)) is None:
            if len(self.places) >= _MOST_REMEMBERED:
                self.places.clear()
            found = self.places[patient] = self.plan.partition_of(patient)
        return found

    def flush(self) -> None:
        """Write the lines at hand into a segment, those of a partition together."""
        if not self.buckets:
            return
        path = self.work.segment(self.number, len(self.segments))
        places: dict[str, tuple[int, int]] = {}
        content: list[bytes] = []
        at = 0
        for partition in sorted(self.buckets):
            block = b"\n".join(self.buckets[partition]) + b"\n"
            places[str(partition)] = (at, len(block))
            content.append(block)
            at += len(block)
        write_whole(path, b"".join(content))
        self.segments.append({"file": path.name, "places": places})
        self.buckets.clear()
        self.held = 0


def deal_part(out: str, number: int) -> int:
    """Deal one part; returns the peak memory of the worker (kB). A part that is done is not done again."""
    folder = Path(out)
    work, plan = Work(folder), plan_in(folder)
    if work.part(number).exists():
        return peak_kilobytes()
    part = plan.parts[number]
    lines = Lines(plan.files[part.file], part)
    dealt = _Dealt(plan, work, number)
    for line, text in lines:
        head = read_head(text) if text.isascii() or _is_utf_8(text) else NOT_JSON
        if isinstance(head, Head):
            dealt.add(line, text, head)
        else:
            dealt.bad.append((line, head))
    dealt.flush()
    write_whole(work.bad_lines(number), "".join(f"{line}\t{why}\n" for line, why in dealt.bad).encode())
    write_json(work.part(number), _result(dealt, lines))
    return peak_kilobytes()


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _result(dealt: _Dealt, lines: Lines) -> Mapping[str, Any]:
    return {
        "lines": lines.read,
        "broken": lines.broken,
        "types": dict(dealt.types),
        "bad": dict(Counter(why for _, why in dealt.bad)),
        "without_patient": dict(dealt.without_patient),
        "bases": dict(dealt.bases),
        "dated": _plain(dealt.dated, dealt.plan.today),
        "updated": _plain(dealt.updated, dealt.plan.today),
        "segments": dealt.segments,
    }


def _plain(written: Mapping[str, int], today: date) -> Mapping[str, Any]:
    """The first and the last day among many, and how many lie after the day of the run."""
    days = {day: count for day, count in written.items() if _DAY.fullmatch(day)}
    until = today.isoformat()
    return {
        "first": min(days, default=""),
        "last": max(days, default=""),
        "last_by_today": max((day for day in days if day <= until), default=""),
        "count": sum(days.values()),
        "after_today": sum(count for day, count in days.items() if day > until),
    }
