"""A new version on the tables of release 1.0.0, while services of that release still write to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import inspect

from cds_service.ledger.database import Database
from cds_service.ledger.decision_rows import row_of
from cds_service.ledger.migration import migrate
from cds_service.ledger.store import Ledger
from cds_service.ledger.tables import decision
from tests.ledger_rows import NOW, a_decision, feedback_entry, numbered
from tests.server_calls import FEEDBACK, comes_true, feedback

if TYPE_CHECKING:
    from tests.instances import Instance, StartInstances
    from tests.real_server import RealServer

pytest_plugins = ("tests.ledger_databases", "tests.instances")
pytestmark = pytest.mark.server

# The last revision of release 1.0.0.
RELEASED = "0002"

OLD_ROWS = 500


class Released:
    """A database as release 1.0.0 left it, and what a service of that release writes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        migrate(database, RELEASED)
        with database.reading() as connection:
            self._columns = {column["name"] for column in inspect(connection).get_columns("decision")}

    def write(self, number: int) -> None:
        """A decision, without what later revisions added."""
        row = {name: value for name, value in row_of(a_decision(number)).items() if name in self._columns}
        with self.database.writing() as connection:
            connection.execute(decision.insert().values(row | {"calls": 1}))


@pytest.fixture
def released(empty_url: str) -> Iterator[Released]:
    """The tables of release 1.0.0 with decisions, and feedback to one of their cards."""
    with closing(Database(empty_url, busy_seconds=5.0)) as database:
        old = Released(database)
        for number in range(OLD_ROWS):
            old.write(number)
        with closing(Ledger(empty_url)) as ledger:
            ledger.record_feedback([feedback_entry(0)])
        yield old


def test_the_tables_of_the_release_lack_what_was_added_since(released: Released) -> None:
    with released.database.reading() as connection:
        columns = {column["name"] for column in inspect(connection).get_columns("decision")}
    assert {column.name for column in decision.columns} - columns >= {"not_understood", "missing"}


@contextmanager
def released_service(released: Released) -> Iterator[list[int]]:
    """A service of the release that writes decision after decision, and those that it was told are written."""
    written: list[int] = []
    over = threading.Event()

    def write() -> None:
        number = OLD_ROWS
        while not over.wait(0.005):
            released.write(number)
            written.append(number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert comes_true(lambda: len(written) > 5)
        yield written
    finally:
        over.set()
        writer.join()


def all_decisions(url: str) -> set[UUID]:
    with closing(Ledger(url)) as ledger:
        return {entry.decision_id for entry in ledger.decisions(NOW, NOW + timedelta(days=1))}


def test_two_new_services_start_at_once_on_old_tables_while_an_old_one_writes(
    released: Released, empty_url: str, start_instances: StartInstances
) -> None:
    with released_service(released) as written:
        # Both start at the same moment, and each answers as soon as it listens.
        instances = start_instances(2, ledger_url=empty_url)
        for instance in instances:
            card = instance.ask(lambda server: server.call()).json()["cards"][0]["uuid"]
            assert instance.ask(partial(send, body=feedback(card))) == 200
            assert comes_true(partial(is_well, instance))
        before = len(written)
        # The old one was not stopped: it goes on, on the new tables.
        assert comes_true(lambda: len(written) > before + 5)
    old = {numbered("decision", number) for number in (*range(OLD_ROWS), *written)}
    assert old <= all_decisions(empty_url)
    with closing(Ledger(empty_url)) as ledger:
        assert ledger.card_feedback(feedback_entry(0).card_id)[0].known
        ledger.ping()


def send(server: RealServer, body: Any) -> int:
    return server.call(body, FEEDBACK).status_code


def is_well(instance: Instance) -> bool:
    """Whether an instance says that its ledger can be used."""
    return bool(instance.ask(lambda server: server.get("/health/ready")).json()["ledger"] == "ok")


def test_an_old_row_reads_as_one_that_says_nothing_of_what_was_added(released: Released, empty_url: str) -> None:
    migrate(released.database)
    with closing(Ledger(empty_url)) as ledger:
        assert ledger.decision(a_decision(3).decision_id) == a_decision(3)


def test_many_processes_that_migrate_at_once_wait_for_each_other(released: Released, empty_url: str) -> None:
    failed: list[Exception] = []

    def prepare() -> None:
        try:
            with closing(Ledger(empty_url)) as ledger:
                ledger.prepare()
                ledger.ping()
        except Exception as error:
            failed.append(error)

    with released_service(released):
        threads = [threading.Thread(target=prepare) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
