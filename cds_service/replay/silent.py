"""Patients of whom nothing in the whole record can matter to the rule: they are answered without reading a chart.

An entry that cannot matter is told from its bytes, as it is in a hook call (`cds_service.chart.screening`). Where all
entries are of this kind, the patient lives, and no visit tells of a reason, the chart is as good as an empty one: the
answer is that to an empty chart, and what was not understood is counted beside it. Whatever is written in an unusual
way is left to the full reading. A test holds both ways together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Literal, TypeAlias

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from cds_service.chart.build import build_chart
from cds_service.chart.elements import EARLIEST_YEAR
from cds_service.chart.screening import Screening
from cds_service.chart.span import Span
from cds_service.chart.statuses import ENCOUNTER
from cds_service.chart.undecoded import UndecodedEntry
from cds_service.clinical.reading.understanding import IRRELEVANT, UNDERSTOOD, Understanding
from cds_service.clinical.rules.assessment import Assessment
from cds_service.clinical.rules.rule import Rule
from cds_service.replay.record import KEYS, Line, PatientRecord, bundle

# The type of a member without which alone an entry is plain.
_Absent: TypeAlias = None

# The types that are told from their bytes, in the order in which their understanding is listed.
_SCREENED = ("Condition", "Observation", "ServiceRequest", "DiagnosticReport", "Procedure")
_KNOWN_KINDS = frozenset({*_SCREENED, "Patient", "Encounter"})

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

_NOBODY = {"resourceType": "Patient", "id": "nobody"}
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class _Reference(Struct, gc=False):
    reference: str


class _Period(Struct, gc=False):
    start: str | None = None
    end: str | None = None


class _Patient(Struct, gc=False):
    """A living patient whose record is in use."""

    resourceType: Literal["Patient"]
    id: str
    birthDate: str
    gender: str | None = None
    active: bool | None = None
    deceasedBoolean: _Absent = None
    deceasedDateTime: _Absent = None
    link: _Absent = None


class _Encounter(Struct, gc=False):
    """A visit that tells of no reason."""

    resourceType: Literal["Encounter"]
    id: str
    status: str
    subject: _Reference
    period: _Period | None = None
    reason: _Absent = None
    reasonCode: _Absent = None
    reasonReference: _Absent = None
    indication: _Absent = None
    diagnosis: _Absent = None
    contained: _Absent = None


_as_patient = Decoder(_Patient).decode
_as_encounter = Decoder(_Encounter).decode


class SilentPatients:
    """Tells the patients of whom nothing can matter to a rule, and what it answers of them.

    Args:
        rule: that is asked.
        supplied: the prefetch keys of which the export has anything.
    """

    def __init__(self, rule: Rule, supplied: Sequence[str]) -> None:
        self._rule = rule
        self._supplied = supplied

    @cached_property
    def _empty(self) -> Assessment:
        """The answer to a chart that is known to hold nothing."""
        prefetch: dict[str, Any] = {key: bundle(()) for key in self._supplied} | {"patient": _NOBODY}
        reader = self._rule.reader()
        chart = build_chart("nobody", prefetch, codes=self._rule.codes())
        return self._rule.assess(chart, reader, _ANY_TIME)

    def answer(self, patient: PatientRecord) -> tuple[Assessment, date] | None:
        """The answer, and the day of birth; None where the chart is to be read."""
        codes = self._rule.codes()
        if codes is None or not patient.is_plain:
            return None
        by_kind: dict[str, list[Line]] = {}
        for line in patient.lines:
            by_kind.setdefault(line.kind, []).append(line)
        if not by_kind.keys() <= _KNOWN_KINDS or (birth := _birth(by_kind.pop("Patient", ()))) is None:
            return None
        own = f"Patient/{patient.patient_id}"
        if not all(_is_idle_visit(line, own) for line in by_kind.pop("Encounter", ())):
            return None
        screening = Screening(codes, Span.day(birth), own.__eq__)
        counts: dict[str, Mapping[str, int]] = {}
        for kind, lines in by_kind.items():
            screened = screening.screen(kind, [UndecodedEntry(Raw(line.text)) for line in lines])
            if screened.left:
                return None
            counts[kind] = screened.counts
        understood = tuple(_understanding(KEYS[kind], counts[kind]) for kind in _SCREENED if kind in counts)
        return replace(self._empty, understanding=understood), birth


def _birth(lines: Sequence[Line]) -> date | None:
    """The day of birth in the only record of a living patient; None where it is not so plain."""
    if len(lines) != 1:
        return None
    try:
        record = _as_patient(lines[0].text)
        is_plain = record.active is not False and _DAY.fullmatch(record.birthDate)
        birth = date.fromisoformat(record.birthDate) if is_plain else None
    except (MsgspecError, ValueError, RecursionError):
        return None
    return birth if birth and birth.year > EARLIEST_YEAR else None


def _is_idle_visit(line: Line, own: str) -> bool:
    try:
        visit = _as_encounter(line.text)
        if visit.status not in ENCOUNTER.known or visit.subject.reference != own:
            return False
        for written in (visit.period.start, visit.period.end) if visit.period else ():
            if written is not None and datetime.fromisoformat(written).year <= EARLIEST_YEAR:
                return False
    except (MsgspecError, ValueError, RecursionError):
        return False
    return True


def _understanding(key: str, counts: Mapping[str, int]) -> Understanding:
    """How the entries of a key were understood, of which none can matter."""
    unknown = {name: count for name, count in counts.items() if name not in (IRRELEVANT, UNDERSTOOD)}
    return Understanding(key, counts.get(UNDERSTOOD, 0), counts.get(IRRELEVANT, 0), unknown)
