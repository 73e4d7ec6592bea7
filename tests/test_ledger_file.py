"""A SQLite ledger whose file is removed or replaced while it is open."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cds_service.app import make_app
from cds_service.ledger.down import FileChanged, LedgerDown
from cds_service.ledger.sqlite_file import Identity, SqliteFile
from cds_service.ledger.store import FILE_NAME, Ledger
from cds_service.settings import make_settings
from tests.builders import NOW as CALLED_AT
from tests.ledger_rows import NOW, a_decision, feedback_entry, numbered
from tests.server_calls import comes_true
from tests.test_ledger_recorder import CALL, PATH, feedback

_DAY = timedelta(days=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.sqlite(tmp_path)
    ledger.prepare()
    yield ledger
    ledger.close()


@pytest.fixture
def file(ledger: Ledger, tmp_path: Path) -> Path:
    """Of the ledger."""
    return tmp_path / FILE_NAME


def backup_of(file: Path) -> Path:
    backup = file.with_name("backup.sqlite3")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    return backup


def kept(ledger: Ledger) -> set[Any]:
    return {entry.card_id for entry in ledger.feedback(NOW, NOW + _DAY)}


def in_file(file: Path) -> set[str]:
    """The cards with feedback, as another program finds them; the file is whole."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {str(UUID(str(row[0]))) for row in connection.execute("SELECT card_id FROM feedback")}


@pytest.mark.parametrize("replaced", [True, False])
def test_nothing_is_read_or_written_where_another_file_stands(ledger: Ledger, file: Path, replaced: bool) -> None:
    ledger.record_feedback([feedback_entry(1)])
    backup = backup_of(file)
    if replaced:
        backup.replace(file)
    else:
        file.unlink()
    how = "replaced" if replaced else "removed"
    for ask in (
        lambda: ledger.record_feedback([feedback_entry(2)]),
        lambda: ledger.record_decision(a_decision()),
        lambda: ledger.earlier_feedback("a", "b", "c", None),
        ledger.ping,
    ):
        with pytest.raises(FileChanged, match=f"the ledger's file was {how}"):
            ask()


def test_what_is_written_while_the_file_is_replaced_is_not_acknowledged(ledger: Ledger, file: Path) -> None:
    backup = backup_of(file)
    with pytest.raises(FileChanged), ledger._database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM feedback")
        backup.replace(file)


_WRITES: dict[str, Callable[[Ledger], object]] = {
    "feedback": lambda ledger: ledger.record_feedback([feedback_entry(2)]),
    "a decision": lambda ledger: ledger.record_decision(a_decision()),
    "a decision that must outlast": lambda ledger: ledger.record_decision(a_decision(), durable=True),
    "a token": lambda ledger: ledger.take_token("issuer", "one", NOW),
}


@pytest.mark.parametrize("what", _WRITES)
def test_what_waited_for_the_lock_of_a_file_that_another_thread_has_left_is_not_acknowledged(
    ledger: Ledger, file: Path, what: str
) -> None:
    ledger.record_feedback([feedback_entry(1)])
    backup = backup_of(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other, ThreadPoolExecutor(1) as waiting:
        other.execute("BEGIN IMMEDIATE")
        waits = waiting.submit(_WRITES[what], ledger)
        assert comes_true(lambda: ledger._database.in_use() == 1)
        backup.replace(file)
        ledger.prepare()
        ledger.record_feedback([feedback_entry(3)])
        other.execute("ROLLBACK")
        with pytest.raises(FileChanged):
            waits.result()
    assert kept(ledger) == {numbered("card", 1), numbered("card", 3)}


@pytest.mark.parametrize("what", ["feedback", "a decision that must outlast"])
def test_what_is_committed_to_a_file_that_is_replaced_at_that_moment_is_not_acknowledged(
    ledger: Ledger, file: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = backup_of(file)
    check, looks = SqliteFile.check_opened, count()

    def replaced_after_the_first_look(looked_at: SqliteFile, opened: Identity | None) -> None:
        check(looked_at, opened)
        if next(looks) == 0:
            backup.replace(file)

    monkeypatch.setattr(SqliteFile, "check_opened", replaced_after_the_first_look)
    with pytest.raises(FileChanged):
        _WRITES[what](ledger)


def test_a_file_that_took_the_place_is_used_after_it_was_prepared_without_the_log_of_the_other(
    ledger: Ledger, file: Path
) -> None:
    ledger.record_feedback([feedback_entry(1)])
    backup = backup_of(file)
    ledger.record_feedback([feedback_entry(2)])
    backup.replace(file)
    ledger.prepare()
    ledger.record_feedback([feedback_entry(3)])
    assert kept(ledger) == {numbered("card", 1), numbered("card", 3)}
    # What came after the backup is there for whoever wants it back, in a file only for this user.
    copy = file.with_name(f"{FILE_NAME}.replaced-1")
    assert copy.stat().st_mode & 0o777 == 0o600
    replaced = Ledger(f"sqlite:///{copy}")
    assert kept(replaced) == {numbered("card", 1), numbered("card", 2)}
    replaced.close()


def test_where_there_is_no_room_for_a_copy_of_the_file_that_was_replaced_its_log_is_kept(
    ledger: Ledger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = backup_of(file)
    ledger.record_feedback([feedback_entry(2)])
    backup.replace(file)

    def no_room(path: Path, *flags: int) -> int:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteFile, "new_file_for_replaced", no_room)
        ledger.prepare()
    assert kept(ledger) == set()
    assert file.with_name(f"{FILE_NAME}-wal.replaced").stat().st_size


@pytest.mark.parametrize("taken", ["-wal", "-shm", "both"])
@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_log_that_was_taken_from_under_the_file_is_noticed_and_nothing_acknowledged_is_lost(
    ledger: Ledger, file: Path, taken: str, how: str
) -> None:
    ledger.record_feedback([feedback_entry(1)])
    for name in ("-wal", "-shm") if taken == "both" else (taken,):
        path = file.with_name(f"{FILE_NAME}{name}")
        path.unlink() if how == "removed" else path.rename(f"{path}.away")
    with pytest.raises(FileChanged, match="the log of the ledger's file was removed or replaced"):
        ledger.record_feedback([feedback_entry(2)])
    ledger.prepare()
    ledger.record_feedback([feedback_entry(3)])
    ledger.close()
    assert in_file(file) == {str(numbered("card", 1)), str(numbered("card", 3))}


def test_a_log_that_is_put_back_after_it_was_missed_changes_nothing(ledger: Ledger, file: Path) -> None:
    ledger.record_feedback([feedback_entry(1)])
    log, away = file.with_name(f"{FILE_NAME}-wal"), file.with_name("away")
    log.rename(away)
    ledger.prepare()
    ledger.record_feedback([feedback_entry(2)])
    away.replace(log)
    ledger.prepare()
    ledger.record_feedback([feedback_entry(3)])
    ledger.close()
    assert in_file(file) == {str(numbered("card", number)) for number in (1, 2, 3)}


@pytest.mark.parametrize("gone_first", [True, False])
def test_an_older_log_that_is_put_in_place_is_not_read(ledger: Ledger, file: Path, gone_first: bool) -> None:
    ledger.record_feedback([feedback_entry(1)])
    log, older = file.with_name(f"{FILE_NAME}-wal"), file.with_name("older")
    older.write_bytes(log.read_bytes())
    ledger.record_feedback([feedback_entry(2)])
    if gone_first:
        log.unlink()
        ledger.prepare()
        ledger.record_feedback([feedback_entry(3)])
    older.replace(log)
    with pytest.raises(FileChanged):
        ledger.record_feedback([feedback_entry(4)])
    ledger.prepare()
    ledger.record_feedback([feedback_entry(5)])
    ledger.close()
    assert in_file(file) == {str(numbered("card", number)) for number in ((1, 2, 3, 5) if gone_first else (1, 2, 5))}


def test_an_older_log_that_is_put_in_place_while_nobody_looks_is_not_read(ledger: Ledger, file: Path) -> None:
    ledger.record_feedback([feedback_entry(1)])
    log, older = file.with_name(f"{FILE_NAME}-wal"), file.with_name("older")
    older.write_bytes(log.read_bytes())
    ledger.record_feedback([feedback_entry(2)])
    ledger.close()
    older.replace(log)
    another = Ledger.sqlite(file.parent)
    another.prepare()
    assert kept(another) == {numbered("card", 1), numbered("card", 2)}
    another.close()


def test_a_log_is_not_left_while_a_connection_uses_it(file: Path) -> None:
    ledger = Ledger(f"sqlite:///{file}", busy_seconds=0.2)
    ledger.record_feedback([feedback_entry(1)])
    with ledger._database.reading():
        file.with_name(f"{FILE_NAME}-wal").unlink()
        with pytest.raises(LedgerDown, match="the file is still in use"):
            ledger.prepare()
    ledger.prepare()
    assert kept(ledger) == {numbered("card", 1)}
    ledger.close()


def test_a_log_that_came_with_the_new_file_is_read(ledger: Ledger, file: Path, tmp_path: Path) -> None:
    other = Ledger.sqlite(tmp_path / "other")
    other.prepare()
    other.record_feedback([feedback_entry(7)])
    # As a copy of the whole folder has it, made while the other ledger was open.
    for name in (FILE_NAME, f"{FILE_NAME}-wal"):
        copy = tmp_path / "copy"
        copy.write_bytes((tmp_path / "other" / name).read_bytes())
        copy.replace(tmp_path / name)
    other.close()
    ledger.prepare()
    assert kept(ledger) == {numbered("card", 7)}


def test_a_file_that_was_removed_is_made_again_only_where_that_is_wanted(ledger: Ledger, file: Path) -> None:
    ledger.close()
    file.unlink()
    for _ in range(2):
        with pytest.raises(LedgerDown, match="the ledger's file was removed: put it back"):
            ledger.prepare(anew=False)
        with pytest.raises(LedgerDown):
            Ledger.sqlite(file.parent).prepare(anew=False)
    assert not file.exists()
    ledger.prepare()
    ledger.record_feedback([feedback_entry(1)])
    assert kept(ledger) == {numbered("card", 1)}


def test_files_that_another_user_made_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{FILE_NAME}.lock").touch()

    def another_users(*how: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", another_users)
    with pytest.raises(LedgerDown, match="made by another user"):
        Ledger.sqlite(tmp_path).prepare()


def test_a_file_that_was_never_there_is_made(tmp_path: Path) -> None:
    ledger = Ledger.sqlite(tmp_path / "new")
    ledger.prepare(anew=False)
    ledger.ping()
    ledger.close()


def test_feedback_to_a_service_whose_file_was_replaced_is_stored_when_it_is_sent_again(tmp_path: Path) -> None:
    settings = make_settings({"data_folder": str(tmp_path)})
    client = make_app(settings, lambda: CALLED_AT).test_client()
    card = client.post(PATH, json=CALL).get_json()["cards"][0]["uuid"]
    backup_of(tmp_path / FILE_NAME).replace(tmp_path / FILE_NAME)
    assert client.post(f"{PATH}/feedback", json=feedback(card)).status_code == 503
    assert client.get("/health/ready").get_json()["ledger"] == "ok"
    assert client.post(f"{PATH}/feedback", json=feedback(card)).status_code == 200
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM feedback").fetchone() == (1,)
