"""What two bodies of content differ in, by meaning: codes, sentences, numbers, and everything else by its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from cds_service.content.model import Content

VALUE_SETS, SENTENCES, NUMBERS, OTHERS = "Codes", "Sentences", "Numbers", "Everything else"

# Told by themselves, or following from the rest.
_APART = frozenset({"terminology", "wording", "digest", "read_by_name"})

# Of one value in words, so many characters are shown.
_LONGEST = 300

# What stands at the end of names: a value in words, or a list of texts.
_Leaf = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: one of the headings above.
        place: the value set, the section and name of a sentence, or the names of fields down to it.
        before, after: in words; empty where there is nothing.
    """

    kind: str
    place: str
    before: str
    after: str


def differences(before: Content, after: Content) -> list[Difference]:
    """What two bodies of content of the same rule differ in, codes first."""
    return [*_codes(before, after), *_sentences(before, after), *_numbers(before, after), *_others(before, after)]


def _codes(before: Content, after: Content) -> Iterator[Difference]:
    one, other = before.terminology, after.terminology
    for name in sorted(one.value_sets.keys() | other.value_sets.keys()):
        were, are = _listed(before, name), _listed(after, name)
        for key in sorted(were.keys() - are.keys()):
            yield Difference(VALUE_SETS, name, were[key], "")
        for key in sorted(are.keys() - were.keys()):
            yield Difference(VALUE_SETS, name, "", are[key])
        for key in sorted(were.keys() & are.keys()):
            if were[key] != are[key]:
                yield Difference(VALUE_SETS, name, were[key], are[key])


def _listed(content: Content, name: str) -> dict[tuple[str, str, str], str]:
    """The codes, categories and patterns of a value set, each in words; none where there is no such set."""
    terminology = content.terminology
    value_set = terminology.value_sets.get(name)
    if value_set is None:
        return {}
    told = {
        ("code", system, code): f"{terminology.system_name(system)} {code} {display}".strip()
        for system, code, display in value_set.concepts
    }
    for kind, listed in (("category", value_set.categories), ("pattern", value_set.patterns)):
        told |= {
            (kind, system, code): f"{terminology.system_name(system)} {code} (the whole {kind})"
            for system, code in listed
        }
    return told


def _sentences(before: Content, after: Content) -> Iterator[Difference]:
    for section in _in_order(before.wording, after.wording):
        were, are = before.wording.get(section, {}), after.wording.get(section, {})
        for name in _in_order(were, are):
            if were.get(name) != are.get(name):
                yield Difference(SENTENCES, f"{section}.{name}", were.get(name, ""), are.get(name, ""))


def _numbers(before: Content, after: Content) -> Iterator[Difference]:
    were, are = before.rule.thresholds, after.rule.thresholds
    for name in _in_order(were, are):
        if were.get(name) != are.get(name):
            yield Difference(NUMBERS, name, _word(were.get(name)), _word(are.get(name)))


def _others(before: Content, after: Content) -> Iterator[Difference]:
    one, other = _flat(before), _flat(after)
    for place in _in_order(one, other):
        were, are = one.get(place, ""), other.get(place, "")
        if were != are:
            yield Difference(OTHERS, place, _without_same(were, are), _without_same(are, were))


def _without_same(value: _Leaf, other: _Leaf) -> str:
    """A value in words; of a list only what the other has not."""
    if isinstance(value, str):
        return _short(value)
    own = [item for item in value if item not in other]
    if not own and set(value) == set(other):
        return "the same in another order" if value else ""
    return ", ".join(f"'{_short(item)}'" for item in own)


def _short(text: str) -> str:
    """The patterns of free text run to thousands of characters once their words are written out."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _flat(content: Content) -> dict[str, _Leaf]:
    """Everything else, by the names of fields down to it."""
    return {
        f"{item.name}{place}": word
        for item in fields(content)
        if item.name not in _APART
        for place, word in _leaves(getattr(content, item.name))
        if not f"{item.name}{place}".startswith("rule.thresholds.")
    }


def _leaves(value: Any) -> Iterator[tuple[str, _Leaf]]:
    if is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield from _below(item.name, getattr(value, item.name))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _below(str(name), item)
    elif isinstance(value, frozenset) or (isinstance(value, tuple) and all(isinstance(item, str) for item in value)):
        yield "", tuple(sorted(value) if isinstance(value, frozenset) else value)
    elif isinstance(value, tuple | list):
        for name, item in _named(value):
            yield from _below(name, item)
    else:
        yield "", _word(value)


def _below(name: str, value: Any) -> Iterator[tuple[str, _Leaf]]:
    for place, word in _leaves(value):
        yield f".{name}{place}", word


def _named(values: tuple[Any, ...] | list[Any]) -> Iterator[tuple[str, Any]]:
    """The items of a list, each by its own name where it has one, so that one more moves no other."""
    for place, value in enumerate(values):
        name = getattr(value, "id", None) or getattr(value, "code", None) or getattr(value, "claim", None)
        yield str(name or place), value


def _word(value: Any) -> str:
    if value is None:
        return ""
    return str(getattr(value, "pattern", value))


def _in_order(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """All names, in the order in which the content has them."""
    return list(dict.fromkeys([*before, *after]))
