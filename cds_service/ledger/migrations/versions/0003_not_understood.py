"""What was not understood of a chart, by prefetch key and code system."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.add_column("decision", sa.Column("not_understood", sa.JSON, nullable=False, server_default="{}"))
