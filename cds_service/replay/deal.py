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
from cds_service.replay.record import types_read
from cds_service.replay.segments import write_segment
from cds_service.replay.work import Work, peak_kilobytes, write_json, write_whole

# Lines in memory before they are written out, in bytes.
_FLUSH_BYTES = 48 * 1024 * 1024

# Patients with a type of resource of which it is remembered where their lines go; so many take some 70 MB.
_MOST_REMEMBERED = 200_000

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_LETTERS = len("2026-11-28")


@dataclass(slots=True)
class _Owner:
    """What lines of one type with the same patient have in common: where they go, and what stands before each."""

    bucket: list[bytes]
    prefix: bytes


@dataclass(slots=True)
class _Dealt:
    """What one part came to, as it is counted."""

    plan: Plan
    work: Work
    number: int
    kinds: frozenset[str]
    types: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str]] = field(default_factory=list)
    without_patient: Counter[str] = field(default_factory=Counter)
    bases: Counter[str] = field(default_factory=Counter)
    dated: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    segments: int = 0
    buckets: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    held: int = 0
    owners: dict[tuple[str, str, str], _Owner | None] = field(default_factory=dict)

    def add(self, line: int, text: bytes, head: Head) -> None:
        kind, base = head.kind, head.base
        self.types[kind] += 1
        of = (kind, head.patient, base)
        try:
            owner = self.owners[of]
        except KeyError:
            owner = self._owner(*of)
        if owner is None:
            if kind in self.kinds and not head.patient:
                self.without_patient[kind] += 1
            return
        if head.dated:
            self.dated[head.dated[:_DAY_LETTERS]] += 1
        elif head.updated:
            self.updated[head.updated[:_DAY_LETTERS]] += 1
        if kind != "Patient":
            self.bases[base] += 1
        owner.bucket += (owner.prefix, head.identity.encode(), b"\t%d\t" % line, text, b"\n")
        self.held += len(text)
        if self.held > _FLUSH_BYTES:
            self.flush()

    def _owner(self, kind: str, patient: str, base: str) -> _Owner | None:
        """Of these lines; None where they are not used."""
        if len(self.owners) >= _MOST_REMEMBERED:
            self.owners.clear()
        found = None
        if kind in self.kinds and patient and (self.plan.patients is None or patient in self.plan.patients):
            prefix = f"{patient}\t{kind}\t{base}\t{self.number}\t".encode()
            found = _Owner(self.buckets[self.plan.partition_of(patient)], prefix)
        self.owners[kind, patient, base] = found
        return found

    def flush(self) -> None:
        """Write the lines at hand into a segment, those of a partition together."""
        if not self.buckets:
            return
        blocks = [b"".join(self.buckets.get(partition, ())) for partition in range(self.plan.partitions)]
        write_segment(self.work.segment(self.number, self.segments), blocks)
        self.segments += 1
        self.buckets.clear()
        self.owners.clear()
        self.held = 0


def deal_part(out: str, number: int) -> int:
    """Deal one part; returns the peak memory of the worker (kB). A part that is done is not done again."""
    folder = Path(out)
    work, plan = Work(folder), plan_in(folder)
    if work.part(number).exists():
        return peak_kilobytes()
    part = plan.parts[number]
    lines = Lines(plan.files[part.file], part)
    dealt = _Dealt(plan, work, number, types_read(plan.options.has_orders))
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
