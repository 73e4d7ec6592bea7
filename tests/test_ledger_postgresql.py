"""The ledger in PostgreSQL: a server that is down, slow or silent delays no call, and no error text names secrets."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event

from cds_service.decision.ledger_keeper import LedgerKeeper
from cds_service.ledger import migrations
from cds_service.ledger.database import Database
from cds_service.ledger.down import OldTables
from cds_service.ledger.migration import migrate
from cds_service.ledger.store import Ledger, LedgerDown
from tests.ledger_rows import NOW, a_decision, feedback_entry, numbered

if TYPE_CHECKING:
    from tests.ledger_databases import PostgresqlServer

pytest_plugins = ("tests.ledger_databases",)

# A server that is well answers in this time, even on a busy machine.
_SHORT = 1.0


@pytest.fixture
def ledger(postgresql: PostgresqlServer) -> Iterator[Ledger]:
    """A ledger of little patience in a database of its own."""
    ledger = Ledger(postgresql.new_database(), busy_seconds=_SHORT)
    ledger.prepare()
    yield ledger
    ledger.close()


def _backends(server: PostgresqlServer) -> list[int]:
    """The server's processes that serve a ledger."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'ledger%' AND backend_type = 'client backend'"
    with psycopg.connect(server.url()) as connection:
        return [row[0] for row in connection.execute(query)]


@contextmanager
def _stopped(processes: list[int]) -> Iterator[None]:
    """Processes that live and do nothing; they go on by themselves in a while, so that a test fails and ends."""

    def go_on() -> None:
        for process in processes:
            os.kill(process, signal.SIGCONT)

    for process in processes:
        os.kill(process, signal.SIGSTOP)
    timer = Timer(30, go_on)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        go_on()


def test_a_server_that_says_nothing_is_given_up(ledger: Ledger, postgresql: PostgresqlServer) -> None:
    ledger.record_decision(a_decision())
    with _stopped(_backends(postgresql)), pytest.raises(LedgerDown, match="cannot be written"):
        ledger.record_decision(a_decision(2))
    assert ledger.record_feedback([feedback_entry()]).stored == 1


def test_a_server_that_falls_silent_in_a_transaction_is_given_up(ledger: Ledger, postgresql: PostgresqlServer) -> None:
    with pytest.raises(LedgerDown), ledger._database.writing() as connection, _stopped(_backends(postgresql)):
        connection.exec_driver_sql("SELECT 1")
    ledger.ping()


def test_a_server_that_falls_silent_after_the_login_holds_no_preparation_up(postgresql: PostgresqlServer) -> None:
    ledger = Ledger(postgresql.new_database(), busy_seconds=_SHORT)
    with ExitStack() as until_the_end:

        def fall_silent(connection: Connection) -> None:
            until_the_end.enter_context(_stopped(_backends(postgresql)))

        event.listen(Engine, "begin", fall_silent, once=True)
        until_the_end.callback(event.remove, Engine, "begin", fall_silent)
        begun = time.monotonic()
        with pytest.raises(LedgerDown, match="cannot be read"):
            ledger.prepare()
        # Far from the minute that a migration may take.
        assert time.monotonic() - begun < 15
    ledger.prepare()
    ledger.ping()
    ledger.close()


def test_a_database_that_was_made_again_empty_is_taken_up_by_who_looks_after_it(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    ledger = Ledger(url, busy_seconds=_SHORT)
    keeper = LedgerKeeper(ledger)
    assert keeper.problem() is None
    ledger.close()
    name = url.partition("?")[0].rpartition("/")[2]
    postgresql.run(f"DROP DATABASE {name} WITH (FORCE)")
    assert keeper.problem()
    postgresql.run(f"CREATE DATABASE {name}")
    assert keeper.problem() is None
    assert ledger.record_feedback([feedback_entry()]).stored == 1
    ledger.close()


def test_a_database_that_was_read_only_for_a_while_is_written_to_again(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    name = url.partition("?")[0].rpartition("/")[2]
    ledger = Ledger(url, busy_seconds=_SHORT)
    ledger.prepare()
    postgresql.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    ledger.close()
    # Its connections know it from now on, whatever the database is set to later.
    with pytest.raises(LedgerDown, match="25006"):
        ledger.record_feedback([feedback_entry()])
    with pytest.raises(LedgerDown, match="25006"):
        ledger.record_decision(a_decision())
    postgresql.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert ledger.record_feedback([feedback_entry()]).stored == 1
    ledger.close()


def test_tables_of_a_version_before_are_brought_up_to_date_by_who_looks_after_them(
    postgresql: PostgresqlServer,
) -> None:
    url = postgresql.new_database()
    first = ScriptDirectory(str(Path(migrations.__file__).parent)).get_bases()[0]
    migrate(Database(url, _SHORT), revision=first)
    ledger = Ledger(url, busy_seconds=_SHORT)
    with pytest.raises(OldTables, match="run cds-service migrate"):
        ledger.ping()
    keeper = LedgerKeeper(ledger)
    keeper.failed("decision", LedgerDown("undefined column"))
    assert keeper.problem() is None
    ledger.ping()
    ledger.close()


def test_a_connection_that_the_server_has_closed_is_replaced(ledger: Ledger, postgresql: PostgresqlServer) -> None:
    ledger.ping()
    postgresql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'ledger%'")
    ledger.record_decision(a_decision())
    assert ledger.decision(a_decision().decision_id) == a_decision()


def test_a_lock_that_another_holds_is_waited_for_and_then_given_up(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    ledger = Ledger(url, busy_seconds=_SHORT)
    ledger.prepare()
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE decision")
        # 55P03: lock not available; 57014: the statement took too long.
        with pytest.raises(LedgerDown, match=r"cannot be written \(\w+, (55P03|57014)\)"):
            ledger.record_decision(a_decision())
        # It is not taken for one that works again.
        with pytest.raises(LedgerDown, match=r"cannot be written \(\w+, (55P03|57014)\)"):
            ledger.try_writing()
    ledger.record_decision(a_decision())
    ledger.close()


def test_two_batches_with_the_same_answers_in_other_orders_both_succeed(postgresql_with_tables: str) -> None:
    first, second = Ledger(postgresql_with_tables), Ledger(postgresql_with_tables)
    answers = [feedback_entry(number, comment="both orders") for number in range(40)]
    kept = first.record_feedback(answers).stored + second.record_feedback(answers[::-1]).stored
    assert kept == len(answers)
    first.close()
    second.close()


def test_a_moment_is_the_same_whatever_zone_the_server_is_in(ledger: Ledger, postgresql: PostgresqlServer) -> None:
    postgresql.run("ALTER ROLE postgres SET timezone = 'Pacific/Kiritimati'")
    try:
        ledger.close()
        ledger.record_decision(a_decision())
        assert list(ledger.decisions(NOW, NOW + timedelta(microseconds=1))) == [a_decision()]
    finally:
        postgresql.run("ALTER ROLE postgres RESET timezone")


def test_a_server_that_is_not_there_is_told_without_user_and_password() -> None:
    ledger = Ledger("postgresql://someone:secret-word@127.0.0.1:1/books")
    with pytest.raises(LedgerDown) as raised:
        ledger.ping()
    assert str(raised.value) == "the ledger cannot be read (OperationalError, connection refused)"


def test_a_database_that_is_not_there_is_told(postgresql: PostgresqlServer) -> None:
    with pytest.raises(LedgerDown, match=r"\(OperationalError, no such database or user\)"):
        Ledger(postgresql.url("nowhere")).ping()


def test_a_server_that_takes_no_more_connections_is_told_as_such(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    postgresql.run("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    with pytest.raises(LedgerDown, match="too many connections"):
        Ledger(url.replace("postgres:@", "crowded:@")).ping()
    postgresql.run("DROP ROLE crowded")


def test_what_the_server_says_of_a_value_does_not_reach_the_error(ledger: Ledger) -> None:
    mark = numbered("mark", 1).hex
    with pytest.raises(LedgerDown, match="22P02") as raised:
        ledger.record_decision(a_decision(milliseconds=mark))
    assert mark not in "".join(traceback.format_exception(raised.value))
