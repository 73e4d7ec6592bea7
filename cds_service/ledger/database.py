"""The ledger's connection to SQLite or PostgreSQL: bounded transactions, and one error for every failure.

This module knows neither what a transaction reads and writes nor what the rows mean. Connections are opened in the
process that uses them, since neither database lets them pass a fork.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar, cast
from weakref import WeakSet, finalize

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    PoolProxiedConnection,
    QueuePool,
    RowMapping,
    Select,
    literal,
    make_url,
    tuple_,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cds_service.ledger.allowance import seconds_left, spent
from cds_service.ledger.deadline import abort_after
from cds_service.ledger.down import LedgerDown, cause, is_read_only
from cds_service.ledger.engines import (
    DURABLE,
    OPENED,
    POSTGRESQL,
    WRITES,
    begin_writing,
    longer_timeouts,
    postgresql_engine,
    sqlite_engine,
)
from cds_service.ledger.prepared import Prepared
from cds_service.ledger.sqlite_file import Identity, SqliteFile
from cds_service.ledger.sqlite_holder import SqliteHolder

T = TypeVar("T")
C = TypeVar("C", Connection, PoolProxiedConnection)

# Rows read, written or deleted by one statement where there are many: a few milliseconds, and far below the number of
# values that either database takes in one.
PAGE_ROWS = 500

# For what no call waits for: reports, retention, and another worker's migration. Some minutes of rows, and less than a
# process manager gives a service to start.
BACKGROUND_SECONDS = 60.0

# The server ends a statement after the time it was given; only where it does not is the connection aborted.
_GRACE_SECONDS = 0.5


class Database:
    """One SQLite file or PostgreSQL database. Opens nothing until it is used; leaves nothing open when it is gone."""

    def __init__(self, url: str | URL, busy_seconds: float) -> None:
        """`busy_seconds` bounds the wait for a lock, for a statement, and for a server that does not respond.

        Raises:
            ValueError: the URL is none, or of no SQLite file and no PostgreSQL database.
        """
        self._url = _parsed(url)
        # The SQLite file; None for PostgreSQL.
        self.file = SqliteFile(Path(str(self._url.database))) if self._url.drivername == "sqlite" else None
        self._busy_seconds = busy_seconds
        # The engine, and the process that it belongs to.
        self._opened: tuple[int, Engine] | None = None
        self._inherited: list[Engine] = []
        self.holder = SqliteHolder(self.file, busy_seconds) if self.file else None
        _open.add(self)

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        """A transaction that only reads; `seconds` where no call waits for it. Raises LedgerDown."""
        with self._asked("read", seconds), self._connected() as connection, self._transaction(connection, seconds):
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
        with self._asked("written", seconds), self._connected() as connection:
            connection = connection.execution_options(**{WRITES: True, DURABLE: durable})
            opened = connection.info.get(OPENED)
            with self._transaction(connection, seconds):
                self._check_again(opened)
                yield connection
            if durable:
                # What was written to a file that was replaced meanwhile is not kept.
                self._check_again(opened)

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
        with self._asked("written"), self._driven() as (connection, opened):
            if self.file is not None:
                begin_writing(connection, self._busy_seconds, durable)
                self._check_again(opened)
            compiled = statement.compiled(self._engine().dialect)
            inserted: int = connection.execute(compiled.text, compiled.values(row)).rowcount
            connection.commit()
            if durable:
                self._check_again(opened)
            return inserted

    def finds(self, query: Prepared, values: Mapping[str, Any]) -> bool:
        """Whether a query has a row. Raises LedgerDown."""
        with self._asked("read"), self._driven() as (connection, _):
            compiled = query.compiled(self._engine().dialect)
            return bool(connection.execute(compiled.text, compiled.values(values)).fetchall())

    def reopen(self) -> None:
        """Leave a SQLite file that was removed or replaced, or whose log was, and take what stands in its place.

        To be called by one process at a time. Raises LedgerDown where it is still in use.
        """
        if self.holder is not None:
            self.holder.reopen(self.in_use, self.close)

    def in_use(self) -> int:
        """How many connections of this process are in use."""
        return cast(QueuePool, self._engine().pool).checkedout()

    def tidy(self) -> None:
        """Bring what SQLite has in its log into the file, so that no call has to. Raises LedgerDown."""
        if self.file is not None:
            with self._asked("written", BACKGROUND_SECONDS), self._driven() as (connection, _):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                self.file.write_note()

    def close(self) -> None:
        """Close this process's connections that nobody uses; the next use opens new ones."""
        if self._opened is not None and self._opened[0] == os.getpid():
            self._opened[1].dispose()
        if self.holder is not None:
            self.holder.let_go()

    def _check_again(self, opened: Identity | None) -> None:
        """Raise FileChanged where a SQLite file, or its log, was exchanged while something was waited for.

        Once the write lock is there: whoever leaves a log brings it into the file with that lock, and nothing may be
        written to it after that.

        Args:
            opened: the file to which the connection that waited was opened.
        """
        if self.file is not None:
            self.file.check_opened(opened)

    def _connected(self) -> Connection:
        """A connection of this process."""
        return self._of_engine(Engine.connect)

    @contextmanager
    def _driven(self) -> Iterator[tuple[Any, Identity | None]]:
        """A kept connection as the driver has it, for one statement, and the SQLite file that it was opened to.

        It has `execute` and `commit`.
        """
        pooled = self._pooled()
        raw: Any = pooled.dbapi_connection
        opened = pooled.info.get(OPENED)
        try:
            if self.file is not None:
                yield raw, opened
            else:
                with abort_after(seconds_left() + _GRACE_SECONDS, raw):
                    # One statement, one message: without a transaction around it.
                    raw.autocommit = True
                    yield raw, opened
                    raw.autocommit = False
        except BaseException:
            pooled.invalidate()
            raise
        finally:
            pooled.close()

    def _pooled(self) -> PoolProxiedConnection:
        return self._of_engine(Engine.raw_connection)

    def _of_engine(self, connect: Callable[[Engine], C]) -> C:
        try:
            with self.holder.holding(seconds_left()) if self.holder else nullcontext():
                return connect(self._engine())
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
    def _asked(self, what: str, seconds: float | None = None) -> Iterator[None]:
        """Ask something within the time for it; an error of the database becomes LedgerDown, without its message.

        Args:
            what: is done with the ledger: `read` or `written`.
            seconds: instead of the time for what a call waits for.
        """
        try:
            with spent(seconds or self._busy_seconds):
                if not seconds_left():
                    raise LedgerDown(f"the ledger cannot be {what} (the time of the call has passed)")
                yield
        except (DBAPIError, PoolTimeout, self._engine().dialect.loaded_dbapi.Error) as error:
            if what == "written" and is_read_only(error):
                # A connection that was opened while nothing could be written stays so: later ones may not be.
                self.close()
            raise LedgerDown(f"the ledger cannot be {what} ({cause(error)})") from None

    @contextmanager
    def _transaction(self, connection: Connection, seconds: float | None) -> Iterator[None]:
        """SQLite waits for locks alone, and ends that itself; a PostgreSQL that does not is cut off."""
        if self.file is not None:
            with connection.begin():
                yield
            return
        raw: Any = connection.connection.dbapi_connection
        with abort_after(seconds_left() + _GRACE_SECONDS, raw), connection.begin():
            if seconds:
                connection.exec_driver_sql(longer_timeouts(seconds))
            yield


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


def _renew_all() -> None:
    for database in list(_open):
        if database.holder is not None:
            database.holder.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_all, after_in_child=_renew_all)
