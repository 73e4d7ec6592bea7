"""Feedback in the database: every different answer to a card, stored once, and which of them counts.

Of contradictory feedback to one card all is kept, and the last counts: by the client's time, then by arrival, then by
place in the batch. Feedback is known if a decision of the same client, tenant and service showed that card; this is
found when it is read, because feedback may be here before the row of its decision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, and_, select
from sqlalchemy.sql.elements import ColumnElement

from cds_service.ledger.database import PAGE_ROWS, Database, insert_new
from cds_service.ledger.decision_rows import evidence, was_shown
from cds_service.ledger.entries import EarlierFeedback, FeedbackEntry, Receipt
from cds_service.ledger.tables import clean, decision, feedback, utc

# A row of feedback that was read, or one to be written.
_Row = RowMapping | dict[str, Any]

# What tells one client's card of one service.
_CARD = ("client", "tenant", "service", "card_id")

# The last row in this order counts.
_PRECEDENCE = (feedback.c.outcome_at, feedback.c.received_at, feedback.c.place, feedback.c.fingerprint)


def write_feedback(connection: Connection, entries: Sequence[FeedbackEntry]) -> Receipt:
    """Write the entries of a batch that are not there yet."""
    rows = [_row(entry, place) for place, entry in enumerate(entries)]
    # In the order of the key, so that two batches with the same entries cannot deadlock.
    stored = insert_new(connection, feedback, sorted(rows, key=lambda row: str(row["fingerprint"])))
    shown = _shown(connection, rows)
    unknown = sum(_card(row) not in shown for row in rows)
    return Receipt(stored, len(entries) - stored, unknown)


def read_card_feedback(connection: Connection, card_id: UUID) -> list[FeedbackEntry]:
    """All feedback to a card; the last one counts."""
    query = select(feedback).where(feedback.c.card_id == card_id).order_by(*_PRECEDENCE)
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
        .order_by(*_PRECEDENCE)
    )
    last = {row["card_id"]: _earlier_feedback(row) for row in connection.execute(query).mappings()}
    counting = [entry for entry in last.values() if since is None or entry.given_at >= since]
    return sorted(counting, key=lambda entry: entry.given_at, reverse=True)


def fingerprint(entry: FeedbackEntry) -> str:
    """SHA-256 of what was said, in hexadecimal digits: equal for a repeat, whenever that arrives.

    The client's own time belongs to it. Where the client sent none, `outcome_at` is the time of arrival, which a
    repeat changes; then the content alone tells.
    """
    said_at = None if entry.outcome_at == entry.received_at else utc(entry.outcome_at).isoformat()
    accepted = sorted(set(entry.accepted))
    about = [entry.client, entry.tenant, entry.service, str(entry.card_id)]
    said = [entry.outcome, accepted, entry.reason, entry.comment, said_at]
    return hashlib.sha256(json.dumps([*about, *said]).encode()).hexdigest()


def _row(entry: FeedbackEntry, place: int) -> dict[str, Any]:
    return {
        "fingerprint": fingerprint(entry),
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


def _entries(connection: Connection, rows: Sequence[RowMapping]) -> list[FeedbackEntry]:
    """The entries of some rows, with what is known of their cards."""
    shown = _shown(connection, rows)
    return [
        FeedbackEntry(
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
            known=_card(row) in shown,
        )
        for row in rows
    ]


def _earlier_feedback(row: RowMapping) -> EarlierFeedback:
    return EarlierFeedback(
        outcome=row["outcome"],
        reason=row["reason"],
        # A clock that says that the card was answered before it was shown is wrong.
        given_at=row["outcome_at"] if row["outcome_at"] >= row["shown_at"] else row["received_at"],
        card_reason=row["card_reason"],
        evidence=evidence(row["evidence"]),
    )


def _shown_by_decision() -> ColumnElement[bool]:
    """Of feedback and a decision: whether the decision showed the card that the feedback is about."""
    return and_(was_shown(), *(decision.c[name] == feedback.c[name] for name in _CARD))


def _card(row: _Row) -> tuple[Any, ...]:
    """Whose card of which service it is: the same for feedback and for the decision that showed the card."""
    return tuple(row[name] for name in _CARD)


def _shown(connection: Connection, rows: Sequence[_Row]) -> set[tuple[Any, ...]]:
    """Of the cards of some feedback, those that were shown.

    They are looked up by their ids alone. A join with the feedback does the same, but PostgreSQL reads all decisions
    for it, or all of a client, where it has no or poor statistics.
    """
    cards = sorted({row["card_id"] for row in rows})
    found: set[tuple[Any, ...]] = set()
    for start in range(0, len(cards), PAGE_ROWS):
        query = select(*(decision.c[name] for name in _CARD))
        query = query.where(was_shown(), decision.c.card_id.in_(cards[start : start + PAGE_ROWS]))
        found.update(_card(row) for row in connection.execute(query).mappings())
    return found
