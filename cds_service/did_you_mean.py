"""What was probably meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Below this likeness (of 1) a suggestion puzzles more than it helps; the default of difflib.
_ALIKE = 0.6


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the name that is most like this one; an empty string where none is."""
    found = get_close_matches(name, list(names), n=1, cutoff=_ALIKE)
    return f"; did you mean '{found[0]}'?" if found else ""
