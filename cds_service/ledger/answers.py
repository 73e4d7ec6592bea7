"""Feedback in the database: every different thing that was said of a card, once, and which of them counts.

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

from sqlalchemy import Connection, RowMapping, Select, and_, exists, select
from sqlalchemy.sql.elements import ColumnElement

from cds_service.ledger.database import PAGE_ROWS, Database, insert_new
from cds_service.ledger.decisions import evidence, was_shown
from cds_service.ledger.entries import EarlierAnswer, FeedbackEntry, Receipt
from cds_service.ledger.tables import clean, decision, feedback, utc

# The last row in this order counts.
_WEIGHT = (feedback.c.outcome_at, feedback.c.received_at, feedback.c.place, feedback.c.fingerprint)


def write_feedback(connection: Connection, entries: Sequence[FeedbackEntry]) -> Receipt:
    """Write the entries of a batch that are not there yet."""
    rows = [_row(entry, place) for place, entry in enumerate(entries)]
    # In the order of the key: batches with the same entries then wait for one another, and never in a circle.
    stored = insert_new(connection, feedback, sorted(rows, key=lambda row: str(row["fingerprint"])))
    shown = _shown(connection, sorted({entry.card_id for entry in entries}))
    unknown = sum((clean(e.client), clean(e.tenant), clean(e.service), e.card_id) not in shown for e in entries)
    return Receipt(stored, len(entries) - stored, unknown)


def read_card_feedback(connection: Connection, card_id: UUID) -> list[FeedbackEntry]:
    """All feedback to a card; the last one counts."""
    query = _with_known().where(feedback.c.card_id == card_id).order_by(*_WEIGHT)
    return [_entry(row) for row in connection.execute(query).mappings()]


def read_feedback(database: Database, since: datetime, until: datetime) -> Iterator[FeedbackEntry]:
    """Feedback that arrived in a period, its end excluded, in that order. Raises LedgerDown."""
    query = _with_known().where(feedback.c.received_at >= since, feedback.c.received_at < until)
    return map(_entry, database.paged(query, feedback.c.received_at, feedback.c.fingerprint))


def read_earlier_answers(
    connection: Connection, client: str, tenant: str, patient: str, since: datetime | None
) -> list[EarlierAnswer]:
    """The feedback that counts for each card shown to a client about a patient; the newest first.

    Args:
        patient: a pseudonym, not empty.
        since: answers before this moment are left out; None for all.
    """
    about = (decision.c.client == client, decision.c.tenant == tenant, decision.c.patient == patient)
    query = (
        select(feedback, decision.c.reason.label("card_reason"), decision.c.indicator, decision.c.evidence)
        .join_from(feedback, decision, _shown_by_decision())
        .where(*about)
        .order_by(*_WEIGHT)
    )
    last = {row["card_id"]: _answer(row) for row in connection.execute(query).mappings()}
    answers = [answer for answer in last.values() if since is None or answer.answered_at >= since]
    return sorted(answers, key=lambda answer: answer.answered_at, reverse=True)


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
        "client": entry.client,
        "tenant": entry.tenant,
        "service": entry.service,
        "card_id": entry.card_id,
        "outcome": entry.outcome,
        "accepted": [clean(identifier) for identifier in entry.accepted],
        "reason": entry.reason,
        "comment": entry.comment,
        "outcome_at": entry.outcome_at,
        "received_at": entry.received_at,
        "place": place,
    }


def _entry(row: RowMapping) -> FeedbackEntry:
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
        known=bool(row["known"]),
    )


def _answer(row: RowMapping) -> EarlierAnswer:
    return EarlierAnswer(
        outcome=row["outcome"],
        reason=row["reason"],
        answered_at=row["outcome_at"],
        card_reason=row["card_reason"],
        critical=row["indicator"] == "critical",
        evidence=evidence(row["evidence"]),
    )


def _with_known() -> Select[Any]:
    return select(feedback, exists().where(_shown_by_decision()).label("known"))


def _shown_by_decision() -> ColumnElement[bool]:
    """Of feedback and a decision: whether the decision showed the card that the feedback is about."""
    return and_(
        was_shown(),
        decision.c.card_id == feedback.c.card_id,
        decision.c.client == feedback.c.client,
        decision.c.tenant == feedback.c.tenant,
        decision.c.service == feedback.c.service,
    )


def _shown(connection: Connection, cards: Sequence[UUID]) -> set[tuple[str, str, str, UUID]]:
    """Of some cards: who was shown which by which service, as client, tenant, service and card."""
    found: set[tuple[str, str, str, UUID]] = set()
    for start in range(0, len(cards), PAGE_ROWS):
        query = select(decision.c.client, decision.c.tenant, decision.c.service, decision.c.card_id)
        query = query.where(was_shown(), decision.c.card_id.in_(cards[start : start + PAGE_ROWS]))
        found.update((row[0], row[1], row[2], row[3]) for row in connection.execute(query))
    return found
