"""Which settings answered a call, by their digest; rows from before have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    op.add_column("decision", sa.Column("settings_digest", sa.Text, nullable=False, server_default=""))
