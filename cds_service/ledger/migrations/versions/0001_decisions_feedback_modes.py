"""The first tables: decisions, feedback, changes of mode."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    _create_decision()
    _create_feedback()
    op.create_table(
        "mode_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )


def _create_decision() -> None:
    op.create_table(
        "decision",
        sa.Column("decision_id", sa.Uuid, primary_key=True),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("hook", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("answered", sa.Text, nullable=False),
        sa.Column("indicator", sa.Text, nullable=False),
        sa.Column("met", sa.JSON, nullable=False),
        sa.Column("unknown", sa.JSON, nullable=False),
        sa.Column("rule_version", sa.Text, nullable=False),
        sa.Column("content_digest", sa.Text, nullable=False),
        sa.Column("card_id", sa.Uuid),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.Column("proposed", sa.JSON, nullable=False),
        sa.Column("cautions", sa.JSON, nullable=False),
        sa.Column("milliseconds", sa.Double, nullable=False),
        sa.Column("prefetched", sa.JSON, nullable=False),
        sa.Column("fetched", sa.JSON, nullable=False),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
    )
    op.create_index("decision_by_time", "decision", ["at", "decision_id"])
    op.create_index("decision_by_card", "decision", ["card_id"])
    op.create_index("decision_by_patient", "decision", ["client", "tenant", "patient"])


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("card_id", sa.Uuid, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("accepted", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
    )
    op.create_index("feedback_by_card", "feedback", ["card_id"])
    op.create_index("feedback_by_arrival", "feedback", ["received_at", "fingerprint"])
