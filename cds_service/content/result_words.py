"""Read `result-words.toml`: words in which results and answers are given, the same for every rule."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cds_service.content.files import ContentFiles
from cds_service.content.model import ResultWords

_FILE = "result-words"


def read_result_words(files: ContentFiles) -> ResultWords:
    """The words, as regular expressions in which case does not matter.

    Raises:
        ContentError: the file cannot be used. A pattern that is no regular expression is collected in `files`.
    """
    words = files.read_shared(_FILE)
    return ResultWords(
        **{name: any_of(files, f"{_FILE}.toml", f"{name}.patterns", item["patterns"]) for name, item in words.items()}
    )


def any_of(files: ContentFiles, file: str, field: str, patterns: Sequence[str]) -> re.Pattern[str]:
    """One pattern for several; one that is no regular expression is collected in `files` and left out."""
    usable = []
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            files.refuse(file, field, f"not a regular expression: {error}")
        else:
            usable.append(f"(?:{pattern})")
    return re.compile("|".join(usable), re.IGNORECASE)
