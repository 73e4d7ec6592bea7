"""The resources of one patient, and what of them a hook call would have brought at a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
from msgspec import Raw, Struct

from cds_service.chart.elements import short_reference
from cds_service.chart.resource_types import resource_type_of
from cds_service.chart.undecoded import UndecodedBundle, UndecodedEntry
from cds_service.replay.as_it_was import Later, as_it_was
from cds_service.replay.instants import latest_moment, start_moment
from cds_service.replay.known import Known, known_of

Json = dict[str, Any]

# The prefetch key under which a hook call brings each type. Imaging studies stand beside the reports, as EHRs put them.
KEYS: Mapping[str, str] = {
    "Patient": "patient",
    "Condition": "conditions",
    "Observation": "observations",
    "Encounter": "encounters",
    "ServiceRequest": "serviceRequests",
    "DiagnosticReport": "diagnosticReports",
    "ImagingStudy": "diagnosticReports",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
    "Device": "devices",
}

# What may be a draft of an order session.
ORDERS = ("ServiceRequest", "MedicationRequest")

_MERGED = "replaced-by"
_PATIENT = "patient"


def types_read(has_orders: bool) -> frozenset[str]:
    """The types of an export that are read; `has_orders`: the hook is called with draft orders."""
    return frozenset(KEYS).union(ORDERS if has_orders else ())


class Line(Struct, frozen=True, gc=False):
    """One resource as it stands in the export: its type, its id (empty where it has none), and its bytes."""

    kind: str
    identity: str
    text: bytes


@dataclass(slots=True)
class Entry:
    """One resource, or one version of it: its type, its name (`Condition/7`), and since when it was on record."""

    kind: str
    name: str
    resource: Json
    known: Known
    text: bytes


@dataclass
class PatientRecord:
    """Everything that the export holds of one patient.

    Attributes:
        patient_id: as the export names it.
        lines: in a fixed order, whatever files they came from; each is JSON.
        supplied: the prefetch keys of which the export has anything; of the others nothing is known.
        data_end: the end of the data, which bounds the dates of recording.
        later: what happened after the moments of the replay.
    """

    patient_id: str
    lines: Sequence[Line]
    supplied: Collection[str]
    data_end: datetime | None = None
    later: Later = field(default_factory=Later)

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """The resources with their names and with when they were on record."""
        named = [(line, resource) for line in self.lines if resource_type_of(resource := orjson.loads(line.text))]
        starts = dict(_visit_starts(named))
        found = [
            Entry(line.kind, _name(line), resource, known_of(resource, line.kind, starts.get, self.data_end), line.text)
            for line, resource in named
        ]
        self.later.last_visit = max(starts.values(), default=None)
        for entry in found:
            for order in _answered_orders(entry):
                if entry.known.at is not None:
                    self.later.answered[order] = min(entry.known.at, self.later.answered.get(order, entry.known.at))
        return found

    @cached_property
    def is_plain(self) -> bool:
        """Whether each resource stands there once: then all of them are what is known in the end."""
        names = {(line.kind, line.identity) for line in self.lines}
        return len(names) == len(self.lines)

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[Entry]]:
        """The versions of each resource, the oldest first."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.name, []).append(entry)
        for versions in found.values():
            if len(versions) > 1:
                versions.sort(key=lambda entry: (entry.known.updated is not None, entry.known.updated, _number(entry)))
        return found

    @cached_property
    def record(self) -> Json | None:
        """The newest Patient resource, if the export has one."""
        if self.is_plain:
            return next((orjson.loads(line.text) for line in self.lines if line.kind == "Patient"), None)
        newest = (versions[-1] for versions in self.by_name.values())
        return next((entry.resource for entry in newest if entry.kind == "Patient"), None)

    @property
    def is_merged(self) -> bool:
        """Whether the record says that another took its place."""
        links = (self.record or {}).get("link")
        listed = links if isinstance(links, list) else [links]
        return any(isinstance(link, dict) and link.get("type") == _MERGED for link in listed)

    def recorded_at(self, reference: str) -> datetime | None:
        """Since when the entry with this reference is on record; a contained one is so with what contains it."""
        versions = self.by_name.get(reference.partition("#")[0])
        return min((entry.known.at for entry in versions or () if entry.known.at), default=None)

    @cached_property
    def first_day(self) -> datetime | None:
        """The first moment at which anything of the patient was on record."""
        return min((entry.known.at for entry in self.entries if entry.known.at), default=None)

    def prefetch_at(self, moment: datetime, is_end: bool, left_out: Collection[str] = ()) -> Json:
        """The prefetch of a hook call at a moment: a Bundle for each key, as an EHR would have filled it.

        Args:
            moment: with a time zone.
            is_end: the moment is the end of the data: everything stands as the export has it.
            left_out: names of resources that are not on record yet: they are the drafts of the call.
        """
        found: dict[str, list[bytes]] = {}
        for entry in self._seen(moment, is_end):
            if entry.name in left_out or (key := KEYS.get(entry.kind)) is None:
                continue
            text = entry.text
            if not is_end:
                was = as_it_was(entry.resource, entry.name, entry.kind, entry.known, moment, self.later)
                text = text if was is entry.resource else orjson.dumps(was)
            found.setdefault(key, []).append(text)
        return self._prefetch(found)

    def whole_prefetch(self) -> Json:
        """The prefetch with everything that the export holds, where each resource stands there once."""
        found: dict[str, list[bytes]] = {}
        for line in self.lines:
            if key := KEYS.get(line.kind):
                found.setdefault(key, []).append(line.text)
        return self._prefetch(found)

    def _prefetch(self, found: Mapping[str, Sequence[bytes]]) -> Json:
        keys = {*found, *self.supplied} - {_PATIENT}
        prefetch: Json = {key: bundle(found.get(key, ())) for key in keys}
        if record := found.get(_PATIENT):
            prefetch[_PATIENT] = orjson.loads(record[0])
        return prefetch

    def _seen(self, moment: datetime, is_end: bool) -> Iterator[Entry]:
        """What is on record at a moment, of each resource the version in force."""
        for versions in self.by_name.values():
            if versions[0].kind == "Patient":
                yield versions[-1] if is_end else _in_force(versions, moment, is_end) or versions[0]
            elif found := _in_force(versions, moment, is_end):
                yield found


def _number(entry: Entry) -> int:
    """The number of a version, where its server counts them; it tells two of one moment apart."""
    meta = entry.resource.get("meta")
    number = meta.get("versionId") if isinstance(meta, dict) else None
    return int(number) if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 10 else -1


def _in_force(versions: Sequence[Entry], moment: datetime, is_end: bool) -> Entry | None:
    """The newest version that was written by then; of one whose writing is not dated, whether it was on record."""
    if len(versions) == 1:
        return versions[0] if versions[0].known.is_seen(moment, is_end) else None
    seen = [entry for entry in versions if entry.known.is_seen(moment, is_end)]
    written = [entry for entry in seen if entry.known.updated is None or entry.known.is_settled(moment)]
    return written[-1] if written else next(iter(seen), None)


def bundle(resources: Sequence[bytes]) -> Any:
    """A searchset Bundle of these resources, complete; what of it is read decides how much of it is decoded."""
    head: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    if not resources:
        return head
    entries = [UndecodedEntry(Raw(text)) for text in resources]

    def decode(written: bytes) -> Any:
        if written:
            return orjson.loads(written)
        return head | {"entry": [{"resource": orjson.loads(text)} for text in resources]}

    # The Bundle as a whole was never written: no bytes stand for it.
    return UndecodedBundle(head | {"entry": entries}, entries, b"", decode)


def _name(line: Line) -> str:
    # Without an id nobody can tell two versions from two entries: each is an entry.
    return f"{line.kind}/{line.identity}" if line.identity else f"{line.kind}/#{id(line)}"


def _visit_starts(named: Iterable[tuple[Line, Json]]) -> Iterator[tuple[str, datetime]]:
    """When each Encounter began, as far as it says."""
    for line, resource in named:
        period = resource.get("period") if line.kind == "Encounter" else None
        start = period.get("start") if isinstance(period, dict) else None
        if isinstance(start, str) and (at := start_moment(start) or latest_moment(start)):
            yield _name(line), at


def _answered_orders(entry: Entry) -> Iterator[str]:
    """The orders that a report, study or procedure answers (`basedOn`)."""
    listed = entry.resource.get("basedOn") if entry.kind in ("DiagnosticReport", "ImagingStudy", "Procedure") else None
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and isinstance(reference := item.get("reference"), str):
            yield short_reference(reference)
