"""Migrations make the ledger's tables: from nothing, from the first version with data, and never backwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from cds_service.ledger.database import Database
from cds_service.ledger.decision_rows import row_of
from cds_service.ledger.down import LedgerDown
from cds_service.ledger.entries import EVERY, Mode, ModeChange
from cds_service.ledger.migration import migrate
from cds_service.ledger.store import Ledger
from cds_service.ledger.tables import decision, metadata
from tests.ledger_rows import NOW, a_decision, feedback_entry

pytest_plugins = ("tests.ledger_databases",)


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    """A database without tables, in turn of each kind."""
    database = Database(empty_url, busy_seconds=2.0)
    yield database
    database.close()


def _tables(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(inspect(connection).get_table_names())


def _revise(database: Database, revision: str) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


@pytest.mark.parametrize("first", ["head", "0001"])
def test_the_migrated_tables_are_those_that_the_program_uses(database: Database, first: str) -> None:
    migrate(database, first)
    migrate(database)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_comparison_of_tables_finds_what_is_missing(database: Database) -> None:
    migrate(database)
    with database.writing() as connection:
        connection.execute(text("DROP INDEX feedback_by_card"))
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [difference[0] for difference in compare_metadata(context, metadata)] == ["add_index"]


def test_data_of_the_first_version_is_all_there_after_migration(database: Database, empty_url: str) -> None:
    migrate(database, "0001")
    assert "seen_token" not in _tables(database)
    ledger = Ledger(empty_url)
    change = ModeChange(NOW, EVERY, EVERY, Mode.SILENT, "Dr. Example", "trial run")
    # As version 1.0.0 wrote it: without the columns that later revisions add.
    added = ("not_understood", "missing", "settings_digest")
    row = {name: value for name, value in row_of(a_decision()).items() if name not in added}
    with database.writing() as connection:
        connection.execute(decision.insert().values(row | {"calls": 1}))
    ledger.record_feedback([feedback_entry()])
    ledger.set_mode(change)
    ledger.prepare()
    ledger.ping()
    assert list(ledger.decisions(NOW, NOW + timedelta(days=1))) == [a_decision()]
    assert ledger.card_feedback(feedback_entry().card_id)[0].known
    assert ledger.modes() == [change]
    assert ledger.take_token("issuer", "id", NOW)
    ledger.close()


def test_preparing_again_changes_nothing(ledger: Ledger) -> None:
    ledger.record_decision(a_decision())
    ledger.prepare()
    assert ledger.decision(a_decision().decision_id) == a_decision()


def test_a_migration_that_fails_leaves_the_database_as_it_was(database: Database) -> None:
    migrate(database, "0001")
    with database.writing() as connection:
        # In the way of the index that is made last.
        connection.execute(text("CREATE TABLE occupied (token TEXT)"))
        connection.execute(text("CREATE INDEX seen_token_by_expiry ON occupied (token)"))
    with pytest.raises(LedgerDown):
        migrate(database)
    assert "seen_token" not in _tables(database)


def test_a_ledger_without_tables_is_not_ready(empty_url: str) -> None:
    ledger = Ledger(empty_url)
    with pytest.raises(LedgerDown):
        ledger.ping()
    with pytest.raises(LedgerDown):
        ledger.record_decision(a_decision())
    ledger.close()


def test_a_ledger_of_an_earlier_version_is_not_ready_until_it_is_migrated(database: Database, empty_url: str) -> None:
    migrate(database, "0001")
    ledger = Ledger(empty_url)
    with pytest.raises(LedgerDown, match="run cds-service migrate"):
        ledger.ping()
    ledger.prepare()
    ledger.ping()
    ledger.close()


def test_a_ledger_of_a_newer_version_is_refused_and_says_so(database: Database, empty_url: str) -> None:
    migrate(database)
    _revise(database, "9999")
    ledger = Ledger(empty_url)
    with pytest.raises(LedgerDown, match="newer version"):
        ledger.ping()
    with pytest.raises(LedgerDown, match="newer version"):
        ledger.prepare()
    ledger.close()
