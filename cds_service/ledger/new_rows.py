"""Insert rows whose key is not there yet: both databases know the clause, each in its own dialect of SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Dialect, Table, select, true
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.ledger.prepared import Prepared


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet, each in one step, and return their number."""
    # By default SQLAlchemy does not ask PostgreSQL for the number of rows.
    insert = _inserted(table, connection.dialect).execution_options(preserve_rowcount=True)
    return connection.execute(insert, rows).rowcount if rows else 0


def insert_again(connection: Connection, table: Table) -> None:
    """Insert a row that is there already, if there is one: nothing changes, and what keeps rows out shows."""
    # SQLite reads what follows the table as part of a join, unless a condition stands between.
    row = select(*table.columns).where(true()).limit(1)
    connection.execute(_inserted(table, connection.dialect).from_select(table.columns.keys(), row))


def new_row(table: Table) -> Prepared:
    """The statement that inserts one row, unless its key is there already."""
    return Prepared(partial(_inserted, table), table.columns.keys())


def _inserted(table: Table, dialect: Dialect) -> Any:
    insert = sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)
    return insert.on_conflict_do_nothing()
