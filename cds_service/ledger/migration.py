"""Bring the ledger's database to the tables of this version, by Alembic, from a checkout or an installed wheel.

Several workers may start at once: one migrates, the others wait and find it done. All steps are one transaction; a
migration that fails leaves the database as it was. There is no way back: an older version refuses a newer database.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from cds_service.ledger.database import BACKGROUND_SECONDS, Database
from cds_service.ledger.down import LedgerDown, OldTables, OtherTables
from cds_service.ledger.engines import longer_timeouts
from cds_service.ledger.sqlite_file import SqliteFile

# How often to look whether another worker has done its migration.
_LOOK_SECONDS = 0.02

# Of PostgreSQL's advisory locks, the one for migrating this ledger: the first bytes of "cds-ledger" as a number.
_ADVISORY_LOCK = int.from_bytes(b"cds-led")


def migrate(
    database: Database,
    revision: str = "head",
    patience_seconds: float = BACKGROUND_SECONDS,
    anew: bool = True,
    expected: bool = False,
) -> None:
    """Create the tables, or bring them to a revision; nothing where they are there already.

    Args:
        database: which one.
        revision: of the migrations.
        patience_seconds: how long another process that migrates or locks the database is waited for.
        anew: whether a SQLite file that was there, and is no more, is made again, without what was in it.
        expected: that there was one, where neither this process nor the file's folder knows of it.

    Raises:
        LedgerDown: the database cannot be written, or it is newer than this version.
    """
    file = database.file
    if file is None:
        return _migrate_postgresql(database, revision, patience_seconds)
    _refuse_missing(file, anew, expected)
    with _migration_lock(file.lock, patience_seconds):
        _refuse_missing(file, anew, expected)
        database.reopen()
        if _create(file.path):
            file.take()
        _use_write_ahead_log(file.path, patience_seconds)
        with database.writing() as connection:
            _upgrade(connection, revision)


def _migrate_postgresql(database: Database, revision: str, patience_seconds: float) -> None:
    # First a question in the time of a call: a server that takes a login and then hangs is not waited for for a minute.
    with database.reading() as connection:
        if revision == "head" and _revision(connection) == _scripts().get_current_head():
            return
    with database.writing(BACKGROUND_SECONDS) as connection:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(patience_seconds * 1000):d}")
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        connection.exec_driver_sql(longer_timeouts(BACKGROUND_SECONDS))
        _upgrade(connection, revision)


def check_revision(connection: Connection) -> None:
    """Raise LedgerDown where the tables are not those of this version."""
    found = _revision(connection)
    if found != _scripts().get_current_head():
        raise OldTables("the ledger's tables are not yet those of this version: run cds-service migrate")


def _revision(connection: Connection) -> str | None:
    """The database's revision, None for an empty database; raises LedgerDown for one that is not known here."""
    # Alembic makes a table of its own each time, of which SQLAlchemy would keep what it compiled for hundreds of them.
    # The connection keeps none of what comes after, either: nothing comes, or a migration, once.
    found = MigrationContext.configure(connection.execution_options(compiled_cache=None)).get_current_revision()
    if found is not None and found not in {script.revision for script in _scripts().walk_revisions()}:
        raise OtherTables("the ledger's database was made by a newer version of this service: install that one")
    return found


def _upgrade(connection: Connection, revision: str) -> None:
    _revision(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _config() -> Config:
    config = Config()
    # Percent signs are Alembic's own.
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@contextmanager
def _migration_lock(file: Path, patience_seconds: float) -> Iterator[None]:
    """Hold other processes' migrations of a SQLite file off.

    SQLite's own lock comes too late: the change to the write-ahead log fails where two try it at the same time.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if isinstance(error, PermissionError) and file.exists():
            raise LedgerDown("the ledger's files were made by another user, and are only for that one") from None
        raise LedgerDown(f"the ledger's folder cannot be written ({type(error).__name__})") from None
    try:
        _acquire(lock, patience_seconds)
        yield
    finally:
        os.close(lock)


def _acquire(lock: int, patience_seconds: float) -> None:
    """Lock a file; closing it frees it, as does the end of the process."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LedgerDown("another process has been migrating the ledger for too long") from None
            time.sleep(_LOOK_SECONDS)


def _refuse_missing(file: SqliteFile, anew: bool, expected: bool) -> None:
    """Raise LedgerDown where the file is no more, and is not to be made again; not even its folder is then."""
    if not anew and (file.is_missed() or (expected and not file.path.exists())):
        raise LedgerDown("the ledger's file was removed: put it back, or start the service again without it")


def _create(file: Path) -> bool:
    """Create an empty file that only this user can read, and say whether there was none.

    An existing one is not even opened, for closing it would end SQLite's locks on it.
    """
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        raise LedgerDown(f"the ledger's file cannot be written ({type(error).__name__})") from None
    return True


def _use_write_ahead_log(file: Path, patience_seconds: float) -> None:
    """Let readers and a writer work at the same time; the file remembers it. Not possible in a transaction."""
    try:
        with closing(sqlite3.connect(file, timeout=patience_seconds)) as connection:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    except sqlite3.Error as error:
        raise LedgerDown(f"the ledger's file cannot be written ({error.sqlite_errorname})") from None
    if mode != "wal":
        raise LedgerDown("the ledger's folder is on a file system where SQLite keeps no write-ahead log: use another")
