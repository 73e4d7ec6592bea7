"""Members of a call in the forms in which clients send them (decision 6.8).

No decision rests on most of them: what cannot be used counts as left out, and never costs a patient the card. The
patient's id is the exception; it may have its type with it, and must be an id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ID = r"[A-Za-z0-9\-.]{1,64}"
_ENCOUNTER = re.compile(rf"(?:\S+/)?Encounter/({_ID})(?:/_history/\S*)?")
_BARE_ID = re.compile(_ID)
_URN = re.compile(r"urn:(?:uuid|oid):[!-~]{1,128}")

# Ids longer than FHIR allows are sent, and ones with an underscore.
_USER = re.compile(r"(?:\S+/)?((?:Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9\-._]{1,255})")
_TOKEN = re.compile(r"[!-~]{1,16384}")
_LONGEST_ADDRESS = 2048


def patient_id_in(value: str) -> str:
    """The id in a `context.patientId` that the schema has let pass: `7`, `Patient/7`, or an address that ends so."""
    return _without_version(value).rsplit("/", 1)[-1]


def encounter_in(value: object) -> str | None:
    """The id of the encounter (`9`, `Encounter/9`, an address that ends so), or its `urn:uuid:`."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if found := _ENCOUNTER.fullmatch(text):
        return found[1]
    return text if _BARE_ID.fullmatch(text) or _URN.fullmatch(text) else None


def user_in(value: object) -> str:
    """The user as `Practitioner/id`, without server and version; empty where it names none."""
    found = _USER.fullmatch(_without_version(value)) if isinstance(value, str) else None
    return found[1] if found else ""


def selections_in(value: object) -> tuple[str, ...]:
    """The selections as they came; one that is no text is an empty one, which leads to no draft."""
    return tuple(item if isinstance(item, str) else "" for item in value) if isinstance(value, list) else ()


def server_in(value: object) -> str | None:
    """The address of the FHIR server, its scheme in lower case; None where there is none."""
    text = value.strip() if isinstance(value, str) else ""
    scheme, mark, rest = text.partition("://")
    return f"{scheme.lower()}{mark}{rest}" if text and len(text) <= _LONGEST_ADDRESS else None


def authorization_in(value: object) -> Mapping[str, Any] | None:
    """The authorization with a token that can be sent; None where there is none: an empty token is no token."""
    token = value.get("access_token") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(token, str) or not _TOKEN.fullmatch(token.strip()):
        return None
    patient = value.get("patient")
    if isinstance(patient, str):
        patient = _without_version(patient.strip()).removeprefix("Patient/") or None
    return {**value, "access_token": token.strip(), "patient": patient}


def _without_version(reference: str) -> str:
    return reference.strip().split("/_history/")[0]
