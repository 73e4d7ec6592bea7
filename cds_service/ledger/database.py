"""The ledger's connection to SQLite or PostgreSQL: bounded transactions, and one error for every failure.

This module knows neither what a transaction reads and writes nor what the rows mean. Connections are opened in the
process that uses them, since neither database lets them pass a fork.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet, finalize

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Dialect,
    Engine,
    PoolProxiedConnection,
    RowMapping,
    Select,
    Table,
    literal,
    make_url,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cds_service.ledger.deadline import abort_after
from cds_service.ledger.engines import (
    DURABLE,
    POSTGRESQL,
    WRITES,
    begin_writing,
    longer_timeouts,
    postgresql_engine,
    sqlite_engine,
)
from cds_service.ledger.prepared import Prepared

T = TypeVar("T")

# Rows read, written or deleted by one statement where there are many: a few milliseconds, and far below the number of
# values that either database takes in one.
PAGE_ROWS = 500

# For what no call waits for: reports, retention, and another worker's migration. Some minutes of rows, and less than a
# process manager gives a service to start.
BACKGROUND_SECONDS = 60.0

# The server ends a statement after the time it was given; only where it does not is the connection aborted.
_GRACE_SECONDS = 0.5

# Words in the messages of errors that carry no code, and the cause that we name instead: messages name hosts and users.
_CAUSES = {
    "timeout": "timeout",
    "refused": "connection refused",
    "password": "password refused",
    "resolve": "unknown host",
    "translate host": "unknown host",
    "No such file": "no such socket",
    "does not exist": "no such database or user",
    "closed": "connection lost",
}


class LedgerDown(Exception):
    """The ledger cannot be reached, read or written; nothing of the interrupted transaction was kept.

    The text names the kind of failure only. What the database said may hold values of rows, and is left out.
    """


class Database:
    """One SQLite file or PostgreSQL database. Opens nothing until it is used; leaves nothing open when it is gone."""

    def __init__(self, url: str | URL, busy_seconds: float) -> None:
        """`busy_seconds` bounds the wait for a lock, for a statement, and for a server that does not respond.

        Raises:
            ValueError: the URL is none, or of no SQLite file and no PostgreSQL database.
        """
        self._url = _parsed(url)
        # The SQLite file; None for PostgreSQL.
        self.file = Path(str(self._url.database)) if self._url.drivername == "sqlite" else None
        self._busy_seconds = busy_seconds
        # The engine, and the process that it belongs to.
        self._opened: tuple[int, Engine] | None = None
        self._inherited: list[Engine] = []
        _open.add(self)

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        """A transaction that only reads; `seconds` where no call waits for it. Raises LedgerDown."""
        with self._as_ledger_down("read"), self._connected() as connection, self._transaction(connection, seconds):
            yield connection

    @contextmanager
    def writing(self, seconds: float | None = None, durable: bool = True) -> Iterator[Connection]:
        """A transaction that writes: kept as a whole when the block ends, and not at all if it fails.

        Args:
            seconds: how long it may take where no call waits for it.
            durable: on SQLite, whether it must outlast a power cut, and not only the end of the process.

        Raises:
            LedgerDown: it could not be written, or the database was busy for too long.
        """
        with self._as_ledger_down("written"), self._connected() as connection:
            connection = connection.execution_options(**{WRITES: True, DURABLE: durable})
            with self._transaction(connection, seconds):
                yield connection

    def paged(
        self,
        query: Select[Any],
        keys: Sequence[Column[Any]],
        read: Callable[[Connection, Sequence[RowMapping]], Sequence[T]],
    ) -> Iterator[T]:
        """What is read of the rows of a query, in the order of its unique keys, page by page.

        Each page is a transaction of its own: who reads slowly, or stops halfway, holds up no writer.

        Raises:
            LedgerDown: a page could not be read.
        """
        query = query.order_by(*keys).limit(PAGE_ROWS)
        page = query
        while True:
            with self.reading(BACKGROUND_SECONDS) as connection:
                rows = connection.execute(page).mappings().all()
                values = read(connection, rows)
            yield from values
            if len(rows) < PAGE_ROWS:
                return
            last = [literal(rows[-1][key], key.type) for key in keys]
            page = query.where(tuple_(*keys) > tuple_(*last))

    def insert(self, statement: Prepared, row: Mapping[str, Any], durable: bool = False) -> int:
        """Insert one row in a transaction of its own, and return how many are new: 1, or 0.

        Args:
            statement: as `new_row` makes it.
            row: the value of each column.
            durable: see `writing`.

        Raises:
            LedgerDown: see `writing`.
        """
        with self._as_ledger_down("written"), self._driven() as connection:
            if self.file is not None:
                begin_writing(connection, self._busy_seconds, durable)
            compiled = statement.compiled(self._engine().dialect)
            inserted: int = connection.execute(compiled.text, compiled.values(row)).rowcount
            connection.commit()
            return inserted

    def finds(self, query: Prepared, values: Mapping[str, Any]) -> bool:
        """Whether a query has a row. Raises LedgerDown."""
        with self._as_ledger_down("read"), self._driven() as connection:
            compiled = query.compiled(self._engine().dialect)
            return bool(connection.execute(compiled.text, compiled.values(values)).fetchall())

    def close(self) -> None:
        """Close this process's connections that nobody uses; the next use opens new ones."""
        if self._opened is not None and self._opened[0] == os.getpid():
            self._opened[1].dispose()

    def _connected(self) -> Connection:
        """A connection of this process."""
        try:
            return self._engine().connect()
        except InvalidRequestError:
            # Each new connection was lost again at once.
            raise LedgerDown("the ledger cannot be reached (connection lost)") from None

    @contextmanager
    def _driven(self) -> Iterator[Any]:
        """A kept connection as the driver has it, for one statement; each has `execute` and `commit`."""
        pooled = self._pooled()
        raw: Any = pooled.dbapi_connection
        try:
            if self.file is not None:
                yield raw
            else:
                with abort_after(self._busy_seconds + _GRACE_SECONDS, raw):
                    # One statement, one message: without a transaction around it.
                    raw.autocommit = True
                    yield raw
                    raw.autocommit = False
        except BaseException:
            pooled.invalidate()
            raise
        finally:
            pooled.close()

    def _pooled(self) -> PoolProxiedConnection:
        try:
            return self._engine().raw_connection()
        except InvalidRequestError:
            # Each new connection was lost again at once.
            raise LedgerDown("the ledger cannot be reached (connection lost)") from None

    def _engine(self) -> Engine:
        """This process's engine. Two threads that come first make two, and one of those is not used again."""
        if self._opened is None or self._opened[0] != os.getpid():
            if self._opened is not None:
                # The parent process's: to close its connections here, even by forgetting them, would end its locks.
                self._inherited.append(self._opened[1])
            engine = self._new_engine()
            finalize(self, _end, engine, os.getpid())
            self._opened = os.getpid(), engine
        return self._opened[1]

    def _new_engine(self) -> Engine:
        if self.file is not None:
            return sqlite_engine(self.file, self._busy_seconds)
        return postgresql_engine(self._url, self._busy_seconds)

    @contextmanager
    def _as_ledger_down(self, what: str) -> Iterator[None]:
        """Turn an error of the database into LedgerDown, without its message."""
        try:
            yield
        except (DBAPIError, PoolTimeout, self._engine().dialect.loaded_dbapi.Error) as error:
            raise LedgerDown(f"the ledger cannot be {what} ({_cause(error)})") from None

    @contextmanager
    def _transaction(self, connection: Connection, seconds: float | None) -> Iterator[None]:
        """SQLite waits for locks alone, and ends that itself; a PostgreSQL that does not is cut off."""
        if self.file is not None:
            with connection.begin():
                yield
            return
        raw: Any = connection.connection.dbapi_connection
        with abort_after((seconds or self._busy_seconds) + _GRACE_SECONDS, raw), connection.begin():
            if seconds:
                connection.exec_driver_sql(longer_timeouts(seconds))
            yield


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet, each in one step, and return their number."""
    # By default SQLAlchemy does not ask PostgreSQL for the number of rows.
    insert = _inserted(table, connection.dialect).execution_options(preserve_rowcount=True)
    return connection.execute(insert, rows).rowcount if rows else 0


def new_row(table: Table) -> Prepared:
    """The statement that inserts one row, unless its key is there already."""
    return Prepared(partial(_inserted, table), table.columns.keys())


def _inserted(table: Table, dialect: Dialect) -> Any:
    # Both databases know the clause, each in its own dialect of SQLAlchemy.
    insert = sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)
    return insert.on_conflict_do_nothing()


def _cause(error: Exception) -> str:
    """What went wrong: the type of the driver's error, with the database's code or a cause of ours."""
    if isinstance(error, PoolTimeout):
        return "no free connection"
    error = getattr(error, "orig", None) or error
    name = type(error).__name__
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    code = code or next((cause for words, cause in _CAUSES.items() if words in str(error)), None)
    return f"{name}, {code}" if code else name


def check_url(url: str) -> None:
    """Raise ValueError where a URL is none, or of no SQLite file and no PostgreSQL database; it is not repeated."""
    _parsed(url)


def _parsed(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The URL may hold a password.
        raise ValueError("the ledger's URL is not the URL of a database") from None
    if parsed.drivername in ("postgresql", POSTGRESQL):
        return parsed.set(drivername=POSTGRESQL)
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise ValueError("the ledger's URL must begin with sqlite:/// or postgresql://")
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError("the ledger's URL must name a file: what is in memory is seen by one worker only")
    return parsed.set(drivername="sqlite")


def _end(engine: Engine, process: int) -> None:
    """Close the connections of a database that nobody refers to any more; those of a parent process are its own."""
    if process == os.getpid():
        engine.dispose()


# SQLite's locks belong to a process and a file: a child must find no connection of its parent open.
_open: WeakSet[Database] = WeakSet()


def _close_all() -> None:
    for database in list(_open):
        database.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_all)
