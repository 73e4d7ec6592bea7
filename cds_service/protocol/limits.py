"""Bounds on a decoded body, checked before anything reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.chart.undecoded import UndecodedBundle
from cds_service.errors import TooMuch
from cds_service.json_values import MOST_VALUES

# What Python's own parser and msgspec bear; a site may allow less.
DEEPEST = 1000


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The deepest nesting of objects and lists, the most entries of one Bundle, and the most JSON values."""

    depth: int
    entries: int
    values: int = MOST_VALUES


def check_limits(document: object, limits: BodyLimits) -> None:
    """Refuse a body that is nested too deeply or has a Bundle that is too long.

    Raises:
        TooMuch: with the limit, and without anything of the body.
    """
    level: list[Any] = [document]
    for _ in range(limits.depth):
        # One comprehension per level instead of a call per value: a large body costs a few per cent of its reading.
        level = [
            inner
            for outer in level
            if type(outer) is dict or type(outer) is list
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            break
    else:
        raise TooMuch(f"The body is nested more than {limits.depth} levels deep.")
    if any(len(entries) > limits.entries for entries in _bundles(document)):
        raise TooMuch(f"The body holds a Bundle of more than {limits.entries} entries.")


def _bundles(document: object) -> list[list[Any]]:
    if not isinstance(document, dict):
        return []
    prefetch, context = document.get("prefetch"), document.get("context")
    places = list(prefetch.values()) if isinstance(prefetch, dict) else []
    places += list(context.values()) if isinstance(context, dict) else []
    heads = [place.head if isinstance(place, UndecodedBundle) else place for place in places]
    entries = [head.get("entry") for head in heads if isinstance(head, Mapping)]
    return [item for item in entries if isinstance(item, list)]
