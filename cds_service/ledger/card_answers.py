"""What became of a card: all messages about it, taken together.

An EHR may send one message for each suggestion that a user takes, now and an hour later, and may send one again. Those
are one acceptance of several suggestions. Only an override after an acceptance, or the reverse, contradicts what was
said before, and takes its place (docs/clinical-decisions.md, 8.4). Whoever says what became of a card asks here: the
memory of earlier answers, the report, the export, the metrics, and `cds-service decision`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cds_service.ledger.entries import FeedbackEntry


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """The answer to a card that counts.

    Attributes:
        messages: those that make it, at least one, in the order in which they were given.
        contradicted: earlier ones, whose place it takes.
    """

    messages: Sequence[FeedbackEntry]
    contradicted: Sequence[FeedbackEntry] = ()

    @property
    def outcome(self) -> str:
        """`accepted` or `overridden`."""
        return self.last.outcome

    @property
    def accepted(self) -> tuple[str, ...]:
        """The uuids of all accepted suggestions in lower case, each once, in the order in which they were taken."""
        return tuple(dict.fromkeys(text.lower() for message in self.messages for text in message.accepted))

    @property
    def reason(self) -> str:
        """The code of the override reason, empty for none."""
        return self.reasoned.reason

    @property
    def comment(self) -> str | None:
        """The free text of the message that names the reason."""
        return self.reasoned.comment

    @property
    def first(self) -> FeedbackEntry:
        """The message with which the answer was given."""
        return self.messages[0]

    @property
    def last(self) -> FeedbackEntry:
        """The message that was given last."""
        return self.messages[-1]

    @property
    def reasoned(self) -> FeedbackEntry:
        """The last message that names a reason, since one without a reason takes none back; else the last one."""
        return next((message for message in reversed(self.messages) if message.reason), self.last)


def card_answer(messages: Iterable[FeedbackEntry]) -> CardAnswer | None:
    """The answer that counts, from all messages about one card in any order; None where there are none."""
    ordered = sorted(messages, key=_precedence)
    if not ordered:
        return None
    start = len(ordered) - 1
    while start and ordered[start - 1].outcome == ordered[-1].outcome:
        start -= 1
    return CardAnswer(ordered[start:], ordered[:start])


def _precedence(entry: FeedbackEntry) -> tuple[object, ...]:
    """What comes later counts: by the client's time, then by arrival, then by place in the batch.

    What is said makes the order complete, so that it never depends on how a database returned the rows.
    """
    return (entry.outcome_at, entry.received_at, entry.place, entry.outcome, entry.reason, sorted(entry.accepted))
