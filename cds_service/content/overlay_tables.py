"""Lay the tables of an overlay's TOML file over those of the content.

What stands in the overlay takes the place of what the content has under the same name; everything else stays. A list is
replaced by a list, or edited: `{ add = ["…"], remove = ["…"] }`. Of a list of tables (`[[caution]]`, `[[reason]]`) the
one with the same id is changed. What is new says so (`add = true`), and what shall go says `remove = true`: a name that
is merely misspelt would otherwise change nothing, and nobody would see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds_service.did_you_mean import did_you_mean

Table = Mapping[str, Any]

# The field that tells the tables of a list apart, by the list's name.
_TOLD_APART_BY = {
    "caution": "id", "test": "observation", "statement": "id", "criterion": "id", "reason": "code", "concept": "id",
    "system": "uri", "unconfirmed": "claim", "modality": "name",
}  # fmt: skip

# Of these the content has several of one name: the same concept with other patterns and guards.
_MAY_REPEAT = frozenset({"concept"})

_ADD, _REMOVE = "add", "remove"

# Numbers that stand elsewhere than among those of the rule, by the name that one looks for them under.
_ELSEWHERE = {
    "threshold.egfr_recent_days": "it is the setting 'egfr_recent_days'; in the content its number is"
    " 'recent_days' in the table [kidneys] of cautions.toml",
}

# What no overlay changes: which rule it is, and which release of it. The digest tells the overlaid content apart.
_IDENTITY = {"rule": ("id", "version")}


@dataclass(slots=True)
class Overlaid:
    """Tables with an overlay laid over them.

    Attributes:
        data: the result.
        problems: what the overlay says that cannot be done, by place.
        notes: what it says that makes no difference, by place.
        replaced: what the content has at each place that the overlay changes; None where it has nothing.
    """

    data: dict[str, Any] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    replaced: dict[str, Any] = field(default_factory=dict)


def lay_over(base: Table, overlay: Table, schema: Table, name: str) -> Overlaid:
    """The data of the file `name.toml` with that of the overlay's file laid over it.

    Args:
        schema: the JSON Schema of the file, which says what may stand there beside what does.
    """
    laid = _Laid()
    laid.data = laid.table(base, overlay, (), schema)
    for key in _IDENTITY.get(name, ()):
        if key in overlay:
            laid.problems.append((key, "is not for an overlay to change; its digest tells the content apart"))
    _check_reasons(laid, overlay)
    return Overlaid(laid.data, laid.problems, laid.notes, laid.replaced)


def told_apart(data: Any, path: Sequence[str | int]) -> str:
    """A place in the data, as an overlay names it: `reason.imaged-elsewhere` in place of `reason.0`."""
    names: list[str] = []
    for step in path:
        data = data[step]
        key = _TOLD_APART_BY.get(names[-1]) if names and isinstance(step, int) else None
        names.append(str(data.get(key, step)) if key and isinstance(data, Mapping) else str(step))
    return ".".join(names)


def _check_reasons(laid: _Laid, overlay: Table) -> None:
    """A number that is changed brings its own reason: that of the content explains another one."""
    for name, item in overlay.get("threshold", {}).items():
        place = f"threshold.{name}.value"
        if place in laid.replaced and not {"why", "source"} <= item.keys():
            laid.problems.append((place, "a changed number needs its own 'why' and 'source' beside it"))


class _Laid(Overlaid):
    """The work in progress."""

    __slots__ = ()

    def table(self, base: Table, overlay: Table, place: tuple[str, ...], schema: Table) -> dict[str, Any]:
        result = dict(base)
        for key, value in overlay.items():
            here = (*place, key)
            if key not in base:
                self._new(result, key, value, here, schema)
            elif isinstance(value, dict) and value.get(_REMOVE) is True:
                self.replaced[_dotted(here)] = result.pop(key)
            else:
                result[key] = self._value(base[key], value, here, _below(schema, key))
        return result

    def _new(self, result: dict[str, Any], key: str, value: Any, here: tuple[str, ...], schema: Table) -> None:
        """A name that the content has not at this place: one that may stand there, or a new one that says so."""
        may_be = schema.get("properties", {})
        is_added = isinstance(value, dict) and value.get(_ADD) is True
        if key in may_be or is_added:
            result[key] = _without_marks(value) if is_added else value
            self.replaced[_dotted(here)] = None
            return
        if elsewhere := _ELSEWHERE.get(_dotted(here)):
            self.problems.append((_dotted(here), f"there is no '{key}' to change here; {elsewhere}"))
            return
        like = did_you_mean(key, [*result, *may_be])
        text = f"there is no '{key}' to change{like}"
        if isinstance(value, dict) and not like:
            text += " (a new one says `add = true`)"
        self.problems.append((_dotted(here), text))

    def _value(self, base: Any, value: Any, here: tuple[str, ...], schema: Table) -> Any:
        if isinstance(base, dict):
            if isinstance(value, dict):
                return self.table(base, _without_marks(value), here, schema)
            return self._refused(base, here, "is a table: write in it what differs")
        if isinstance(base, list):
            return self._list(base, value, here, schema)
        if isinstance(value, dict | list):
            return self._refused(base, here, "is one value, and no list or table")
        return self._replaced(base, value, here)

    def _list(self, base: list[Any], value: Any, here: tuple[str, ...], schema: Table) -> Any:
        told_apart_by = _TOLD_APART_BY.get(here[-1])
        if isinstance(value, dict):
            if value.keys() <= {_ADD, _REMOVE} and all(isinstance(items, list) for items in value.values()):
                return self._edited(base, value, here)
            return self._refused(base, here, "is a list: write the whole list, or { add = [...], remove = [...] }")
        if not isinstance(value, list):
            return self._refused(base, here, "is a list")
        if told_apart_by and all(isinstance(item, dict) for item in value):
            return self._tables(base, value, here, told_apart_by, schema.get("items", {}))
        return self._replaced(base, value, here)

    def _edited(self, base: list[Any], edit: Mapping[str, list[Any]], here: tuple[str, ...]) -> list[Any]:
        gone = edit.get(_REMOVE, [])
        for item in gone:
            if item in base:
                self.replaced[f"{_dotted(here)} ({item})"] = item
            else:
                like = did_you_mean(str(item), map(str, base))
                self.problems.append((_dotted(here), f"'{item}' is not in the list and cannot be removed{like}"))
        new = []
        for item in edit.get(_ADD, []):
            if item in base or item in new:
                self.notes.append((_dotted(here), f"'{item}' is in the list already: the line can go"))
            else:
                new.append(item)
                self.replaced[f"{_dotted(here)} ({item})"] = None
        return [*(item for item in base if item not in gone), *new]

    def _tables(
        self, base: Sequence[Table], overlay: Sequence[Table], here: tuple[str, ...], told_apart_by: str, schema: Table
    ) -> list[Table]:
        result = list(base)
        for item in overlay:
            name = str(item.get(told_apart_by, ""))
            place = (*here, name)
            named = [number for number, known in enumerate(result) if str(known.get(told_apart_by)) == name]
            may_repeat = here[-1] in _MAY_REPEAT
            if not name:
                self.problems.append((_dotted(here), f"each of these tables needs its '{told_apart_by}'"))
            elif item.get(_ADD) is True and (not named or may_repeat):
                result.append(_without_marks(item))
                self.replaced[_dotted(place)] = None
            elif len(named) > 1:
                text = f"the content has several of this name: leave them, and write one more with `{_ADD} = true`"
                self.problems.append((_dotted(place), text))
            elif not named:
                like = did_you_mean(name, (str(known.get(told_apart_by)) for known in result))
                text = f"there is no {here[-1]} '{name}' to change{like or f' (a new one says `{_ADD} = true`)'}"
                self.problems.append((_dotted(place), text))
            elif item.get(_REMOVE) is True:
                self.replaced[_dotted(place)] = result.pop(named[0])
            else:
                own = {key: value for key, value in _without_marks(item).items() if key != told_apart_by}
                result[named[0]] = self.table(result[named[0]], own, place, schema)
        return result

    def _replaced(self, base: Any, value: Any, here: tuple[str, ...]) -> Any:
        if base == value:
            self.notes.append((_dotted(here), "is the same in the content: the line can go"))
        else:
            self.replaced[_dotted(here)] = base
        return value

    def _refused(self, base: Any, here: tuple[str, ...], text: str) -> Any:
        self.problems.append((_dotted(here), text))
        return base


def _without_marks(value: Table) -> dict[str, Any]:
    return {key: item for key, item in value.items() if not (key in (_ADD, _REMOVE) and isinstance(item, bool))}


def _below(schema: Table, key: str) -> Table:
    """The part of a JSON Schema that holds for one field."""
    found = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    return found if isinstance(found, Mapping) else {}


def _dotted(place: tuple[str, ...]) -> str:
    return ".".join(place)
