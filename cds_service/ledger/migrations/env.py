"""What Alembic runs: the migrations, on the connection and in the transaction that `migration.py` hands over."""

from __future__ import annotations

from alembic import context

from cds_service.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
