"""How the ledger's two databases are set up: durable, and never waiting for long.

SQLite keeps what was committed through a power cut, and a transaction that writes takes the write lock when it begins:
one that took it later could neither wait nor go on. PostgreSQL bounds each statement and each wait for a lock.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from cds_service.ledger.deadline import cut_after

POSTGRESQL = "postgresql+psycopg"

# Execution option of a connection whose transactions write.
WRITES = "ledger_writes"

# The driver knows no shorter time to connect.
_SHORTEST_CONNECT_SECONDS = 2


def sqlite_engine(file: Path, busy_seconds: float) -> Engine:
    """An engine for a SQLite file that exists. Connections may pass from thread to thread, one at a time."""
    # Opening must not create a file: `migrate` does, with its permissions.
    address = f"{file.absolute().as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        # No isolation level: Python's module would begin transactions too late; `begin` does it.
        connection = sqlite3.connect(
            address, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            # FULL: the log is synced at every commit, so that an acknowledged answer survives a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_timeout=busy_seconds, hide_parameters=True
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def postgresql_engine(url: URL, busy_seconds: float) -> Engine:
    """An engine for a PostgreSQL database."""
    engine = create_engine(
        url,
        pool_timeout=busy_seconds,
        hide_parameters=True,
        connect_args={"connect_timeout": max(_SHORTEST_CONNECT_SECONDS, round(busy_seconds))},
    )

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: object) -> None:
        milliseconds = max(1, round(busy_seconds * 1000))
        with cut_after(busy_seconds, connection), connection.cursor() as cursor:
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f"SET {name} = {milliseconds:d}")
            # Moments near the calendar's ends have no local time in some zones.
            cursor.execute("SET timezone = 'UTC'")
            connection.commit()

    # Not SQLAlchemy's own check before use: that would wait for a server that says nothing.
    @event.listens_for(engine, "checkout")
    def check(connection: Any, record: object, proxy: object) -> None:
        with cut_after(busy_seconds, connection) as line:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error:
                if line.was_cut:
                    raise
                # The server was started again since: the pool opens new connections, and asks once more.
                raise InvalidatePoolError() from None

    return engine
