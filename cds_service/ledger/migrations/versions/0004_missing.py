"""The prefetch keys without which nothing could be concluded about a patient."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    op.add_column("decision", sa.Column("missing", sa.JSON, nullable=False, server_default="[]"))
