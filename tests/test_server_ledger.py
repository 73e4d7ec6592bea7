"""A ledger that hangs, fails or is exchanged under the real server: no call waits long, and nothing is lost quietly."""

from __future__ import annotations

import fcntl
import resource
import shutil
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
import requests

from cds_service.ledger.store import FILE_NAME
from tests.chaos.small_disk import filled, small_disk
from tests.server_calls import FEEDBACK, HOST, comes_true, feedback
from tests.skips import NO_SMALL_DISK

if TYPE_CHECKING:
    from tests.ledger_databases import PostgresqlServer
    from tests.real_server import RealServer, StartService

pytest_plugins = ("tests.real_server", "tests.ledger_databases")

pytestmark = pytest.mark.slow

# What a call may take (the setting `call_seconds`); the ledger may take two or three seconds of it.
MOST_SECONDS = 10.0

# A request that is answered at once, on a machine that is busy with other things.
AT_ONCE_SECONDS = 4.0


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and says nothing."""
    with socket.create_server((HOST, 0), backlog=512) as listener:
        yield listener.getsockname()[1]


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """A SQLite file to which another process writes, without end."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def timed_call(service: RealServer) -> requests.Response:
    """A call, which takes no longer than a call may."""
    begun = time.monotonic()
    response = service.call()
    assert time.monotonic() - begun < MOST_SECONDS
    return response


def lives_and_says(service: RealServer) -> Any:
    """What readiness says, at once; the process says at once that it lives."""
    begun = time.monotonic()
    assert service.get("/health/live").json() == {"status": "live"}
    ready = service.get("/health/ready")
    assert time.monotonic() - begun < AT_ONCE_SECONDS
    return ready.status_code, ready.json()["ledger"][:4]


def recovers(service: RealServer) -> bool:
    """Whether it becomes ready by itself, with a ledger that works; both workers may be asked."""
    return comes_true(lambda: all(lives_and_says(service) == (200, "ok") for _ in range(5)))


def has_a_successor(service: RealServer, pid: int) -> bool:
    """Whether a worker that is killed is followed by another, which starts."""
    before = service.started()
    service.end_worker(pid)
    return comes_true(lambda: service.started() == before + 1)


# --- PostgreSQL


@pytest.mark.postgresql
@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 503)])
def test_a_database_that_accepts_and_says_nothing_delays_neither_start_nor_calls(
    start_service: StartService, strict: bool, status: int
) -> None:
    with silent_port() as port:
        service = start_service(ledger_url=f"postgresql://nobody@{HOST}:{port}/ledger", ledger_strict=strict)
        for _ in range(3):
            assert lives_and_says(service) == (status, "down")
            assert timed_call(service).status_code == status
        told = service.call(feedback(str(uuid4())), FEEDBACK)
        assert told.status_code == 503


@pytest.mark.postgresql
def test_a_database_that_is_stopped_before_the_start_is_used_when_it_goes_on(
    start_service: StartService, postgresql: PostgresqlServer
) -> None:
    url = postgresql.new_database()
    with postgresql.stopped():
        service = start_service(ledger_url=url)
        assert timed_call(service).json()["cards"]
        assert lives_and_says(service) == (200, "down")
    assert recovers(service)
    assert timed_call(service).json()["cards"]
    assert rows(postgresql, url) == 1


@pytest.mark.postgresql
def test_a_worker_that_is_started_again_while_the_database_is_stopped_answers(
    start_service: StartService, postgresql: PostgresqlServer
) -> None:
    url = postgresql.new_database()
    service = start_service(workers=2, ledger_url=url)
    assert recovers(service)
    with postgresql.stopped():
        killed = service.workers()[0]
        service.end_worker(killed)
        assert comes_true(lambda: service.started() >= 3)
        for _ in range(6):
            lives_and_says(service)
            assert timed_call(service).json()["cards"]
    assert recovers(service)
    before = rows(postgresql, url)
    assert timed_call(service).json()["cards"]
    assert rows(postgresql, url) == before + 1


@pytest.mark.postgresql
def test_a_table_that_is_locked_costs_one_call_its_time_and_not_every_call(
    start_service: StartService, postgresql: PostgresqlServer
) -> None:
    url = postgresql.new_database()
    service = start_service(ledger_url=url)
    assert recovers(service)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE decision")
        assert timed_call(service).json()["cards"]
        begun = time.monotonic()
        for _ in range(10):
            assert timed_call(service).json()["cards"]
        # Ten that each waited their two seconds would take twenty.
        assert time.monotonic() - begun < 15
        assert lives_and_says(service) == (200, "down")
    assert recovers(service)


def rows(server: PostgresqlServer, url: str) -> int:
    """How many decisions a database holds."""
    return int(server.value("SELECT count(*) FROM decision", url))


# --- SQLite


def test_a_migration_that_another_process_does_not_end_delays_no_call(
    start_service: StartService, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with (data / f"{FILE_NAME}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        service = start_service(data_folder=str(data))
        assert timed_call(service).json()["cards"]
        assert lives_and_says(service) == (200, "down")
    assert recovers(service)


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 503)])
def test_a_file_that_is_locked_shows_in_readiness_until_it_is_free(
    start_service: StartService, strict: bool, status: int
) -> None:
    service = start_service(ledger_strict=strict)
    assert recovers(service)
    with locked(service.data / FILE_NAME):
        assert timed_call(service).status_code == status
        for _ in range(5):
            assert lives_and_says(service) == (status, "down")
            time.sleep(0.5)
        assert service.call(feedback(str(uuid4())), FEEDBACK).status_code == 503
    assert recovers(service)
    assert timed_call(service).status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="the bound of another process is set on Linux only")
@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 503)])
def test_a_disk_that_is_full_shows_in_readiness_until_there_is_room(
    start_service: StartService, strict: bool, status: int
) -> None:
    service = start_service(ledger_strict=strict)
    assert recovers(service)
    (worker,) = service.workers()
    usual = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    # No file may grow beyond what it can hold of nothing: what is written fails, what is read does not.
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, usual[1]))
    assert timed_call(service).status_code == status
    assert service.call(feedback(str(uuid4())), FEEDBACK).status_code == 503
    for _ in range(5):
        assert lives_and_says(service) == (status, "down")
        time.sleep(0.5)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, usual)
    assert recovers(service)
    assert timed_call(service).status_code == 200


def test_a_file_system_without_a_byte_left_loses_nothing_that_was_acknowledged(
    start_service: StartService, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, megabytes=8) as mounted:
        if not mounted:
            pytest.skip(NO_SMALL_DISK)
        service = start_service(workers=2, data_folder=str(disk))
        assert recovers(service)
        before = sent_until_acknowledged(service, 8)
        with filled(disk):
            # What SQLite has set aside for its log may still hold a few rows.
            during = set().union(*(acknowledged(service, 1) for _ in range(40)))
            assert len(during) < 40
            assert service.call(feedback(str(uuid4())), FEEDBACK).status_code == 503
            assert timed_call(service).json()["cards"]
            assert comes_true(lambda: lives_and_says(service) == (200, "down"))
        assert recovers(service)
        after = sent_until_acknowledged(service, 8)
        service.tell_to_stop()
        service.exit_status()
        assert kept_cards(disk / FILE_NAME) == before | during | after


def test_workers_start_and_answer_where_the_disk_of_all_files_is_full(
    start_service: StartService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, megabytes=16) as mounted:
        if not mounted:
            pytest.skip(NO_SMALL_DISK)
        monkeypatch.setenv("TMPDIR", str(disk))
        service = start_service(workers=2, data_folder=str(disk / "data"))
        assert recovers(service)
        with filled(disk):
            for pid in service.workers():
                assert has_a_successor(service, pid)
                assert timed_call(service).json()["cards"]
            assert "cds_rule_info" in service.get("/metrics").text
        assert recovers(service)
        ended = [event["exit_status"] for event in service.events() if "exit_status" in event]
        assert ended == [-signal.SIGKILL] * 2


def kept_cards(file: Path) -> set[str]:
    """The cards of all feedback in a file."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT card_id FROM feedback")}


def backed_up(file: Path) -> Path:
    """A backup beside the file, made while the service runs."""
    backup = file.with_name("backup.sqlite3")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    return backup


def acknowledged(service: RealServer, count: int) -> set[str]:
    """Send feedback to so many cards; the cards of what was acknowledged."""
    cards = [str(uuid4()) for _ in range(count)]
    return {card.replace("-", "") for card in cards if is_acknowledged(service, card)}


def is_acknowledged(service: RealServer, card: str) -> bool:
    return service.call(feedback(card), FEEDBACK).status_code == 200


def sent_until_acknowledged(service: RealServer, count: int) -> set[str]:
    """As an EHR sends feedback: again, where one of the workers had first to notice that the file was exchanged."""
    cards = [str(uuid4()) for _ in range(count)]
    for card in cards:
        assert comes_true(partial(is_acknowledged, service, card))
    return {card.replace("-", "") for card in cards}


def with_a_backup(start_service: StartService) -> tuple[RealServer, set[str], Path]:
    """A service of two workers with a backup of its ledger, the cards in that, and more feedback that came after it."""
    service = start_service(workers=2)
    assert recovers(service)
    before = acknowledged(service, 4)
    backup = backed_up(service.data / FILE_NAME)
    sent_until_acknowledged(service, 8)
    return service, before, backup


@pytest.mark.parametrize("removed_first", [False, True])
def test_what_is_acknowledged_after_a_backup_was_restored_is_in_it(
    start_service: StartService, removed_first: bool
) -> None:
    service, before, backup = with_a_backup(start_service)
    file = service.data / FILE_NAME
    if removed_first:
        # With its log still there, as somebody in haste does.
        file.unlink()
        assert acknowledged(service, 8) == set()
        assert not file.exists()
    backup.replace(file)
    during = acknowledged(service, 8)
    assert recovers(service)
    after = sent_until_acknowledged(service, 8)
    service.tell_to_stop()
    service.exit_status()
    assert kept_cards(file) == before | during | after


def test_a_file_that_was_removed_is_not_made_again_under_the_service(start_service: StartService) -> None:
    service = start_service(ledger_strict=True)
    assert recovers(service)
    file = service.data / FILE_NAME
    shutil.move(file, file.with_name("elsewhere.sqlite3"))
    assert timed_call(service).status_code == 503
    assert comes_true(lambda: lives_and_says(service) == (503, "down"))
    service.end_worker(service.workers()[0], signal.SIGKILL)
    assert comes_true(lambda: service.started() >= 2)
    assert timed_call(service).status_code == 503
    assert not file.exists()
    shutil.move(file.with_name("elsewhere.sqlite3"), file)
    assert recovers(service)
    assert timed_call(service).status_code == 200


@pytest.mark.parametrize("killed", [1, 2])
def test_a_backup_that_is_restored_while_workers_start_is_not_mixed_with_the_old_log(
    start_service: StartService, killed: int
) -> None:
    service, before, backup = with_a_backup(start_service)
    file = service.data / FILE_NAME
    started = service.started()
    for pid in service.workers()[:killed]:
        service.end_worker(pid)
    backup.replace(file)
    assert comes_true(lambda: service.started() == started + killed)
    assert recovers(service)
    after = sent_until_acknowledged(service, 8)
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    service.tell_to_stop()
    service.exit_status()
    assert kept_cards(file) == before | after


@pytest.mark.parametrize("names", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_what_was_acknowledged_into_a_log_that_is_taken_away_is_in_the_file(
    start_service: StartService, names: tuple[str, ...]
) -> None:
    service = start_service(workers=2)
    assert recovers(service)
    file = service.data / FILE_NAME
    kept: set[str] = set()
    for _ in range(3):
        kept |= acknowledged(service, 16)
        for name in names:
            file.with_name(f"{FILE_NAME}{name}").unlink()
        kept |= acknowledged(service, 8)
        assert recovers(service)
        kept |= sent_until_acknowledged(service, 8)
    for pid in service.workers():
        assert has_a_successor(service, pid)
    assert recovers(service)
    service.tell_to_stop()
    service.exit_status()
    assert kept_cards(file) == kept


def test_a_data_folder_that_was_moved_away_is_missed_and_not_made_anew(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service(workers=2, data_folder=str(tmp_path / "data"))
    assert recovers(service)
    before = acknowledged(service, 8)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert acknowledged(service, 8) == set()
    for pid in service.workers():
        assert has_a_successor(service, pid)
    assert comes_true(lambda: lives_and_says(service) == (200, "down"))
    assert acknowledged(service, 8) == set()
    assert timed_call(service).json()["cards"]
    assert not (tmp_path / "data").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "data")
    assert recovers(service)
    after = acknowledged(service, 8)
    service.tell_to_stop()
    service.exit_status()
    assert kept_cards(tmp_path / "data" / FILE_NAME) == before | after
