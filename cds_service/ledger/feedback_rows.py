"""Feedback in the database: every different message about a card, stored once.

All is kept, also what contradicts; `card_answers` says what counts. Feedback is known if a decision of the same client,
tenant and service showed that card; this is found when it is read, because feedback may be here before the row of its
decision.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Dialect, RowMapping, Select, and_, bindparam, select
from sqlalchemy.sql.elements import ColumnElement

from cds_service.ledger.card_answers import CardAnswer, card_answer
from cds_service.ledger.database import PAGE_ROWS, Database
from cds_service.ledger.decision_rows import evidence, was_shown
from cds_service.ledger.entries import UNANSWERED, AnswerChange, EarlierFeedback, FeedbackEntry, Receipt
from cds_service.ledger.new_rows import insert_new
from cds_service.ledger.prepared import Prepared
from cds_service.ledger.tables import clean, decision, feedback, utc

# A row of feedback that was read, or one to be written.
_Row = RowMapping | dict[str, Any]

# What tells one client's patient.
_ABOUT = ("client", "tenant", "patient")

# What tells one client's card of one service.
_CARD = ("client", "tenant", "service", "card_id")

# Whose card of which service: the values of `_CARD`.
_Card = tuple[Any, ...]


def write_feedback(connection: Connection, entries: Sequence[FeedbackEntry]) -> Receipt:
    """Write the entries of a batch that are not there yet."""
    messages = _messages(connection, entries)
    before = {card: card_answer(said.values()) for card, said in messages.items()}
    rows = [_row(entry, place, messages[_card_of(entry)]) for place, entry in enumerate(entries)]
    # In the order of the key, so that two batches with the same entries cannot deadlock.
    stored = insert_new(connection, feedback, sorted(rows, key=lambda row: str(row["fingerprint"])))
    shown = _shown(connection, rows)
    unknown = sum(_card(row) not in shown for row in rows)
    changes = _changes(before, {card: said for card, said in messages.items() if card in shown})
    return Receipt(stored, len(entries) - stored, unknown, changes)


def read_card_feedback(connection: Connection, card_id: UUID) -> list[FeedbackEntry]:
    """All feedback to a card, in the order in which it was given."""
    order = (feedback.c.outcome_at, feedback.c.received_at, feedback.c.place, feedback.c.fingerprint)
    query = select(feedback).where(feedback.c.card_id == card_id).order_by(*order)
    return _entries(connection, connection.execute(query).mappings().all())


def read_feedback(database: Database, since: datetime, until: datetime) -> Iterator[FeedbackEntry]:
    """Feedback that arrived in a period, its end excluded, in that order. Raises LedgerDown."""
    query = select(feedback).where(feedback.c.received_at >= since, feedback.c.received_at < until)
    return database.paged(query, (feedback.c.received_at, feedback.c.fingerprint), _entries)


def read_earlier_feedback(
    connection: Connection, client: str, tenant: str, patient: str, since: datetime | None
) -> list[EarlierFeedback]:
    """The feedback that counts for each card shown to a client about a patient; the newest first.

    Args:
        patient: a pseudonym, not empty.
        since: feedback from before this moment is left out; None for all.
    """
    about = (decision.c.client == client, decision.c.tenant == tenant, decision.c.patient == patient)
    query = (
        select(feedback, decision.c.reason.label("card_reason"), decision.c.at.label("shown_at"), decision.c.evidence)
        .join_from(feedback, decision, _shown_by_decision())
        .where(*about)
    )
    cards: dict[_Card, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        cards[_card(row)].append(row)
    answers = [_earlier_feedback(rows) for rows in cards.values()]
    counting = [entry for entry in answers if since is None or entry.given_at >= since]
    return sorted(counting, key=lambda entry: entry.given_at, reverse=True)


def has_earlier_feedback(database: Database, client: str, tenant: str, patient: str) -> bool:
    """Whether there is any feedback to a card shown to a client about a patient; mostly there is none."""
    return database.finds(_ANY_FEEDBACK, {"client": client, "tenant": tenant, "patient": patient})


def _any_feedback(dialect: Dialect) -> Select[Any]:
    about = (decision.c[name] == bindparam(name) for name in _ABOUT)
    return select(feedback.c.place).join_from(feedback, decision, _shown_by_decision()).where(*about).limit(1)


def fingerprint(entry: FeedbackEntry, again: bool = False) -> str:
    """SHA-256 of what was said, in hexadecimal digits: equal for a repeat, whenever that arrives.

    The client's own time belongs to it. Where the client sent none, `outcome_at` is the time of arrival, which a
    repeat changes; then the content alone tells, but for what is said `again`, to which time and place belong.
    """
    said_at = None if entry.outcome_at == entry.received_at else utc(entry.outcome_at).isoformat()
    if again:
        said_at = f"{utc(entry.received_at).isoformat()} {entry.place}"
    accepted = sorted(set(entry.accepted))
    about = [entry.client, entry.tenant, entry.service, str(entry.card_id)]
    said = [entry.outcome, accepted, entry.reason, entry.comment, said_at]
    return hashlib.sha256(json.dumps([*about, *said]).encode()).hexdigest()


def _row(entry: FeedbackEntry, place: int, said: dict[str, FeedbackEntry]) -> dict[str, Any]:
    """The row of an entry; the entry joins what was said of its card, by fingerprint, unless it stands there."""
    entry = replace(entry, place=place)
    key = fingerprint(entry)
    if key in said and _said_anew(entry, card_answer(said.values())):
        key = fingerprint(entry, again=True)
    said.setdefault(key, entry)
    return {
        "fingerprint": key,
        "client": clean(entry.client),
        "tenant": clean(entry.tenant),
        "service": clean(entry.service),
        "card_id": entry.card_id,
        "outcome": entry.outcome,
        "accepted": [clean(identifier) for identifier in entry.accepted],
        "reason": entry.reason,
        "comment": entry.comment,
        "outcome_at": entry.outcome_at,
        "received_at": entry.received_at,
        "place": place,
    }


def _said_anew(entry: FeedbackEntry, answer: CardAnswer | None) -> bool:
    """Whether words that were said before take back what was said since.

    The client's own time tells a repeat. Without one, what comes after a contradiction is no repeat of what came
    before it: a user who accepted, declined and accepts again has accepted.
    """
    return entry.outcome_at == entry.received_at and answer is not None and answer.outcome != entry.outcome


def _messages(connection: Connection, entries: Sequence[FeedbackEntry]) -> dict[_Card, dict[str, FeedbackEntry]]:
    """What was said before of the cards of a batch, by card and fingerprint."""
    found: dict[_Card, dict[str, FeedbackEntry]] = {_card_of(entry): {} for entry in entries}
    cards = sorted({entry.card_id for entry in entries})
    for start in range(0, len(cards), PAGE_ROWS):
        query = select(feedback).where(feedback.c.card_id.in_(cards[start : start + PAGE_ROWS]))
        for row in connection.execute(query).mappings():
            if (card := _card(row)) in found:
                found[card][row["fingerprint"]] = _entry(row)
    return found


def _changes(
    before: Mapping[_Card, CardAnswer | None], messages: Mapping[_Card, Mapping[str, FeedbackEntry]]
) -> tuple[AnswerChange, ...]:
    """The cards whose answer has another outcome with the messages that have come since."""
    found = []
    for card, said in messages.items():
        earlier, now = before[card], card_answer(said.values())
        outcome = earlier.outcome if earlier else UNANSWERED
        if now and now.outcome != outcome:
            found.append(AnswerChange(now.last.service, outcome, now.outcome))
    return tuple(found)


def _entries(connection: Connection, rows: Sequence[RowMapping]) -> list[FeedbackEntry]:
    """The entries of some rows, with what is known of their cards."""
    shown = _shown(connection, rows)
    return [_entry(row, _card(row) in shown) for row in rows]


def _entry(row: RowMapping, known: bool = False) -> FeedbackEntry:
    return FeedbackEntry(
        client=row["client"],
        service=row["service"],
        card_id=row["card_id"],
        outcome=row["outcome"],
        outcome_at=row["outcome_at"],
        received_at=row["received_at"],
        tenant=row["tenant"],
        accepted=tuple(row["accepted"]),
        reason=row["reason"],
        comment=row["comment"],
        known=known,
        place=row["place"],
    )


def _earlier_feedback(rows: Sequence[RowMapping]) -> EarlierFeedback:
    """The answer of all messages about one card, of which there is one at least."""
    answer = card_answer(_entry(row) for row in rows)
    assert answer is not None
    given, shown_at = answer.reasoned, rows[0]["shown_at"]
    return EarlierFeedback(
        outcome=answer.outcome,
        reason=answer.reason,
        # A clock that says that the card was answered before it was shown is wrong.
        given_at=given.outcome_at if given.outcome_at >= shown_at else given.received_at,
        card_reason=rows[0]["card_reason"],
        evidence=evidence(rows[0]["evidence"]),
    )


def _shown_by_decision() -> ColumnElement[bool]:
    """Of feedback and a decision: whether the decision showed the card that the feedback is about."""
    return and_(was_shown(), *(decision.c[name] == feedback.c[name] for name in _CARD))


_ANY_FEEDBACK = Prepared(_any_feedback, _ABOUT)


def _card(row: _Row) -> _Card:
    """Whose card of which service it is: the same for feedback and for the decision that showed the card."""
    return tuple(row[name] for name in _CARD)


def _card_of(entry: FeedbackEntry) -> _Card:
    """The same of an entry that is to be written."""
    return (clean(entry.client), clean(entry.tenant), clean(entry.service), entry.card_id)


def _shown(connection: Connection, rows: Sequence[_Row]) -> set[_Card]:
    """Of the cards of some feedback, those that were shown.

    They are looked up by their ids alone. A join with the feedback does the same, but PostgreSQL reads all decisions
    for it, or all of a client, where it has no or poor statistics.
    """
    cards = sorted({row["card_id"] for row in rows})
    found: set[_Card] = set()
    for start in range(0, len(cards), PAGE_ROWS):
        query = select(*(decision.c[name] for name in _CARD))
        query = query.where(was_shown(), decision.c.card_id.in_(cards[start : start + PAGE_ROWS]))
        found.update(_card(row) for row in connection.execute(query).mappings())
    return found
