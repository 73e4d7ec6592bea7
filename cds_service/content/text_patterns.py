"""Read `text-patterns.toml`: free text that counts as evidence, and the words that forbid it."""

from __future__ import annotations

import re

from cds_service.content.cross_checks import check_known
from cds_service.content.error import ContentError
from cds_service.content.files import ContentFiles
from cds_service.content.model import Guard, TextConcept, TextPatterns
from cds_service.content.terminology import Terminology


def read_text_patterns(files: ContentFiles, terminology: Terminology) -> TextPatterns:
    """The patterns.

    Raises:
        ContentError: the file cannot be used, a concept is no value set, a pattern is no regular expression, or a
            guard does not exist.
    """
    file = files.own("text-patterns")
    data = files.read_own("text-patterns")
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
