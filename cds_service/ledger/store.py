"""The ledger: decisions, feedback, modes and used tokens, kept in SQLite or PostgreSQL.

One `Ledger` serves the threads of a process; several processes, on several machines with PostgreSQL, share a database.
Feedback and modes are kept for good when the method returns; decisions and used tokens outlast the process. What a
method changes is one transaction, but for `prune`. Each raises LedgerDown where the database cannot be used; what to do
then is for the caller to decide.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import URL, Column, RowMapping, Table, delete, func, insert, select

from cds_service.clock import utc_now
from cds_service.ledger.database import BACKGROUND_SECONDS, PAGE_ROWS, Database
from cds_service.ledger.decision_rows import read_decision, read_decisions, read_shown, write_decision
from cds_service.ledger.down import LedgerDown
from cds_service.ledger.entries import DecisionEntry, EarlierFeedback, FeedbackEntry, Mode, ModeChange, Receipt
from cds_service.ledger.feedback_rows import (
    has_earlier_feedback,
    read_card_feedback,
    read_earlier_feedback,
    read_feedback,
    write_feedback,
)
from cds_service.ledger.migration import check_revision, migrate
from cds_service.ledger.new_rows import insert_again, insert_new, new_row
from cds_service.ledger.tables import decision, feedback, mode_change, seen_token

__all__ = ["Ledger", "LedgerDown", "Pruned"]

FILE_NAME = "ledger.sqlite3"

# An expired token is remembered a while longer: clocks differ, and those who check tokens allow for it.
_TOKEN_GRACE = timedelta(hours=1)

_NEW_TOKEN = new_row(seen_token)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows were deleted."""

    decisions: int
    feedback: int
    tokens: int


class Ledger:
    """Decisions, feedback, modes and used tokens."""

    def __init__(self, url: str | URL, *, busy_seconds: float = 2.0) -> None:
        """Name a database; it is opened when it is first used.

        Args:
            url: `sqlite:///` and a file, or `postgresql://`.
            busy_seconds: for how long a lock, a statement or a silent server is waited for.

        Raises:
            ValueError: the URL is of neither kind.
        """
        self._database = Database(url, busy_seconds)

    @classmethod
    def sqlite(cls, folder: Path) -> Ledger:
        """The ledger in a data folder, which `prepare` creates."""
        return cls(URL.create("sqlite", database=str(folder / FILE_NAME)))

    def prepare(self, patience_seconds: float = BACKGROUND_SECONDS, anew: bool = True, expected: bool = False) -> None:
        """Create the tables or bring them to this version; several processes may do so at once.

        Args:
            patience_seconds: how long another process that migrates or locks the database is waited for.
            anew: whether a SQLite file that was there, and is no more, is made again, without what was in it.
            expected: that there was one, where neither this process nor the file's folder knows of it.

        Raises:
            LedgerDown: the ledger cannot be used.
        """
        migrate(self._database, patience_seconds=patience_seconds, anew=anew, expected=expected)

    def ping(self) -> None:
        """Raise LedgerDown where the database cannot be read; OtherTables where its tables are of another version."""
        with self._database.reading() as connection:
            check_revision(connection)

    def try_writing(self) -> None:
        """Raise LedgerDown where rows cannot be written.

        Written, and deleted again, are used tokens of long ago, with the room of some calls. Decisions and feedback are
        not made up: of each table a row that is there is inserted once more, which changes nothing and fails where
        inserting does.
        """
        past = datetime.fromtimestamp(0, UTC)
        rows = [{"token": uuid4().hex, "expires_at": past} for _ in range(PAGE_ROWS)]
        with self._database.writing() as connection:
            insert_new(connection, seen_token, rows)
            for table in (decision, feedback):
                insert_again(connection, table)
        with self._database.writing() as connection:
            connection.execute(delete(seen_token).where(seen_token.c.expires_at == past))

    def tidy(self) -> None:
        """What need not be done while a call waits: bring SQLite's log into its file. Raises LedgerDown."""
        self._database.tidy()

    def record_decision(self, entry: DecisionEntry, durable: bool = False) -> None:
        """Keep a decision; the same id again counts as the same call again. Raises LedgerDown.

        A call waits for it. Unless it must be `durable`, a SQLite file may lose the last moments in a power cut.
        """
        write_decision(self._database, entry, durable)

    def record_feedback(self, entries: Sequence[FeedbackEntry]) -> Receipt:
        """Keep a batch of feedback, all of it or nothing; what is there already is kept once. Raises LedgerDown."""
        with self._database.writing() as connection:
            return write_feedback(connection, entries)

    def earlier_feedback(self, client: str, tenant: str, patient: str, since: datetime | None) -> list[EarlierFeedback]:
        """The answer that counts to each card shown to a client about a patient, newest first. Raises LedgerDown.

        Args:
            client, tenant: as in the decisions.
            patient: a pseudonym; without one no feedback is found.
            since: feedback from before this moment is left out; None for all.
        """
        if not patient or not has_earlier_feedback(self._database, client, tenant, patient):
            return []
        with self._database.reading() as connection:
            return read_earlier_feedback(connection, client, tenant, patient, since)

    def modes(self) -> list[ModeChange]:
        """The current mode of each service and client that were ever set. Raises LedgerDown."""
        # By their numbers: the change that was made last holds, whatever the clock of its machine said.
        last = select(func.max(mode_change.c.id)).group_by(mode_change.c.service, mode_change.c.client)
        with self._database.reading() as connection:
            query = select(mode_change).where(mode_change.c.id.in_(last)).order_by(mode_change.c.id)
            return [_mode_change(row) for row in connection.execute(query).mappings()]

    def mode_history(self) -> list[ModeChange]:
        """All changes of mode in the order in which they were made. Raises LedgerDown."""
        with self._database.reading() as connection:
            query = select(mode_change).order_by(mode_change.c.id)
            return [_mode_change(row) for row in connection.execute(query).mappings()]

    def set_mode(self, change: ModeChange) -> None:
        """Change a mode, for all workers. Raises LedgerDown."""
        row = {
            "at": change.at,
            "service": change.service,
            "client": change.client,
            "mode": change.mode.value,
            "who": change.who,
            "why": change.why,
        }
        with self._database.writing() as connection:
            connection.execute(insert(mode_change).values(row))

    def take_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        """Whether a token is used for the first time; from then on it is used. Raises LedgerDown.

        Only a digest of issuer and id is kept, until some time after the token has expired.
        """
        token = hashlib.sha256(json.dumps([issuer, token_id]).encode()).hexdigest()
        return self._database.insert(_NEW_TOKEN, {"token": token, "expires_at": expires_at}) == 1

    def prune(self, before: datetime) -> Pruned:
        """Delete decisions made and feedback received before a moment, and expired tokens. Raises LedgerDown.

        Changes of mode stay. Feedback that came after that moment to a card from before it stays, of an unknown card.
        """
        return Pruned(
            decisions=self._delete_before(decision, decision.c.at, before),
            feedback=self._delete_before(feedback, feedback.c.received_at, before),
            tokens=self._delete_before(seen_token, seen_token.c.expires_at, utc_now() - _TOKEN_GRACE),
        )

    def _delete_before(self, table: Table, moment: Column[datetime], before: datetime) -> int:
        """Delete old rows in short transactions, so that nobody waits long; return their number."""
        key = table.primary_key.columns[0]
        old = select(key).where(moment < before).limit(PAGE_ROWS)
        deleted = 0
        while True:
            with self._database.writing(BACKGROUND_SECONDS) as connection:
                count = connection.execute(delete(table).where(key.in_(old))).rowcount
            deleted += count
            if count < PAGE_ROWS:
                return deleted

    def decisions(self, since: datetime, until: datetime) -> Iterator[DecisionEntry]:
        """The decisions of a period, its end excluded, in the order of time. Raises LedgerDown on the way."""
        return read_decisions(self._database, since, until)

    def feedback(self, since: datetime, until: datetime) -> Iterator[FeedbackEntry]:
        """The feedback that arrived in a period, its end excluded, in that order. Raises LedgerDown on the way."""
        return read_feedback(self._database, since, until)

    def decision(self, decision_id: UUID) -> DecisionEntry | None:
        """One decision; None where there is none. Raises LedgerDown."""
        with self._database.reading() as connection:
            return read_decision(connection, decision_id)

    def shown(self, card_ids: Collection[UUID]) -> Iterator[DecisionEntry]:
        """The decisions that showed some cards, whenever that was, in no order. Raises LedgerDown on the way."""
        return read_shown(self._database, card_ids)

    def card_feedback(self, card_id: UUID) -> list[FeedbackEntry]:
        """All feedback to a card, in the order in which it was given. Raises LedgerDown."""
        with self._database.reading() as connection:
            return read_card_feedback(connection, card_id)

    def close(self) -> None:
        """Close what is open; the next use opens it again."""
        self._database.close()


def _mode_change(row: RowMapping) -> ModeChange:
    return ModeChange(row["at"], row["service"], row["client"], Mode(row["mode"]), row["who"], row["why"])
