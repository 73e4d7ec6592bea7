"""Which codes cannot matter to a rule: in none of its value sets, and with no word that it reads.

Whatever else an entry with such a code holds, no question of the rule is answered by it. Most entries of a chart are
of this kind, and the same codes come call after call: what was found out about one is kept under a digest.

Names of codes have a bound of their own (`MOST_TEXT`): what is read of them takes nothing from the free text that the
rule reads, and beyond it an entry is read as any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cds_service.chart.records import Concept
from cds_service.chart.remembered import Remembered
from cds_service.chart.screening import BareNumber, plain_concept
from cds_service.clinical.reading.free_text import LONGEST_TEXT
from cds_service.clinical.reading.recognition import MOST_TEXT, Recognizer, words_of
from cds_service.clinical.reading.understanding import EMPTY, not_understood_as
from cds_service.content.model import Content

_NO_NUMBERS: Mapping[str, BareNumber] = {}


# The names of a code have a line or two; a longer text is a note, and for the other way of reading.
_LONGEST_NAMES = 400


@dataclass(frozen=True, slots=True)
class _FoundOut:
    """What was found out about a code.

    Attributes:
        counts_as: see `CodeScreen`.
        texts: its names, each by its hash and its length.
    """

    counts_as: str | BareNumber | None
    texts: tuple[tuple[int, int], ...] = ()


# Enough for every body of content in one process; tests use the most.
@lru_cache(maxsize=16)
def _found_before(_content: Content, _text_match: bool) -> Remembered[_FoundOut]:
    return Remembered()


class IrrelevantCodes:
    """Tells which codes cannot matter (see `cds_service.chart.screening.CodeScreen`).

    Args:
        content: of the rule.
        reader: of the rule, for this call and for names of codes alone.
        words: further words for which the rule looks in the names of entries.
        numbers: by value set, when a measurement of which the rule reads more cannot matter.
    """

    def __init__(
        self,
        content: Content,
        reader: Recognizer,
        words: Sequence[re.Pattern[str]] = (),
        numbers: Mapping[str, BareNumber] = _NO_NUMBERS,
    ) -> None:
        self._found_before = _found_before(content, reader.text_match)
        self._reader = reader
        self._words = (reader.result_words.complaint, *words)
        self._numbers = numbers
        self._counted: set[int] = set()
        self._left = MOST_TEXT

    def counted_as(self, code: bytes) -> str | BareNumber | None:
        """As what an entry with this code is counted; None where it may matter, or its names are too much to read."""
        found = self._found_before.get(code)
        if found is not None:
            return found.counts_as if self._have_room(found.texts) else None
        concept = plain_concept(code)
        names = words_of(concept) if concept else ()
        texts = tuple((hash(name), min(len(name), LONGEST_TEXT)) for name in names)
        if concept is None or sum(length for _, length in texts) > _LONGEST_NAMES or not self._have_room(texts):
            return None
        found = _FoundOut(None if self._says_something(concept) else self._counts_as(concept), texts)
        self._found_before.keep(code, found)
        return found.counts_as

    def _have_room(self, texts: Iterable[tuple[int, int]]) -> bool:
        """Whether texts are still among those that are read in one call; each counts once.

        A text counts where it was read in another call as well: no call may change the answer to the next.
        """
        for text, length in texts:
            if text not in self._counted:
                self._counted.add(text)
                self._left -= length
        return self._left >= 0

    def _counts_as(self, concept: Concept) -> str | BareNumber | None:
        value_sets = self._reader.value_sets(concept).keys()
        if value_sets:
            numbers = [self._numbers.get(name) for name in value_sets]
            return numbers[0] if len(numbers) == 1 else None
        name = not_understood_as((concept,), self._reader)
        return None if name == EMPTY else name

    def _says_something(self, concept: Concept) -> bool:
        """Whether the words of a concept say anything that the rule reads."""
        names = words_of(concept)
        return self._reader.says_something(concept) or any(
            words.search(name.strip()) for name in names for words in self._words
        )
