"""When a resource was on record: the earliest moment from which on nobody looks ahead who sees it.

What says so is tried in the order of its worth: the time of recording, the time of the visit or of the examination,
and `meta.lastUpdated` where nothing else does, for it tells of the last change and often of the day of the export only.
A date without a time counts from its end on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Any

from cds_service.chart.elements import short_reference
from cds_service.replay.instants import first_day, is_imprecise, latest_moment, start_moment

Json = Mapping[str, Any]


class Source(StrEnum):
    """What says when a resource was on record; the values are stable and stand in the summary."""

    RECORDED = "recorded"
    PERFORMED = "performed"
    VISIT = "visit"
    UPDATED = "updated"
    ONSET = "onset"
    NOTHING = "nothing"


class Doubt(StrEnum):
    """What is odd about a date of recording; the values are stable and stand in the summary."""

    IMPRECISE = "recorded_imprecisely"
    AFTER_END = "recorded_after_end"


@dataclass(frozen=True, slots=True)
class Known:
    """From when on a resource is seen.

    Attributes:
        at: the moment; None where nothing tells it.
        source: what says so.
        updated: since when the resource stands as it does in the export; None where it does not say.
        doubt: what is odd about its date of recording: a month or a year that may lie after the end of the data, so
            that it is seen there only, or a day after it, in whose place something else says when it was.
    """

    at: datetime | None
    source: Source
    updated: datetime | None = None
    doubt: Doubt | None = None

    def is_seen(self, moment: datetime, is_end: bool) -> bool:
        """Whether the resource is on record at a moment.

        Args:
            moment: with a time zone.
            is_end: the moment is the end of the data. What says when it was recorded is held against it then, too;
                whatever else the export holds was recorded by then, whatever its date.
        """
        if self.source is Source.RECORDED:
            return self.at is not None and self.at <= moment
        return is_end or (self.at is not None and self.at <= moment) or self.is_settled(moment)

    def is_settled(self, moment: datetime) -> bool:
        """Whether the resource stood at a moment as it does in the export."""
        return self.updated is not None and self.updated <= moment


_END_OF_DAY = time(23, 59, 59)

# Where HL7 puts the day of the assertion, and what older releases called that of the recording.
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"

_RECORDED: Mapping[str, tuple[str, ...]] = {
    "Condition": ("recordedDate", "dateRecorded", "assertedDate"),
    "AllergyIntolerance": ("recordedDate", "assertedDate"),
    "Observation": ("issued",),
    "DiagnosticReport": ("issued",),
    "ServiceRequest": ("authoredOn",),
    "MedicationRequest": ("authoredOn",),
}

# What was done or seen is known once it is over; a procedure that lasts is known, as begun, from its start.
_PERFORMED: Mapping[str, tuple[str, ...]] = {
    "Observation": ("effectiveDateTime", "effectiveInstant", "effectivePeriod"),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod"),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "ImagingStudy": ("started",),
}
_FROM_ITS_START = frozenset({"Procedure"})

_ONSET = ("onsetDateTime", "onsetPeriod", "occurrenceDateTime", "occurrencePeriod")


def known_of(
    resource: Json, kind: str, visit_start: Callable[[str], datetime | None], data_end: datetime | None = None
) -> Known:
    """When a resource was on record.

    Args:
        resource: of a patient.
        kind: its type.
        visit_start: when the Encounter with this reference began, if it is known.
        data_end: the end of the data: what is in the export was recorded by then, whatever it says.
    """
    updated = _updated(resource)
    at, doubt = _recorded(resource, kind, data_end)
    if at is not None:
        # A bare day, and a last change on that day: by then it was recorded.
        written_then = updated is not None and at.time() == _END_OF_DAY and updated.date() == at.date()
        return Known(updated if written_then else at, Source.RECORDED, updated, doubt)
    if kind == "Encounter":
        period = resource.get("period")
        start = period.get("start") if isinstance(period, dict) else None
        if isinstance(start, str) and (at := start_moment(start) or latest_moment(start)):
            return Known(at, Source.VISIT, updated, doubt)
    for element in _PERFORMED.get(kind, ()):
        if at := _moment(resource.get(element), kind in _FROM_ITS_START):
            return Known(at, Source.PERFORMED, updated, doubt)
    visit = resource.get("encounter") or resource.get("context")
    reference = visit.get("reference") if isinstance(visit, dict) else None
    if isinstance(reference, str) and (at := visit_start(short_reference(reference))):
        return Known(at, Source.VISIT, updated, doubt)
    if updated is not None:
        return Known(updated, Source.UPDATED, updated, doubt)
    for element in _ONSET:
        if at := _moment(resource.get(element), True):
            return Known(at, Source.ONSET, updated, doubt)
    return Known(None, Source.NOTHING, updated, doubt)


def _updated(resource: Json) -> datetime | None:
    meta = resource.get("meta")
    written = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return latest_moment(written) if isinstance(written, str) else None


def _recorded(resource: Json, kind: str, data_end: datetime | None) -> tuple[datetime | None, Doubt | None]:
    """When it was recorded by its own word, at the latest at the end of the data; and what is odd about that."""
    doubt: Doubt | None = None
    for written in _dates_of_recording(resource, kind):
        at = latest_moment(written)
        if at is None:
            continue
        if data_end is None or at <= data_end:
            return at, None
        first = first_day(written)
        if first is not None and first <= data_end.date():
            return data_end, Doubt.IMPRECISE if is_imprecise(written) else None
        doubt = Doubt.AFTER_END
    return None, doubt


def _dates_of_recording(resource: Json, kind: str) -> Iterator[str]:
    for element in _RECORDED.get(kind, ()):
        if isinstance(written := resource.get(element), str):
            yield written
    extensions = resource.get("extension") if kind == "Condition" else None
    for extension in extensions if isinstance(extensions, list) else ():
        found = extension.get("valueDateTime") if isinstance(extension, dict) else None
        if isinstance(found, str) and extension.get("url") == _ASSERTED:
            yield found


def _moment(value: object, from_start: bool) -> datetime | None:
    """The moment of a date, or of a period: its end (or start, where nothing else is there)."""
    if isinstance(value, str):
        return latest_moment(value)
    if not isinstance(value, dict):
        return None
    start, end = value.get("start"), value.get("end")
    first, second = (start, end) if from_start else (end, start)
    for written in (first, second):
        if isinstance(written, str) and (at := latest_moment(written)):
            return at
    return None
