"""A resource as it stood at a moment, where it changed later: as far as the data tells.

A status has no date of its own in FHIR R4. What else dates the change (an abatement, the end of a visit, the report
that answers an order, a later visit of a patient who is said to be dead) takes it back; what nothing dates is left as
it is, and named, so that the reader knows what could not be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cds_service.replay.instants import latest_moment
from cds_service.replay.known import Known

Json = dict[str, Any]

# Statuses that a resource comes to after it was written (FHIR R4), by type and element. A missing one is none of them.
_ENDED = frozenset({"inactive", "remission", "resolved"})
_TAKEN_BACK = frozenset({"refuted", "entered-in-error"})
_LATER: Mapping[str, tuple[tuple[str, frozenset[str]], ...]] = {
    "Condition": (("clinicalStatus", _ENDED), ("verificationStatus", _TAKEN_BACK)),
    "AllergyIntolerance": (("clinicalStatus", _ENDED), ("verificationStatus", _TAKEN_BACK)),
    "ServiceRequest": (("status", frozenset({"completed", "revoked", "entered-in-error", "on-hold"})),),
    "Observation": (("status", frozenset({"amended", "corrected", "cancelled", "entered-in-error"})),),
    "DiagnosticReport": (("status", frozenset({"amended", "corrected", "appended", "cancelled", "entered-in-error"})),),
    "Procedure": (("status", frozenset({"entered-in-error", "stopped"})),),
    "ImagingStudy": (("status", frozenset({"cancelled", "entered-in-error"})),),
    "Device": (("status", frozenset({"inactive", "entered-in-error"})),),
    "Encounter": (("status", frozenset({"cancelled", "entered-in-error"})),),
}

_ACTIVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}


@dataclass(slots=True)
class Later:
    """What of one patient happened after the moments of a replay, and what of it could not be dated.

    Attributes:
        last_visit: the start of the last visit: until then the patient lived, and the record was in use.
        answered: by the reference of an order, when the first report or study that answers it was on record.
        untold: by `Type.element`, the names of resources of which nobody can tell since when they are so.
    """

    last_visit: datetime | None = None
    answered: dict[str, datetime] = field(default_factory=dict)
    untold: dict[str, set[str]] = field(default_factory=dict)


def as_it_was(resource: Json, name: str, kind: str, known: Known, moment: datetime, later: Later) -> Json:
    """The resource as it was at a moment; itself where nothing says that it was different."""
    if known.is_settled(moment):
        return resource
    before = _TAKEN[kind](resource, name, moment, later) if kind in _TAKEN else resource
    for element, statuses in _LATER.get(kind, ()):
        if _code(before.get(element)) in statuses and not _is_dated(resource, name, element, later):
            later.untold.setdefault(f"{kind}.{element}", set()).add(name)
    return before


def _is_dated(resource: Json, name: str, element: str, later: Later) -> bool:
    """Whether something tells since when a status is so."""
    if element == "clinicalStatus":
        return _end(resource.get("abatementDateTime") or resource.get("abatementPeriod")) is not None
    return resource.get("status") == "completed" and name in later.answered


def _patient(resource: Json, name: str, moment: datetime, later: Later) -> Json:
    """Alive, and the record in use, before the day of death and as long as visits come."""
    died = resource.get("deceasedDateTime")
    at = latest_moment(died) if isinstance(died, str) else None
    in_use = later.last_visit is not None and later.last_visit > moment
    if at is not None and at > moment:
        resource = _without(resource, "deceasedDateTime")
    elif at is None and (resource.get("deceasedBoolean") or died):
        if in_use:
            resource = _without(resource, "deceasedBoolean", "deceasedDateTime")
        else:
            later.untold.setdefault("Patient.deceased", set()).add(name)
    if resource.get("active") is False or resource.get("link"):
        if in_use:
            resource = _without(resource, "active", "link")
        else:
            later.untold.setdefault("Patient.active", set()).add(name)
    return resource


def _condition(resource: Json, name: str, moment: datetime, later: Later) -> Json:
    """Not yet abated before its abatement."""
    ended = _end(resource.get("abatementDateTime")) or _end(resource.get("abatementPeriod"))
    if ended is None or ended <= moment:
        return resource
    resource = _without(resource, "abatementDateTime", "abatementPeriod")
    if _code(resource.get("clinicalStatus")) in _ENDED:
        resource["clinicalStatus"] = _ACTIVE
    return resource


def _order(resource: Json, name: str, moment: datetime, later: Later) -> Json:
    """Still open before the report that answers it."""
    answered = later.answered.get(name)
    if resource.get("status") == "completed" and answered is not None and answered > moment:
        return {**resource, "status": "active"}
    return resource


def _procedure(resource: Json, name: str, moment: datetime, later: Later) -> Json:
    """Under way before its end."""
    period = resource.get("performedPeriod")
    ended = _end(period)
    if not isinstance(period, dict) or ended is None or ended <= moment:
        return resource
    status = "in-progress" if resource.get("status") == "completed" else resource.get("status")
    return {**resource, "status": status, "performedPeriod": _without(period, "end")}


def _visit(resource: Json, name: str, moment: datetime, later: Later) -> Json:
    """Under way before its end: its diagnoses are made in it, and its reason is there from the start."""
    period = resource.get("period")
    ended = _end(period) if isinstance(period, dict) else None
    if ended is not None and ended <= moment:
        return resource
    if ended is not None and isinstance(period, dict):
        resource = {**resource, "period": _without(period, "end")}
        if resource.get("status") == "finished":
            resource["status"] = "in-progress"
    start = _end({"end": period.get("start")}) if isinstance(period, dict) else None
    # Where no end is given, the visit is taken to be over the day after.
    return resource if ended is None and start is not None and start.date() < moment.date() else _without(
        resource, "diagnosis"
    )  # fmt: skip


_TAKEN = {
    "Patient": _patient,
    "Condition": _condition,
    "ServiceRequest": _order,
    "Procedure": _procedure,
    "Encounter": _visit,
}


def _without(resource: Json, *elements: str) -> Json:
    return {name: value for name, value in resource.items() if name not in elements}


def _end(value: object) -> datetime | None:
    """When a date, or a period, is over; None where it does not say."""
    if isinstance(value, dict):
        value = value.get("end")
    return latest_moment(value) if isinstance(value, str) else None


def _code(value: object) -> str:
    """A status as FHIR writes it, bare or coded."""
    if isinstance(value, str):
        return value
    codings = value.get("coding") if isinstance(value, dict) else None
    first = codings[0] if isinstance(codings, list) and codings else None
    code = first.get("code") if isinstance(first, dict) else None
    return code if isinstance(code, str) else ""
