"""A PostgreSQL server for the bench, where one can start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.ledger_databases import PostgresqlServer


@contextmanager
def postgresql_url() -> Iterator[str | None]:
    """The address of an empty database; None where PostgreSQL cannot start, which is said aloud."""
    try:
        server = PostgresqlServer()
    except Exception as error:
        print(f"SKIPPED, NOT MEASURED: PostgreSQL cannot start ({type(error).__name__}: {error})")
        yield None
        return
    try:
        yield server.new_database()
    finally:
        server.stop()
