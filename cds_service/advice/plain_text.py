"""Sentences as plain text for the fields of an order, where nothing is rendered and little room is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date

from cds_service.advice.detail import in_words
from cds_service.advice.markdown import LONGEST_QUOTE
from cds_service.advice.phrases import Wording
from cds_service.clinical.rules.sentences import EVIDENCE, STAYS, Sentence

# Order entry forms cut a long reason without a word. Where differs by site; three lines of a form are our choice.
LONGEST_QUESTION = 350

# `Annotation.text` of FHIR is Markdown: no word of the EHR may be markup there, nor a link that a client makes of it.
_MARKUP = str.maketrans(
    {"<": "‹", ">": "›", "`": "’", '"': "”", "\\": "/", "[": "(", "]": ")"} | dict.fromkeys("*_~#|!&", " ")
)
_LINK = re.compile(r"://|\bwww\.|@", re.IGNORECASE)


def plainly_quoted(text: str) -> str:
    """Words of the EHR in quotation marks, on one line, without markup, cut at `LONGEST_QUOTE` characters."""
    return f'"{plain_line(text, LONGEST_QUOTE) or "?"}"'


def plain_line(text: str, longest: int) -> str:
    """`text` on one line, without markup, links and control characters, cut at `longest` characters."""
    printable = "".join(" " if unicodedata.category(char).startswith("C") else char for char in text)
    words = " ".join(_LINK.sub(" ", printable.translate(_MARKUP)).split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def question_text(sentences: Sequence[Sentence], wording: Wording, today: date) -> str:
    """The sentences on one line, of at most `LONGEST_QUESTION` characters; what matters less goes first."""
    text = ""
    for limit in range(EVIDENCE, STAYS - 1, -1):
        said = (in_words(item, wording, today, plainly_quoted) for item in sentences if item.goes <= limit)
        # The same finding may stand for two things; it is said once.
        text = " ".join(dict.fromkeys(said))
        if len(text) <= LONGEST_QUESTION:
            return text
    return text[: LONGEST_QUESTION - 1].rstrip() + "…"
