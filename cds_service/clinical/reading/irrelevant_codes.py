"""Which codes cannot matter to a rule: in none of its value sets, and with no word that it reads.

Whatever else an entry with such a code holds, no question of the rule is answered by it. Most entries of a chart are
of this kind, and the same codes come call after call: what was found out about one is kept, under a digest, so that
nothing of what was sent stays in memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from cds_service.chart.records import Concept
from cds_service.chart.remembered import Remembered
from cds_service.chart.screening import BareNumber, plain_concept
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.reading.understanding import EMPTY, not_understood_as
from cds_service.content.model import Content

_NO_NUMBERS: Mapping[str, BareNumber] = {}


# Enough for every body of content in one process; tests use the most.
@lru_cache(maxsize=16)
def _found_before(_content: Content, _text_match: bool) -> Remembered[str | BareNumber | None]:
    return Remembered()


class IrrelevantCodes:
    """Tells which codes cannot matter (see `cds_service.chart.screening.CodeScreen`).

    Args:
        content: of the rule.
        reader: of this call.
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

    def counted_as(self, code: bytes) -> str | BareNumber | None:
        """As what an entry with this code is counted; None where it may matter."""
        return self._found_before.find_out(code, self._found_out, lambda: self._reader.has_read_all)

    def _found_out(self, code: bytes) -> str | BareNumber | None:
        concept = plain_concept(code)
        if concept is None or self._says_something(concept):
            return None
        value_sets = self._reader.value_sets(concept).keys()
        if value_sets:
            numbers = [self._numbers.get(name) for name in value_sets]
            return numbers[0] if len(numbers) == 1 else None
        name = not_understood_as((concept,), self._reader)
        return None if name == EMPTY else name

    def _says_something(self, concept: Concept) -> bool:
        """Whether the words of a concept say anything that the rule reads, or could not be read."""
        names = words_of(concept)
        return (
            self._reader.says_something(concept)
            or any(words.search(name.strip()) for name in names for words in self._words)
            or not self._reader.has_read_all
        )
