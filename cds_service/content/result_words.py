"""Read `result-words.toml`: words in which results and answers are given, the same for every rule."""

from __future__ import annotations

import re

from cds_service.content.error import ContentError
from cds_service.content.files import ContentFiles
from cds_service.content.model import ResultWords

_FILE = "result-words"


def read_result_words(files: ContentFiles) -> ResultWords:
    """The words, as regular expressions in which case does not matter.

    Raises:
        ContentError: the file cannot be used, or a pattern is no regular expression.
    """
    return ResultWords(**{name: _any_of(name, item["patterns"]) for name, item in files.read_shared(_FILE).items()})


def _any_of(name: str, patterns: list[str]) -> re.Pattern[str]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ContentError(f"{_FILE}.toml", f"{name}.patterns", f"not a regular expression: {error}") from error
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)
