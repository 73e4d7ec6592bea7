"""Quote words of the EHR in Markdown, so that none of them becomes markup."""

from __future__ import annotations

import unicodedata

# Long enough to recognize an entry, short enough for a card.
LONGEST_QUOTE = 50

# Clients render Markdown with raw HTML and turn bare addresses into links (the public sandbox does both). In a
# code span neither happens; the angle brackets are replaced for clients that render it otherwise.
_REPLACED = str.maketrans({"<": "‹", ">": "›", "`": "’", "\\": "/"})


def quoted(text: str) -> str:
    """`text` as a Markdown code span on one line, cut at `LONGEST_QUOTE` characters."""
    printable = "".join(" " if unicodedata.category(char).startswith("C") else char for char in text)
    words = " ".join(printable.translate(_REPLACED).split())
    if len(words) > LONGEST_QUOTE:
        words = words[: LONGEST_QUOTE - 1].rstrip() + "…"
    return f"`{words or '?'}`"
