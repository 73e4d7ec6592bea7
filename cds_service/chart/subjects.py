"""Whose an entry is: this patient's, another's, or nobody knows (decision 6.4).

A reference counts as this patient's where it leads to the patient of the call: by id, relative or at the base address
of the FHIR server or of the Bundle's own entries; by the `fullUrl` of the patient's record; or by an identifier that
the record has; whatever the case of the type, with signs percent-encoded or a query behind it. One that leads to
somebody else is another's. What leads nowhere (a contained patient, a name, another
server, nothing) may be anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import Any
from urllib.parse import unquote

from cds_service.addresses import base_of
from cds_service.chart.resource_types import resource_type_named

Json = Mapping[str, Any]
Identifier = tuple[str, str]

# An id of FHIR, and the underscore that some servers use. What holds anything else may be an id in disguise.
_ID = re.compile(r"[A-Za-z0-9._\-]+")


class Owner(Enum):
    """Whose an entry is."""

    PATIENT = "this patient"
    ANOTHER = "another patient"
    UNKNOWN = "not known"


class Subjects:
    """Knows the patient of one call by every name that the call gives.

    Args:
        patient_id: the id of the call.
        server: the base address of the FHIR server of the call, or an empty string.
        named: the record of a patient that a `fullUrl` names, as `Patient/id`; empty where it names none.
        identifiers: the identifiers in the patient's own record.
    """

    def __init__(
        self,
        patient_id: str,
        server: str,
        named: Callable[[str], str],
        identifiers: Callable[[], Collection[Identifier]],
    ) -> None:
        self._patient = f"Patient/{patient_id}"
        self._own = frozenset({self._patient, f"urn:uuid:{patient_id}"})
        self._patient_id = patient_id
        self._server = _normal_base(server)
        self._named = named
        self._identifiers = identifiers
        self._seen: dict[str, tuple[str, Owner]] = {}

    def is_own(self, reference: str) -> bool:
        """Whether a reference is to the patient of the call, as it is usually written."""
        return reference in self._own

    def of_patient_record(self, resource: Json, full_url: str) -> Owner:
        """Whose record a Patient is: by its id, or by its address where it has none."""
        identity = resource.get("id")
        if isinstance(identity, str) and identity:
            return Owner.PATIENT if identity == self._patient_id else Owner.ANOTHER
        return Owner.PATIENT if full_url in self._own or full_url.endswith(f"/{self._patient}") else Owner.UNKNOWN

    def of_entry(self, resource: Json, bases: Callable[[], Collection[str]]) -> Owner:
        """Whose an entry is, by its subject (DSTU2 called it `patient`).

        Args:
            resource: any resource but a Patient.
            bases: the base addresses of the entries beside it.
        """
        subject = resource.get("subject") or resource.get("patient")
        if isinstance(subject, list):
            subject = next((item for item in subject if item is not None), None)
        if not isinstance(subject, dict):
            return Owner.UNKNOWN
        reference = subject.get("reference")
        if isinstance(reference, str) and reference in self._own:
            return Owner.PATIENT
        owner = self._behind(reference, bases) if isinstance(reference, str) else Owner.UNKNOWN
        if owner is Owner.UNKNOWN and self._is_identifier_of_patient(subject.get("identifier")):
            return Owner.PATIENT
        return owner

    def _behind(self, reference: str, bases: Callable[[], Collection[str]]) -> Owner:
        """Who is behind a reference that is not written as the patient's usually are."""
        if (found := self._seen.get(reference)) is None:
            found = self._seen[reference] = self._led_to(reference.strip())
        base, owner = found
        if base in ("", self._server) or base in bases():
            return owner
        return Owner.UNKNOWN

    def _led_to(self, reference: str) -> tuple[str, Owner]:
        """Who a reference leads to, and the server that must be the patient's for it to be so."""
        target = self._named(reference) or _bare(reference)
        base = ""
        if is_web_address(target):
            base, target = split_address(target)
            if not base:
                return "", Owner.UNKNOWN
        target = target.removeprefix("/")
        if target in self._own:
            return base, Owner.PATIENT
        kind, _, identity = unquote(target).partition("/")
        kind, identity = resource_type_named(kind), identity.strip()
        # A group may hold this patient; what is no `Type/id` leads nowhere.
        if not kind or kind == "Group" or not _ID.fullmatch(identity):
            return base, Owner.UNKNOWN
        return base, Owner.PATIENT if f"{kind}/{identity}" in self._own else Owner.ANOTHER

    def _is_identifier_of_patient(self, identifier: object) -> bool:
        return (key := identifier_of(identifier)) is not None and key in self._identifiers()


def _bare(reference: str) -> str:
    """A reference without its version and without what a search or a fragment adds."""
    path = reference.partition("?")[0]
    path = path if path.startswith("#") else path.partition("#")[0]
    return path.split("/_history/")[0].rstrip("/")


def identifier_of(value: object) -> Identifier | None:
    """System and value of an Identifier; None where either is missing."""
    if not isinstance(value, dict):
        return None
    system, written = value.get("system"), value.get("value")
    if not (isinstance(system, str) and isinstance(written, str) and system.strip() and written.strip()):
        return None
    return system.strip(), written.strip()


def bases_of(full_urls: Iterable[str]) -> frozenset[str]:
    """The base addresses at which entries stand, by their `fullUrl`."""
    found = {url.split("/_history/")[0].rsplit("/", 2)[0] for url in full_urls if is_web_address(url)}
    return frozenset(base for address in found if (base := _normal_base(address)))


def is_web_address(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def split_address(address: str) -> tuple[str, str]:
    """Base address and `Type/id` of the address of a resource; both empty where it is none."""
    parts = address.rsplit("/", 2)
    base = _normal_base(parts[0]) if len(parts) == 3 else ""
    return (base, f"{parts[1]}/{parts[2]}") if base else ("", "")


def _normal_base(address: str) -> str:
    """A base address as it is compared, or an empty string where it is none."""
    try:
        return base_of(address.strip()) if is_web_address(address.strip()) else ""
    except ValueError:
        return ""
