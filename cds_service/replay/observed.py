"""For how long a patient was observed: the years by which cards are counted."""

from __future__ import annotations

from datetime import datetime

from cds_service.replay.instants import latest_moment
from cds_service.replay.known import Source
from cds_service.replay.moments import Period, was_held
from cds_service.replay.record import Entry, PatientRecord


def days_observed(patient: PatientRecord, period: Period) -> int:
    """Days from the first visit or own date of recording to the death or the end of the period; 0 where none is known.

    A procedure of 1985 that was told at a visit of today does not say that somebody looked at the chart since 1985.
    """
    starts = [entry.known.at for entry in patient.entries if entry.known.at and _shows_presence(entry)]
    if not starts:
        return 0
    start = max(filter(None, (min(starts), period.since)))
    end = min(filter(None, (period.until, _death(patient))))
    return (end - start).days + 1 if start <= end else 0


def _shows_presence(entry: Entry) -> bool:
    """Whether somebody saw the patient, or wrote in the chart, when the entry came to be on record."""
    return was_held(entry) if entry.kind == "Encounter" else entry.known.source is Source.RECORDED


def _death(patient: PatientRecord) -> datetime | None:
    """When the patient died; of a death without a date, the last visit; None for the living."""
    record = patient.record or {}
    died = record.get("deceasedDateTime")
    if isinstance(died, str) and (at := latest_moment(died)):
        return at
    return patient.later.last_visit if died or record.get("deceasedBoolean") is True else None
