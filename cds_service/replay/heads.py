"""The head of a line: what the resource is, whose, and when it says that it was recorded; the rest is not decoded."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from cds_service.addresses import base_of
from cds_service.chart.resource_types import resource_type_named
from cds_service.chart.subjects import is_web_address, split_address

# Why a line is not used.
NOT_JSON, NO_RESOURCE, TOO_DEEP = "not JSON", "not a FHIR R4 resource", "nested too deep"

_PATIENT = "Patient/"

# References to patients that are remembered: those of a patient often come one after another.
_MOST_REMEMBERED = 100_000

# An id as it can stand in a line of a partition; FHIR's own are narrower.
_ID = re.compile(r"[^\s/?#]{1,200}")


class Head(msgspec.Struct, frozen=True, gc=False):
    """What the first look at a line tells.

    Attributes:
        kind: the resource type.
        patient: the id of its patient; empty where none is named, or by another name than an id.
        base: the server that an absolute reference names; empty for a relative one.
        dated: the first date that says when it was recorded or took place, as written; empty if there is none.
        updated: `meta.lastUpdated`, as written.
        identity: the id of the resource; empty where it has none, or one that no reference could name.
    """

    kind: str
    patient: str
    base: str = ""
    dated: str = ""
    updated: str = ""
    identity: str = ""


class _Reference(msgspec.Struct, gc=False):
    reference: str | None = None


class _Meta(msgspec.Struct, gc=False):
    lastUpdated: str | None = None


class _Period(msgspec.Struct, gc=False):
    start: str | None = None


class _Line(msgspec.Struct, gc=False):
    resourceType: str
    id: str | None = None
    subject: _Reference | None = None
    patient: _Reference | None = None
    meta: _Meta | None = None
    recordedDate: str | None = None
    issued: str | None = None
    authoredOn: str | None = None
    period: _Period | None = None
    effectiveDateTime: str | None = None


# The types of which an export has most, written as R4 writes them.
_OFTEN = frozenset({"Observation", "Condition", "Encounter", "DiagnosticReport", "Procedure", "ServiceRequest"})

_DECODER = msgspec.json.Decoder(_Line)


def read_head(line: bytes) -> Head | str:
    """The head of a line, or why the line is not used."""
    try:
        found = _DECODER.decode(line)
    except msgspec.ValidationError:
        return _unusual(line)
    except msgspec.DecodeError:
        return NOT_JSON
    except RecursionError:
        return TOO_DEEP
    kind = found.resourceType if found.resourceType in _OFTEN else resource_type_named(found.resourceType)
    if not kind:
        return NO_RESOURCE
    updated = (found.meta.lastUpdated if found.meta else None) or ""
    identity = found.id if found.id and _ID.fullmatch(found.id) else ""
    if kind == "Patient":
        return Head(kind, identity, updated=updated, identity=identity)
    subject = found.subject or found.patient
    patient, base = patient_of(subject.reference) if subject and subject.reference else ("", "")
    dated = found.recordedDate or found.issued or found.authoredOn or found.effectiveDateTime
    dated = dated or (found.period.start if found.period else None)
    return Head(kind, patient, base, dated or "", updated, identity)


def _unusual(line: bytes) -> Head | str:
    """The head of a line in which an element has another form than R4 gives it: a list, a number, a text."""
    try:
        resource = orjson.loads(line)
    except orjson.JSONDecodeError:
        return NOT_JSON
    written = resource.get("resourceType") if isinstance(resource, dict) else None
    kind = resource_type_named(written) if isinstance(written, str) else ""
    if not kind:
        return NO_RESOURCE
    identity = _text(resource.get("id"))
    identity = identity if _ID.fullmatch(identity) else ""
    if kind == "Patient":
        return Head(kind, identity, identity=identity)
    subject = resource.get("subject") or resource.get("patient")
    if isinstance(subject, list):
        subject = next((item for item in subject if item is not None), None)
    reference = _text(subject.get("reference")) if isinstance(subject, dict) else ""
    return Head(kind, *patient_of(reference), identity=identity)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@lru_cache(maxsize=_MOST_REMEMBERED)
def patient_of(reference: str) -> tuple[str, str]:
    """The id of the patient behind a reference, and the server that it names; both empty where it is no patient's.

    `Patient/7`, `https://ehr.example.org/fhir/Patient/7/_history/2` and `urn:uuid:…` are read.
    """
    if reference.startswith(_PATIENT) and _ID.fullmatch(identity := reference[len(_PATIENT) :]):
        return identity, ""
    bare = reference.strip().partition("?")[0].partition("#")[0].split("/_history/")[0].rstrip("/")
    if bare.startswith("urn:uuid:"):
        return (identity, "") if _ID.fullmatch(identity := bare.removeprefix("urn:uuid:")) else ("", "")
    base, target = split_address(bare) if is_web_address(bare) else ("", bare.removeprefix("/"))
    kind, _, identity = target.partition("/")
    if resource_type_named(kind) != "Patient" or not _ID.fullmatch(identity):
        return "", ""
    return identity, base and base_of(base)
