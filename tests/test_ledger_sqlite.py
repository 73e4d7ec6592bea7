"""The ledger in a SQLite file: who may read it, what it survives, and what it says when it cannot be used."""

from __future__ import annotations

import gc
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from cds_service.ledger.database import Database
from cds_service.ledger.store import FILE_NAME, Ledger, LedgerDown
from tests.ledger_rows import a_decision, feedback_entry

_SHORT = 0.05


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that does not exist yet, with a name that means something in an address."""
    return tmp_path / "data of 100%? #1"


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    ledger = Ledger.sqlite(folder)
    ledger.prepare()
    yield ledger
    ledger.close()


def _url(folder: Path) -> URL:
    return URL.create("sqlite", database=str(folder / FILE_NAME))


def test_only_its_user_can_read_folder_and_files(folder: Path) -> None:
    before = os.umask(0)
    try:
        ledger = Ledger.sqlite(folder)
        ledger.prepare()
        ledger.record_decision(a_decision())
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        ledger.close()
    finally:
        os.umask(before)
    names = [FILE_NAME, f"{FILE_NAME}-shm", f"{FILE_NAME}-wal", f"{FILE_NAME}.lock"]
    assert modes == dict.fromkeys(names, 0o600)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_ledger_that_nobody_refers_to_closes_its_connections(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, closed = [], []

    class Watched(sqlite3.Connection):
        def close(self) -> None:
            closed.append(id(self))
            super().close()

    connect = sqlite3.connect

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, factory=Watched, **options)
        opened.append(id(connection))
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    Ledger.sqlite(folder).prepare()
    gc.collect()
    assert opened and set(opened) <= set(closed)


def test_a_file_that_was_opened_to_a_group_stays_so(ledger: Ledger, folder: Path) -> None:
    (folder / FILE_NAME).chmod(0o640)
    ledger.prepare()
    assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o640


def test_what_is_committed_is_synced_to_the_disk(tmp_path: Path) -> None:
    Ledger.sqlite(tmp_path).prepare()
    database = Database(_url(tmp_path), busy_seconds=_SHORT)
    with database.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_looking_at_a_ledger_that_is_not_there_creates_nothing(folder: Path) -> None:
    with pytest.raises(LedgerDown, match=r"cannot be read \(OperationalError, SQLITE_CANTOPEN\)"):
        Ledger.sqlite(folder).ping()
    folder.mkdir()
    with pytest.raises(LedgerDown, match=r"cannot be written \(OperationalError, SQLITE_CANTOPEN\)"):
        Ledger.sqlite(folder).record_decision(a_decision())
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerDown, match="folder cannot be written"):
        Ledger.sqlite(tmp_path / "file").prepare()


def test_a_file_that_is_no_database_is_told_and_left_as_it_is(folder: Path) -> None:
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(b"something else entirely" * 1000)
    ledger = Ledger.sqlite(folder)
    with pytest.raises(LedgerDown, match="SQLITE_NOTADB"):
        ledger.prepare()
    with pytest.raises(LedgerDown, match="SQLITE_NOTADB"):
        ledger.ping()
    assert (folder / FILE_NAME).read_bytes() == b"something else entirely" * 1000


def test_a_writer_that_waits_too_long_is_told_and_readers_do_not_wait(ledger: Ledger, folder: Path) -> None:
    ledger.record_decision(a_decision())
    impatient = Ledger(_url(folder), busy_seconds=_SHORT)
    with closing(sqlite3.connect(folder.absolute() / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM decision")
        with pytest.raises(LedgerDown, match=r"cannot be written \(OperationalError, SQLITE_BUSY\)"):
            impatient.record_feedback([feedback_entry()])
        assert impatient.decision(a_decision().decision_id) == a_decision()
        other.execute("ROLLBACK")
    assert impatient.record_feedback([feedback_entry()]).stored == 1
    impatient.close()


def test_a_disk_that_is_full_loses_nothing_that_was_acknowledged(ledger: Ledger, folder: Path) -> None:
    ledger.record_feedback([feedback_entry(1)])
    database = Database(_url(folder), busy_seconds=_SHORT)
    with pytest.raises(LedgerDown, match="SQLITE_FULL"), database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.exec_driver_sql("UPDATE feedback SET comment = zeroblob(100000)")
    database.close()
    assert ledger.card_feedback(feedback_entry(1).card_id) == [feedback_entry(1)]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://user:secret-word@db/x", "secret-word", ""])
def test_an_address_of_no_durable_database_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="the ledger's URL") as raised:
        Ledger(url)
    assert "secret-word" not in str(raised.value)


@pytest.mark.parametrize("table", ["decision", "feedback"])
def test_a_table_that_takes_no_rows_shows_when_it_is_tried_to_write(ledger: Ledger, folder: Path, table: str) -> None:
    ledger.try_writing()
    ledger.record_decision(a_decision())
    ledger.record_feedback([feedback_entry()])
    ledger.try_writing()
    with closing(sqlite3.connect(folder / FILE_NAME)) as other:
        counts = [other.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("decision", "feedback")]
        assert counts == [1, 1]
        other.execute(f"CREATE TRIGGER none BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(LedgerDown, match="cannot be written"):
            ledger.try_writing()
        other.execute("DROP TRIGGER none")
    ledger.try_writing()
