"""The verdict of `fhir.resources` on FHIR content, resource by resource.

Used by `cds-service check` and on what this service authors. It is not used on the way of a call: full models
cost ten to thirty times the rest of it, and a chart with one invalid entry must still be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from cds_service.protocol.validation import problem


@dataclass(frozen=True, slots=True)
class Verdict:
    """One resource (or the call around it): where it stands, and what is wrong with it, if anything."""

    where: str
    problems: tuple[str, ...]


def verdicts(document: object) -> Iterator[Verdict]:
    """Verdicts on a hook call, a Bundle or a single resource; one for each resource inside."""
    if not isinstance(document, dict):
        yield Verdict("document", ("is not a JSON object",))
    elif "resourceType" in document:
        yield from _of_value("document", document)
    elif "hook" in document:
        yield from _of_call(document)
    else:
        yield Verdict("document", ("is neither a hook call (hook) nor a FHIR resource (resourceType)",))


def _of_call(call: dict[str, Any]) -> Iterator[Verdict]:
    hook = call["hook"]
    try:
        found = problem(f"request-{hook}", call)
    except KeyError:
        yield Verdict("call", (f"hook: {hook!r} is not a hook of this service",))
    else:
        yield Verdict("call", (f"{found.path}: {found.expected}",) if found else ())
    context = call.get("context")
    if isinstance(context, dict) and "draftOrders" in context:
        yield from _of_value("context.draftOrders", context["draftOrders"])
    prefetch = call.get("prefetch")
    for key, value in prefetch.items() if isinstance(prefetch, dict) else ():
        if value is not None:
            yield from _of_value(f"prefetch.{key}", value)


def _of_value(where: str, value: object) -> Iterator[Verdict]:
    if not isinstance(value, dict):
        yield Verdict(where, ("is not a JSON object",))
        return
    entries = value.get("entry")
    if value.get("resourceType") != "Bundle" or not isinstance(entries, list):
        yield Verdict(_name(where, value), tuple(faults(value)))
        return
    yield Verdict(f"{where} Bundle", tuple(faults({**value, "entry": []} if entries else value)))
    for index, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        place = f"{where}.entry[{index}]"
        if isinstance(resource, dict):
            yield Verdict(_name(place, resource), tuple(faults(resource)))
        else:
            yield Verdict(place, ("holds no resource",))


def _name(where: str, resource: dict[str, Any]) -> str:
    return f"{where} {resource.get('resourceType', '')}/{resource.get('id', '')}".rstrip("/ ")


def faults(resource: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one resource as FHIR R4, each as `element: what`."""
    kind = resource.get("resourceType")
    try:
        model = get_fhir_model_class(str(kind))
    except (KeyError, LookupError):
        yield f"resourceType: {kind!r} is not a FHIR R4 resource"
        return
    content = {key: item for key, item in resource.items() if not (key == "entry" and item == [])}
    try:
        model.model_validate(content)
    except ValidationError as error:
        for fault in error.errors():
            yield f"{'.'.join(map(str, fault['loc'])) or 'resource'}: {fault['msg']}"
