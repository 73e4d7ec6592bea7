"""Lay the file of an overlay over a value set: codes that are added, codes that are taken out, other words.

The file is a FHIR ValueSet with the `id` of the one it changes: `compose.include` adds, `compose.exclude` takes out.
`title`, `description` and `purpose` take the place of those of the content; `copyright`, which says where the added
codes were confirmed, is written behind it. A file with a `url` is a whole value set, one that the content has not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cds_service.content.code_forms import can_be_code
from cds_service.content.overlay_tables import Overlaid
from cds_service.content.spelling import icd_code
from cds_service.did_you_mean import did_you_mean

Json = Mapping[str, Any]

_WORDS = ("title", "description", "purpose")
_KNOWN = ("resourceType", "id", *_WORDS, "copyright", "compose")

# A code or a filter of a system, as it is compared.
_Listed = tuple[str, str, str]


def is_whole(data: Json) -> bool:
    """Whether a file holds a whole value set, and not what differs from one."""
    return "url" in data


def lay_over_value_set(base: Json, overlay: Json) -> Overlaid:
    """The value set with what the overlay adds and takes out."""
    laid = Overlaid(dict(base))
    for key in overlay.keys() - set(_KNOWN):
        laid.problems.append((key, f"is not for an overlay to change{did_you_mean(key, _KNOWN)}"))
    if overlay.get("id") != base.get("id"):
        laid.problems.append(("id", f"must be '{base.get('id')}', as the file is called"))
    for key in _WORDS:
        if key in overlay and overlay[key] != base.get(key):
            laid.data[key], laid.replaced[key] = overlay[key], base.get(key)
    if "copyright" in overlay:
        laid.data["copyright"] = f"{base.get('copyright', '')} {overlay['copyright']}".strip()
    compose = overlay.get("compose", {})
    if not isinstance(compose, dict) or compose.keys() - {"include", "exclude"}:
        laid.problems.append(("compose", "may hold 'include', which adds codes, and 'exclude', which takes them out"))
        return laid
    included = [dict(item) for item in base.get("compose", {}).get("include", ())]
    included = _without(included, _items(compose, "exclude", laid), laid)
    laid.data["compose"] = {
        **base.get("compose", {}),
        "include": [*included, *_added(included, _items(compose, "include", laid), overlay, laid)],
    }
    return laid


def read_overlay_value_set(text: bytes) -> Json:
    """The data of a file. Raises ValueError: it is not a JSON object; the message says so."""
    try:
        data = json.loads(text.decode("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not well-formed JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError("must be a JSON object, a FHIR ValueSet")
    return data


def _items(compose: Json, name: str, laid: Overlaid) -> list[dict[str, Any]]:
    items = compose.get(name, [])
    if isinstance(items, list) and all(isinstance(item, dict) and "system" in item for item in items):
        return items
    laid.problems.append((f"compose.{name}", "is a list; each of its items has a 'system', and 'concept' or 'filter'"))
    return []


def _without(included: list[dict[str, Any]], excluded: Iterable[Json], laid: Overlaid) -> list[dict[str, Any]]:
    """What the content includes, without what the overlay takes out."""
    there = {key: item for include in included for key, item in _listed(include)}
    gone: set[_Listed] = set()
    for include in excluded:
        for key, item in _listed(include):
            if key in there:
                gone.add(key)
                laid.replaced[_place(key, item)] = there[key].get("display", "")
            else:
                text = f"{_place(key, item)} is not listed there{_why_not(key, there)}"
                laid.problems.append(("compose.exclude", text))
    kept = [_kept(include, gone) for include in included]
    return [include for include in kept if include.get("concept") or include.get("filter")]


def _why_not(key: _Listed, there: Iterable[_Listed]) -> str:
    """How a code that cannot be taken out comes to be in the set, or which one was probably meant."""
    _, system, code = key
    categories = [other for kind, of, other in there if kind == "filter" and of == system and code.startswith(other)]
    if categories:
        return f"; it is one of the category {categories[0]}, which can only be taken out as a whole"
    return did_you_mean(code, [other for _, of, other in there if of == system])


def _kept(include: dict[str, Any], gone: set[_Listed]) -> dict[str, Any]:
    kept = {name: value for name, value in include.items() if name not in ("concept", "filter")}
    listed = [(key, item) for key, item in _listed(include) if key not in gone]
    for name in ("concept", "filter"):
        if items := [item for (kind, _, _), item in listed if kind == name]:
            kept[name] = items
    return kept


def _added(
    included: Iterable[Json], wanted: Iterable[dict[str, Any]], overlay: Json, laid: Overlaid
) -> Iterator[dict[str, Any]]:
    """What the overlay includes, without what is there already."""
    there = {key for include in included for key, _ in _listed(include)}
    for include in wanted:
        for key, item in _listed(include):
            place = _place(key, item)
            if key in there:
                laid.notes.append(("compose.include", f"{place} is listed already: the line can go"))
                continue
            laid.replaced[place] = None
            if key[0] == "concept" and not can_be_code(key[1], str(item.get("code", ""))):
                laid.problems.append(
                    ("compose.include", f"{place} cannot be a code of this system: shape or check digit")
                )
            if key[0] == "concept" and not item.get("display"):
                laid.problems.append(("compose.include", f"{place} needs a 'display', as its source has it"))
            if not overlay.get("copyright") and not item.get("extension"):
                laid.problems.append(("copyright", f"{place}: say here where the added codes were confirmed"))
        new = _kept(include, there)
        if new.get("concept") or new.get("filter"):
            yield new


def _listed(include: Json) -> Iterator[tuple[_Listed, dict[str, Any]]]:
    """The codes and filters of one part of a value set, each under what it is compared by."""
    system = str(include.get("system", ""))
    for item in include.get("concept") or ():
        yield ("concept", system, icd_code(str(item.get("code", "")))), item
    for item in include.get("filter") or ():
        yield ("filter", system, str(item.get("value", ""))), item


def _place(key: _Listed, item: Json) -> str:
    """A code or category as it is written."""
    kind, system, value = key
    return f"{system} {item.get('code')}" if kind == "concept" else f"{system} {value} (category)"
