"""The ledger's tables, as the newest migration leaves them; a test compares the two.

Texts have no length: what is too long is refused or cut before it gets here. No table refers to another by a foreign
key, because feedback may arrive before the row of its decision, or without one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)

# Length of a SHA-256 in hexadecimal digits.
DIGEST_LENGTH = 64


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with microseconds: any time zone goes in, UTC comes out. Raises ValueError for one without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # SQLite keeps no zone.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text that every database can keep."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


def utc(moment: datetime) -> datetime:
    """A moment in UTC; one that leaves the calendar by its zone (the year 1, or 9999) stays at the calendar's end.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment in the ledger needs a time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        end = datetime.max if moment.year > 1 else datetime.min
        return end.replace(tzinfo=UTC)


def clean(text: str) -> str:
    """Text with a replacement character for what JSON can carry and a database cannot: NUL and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


metadata = MetaData()

decision = Table(
    "decision",
    metadata,
    Column("decision_id", Uuid, primary_key=True),
    # How often this call came: a retry has the same id.
    Column("calls", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("client", CleanText, nullable=False),
    Column("tenant", CleanText, nullable=False),
    Column("service", CleanText, nullable=False),
    Column("hook", CleanText, nullable=False),
    Column("mode", CleanText, nullable=False),
    Column("outcome", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("answered", CleanText, nullable=False),
    Column("indicator", CleanText, nullable=False),
    Column("met", JSON, nullable=False),
    Column("unknown", JSON, nullable=False),
    Column("rule_version", CleanText, nullable=False),
    Column("content_digest", CleanText, nullable=False),
    Column("card_id", Uuid),
    Column("suggestions", JSON, nullable=False),
    Column("proposed", JSON, nullable=False),
    Column("cautions", JSON, nullable=False),
    Column("milliseconds", Double, nullable=False),
    Column("prefetched", JSON, nullable=False),
    Column("fetched", JSON, nullable=False),
    Column("patient", CleanText, nullable=False),
    Column("user", CleanText, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("not_understood", JSON, nullable=False, server_default="{}"),
    Column("missing", JSON, nullable=False, server_default="[]"),
    Column("settings_digest", CleanText, nullable=False, server_default=""),
    # With the id, so that pages of rows follow one another without a gap.
    Index("decision_by_time", "at", "decision_id"),
    Index("decision_by_card", "card_id"),
    Index("decision_by_patient", "client", "tenant", "patient"),
)

feedback = Table(
    "feedback",
    metadata,
    # SHA-256 of what was said: the same thing said twice is one row.
    Column("fingerprint", String(DIGEST_LENGTH), primary_key=True),
    Column("client", CleanText, nullable=False),
    Column("tenant", CleanText, nullable=False),
    Column("service", CleanText, nullable=False),
    Column("card_id", Uuid, nullable=False),
    Column("outcome", CleanText, nullable=False),
    Column("accepted", JSON, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("comment", CleanText),
    Column("outcome_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    # Place in its batch: of two answers at the same moment, the one that was sent last counts.
    Column("place", Integer, nullable=False),
    Index("feedback_by_card", "card_id"),
    Index("feedback_by_arrival", "received_at", "fingerprint"),
)

mode_change = Table(
    "mode_change",
    metadata,
    # SQLite numbers rows by itself for the type INTEGER only.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("service", CleanText, nullable=False),
    Column("client", CleanText, nullable=False),
    Column("mode", CleanText, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("why", CleanText, nullable=False),
)

seen_token = Table(
    "seen_token",
    metadata,
    # SHA-256 of issuer and token id.
    Column("token", String(DIGEST_LENGTH), primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("seen_token_by_expiry", "expires_at"),
)
