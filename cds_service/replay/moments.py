"""The moments of a patient at which the question is asked: visits, days, orders, and the end of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from cds_service.replay.instants import end_of, start_moment
from cds_service.replay.known import Source
from cds_service.replay.options import LAST, Options
from cds_service.replay.record import ORDERS, Entry, PatientRecord


class Kind(StrEnum):
    """What a moment is; the values are stable and stand in `answers.parquet`."""

    VISIT = "visit"
    DAY = "day"
    ORDER = "order"
    END = "end"


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment.

    Attributes:
        at: with a time zone (UTC).
        kind: what happens then.
        encounter: the id of the visit that begins, if one does.
        drafts: the names of the orders that are being written.
        sees_all: whatever the export holds was on record by then.
    """

    at: datetime
    kind: Kind
    encounter: str = ""
    drafts: tuple[str, ...] = ()
    sees_all: bool = False


# Visits that never took place, and those still to come: no chart was opened.
_NOT_HELD = frozenset({"cancelled", "entered-in-error", "noshow", "planned"})

# Orders that nobody wrote for this patient.
_NOT_WRITTEN = frozenset({"entered-in-error"})


@dataclass(frozen=True, slots=True)
class Period:
    """The time of a replay: from the start of the first day (None: as long as there is data) to the end of the last.

    Attributes:
        data_end: the last second of the last day that the export tells of.
        is_bounded: no entry of the export is dated later than that.
    """

    since: datetime | None
    until: datetime
    data_end: datetime
    is_bounded: bool = False

    @classmethod
    def of(cls, options: Options, data_end: datetime, is_bounded: bool = False) -> Period:
        """The period that was asked for, in data that end on this day."""
        since = datetime.combine(options.since, time(), UTC) if options.since else None
        until = end_of(datetime.combine(options.until, time(), UTC)) if options.until else data_end
        return cls(since, min(until, data_end), data_end, is_bounded)

    def holds(self, at: datetime) -> bool:
        return at <= self.until and (self.since is None or self.since <= at)

    @property
    def end(self) -> Moment:
        """The end of the period."""
        return Moment(self.until, Kind.END, sees_all=self.until == self.data_end)


def moments_of(patient: PatientRecord, options: Options, period: Period) -> Sequence[Moment]:
    """The moments of a patient, in their order in time, each once."""
    if options.has_orders:
        found = sorted(_orders(patient, period), key=lambda item: item.at)
        return found[-1:] if options.moments == LAST else found
    if options.moments == LAST:
        return [period.end]
    some = _days(patient, options.step_days, period) if options.step_days else _visits(patient, period)
    return [*sorted(some, key=lambda item: item.at), period.end]


def _visits(patient: PatientRecord, period: Period) -> Iterator[Moment]:
    """The start of each visit; of several that begin together, the first by its id."""
    starts: dict[datetime, str] = {}
    for versions in patient.by_name.values():
        entry = versions[-1]
        if was_held(entry):
            at = _start(entry)
            if at is not None and period.holds(at):
                identity = str(entry.resource.get("id") or "")
                starts[at] = min(starts.get(at, identity), identity)
    return (Moment(at, Kind.VISIT, encounter) for at, encounter in starts.items())


def visits_without_start(patient: PatientRecord) -> int:
    """How many visits took place of which nothing tells the moment at which they began: at none of them is asked."""
    newest = (versions[-1] for versions in patient.by_name.values())
    return sum(was_held(entry) and _start(entry) is None for entry in newest)


def was_held(entry: Entry) -> bool:
    """Whether it is a visit that took place."""
    return entry.kind == "Encounter" and not _has_status(entry, _NOT_HELD)


def _has_status(entry: Entry, statuses: frozenset[str]) -> bool:
    status = entry.resource.get("status")
    return isinstance(status, str) and status in statuses


def _start(entry: Entry) -> datetime | None:
    period = entry.resource.get("period")
    start = period.get("start") if isinstance(period, dict) else None
    return start_moment(start) if isinstance(start, str) else None


def _days(patient: PatientRecord, step: int, period: Period) -> Iterator[Moment]:
    """Every so many days, counted back from the end of the period, the same days for every patient."""
    first = max(filter(None, (patient.first_day, period.since)), default=None)
    at = period.until - timedelta(days=step)
    while first is not None and at >= first:
        yield Moment(at, Kind.DAY)
        at -= timedelta(days=step)


def _orders(patient: PatientRecord, period: Period) -> Iterator[Moment]:
    """Each time at which orders were written, with these orders as the drafts."""
    written: dict[datetime, list[Entry]] = {}
    for versions in patient.by_name.values():
        entry = versions[-1]
        if entry.kind in ORDERS and not _has_status(entry, _NOT_WRITTEN):
            # Nobody knows the moment of an order that is dated by a month, or by a slip of the pen.
            is_dated = entry.known.source is Source.RECORDED and entry.known.doubt is None
            at = entry.known.at if is_dated else None
            if at is not None and period.holds(at):
                written.setdefault(at, []).append(entry)
    for at, entries in written.items():
        yield Moment(at, Kind.ORDER, _encounter_of(entries[0]), tuple(sorted(entry.name for entry in entries)))


def _encounter_of(entry: Entry) -> str:
    visit = entry.resource.get("encounter")
    reference = visit.get("reference") if isinstance(visit, dict) else None
    return reference.rsplit("/", 1)[-1] if isinstance(reference, str) and "Encounter/" in reference else ""
