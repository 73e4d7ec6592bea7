"""Which codes cannot matter to a rule: in none of its value sets, and with no word that it reads.

Whatever else an entry with such a code holds, no question of the rule is answered by it. Most entries of a chart are
of this kind, and the same codes come call after call: what was found out about one is kept, under a digest, so that
nothing of what was sent stays in memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from cds_service.chart.records import Concept
from cds_service.chart.screening import plain_concept
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.reading.understanding import EMPTY, not_understood_as
from cds_service.content.model import Content

# A hospital uses some thousands of codes, each with few displays; the bound keeps odd ones from filling memory.
_MOST_KEPT = 20_000

# So long that two codes never share one: 128 bits.
_DIGEST_BYTES = 16


# Enough for every body of content in one process; tests use the most.
@lru_cache(maxsize=16)
def _kept(_content: Content, _text_match: bool) -> dict[bytes, str | None]:
    return {}


class IrrelevantCodes:
    """Tells which codes cannot matter (see `cds_service.chart.screening.CodeScreen`).

    Args:
        content: of the rule.
        reader: of this call.
        words: further words for which the rule looks in the names of entries.
    """

    def __init__(self, content: Content, reader: Recognizer, words: Sequence[re.Pattern[str]] = ()) -> None:
        self._kept = _kept(content, reader.text_match)
        self._reader = reader
        self._words = (reader.result_words.complaint, *words)

    def counted_as(self, code: bytes) -> str | None:
        """As what an entry with this code is counted; None where it may matter."""
        digest = blake2b(code, digest_size=_DIGEST_BYTES).digest()
        try:
            return self._kept[digest]
        except KeyError:
            found = self._found_out(code)
        if self._reader.has_read_all and len(self._kept) < _MOST_KEPT:
            self._kept[digest] = found
        return found

    def _found_out(self, code: bytes) -> str | None:
        concept = plain_concept(code)
        if concept is None or self._may_matter(concept):
            return None
        name = not_understood_as((concept,), self._reader)
        return None if name == EMPTY else name

    def _may_matter(self, concept: Concept) -> bool:
        names = words_of(concept)
        return (
            bool(self._reader.value_sets(concept))
            or self._reader.says_something(concept)
            or any(words.search(name.strip()) for name in names for words in self._words)
            or not self._reader.has_read_all
        )
