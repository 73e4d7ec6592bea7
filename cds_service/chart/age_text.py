"""An age at which something began, as somebody wrote it (`since age 30`); with the day of birth it is a date.

A count of years that went by (`30 years`) is none; that is for `clinical.reading.onset_text`.
"""

from __future__ import annotations

import re

# An onset is a few words.
_LONGEST = 80

_SINCE = r"(?:(?:since|from|at|about|around|approx\.?|ever|started|began|in|the)\s+)*"
_AT_AGE = re.compile(
    rf"{_SINCE}(?:age(?:\s+of)?\s+(?P<age>\d{{1,2}})|(?:when\s+)?(?:she|he|i|pt|patient)\s+was\s+(?:about\s+)?"
    r"(?P<years>\d{1,2}))(?:\s*(?:years?|yrs?|yo|y)(?:\s+(?:old|of age))?)?\.?"
)
_DECADES_OF_LIFE = {"twenties": 20, "thirties": 30, "forties": 40, "fifties": 50, "sixties": 60, "seventies": 70}
_IN_DECADE = re.compile(
    rf"{_SINCE}(?:her|his|my|their)\s+(?:(?:early|mid|late)[ -])?"
    rf"(?:(?P<tens>[2-7])0'?s|(?P<word>{'|'.join(_DECADES_OF_LIFE)}))\.?"
)


def age_in_words(text: str) -> tuple[int, int] | None:
    """The ages between which an onset lies, in whole years, that somebody wrote as text; None where none is named.

    Args:
        text: for example `since age 30`, `since she was 20`, `in her forties`.
    """
    words = " ".join(text[:_LONGEST].lower().split())
    if match := _AT_AGE.fullmatch(words):
        age = int(match["age"] or match["years"])
        return age, age
    if match := _IN_DECADE.fullmatch(words):
        first = int(match["tens"]) * 10 if match["tens"] else _DECADES_OF_LIFE[match["word"]]
        return first, first + 9
    return None
