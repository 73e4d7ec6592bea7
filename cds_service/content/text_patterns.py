"""Read `text-patterns.toml`: free text that counts as evidence, and the words that forbid it."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from cds_service.content.cross_checks import check_known
from cds_service.content.error import ContentError
from cds_service.content.files import ContentFiles
from cds_service.content.model import Guard, TextConcept, TextPatterns
from cds_service.content.rule_source import TextNames
from cds_service.content.terminology import Terminology

# The lists of words that reading text needs, whatever the rule.
SHARED_FLAGS = frozenset({"chronic", "changed", "course"})


def read_text_patterns(files: ContentFiles, names: TextNames, terminology: Terminology) -> TextPatterns:
    """The patterns.

    Raises:
        ContentError: the file cannot be used, a concept is no value set, a pattern is no regular expression, a guard
            does not exist, or something is missing that code reads by name.
    """
    file = files.own("text-patterns")
    data = files.read_own("text-patterns")
    _check_read(file, "guard", names.guards, data["guard"].keys())
    _check_read(file, "flag", names.flags | SHARED_FLAGS, data["flag"].keys())
    _check_read(file, "concept", names.concepts, {item["id"] for item in data["concept"]})
    for name in sorted(data["flag"].keys() - names.flags - SHARED_FLAGS):
        raise ContentError(file, f"flag.{name}", "no code reads these words")
    coded = (item["id"] for item in data["concept"] if not item.get("text_only"))
    check_known(file, "concept.id", coded, terminology)
    for group in (*data["guard"].values(), *data["flag"].values(), *data["concept"]):
        for pattern in group["patterns"]:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ContentError(file, pattern, f"not a regular expression: {error}") from error
    for item in data["concept"]:
        for guard in item["guards"]:
            if guard not in data["guard"]:
                raise ContentError(file, f"{item['id']}.guards", f"there is no guard '{guard}'")
    return TextPatterns(
        guards={name: Guard(item["scope"], tuple(item["patterns"])) for name, item in data["guard"].items()},
        flags={name: tuple(item["patterns"]) for name, item in data["flag"].items()},
        concepts=tuple(
            TextConcept(item["id"], tuple(item["patterns"]), tuple(item["guards"])) for item in data["concept"]
        ),
    )


def _check_read(file: str, kind: str, read: AbstractSet[str], written: AbstractSet[str]) -> None:
    for name in sorted(read - written):
        raise ContentError(file, f"{kind}.{name}", "is missing; code reads it")
