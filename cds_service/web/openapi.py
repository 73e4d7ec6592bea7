"""The OpenAPI 3.1 description of the service's own endpoints, made of the same JSON Schemas that check its calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cds_service.protocol.services import Service
from cds_service.protocol.validation import SCHEMAS, load

Json = dict[str, Any]

_ERRORS = {
    "400": "The body is not a call of this service; the text names the field.",
    "401": "The caller is not known. No reason is given.",
    "403": "The caller is known, but may not do this.",
    "404": "There is nothing at this address.",
    "405": "This address does not answer this method.",
    "408": "The body came too slowly.",
    "412": "Needed data is neither in the prefetch nor fetchable; the text names the prefetch keys.",
    "413": "The body is larger, deeper or longer than the settings allow.",
    "415": "The body is not declared as JSON.",
    "429": "Too many calls; Retry-After says when to call again.",
    "500": "The service failed. Nothing was concluded; the text has the decision id.",
    "503": "The answer could not be given in time, recorded or stored; it may be asked for again.",
}

# The same request may succeed later.
_RETRYABLE = ("429", "503")

# What every address can answer, and what a body adds.
_ANY = ("401", "404", "405", "429", "500", "503")
_WITH_BODY = ("400", "403", "408", "413", "415", *_ANY)


def openapi(services: Iterable[Service], version: str, base_url: str | None) -> Json:
    """The description, with the public address of the service where one is set."""
    paths: Json = {
        "/cds-services": {"get": _operation("Discovery", {"200": _json("The services.", "discovery")}, _ANY)},
        "/health/live": {"get": _operation("Whether the process runs", {"200": _plain("It does.")}, ())},
        "/health/ready": {
            "get": _operation("Whether calls are answered", {"200": _plain("They are."), "503": _plain("Not yet.")}, ())
        },
    }
    for service in services:
        address = f"/cds-services/{service.id}"
        answer = {"200": _json("The cards, if any.", "response")}
        paths[address] = {
            "post": _operation(
                service.title, answer, (*_WITH_BODY, "412"), body=f"request-{service.hook}", decides=True
            )
        }
        stored = {"200": _plain("All of it is stored.")}
        paths[f"{address}/feedback"] = {
            "post": _operation(f"Feedback on {service.title}", stored, _WITH_BODY, body="feedback")
        }
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "Breast cancer history and new back pain",
            "version": version,
            "description": "A CDS Hooks 2.0 service. Each schema is the one by which the service checks its calls.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {name: _component(load(name)) for name in SCHEMAS},
            "securitySchemes": {"client": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"client": []}, {}],
    }
    if base_url:
        document["servers"] = [{"url": base_url.rstrip("/")}]
    return document


def _operation(summary: str, answers: Json, errors: tuple[str, ...], body: str = "", decides: bool = False) -> Json:
    operation: Json = {"summary": summary, "responses": dict(answers)}
    for status in sorted(errors):
        operation["responses"].setdefault(status, _error(status))
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _named(body)}}}
    if decides:
        header = {"description": "The id of this decision.", "schema": {"type": "string", "format": "uuid"}}
        operation["responses"]["200"] |= {"headers": {"X-Decision-Id": header}}
    return operation


def _error(status: str) -> Json:
    error = _json(_ERRORS[status], "operation-outcome")
    if status in _RETRYABLE:
        seconds = {"type": "integer", "minimum": 1}
        error["headers"] = {"Retry-After": {"description": "Seconds until another try.", "schema": seconds}}
    return error


def _json(description: str, schema: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": _named(schema)}}}


def _plain(description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}


def _named(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _component(schema: Json) -> Any:
    return _with_local_references({name: value for name, value in schema.items() if name not in ("$id", "$schema")})


def _with_local_references(value: Any) -> Any:
    """References between the schema files, as references inside the description."""
    if isinstance(value, list):
        return [_with_local_references(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _reference(item) if name == "$ref" else _with_local_references(item) for name, item in value.items()}


def _reference(reference: str) -> str:
    file, _, place = reference.partition("#")
    return f"#/components/schemas/{file.removesuffix('.json')}{place}"
