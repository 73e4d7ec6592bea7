"""Decisions in the database: one row per decision id, as it was first written, and how often the call came.

A call that comes again changes its row in one case: the first answer showed no card (a silent mode, a chart that was
not yet complete) and this one does. The row then tells what was shown, so that feedback to the card finds it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, and_, not_, select, update
from sqlalchemy.sql.elements import ColumnElement

from cds_service.ledger.database import BACKGROUND_SECONDS, PAGE_ROWS, Database
from cds_service.ledger.entries import DecisionEntry, Mode
from cds_service.ledger.new_rows import insert_new, new_row
from cds_service.ledger.tables import decision

_SEQUENCES = ("met", "unknown", "proposed", "cautions", "prefetched", "fetched", "missing")
_NEW = new_row(decision)
_FIELDS = tuple(field.name for field in fields(DecisionEntry))


def was_shown() -> ColumnElement[bool]:
    """Of a row: whether its card was sent. The same as `DecisionEntry.shown`."""
    return and_(decision.c.card_id.is_not(None), decision.c.mode == Mode.LIVE.value)


def write_decision(database: Database, entry: DecisionEntry, durable: bool) -> None:
    """Write a decision, or count its call where its id is there already. Raises LedgerDown.

    What is new is one statement; all else is a retry.
    """
    row = row_of(entry)
    if not database.insert(_NEW, row | {"calls": 1}, durable):
        with database.writing(durable=durable) as connection:
            _write_again(connection, entry, row)


def _write_again(connection: Connection, entry: DecisionEntry, row: Mapping[str, Any]) -> None:
    here = decision.c.decision_id == entry.decision_id
    # Its row may have been deleted just now, as too old.
    if insert_new(connection, decision, [{**row, "calls": 1}]):
        return
    connection.execute(update(decision).where(here).values(calls=decision.c.calls + 1))
    if entry.shown:
        connection.execute(update(decision).where(here, not_(was_shown())).values(row))


def read_decision(connection: Connection, decision_id: UUID) -> DecisionEntry | None:
    """One decision, None where there is none."""
    row = connection.execute(select(decision).where(decision.c.decision_id == decision_id)).mappings().one_or_none()
    return None if row is None else _entry(row)


def read_decisions(database: Database, since: datetime, until: datetime) -> Iterator[DecisionEntry]:
    """The decisions of a period, its end excluded, in the order of time. Raises LedgerDown."""
    query = select(decision).where(decision.c.at >= since, decision.c.at < until)
    keys = (decision.c.at, decision.c.decision_id)
    return database.paged(query, keys, lambda connection, rows: [_entry(row) for row in rows])


def read_shown(database: Database, card_ids: Collection[UUID]) -> Iterator[DecisionEntry]:
    """The decisions that showed some cards, in no order; each page is a transaction of its own. Raises LedgerDown."""
    cards = sorted(card_ids)
    for start in range(0, len(cards), PAGE_ROWS):
        query = select(decision).where(was_shown(), decision.c.card_id.in_(cards[start : start + PAGE_ROWS]))
        with database.reading(BACKGROUND_SECONDS) as connection:
            found = [_entry(row) for row in connection.execute(query).mappings()]
        yield from found


def row_of(entry: DecisionEntry) -> dict[str, Any]:
    """The columns of a decision, but for how often its call came."""
    row = {name: getattr(entry, name) for name in _FIELDS}
    return row | {
        **{name: list(row[name]) for name in _SEQUENCES},
        "mode": entry.mode.value,
        "suggestions": dict(entry.suggestions),
        "evidence": {kind: list(found) for kind, found in entry.evidence.items()},
        "not_understood": {key: dict(systems) for key, systems in entry.not_understood.items()},
    }


def _entry(row: RowMapping) -> DecisionEntry:
    values = {name: row[name] for name in _FIELDS}
    return DecisionEntry(
        **values
        | {name: tuple(row[name]) for name in _SEQUENCES}
        | {"mode": Mode(row["mode"]), "evidence": evidence(row["evidence"])}
    )


def evidence(stored: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """The fingerprints of the findings by kind, from a row."""
    return {kind: tuple(found) for kind, found in stored.items()}
