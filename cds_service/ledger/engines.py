"""Engines of the ledger's two databases: what is synced to the disk when, and how long anything may wait.

A transaction of SQLite that writes takes the write lock when it begins: one that took it later could neither wait nor
go on. It syncs when it commits where what it writes was acknowledged to someone; the others are synced with the next of
those. PostgreSQL bounds each statement and each wait for a lock.
"""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from cds_service.ledger.allowance import seconds_left
from cds_service.ledger.deadline import abort_after, in_time
from cds_service.ledger.sqlite_file import SqliteFile

POSTGRESQL = "postgresql+psycopg"

# PostgreSQL's settings for how long a statement, a wait for a lock, and a pause in a transaction may take.
_TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

# Execution options of a connection: its transactions write; and they outlast a power cut, which costs a sync each.
WRITES = "ledger_writes"
DURABLE = "ledger_durable"

# In the info of a connection to SQLite: the file that it was opened to (`SqliteFile.taken`).
OPENED = "ledger_opened"

# How long to wait between two looks for the write lock: about as long as a small transaction holds it.
_LOOK_SECONDS = (0.0005, 0.002)

# So many connections to PostgreSQL stay open, each a process there; ten more are opened at most.
_KEPT_CONNECTIONS = 5

# The log is brought into the file from time to time (`Database.tidy`), which waits for the disk; by SQLite's own rule a
# call would do it after some 200 others. Where nobody does, a call does at 40 MB.
_LONGEST_LOG_PAGES = 10_000

# Of the time for a question, what may be spent on waiting for a connection that others use.
_SHARE_FOR_A_CONNECTION = 0.5

# To SQLAlchemy's pool, as its size: it keeps every connection, and opens as many as are asked for.
_EVERY_CONNECTION = 0

# The driver knows no shorter time to connect.
_SHORTEST_CONNECT_SECONDS = 2


# What each connection keeps of the file. The system keeps it too; of SQLite's own 2 MB for each of so many connections
# a worker would go on growing for a million calls.
_CACHE_KILOBYTES = 256


def open_sqlite(file: Path, busy_seconds: float) -> sqlite3.Connection:
    """A connection to a SQLite file that exists, which may pass from thread to thread. Raises sqlite3.Error."""
    # Opening must not create a file: `migrate` does, with its permissions.
    address = f"{file.absolute().as_uri()}?mode=rw"
    # No isolation level: Python's module would begin transactions too late; `begin` does it.
    connection = sqlite3.connect(address, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        # On macOS a sync ends in the memory of the disk, where this is not asked for; elsewhere it means nothing.
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KILOBYTES:d}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LONGEST_LOG_PAGES:d}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def sqlite_engine(file: SqliteFile, busy_seconds: float) -> Engine:
    """An engine for a SQLite file that exists. Connections may pass from thread to thread, one at a time.

    Each connection's `info` says by OPENED which file it was opened to.
    """
    # One for each thread that asks, however many a server has. They stay open, for to open one is to read all tables
    # anew; the last used is used first, so that those of a rush do not all stay busy.
    engine = create_engine(
        "sqlite://",
        creator=lambda: open_sqlite(file.path, busy_seconds),
        poolclass=QueuePool,
        pool_size=_EVERY_CONNECTION,
        pool_use_lifo=True,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def note(_: object, record: ConnectionPoolEntry) -> None:
        record.info[OPENED] = file.taken

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(WRITES):
            raw: Any = connection.connection.dbapi_connection
            begin_writing(raw, busy_seconds, bool(options.get(DURABLE)))
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def begin_writing(connection: sqlite3.Connection, busy_seconds: float, durable: bool) -> None:
    """Begin a transaction that writes, with the write lock. Raises sqlite3.OperationalError.

    SQLite's own wait is not fair: it looks for the lock less and less often, up to ten times a second, so that of some
    busy writers one may wait for seconds. Here all look equally often, at moments that differ.
    """
    # FULL: the log is synced when the transaction commits. NORMAL: what is committed outlasts the process, and a power
    # cut may take the last moments of it, never the file.
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    deadline = time.monotonic() + min(busy_seconds, seconds_left())
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(*_LOOK_SECONDS))
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(busy_seconds * 1000):d}")


def postgresql_engine(url: URL, busy_seconds: float) -> Engine:
    """An engine for a PostgreSQL database."""
    engine = create_engine(
        url,
        pool_size=_KEPT_CONNECTIONS,
        max_overflow=10,
        pool_timeout=busy_seconds * _SHARE_FOR_A_CONNECTION,
        hide_parameters=True,
        connect_args={"connect_timeout": max(_SHORTEST_CONNECT_SECONDS, round(busy_seconds))},
    )

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: object, arguments: Any, named: Any) -> Any:
        seconds = min(busy_seconds, seconds_left())
        return in_time(lambda: dialect.connect(*arguments, **named), seconds, dialect.loaded_dbapi.OperationalError)

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: object) -> None:
        milliseconds = max(1, round(busy_seconds * 1000))
        with abort_after(min(busy_seconds, seconds_left()), connection), connection.cursor() as cursor:
            for name in _TIMEOUTS:
                cursor.execute(f"SET {name} = {milliseconds:d}")
            # Moments near the calendar's ends have no local time in some zones.
            cursor.execute("SET timezone = 'UTC'")
            connection.commit()

    # Not SQLAlchemy's `pool_pre_ping`: it would wait without end for a server that does not respond.
    @event.listens_for(engine, "checkout")
    def check(connection: Any, record: object, proxy: object) -> None:
        with abort_after(min(busy_seconds, seconds_left()), connection) as socket:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error:
                if socket.was_aborted:
                    raise
                # The server was started again since: the pool opens new connections, and asks once more.
                raise InvalidatePoolError() from None

    return engine


def longer_timeouts(seconds: float) -> str:
    """The statements that give PostgreSQL more time until the transaction ends."""
    return "; ".join(f"SET LOCAL {name} = {round(seconds * 1000):d}" for name in _TIMEOUTS)
