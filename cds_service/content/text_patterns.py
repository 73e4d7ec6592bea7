"""Read `text-patterns.toml`: free text that counts as evidence, and the words that forbid it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from cds_service.content.cross_checks import check_known
from cds_service.content.files import ContentFiles
from cds_service.content.model import Flag, Guard, TextConcept, TextPatterns
from cds_service.content.rule_source import TextNames
from cds_service.content.terminology import Terminology
from cds_service.did_you_mean import did_you_mean

# What `<it>` becomes: the place of the match in its sentence, a character that no text holds (private use).
MATCH_MARK = "\ue000"

# What words may say of the course of a complaint.
COURSES = frozenset({"chronic", "changed", "new", "night", "mechanical", "unremitting"})

# The lists of words that reading text needs, whatever the rule.
SHARED_FLAGS = frozenset({"chronic", "changed", "course"})

_NO_STATEMENT: Mapping[str, Sequence[str]] = {"begins": (), "own": (), "abbreviations": (), "ends": ()}

_WORD = re.compile(r"<([a-z][a-z-]*)>")


def read_text_patterns(files: ContentFiles, names: TextNames, terminology: Terminology) -> TextPatterns:
    """The patterns, with the words that they name written out.

    Raises:
        ContentError: the file cannot be used. Collected in `files`: a concept that is no value set, a pattern that is
            no regular expression or names words that do not exist, a guard that does not exist, and what is missing
            though code reads it by name.
    """
    file = files.own("text-patterns")
    data = files.read_own("text-patterns")
    _check_read(files, "guard", names.guards, data["guard"].keys())
    _check_read(files, "flag", names.flags | SHARED_FLAGS, data["flag"].keys())
    _check_read(files, "concept", names.concepts, {item["id"] for item in data["concept"]})
    for name in sorted(data["flag"].keys() - names.flags - SHARED_FLAGS - COURSES):
        files.refuse(file, f"flag.{name}", "no code reads these words")
    coded = (item["id"] for item in data["concept"] if not item.get("text_only"))
    check_known(files, file, "concept.id", coded, terminology)
    for item in data["concept"]:
        for guard in item["guards"]:
            if guard not in data["guard"]:
                like = did_you_mean(guard, data["guard"])
                files.refuse(file, f"concept.{item['id']}.guards", f"there is no guard '{guard}'{like}")
    words = _Words(files, data.get("words", {}))
    statement = data.get("statement", _NO_STATEMENT)
    return TextPatterns(
        guards={name: Guard(item["scope"], words.in_all(item["patterns"])) for name, item in data["guard"].items()},
        flags={
            name: Flag(*(words.in_all(item.get(part, ())) for part in ("patterns", "alone", "front", "unless")))
            for name, item in data["flag"].items()
        },
        concepts=tuple(_concept(item, words) for item in data["concept"]),
        begins=words.in_all(statement["begins"]),
        own=words.in_all(statement["own"]),
        abbreviations=words.in_all(statement["abbreviations"]),
        ends=words.in_all(statement.get("ends", ())),
    )


def _check_read(files: ContentFiles, kind: str, read: AbstractSet[str], written: AbstractSet[str]) -> None:
    for name in sorted(read - written):
        files.refuse(files.own("text-patterns"), f"{kind}.{name}", "is missing; code reads it")


def _concept(item: Mapping[str, Any], words: _Words) -> TextConcept:
    return TextConcept(
        item["id"],
        words.in_all(item["patterns"]),
        tuple(item["guards"]),
        tuple(item.get("needs", ())),
        # Without a family of its own: the first word of the id (`back`, `imaging`, `sign`).
        item.get("family", item["id"].partition("-")[0]),
    )


class _Words:
    """The alternatives that patterns name as `<name>`; a name may use those above it."""

    def __init__(self, files: ContentFiles, words: Mapping[str, Sequence[str]]) -> None:
        self._files = files
        self._file = files.own("text-patterns")
        self._known = {"it": MATCH_MARK}
        for name, alternatives in words.items():
            self._known[name] = "|".join(self.in_all(alternatives))

    def in_all(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """The patterns with their words written out, each a regular expression; others are refused and left out."""
        return tuple(self._checked(patterns))

    def _checked(self, patterns: Iterable[str]) -> Iterator[str]:
        for pattern in patterns:
            if unknown := [name for name in _WORD.findall(pattern) if name not in self._known]:
                like = did_you_mean(unknown[0], self._known)
                self._files.refuse(self._file, pattern, f"there are no words '{unknown[0]}'{like}")
                continue
            written = _WORD.sub(lambda name: f"(?:{self._known[name[1]]})", pattern)
            try:
                re.compile(written)
            except re.error as error:
                self._files.refuse(self._file, pattern, f"not a regular expression: {error}")
                continue
            yield written
