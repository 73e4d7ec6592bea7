"""Quote words of the EHR in Markdown, so that none of them becomes markup."""

from __future__ import annotations

import re
import unicodedata

# Long enough to recognize an entry, short enough for a card.
LONGEST_QUOTE = 50

# Long enough for a cancer with its side and its receptors, where a card has room.
LONGER_QUOTE = 80

# A conclusion is quoted whole up to this length (decision 5.11).
LONGEST_PASSAGE = 400

# Clients render Markdown with raw HTML and turn bare addresses into links (the public sandbox does both). In a
# code span neither happens; the angle brackets are replaced for clients that render it otherwise.
_REPLACED = str.maketrans({"<": "‹", ">": "›", "`": "’", "\\": "/"})

# A passage is long enough to hold a link or an image: without square brackets and `://` no client makes one of it.
_NO_LINKS = str.maketrans({"[": "(", "]": ")"})

# The end of a sentence; not behind a number of a list, a single letter, or an abbreviation of reports.
_SENTENCE_END = re.compile(
    r"(?<!\b\w)(?<!\b\d\d)(?<!\bvs)(?<!\bcf)(?<!\bdr)(?<!\be\.g)(?<!\bi\.e)(?<!\bapprox)[.!?](?=\s|$)", re.IGNORECASE
)


def quoted(text: str, longest: int = LONGEST_QUOTE) -> str:
    """`text` as a Markdown code span on one line, cut at so many characters."""
    words = _plain(text)
    if len(words) > longest:
        words = words[: longest - 1].rstrip() + "…"
    return f"`{words or '?'}`"


def passage(text: str, shortened: str = "") -> str:
    """A longer text as a Markdown code span on one line, whole up to `LONGEST_PASSAGE` characters.

    Args:
        text: of the EHR.
        shortened: what stands behind it where it was cut, at the end of a sentence or else of a word.
    """
    words = _plain(text).translate(_NO_LINKS).replace("://", ": //")
    if len(words) <= LONGEST_PASSAGE:
        return f"`{words or '?'}`"
    return f"`{_cut(words)}` {shortened}".rstrip()


def _cut(words: str) -> str:
    """The sentences that fit, or the words where not even the first sentence does."""
    ends = [found.end() for found in _SENTENCE_END.finditer(words) if found.end() <= LONGEST_PASSAGE]
    if ends:
        return words[: ends[-1]]
    kept = words[: LONGEST_PASSAGE - 1]
    return (kept.rpartition(" ")[0] or kept).rstrip() + "…"


def _plain(text: str) -> str:
    """A text on one line, without control characters, and without what ends a code span."""
    printable = "".join(" " if unicodedata.category(char).startswith("C") else char for char in text)
    return " ".join(printable.translate(_REPLACED).split())
