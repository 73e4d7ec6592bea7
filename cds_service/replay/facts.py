"""What the first pass found out of the whole export: what it holds, where it ends, and what of it cannot be used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from cds_service.replay.errors import ReplayError
from cds_service.replay.instants import end_of
from cds_service.replay.moments import Period
from cds_service.replay.plan import Plan
from cds_service.replay.record import KEYS
from cds_service.replay.work import Work, read_json, write_json

# The calendar must go on beyond the end: follow-up is counted in days after it.
_LAST_DAY = date(9990, 1, 1)

# A file that is named after a type and holds nothing says that there is nothing of this type.
_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of the whole export.

    Attributes:
        data_end: the last second of the last day that it tells of.
        supplied: the prefetch keys of which it has anything, or an empty file.
        server: the base address of its absolute references.
        first_lines: for each part, how many lines of its file come before it.
        is_bounded: no entry is dated after the end.
    """

    data_end: datetime
    supplied: tuple[str, ...]
    server: str
    first_lines: tuple[int, ...]
    is_bounded: bool

    def period(self, plan: Plan) -> Period:
        """The period of the replay."""
        return Period.of(plan.options, self.data_end, self.is_bounded)


def gather_facts(work: Work, plan: Plan) -> Facts:
    """The facts of all parts, which must be done; they are kept for the workers.

    Raises:
        ReplayError: nothing in the export says when anything was, so that it has no end; or it lies
            before or after the period.
    """
    parts = [read_json(work.part(number)) for number in range(len(plan.parts))]
    if plan.patients is not None and not any(part["segments"] for part in parts):
        raise ReplayError("none of the patients that are listed is in the export")
    types = Counter[str]()
    bases = Counter[str]()
    for part in parts:
        types.update(part["types"])
        bases.update(part["bases"])
    facts = Facts(
        data_end=_data_end(parts),
        supplied=tuple(sorted(_supplied(types, plan))),
        server=_server(bases),
        first_lines=tuple(_first_lines(parts, plan)),
        is_bounded=_is_bounded(parts),
    )
    first = min((part["dated"]["first"] for part in parts if part["dated"]["first"]), default="")
    if plan.options.until and first > plan.options.until.isoformat():
        raise ReplayError(f"the data begin on {first}, after --until")
    if plan.options.since and plan.options.since > facts.data_end.date():
        raise ReplayError(f"the data end on {facts.data_end:%Y-%m-%d}, before --since")
    plain = {"data_end": facts.data_end.isoformat(), "supplied": facts.supplied, "server": facts.server}
    write_json(work.facts, {**plain, "first_lines": facts.first_lines, "is_bounded": facts.is_bounded})
    return facts


def read_facts(work: Work) -> Facts:
    """The facts that were kept."""
    found = read_json(work.facts)
    return Facts(
        datetime.fromisoformat(found["data_end"]),
        tuple(found["supplied"]),
        found["server"],
        tuple(found["first_lines"]),
        found["is_bounded"],
    )


def _data_end(parts: Sequence[Mapping[str, Any]]) -> datetime:
    """The last day with a visit, an order, a result or a record; `meta.lastUpdated` only where nothing else is dated.

    Dates after the day of the run are slips of the pen, unless most are so: then the data were shifted as a whole.
    """
    for kind in ("dated", "updated"):
        dates = [part[kind] for part in parts]
        after, count = (sum(item[name] for item in dates) for name in ("after_today", "count"))
        last = max(item["last" if 2 * after > count else "last_by_today"] for item in dates)
        if last:
            return end_of(datetime.combine(min(_day(last), _LAST_DAY), time(), UTC))
    raise ReplayError("nothing in the export says when it was recorded: there is no moment at which to ask")


def _is_bounded(parts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether no entry is dated after the day on which the data end."""
    dates = [part["dated"] for part in parts]
    ends_with_all = 2 * sum(item["after_today"] for item in dates) > sum(item["count"] for item in dates)
    return ends_with_all or not any(item["after_today"] for item in dates)


def _day(written: str) -> date:
    """A day as it was written; of one that is none (30 February), the first of its month."""
    try:
        return date.fromisoformat(written)
    except ValueError:
        try:
            return date.fromisoformat(f"{written[:7]}-01")
        except ValueError:
            return date(max(int(written[:4]), 1), 12, 31)


def _supplied(types: Mapping[str, int], plan: Plan) -> set[str]:
    named = {word for file in plan.files for word in _WORD.findall(file.name)}
    # Studies without a report say nothing of whether reports were exported.
    return {key for kind, key in KEYS.items() if kind != "ImagingStudy" and (kind in types or kind in named)}


def _server(bases: Counter[str]) -> str:
    absolute = [(count, base) for base, count in bases.items() if base]
    return max(absolute)[1] if absolute else ""


def _first_lines(parts: Sequence[Mapping[str, Any]], plan: Plan) -> Iterator[int]:
    before = dict.fromkeys(range(len(plan.files)), 0)
    for part, found in zip(plan.parts, parts, strict=True):
        yield before[part.file]
        before[part.file] += found["lines"]
