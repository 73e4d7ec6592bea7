"""Check a document against one of the JSON Schemas of this package.

A problem is described in words that come from the schema alone: its annotation "x-expected", or a keyword
and its value. The messages of the jsonschema library quote the document, and with it patient data;
they are never used.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry, Resource

from cds_service.errors import InvalidRequest
from cds_service.protocol.envelope import is_of, type_of

SCHEMAS = (
    "common",
    "discovery",
    "request-patient-view",
    "request-order-select",
    "request-order-sign",
    "response",
    "feedback",
    "operation-outcome",
)
# Those of what clients send.
RECEIVED = ("request-patient-view", "request-order-select", "request-order-sign", "feedback")
BASE = "https://cds-service.example.org/schemas/"

# One problem is reported. Looking at more errors than this cannot make the choice much better, but a
# hostile document could make the search long.
_ERRORS_COMPARED = 50
_FIRST = {"const": 0, "required": 1, "dependentRequired": 1}


@dataclass(frozen=True)
class Problem:
    """Where a document departs from its schema, and what was expected there ("must be ...")."""

    path: str
    expected: str


def problem(schema_name: str, instance: object) -> Problem | None:
    """Return the most telling problem of the document, None if it follows the schema.

    A wrong constant (such as the hook) comes first, for the rest is then measured by the wrong rule;
    next the missing member nearest to the top; then the error deepest in the document.
    A schema name that does not exist is a fault of the caller: KeyError.
    """
    validator = _validators()[schema_name]
    try:
        errors = list(_some_errors(validator, instance))
    except RecursionError:
        # The library writes the wrong value into its message, which fails for hundreds of nested lists.
        return Problem("body", "must be nested less deeply")
    if not errors:
        return None
    return _described(min(errors, key=_rank))


def checked(schema_name: str, document: object) -> dict[str, Any]:
    """Return a received document, now known to be the object that the schema describes.

    Raises InvalidRequest that names the most telling problem.
    """
    if not _is_certainly_valid(schema_name, document):
        found = problem(schema_name, document)
        if found is not None:
            raise InvalidRequest(found.path, found.expected)
    return cast(dict[str, Any], document)


def _is_certainly_valid(schema_name: str, document: object) -> bool:
    return is_of(_types()[schema_name], document)


@cache
def _types() -> dict[str, Any]:
    """The schemas of received messages as types."""
    return {name: type_of(load(name), _referenced, _python_pattern) for name in RECEIVED}


def load(schema_name: str) -> dict[str, Any]:
    """Return the schema as it is in the package."""
    file = resources.files("cds_service.protocol").joinpath("schemas", f"{schema_name}.json")
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def _ecma_pattern(_: Validator, pattern: str, instance: object, schema: object) -> Iterator[ValidationError]:
    """Check "pattern" as JSON Schema means it: "$" is the end, not also the place before a last newline."""
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError("does not match")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_python_pattern(pattern))


def _python_pattern(pattern: str) -> str:
    return re.sub(r"\$$", r"\\Z", pattern)


def _reference(validator: Any, reference: str, instance: object, _: object) -> Iterator[ValidationError]:
    """Follow "$ref" without resolving its address anew each time, which would be most of the work."""
    yield from validator.descend(instance, _referenced(reference))


# The type stubs leave "extend" without annotations.
_Checker = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _ecma_pattern, "$ref": _reference}
)


@cache
def _registry() -> Registry[Any]:
    schemas = (load(name) for name in SCHEMAS)
    return Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)


@cache
def _referenced(reference: str) -> Any:
    return _registry().resolver(base_uri=BASE).lookup(reference).contents


@cache
def _validators() -> dict[str, Validator]:
    registry = _registry()
    return {name: _Checker(registry.contents(BASE + f"{name}.json"), registry=registry) for name in SCHEMAS}


def _some_errors(validator: Validator, instance: Any) -> Iterator[ValidationError]:
    """Yield the first errors, and stop at a list that is too long instead of checking all its entries."""
    for number, error in enumerate(validator.iter_errors(instance), start=1):
        yield error
        if error.validator == "maxItems" or number == _ERRORS_COMPARED:
            return


def _rank(error: ValidationError) -> tuple[int, int]:
    order = _FIRST.get(str(error.validator), 2)
    depth = len(error.absolute_path)
    return order, (depth if order < 2 else -depth)


def _described(error: ValidationError) -> Problem:
    path = _path(error)
    if error.validator not in ("required", "dependentRequired"):
        return Problem(path or "body", _expectation(error.schema, error.validator, error.validator_value))
    name = _missing_member(error.validator_value, error.instance)
    phrase = _phrase_of_member(error.schema, name)
    expected = f"is missing; it must be {phrase}" if phrase else "is missing"
    return Problem(f"{path}.{name}" if path else name, expected)


def _path(error: ValidationError) -> str:
    """Write the place as context.selections[0].

    The names in it are ours, not the client's: no request schema looks into members that it does not name.
    """
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return "".join(parts).removeprefix(".")


def _missing_member(required: Any, instance: Any) -> str:
    """Return the first name that is wanted (by "required" or "dependentRequired") and not there."""
    if isinstance(required, dict):
        required = [name for trigger, names in required.items() if trigger in instance for name in names]
    return str(next(name for name in required if name not in instance))


def _phrase_of_member(schema: Any, name: str) -> str | None:
    """Return what is expected of a member, looked up behind its reference if need be."""
    member = schema.get("properties", {}).get(name, {})
    if "x-expected" not in member and "$ref" in member:
        member = _referenced(member["$ref"])
    phrase = member.get("x-expected")
    return None if phrase is None else str(phrase)


def _expectation(schema: Any, keyword: object, value: object) -> str:
    if keyword == "additionalProperties":
        return f"must have no other members than {', '.join(sorted(schema['properties']))}"
    if "x-expected" in schema:
        return f"must be {schema['x-expected']}"
    return f"must satisfy {keyword} {json.dumps(value)}"
