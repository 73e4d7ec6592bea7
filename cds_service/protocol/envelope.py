"""JSON Schemas as types: compiled code (msgspec) tells within microseconds that a received message is valid.

Of a call the schemas judge the envelope alone: hook, ids and context, and nothing of the chart. What is not certainly
valid here is judged by the schema itself, which also says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

import msgspec

Schema = Mapping[str, Any]

# Keywords that judge nothing, and those of which `type_of` makes a type; a schema that has others has none.
_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description", "x-expected"})
_CONSTRAINTS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
}
_UNDERSTOOD = frozenset({"$ref", "type", "required", "properties", "items", "const", "enum", "pattern", *_CONSTRAINTS})

_SIMPLE: Mapping[str, Any] = {"object": dict[str, Any], "array": list[Any], "string": str, "null": None}


def type_of(schema: Schema, resolve: Callable[[str], Schema], python_pattern: Callable[[str], str]) -> Any:
    """The type whose values are valid by a schema.

    Args:
        schema: what is wanted.
        resolve: the schema behind a reference.
        python_pattern: a pattern of JSON Schema as Python has it.

    Raises:
        ValueError: the schema says what no type says.
    """
    while "$ref" in schema:
        schema = _joined(resolve(schema["$ref"]), {name: schema[name] for name in schema if name != "$ref"})
    if unknown := schema.keys() - _ANNOTATIONS - _UNDERSTOOD:
        raise ValueError(f"no type says {', '.join(sorted(unknown))}")
    if "const" in schema:
        return Literal[schema["const"]]
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if "properties" in schema:
        return _object(schema, lambda member: type_of(member, resolve, python_pattern))
    if "type" not in schema:
        return Any
    kind = _kind(schema)
    if "items" in schema:
        item = type_of(schema["items"], resolve, python_pattern)
        kind = list[item]  # type: ignore[valid-type]  # a type made at run time
    bounds = {_CONSTRAINTS[name]: schema[name] for name in _CONSTRAINTS if name in schema}
    if "pattern" in schema:
        bounds["pattern"] = python_pattern(schema["pattern"])
    return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind


def is_of(kind: Any, document: object) -> bool:
    """Whether a decoded document is of a type that `type_of` made.

    One that is nested too deeply, or has half of a surrogate pair where a text is judged, is of none.
    """
    try:
        msgspec.convert(document, kind)
    except (msgspec.ValidationError, RecursionError, UnicodeEncodeError):
        return False
    return True


def _kind(schema: Schema) -> Any:
    """The simple type, or the union of those that a schema names."""
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return reduce(or_, (_SIMPLE[name] for name in names))


def _object(schema: Schema, type_of_member: Callable[[Schema], Any]) -> Any:
    required = set(schema.get("required", ()))
    if schema.get("type") != "object" or required - schema["properties"].keys():
        raise ValueError("no type says what is required of members without a schema")
    members = {name: type_of_member(member) for name, member in schema["properties"].items()}
    needed = [(name, kind) for name, kind in members.items() if name in required]
    optional = [
        (name, kind | msgspec.UnsetType, msgspec.UNSET) for name, kind in members.items() if name not in required
    ]
    return msgspec.defstruct("Message", [*needed, *optional])


def _joined(one: Schema, other: Schema) -> Schema:
    """What two schemas say together. Raises ValueError where both speak of the same, but for members."""
    if (set(one) & set(other)) - _ANNOTATIONS - {"properties"}:
        raise ValueError("no type says the same in two ways")
    members = {**one.get("properties", {}), **other.get("properties", {})}
    return {**one, **other} | ({"properties": members} if members else {})
