"""The resources in a document, and what of a resource says what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

Json = Mapping[str, Any]

# A batch of searches is one Bundle in another; nobody needs more than a few.
_DEEPEST = 4

# What says when, where, by whom or for whom something was, or what follows from it, and never what it is. An element
# that is not named here counts as one that does.
_SAYS_NOT_WHAT_TEXT = """
    id meta implicitRules language text identifier subject patient encounter context participant performer recorder
    asserter requester author period effectiveDateTime effectivePeriod effectiveInstant effectiveTiming issued
    recordedDate assertedDate onsetDateTime onsetPeriod onsetAge onsetRange onsetString abatementDateTime
    abatementPeriod abatementAge abatementRange abatementString performedDateTime performedPeriod occurrenceDateTime
    occurrencePeriod occurrenceTiming authoredOn started lastOccurrence note basedOn replaces result presentedForm
    conclusion conclusionCode media imagingStudy specimen referenceRange statusHistory classHistory hospitalization
    location serviceProvider partOf episodeOfCare length udiCarrier serialNumber lotNumber distinctIdentifier
    manufactureDate expirationDate report
    """
_SAYS_NOT_WHAT = frozenset(_SAYS_NOT_WHAT_TEXT.split())
_AT_HAND = "Condition/at-hand"


def resources_in(document: object, depth: int = 0) -> Iterator[tuple[str, Json | None]]:
    """Each resource of a document, behind the place in it; None in place of one that is none.

    A Bundle gives its entries, a Bundle in it its own; an OperationOutcome is no entry of a chart.
    """
    if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
        yield "", None
    elif document["resourceType"] != "Bundle":
        if document["resourceType"] != "OperationOutcome":
            yield "", document
    elif depth < _DEEPEST:
        entries = document.get("entry")
        listed = [entries] if isinstance(entries, dict) else entries
        for index, entry in enumerate(listed if isinstance(listed, list) else []):
            # A response to a request may hold no resource.
            if isinstance(entry, dict) and "resource" not in entry and "response" in entry:
                continue
            resource = entry.get("resource") if isinstance(entry, dict) else None
            for where, found in resources_in(resource, depth + 1):
                yield f".entry[{index}]{where}", found


def patient_of(resource: Json) -> str:
    """Whose a resource is, as it says itself; an empty string where it does not say."""
    if resource.get("resourceType") == "Patient":
        return f"Patient/{resource.get('id')}"
    subject = resource.get("subject") or resource.get("patient")
    if isinstance(subject, list):
        subject = next((item for item in subject if item is not None), None)
    if not isinstance(subject, dict):
        return ""
    reference, identifier = subject.get("reference"), subject.get("identifier")
    if isinstance(reference, str) and reference:
        return reference
    return str(identifier.get("value", "")) if isinstance(identifier, dict) else ""


def signature(resource: Json) -> bytes:
    """What of a resource says what it is, as JSON: the same for all entries that say the same."""
    said = {name: value for name, value in resource.items() if name not in _SAYS_NOT_WHAT}
    if resource.get("resourceType") == "Encounter":
        said = _at_hand(said)
    else:
        _without_number(said)
        if isinstance(parts := said.get("component"), list):
            said["component"] = [_part(part) if isinstance(part, dict) else part for part in parts]
    return orjson.dumps(said)


def _part(component: Json) -> Json:
    said = {name: value for name, value in component.items() if name not in _SAYS_NOT_WHAT}
    _without_number(said)
    return said


def _without_number(holder: dict[str, Any]) -> None:
    """Put the same number in place of any: what was measured says nothing of what it is."""
    quantity = holder.get("valueQuantity")
    if isinstance(quantity, dict) and type(quantity.get("value")) in (int, float):
        holder["valueQuantity"] = {**quantity, "value": 1}
    if type(holder.get("valueInteger")) is int:
        holder["valueInteger"] = 1


def _at_hand(value: Any) -> Any:
    """The same with one reference in place of any: what it leads to stands elsewhere in the export."""
    if isinstance(value, list):
        return [_at_hand(item) for item in value]
    if not isinstance(value, dict):
        return value
    same = {name: _at_hand(item) for name, item in value.items()}
    return same | {"reference": _AT_HAND} if isinstance(value.get("reference"), str) else same


def at_hand() -> Json:
    """The Condition to which every reference of a signature leads."""
    kind, _, identity = _AT_HAND.partition("/")
    return {"resourceType": kind, "id": identity}
