"""Migrations: they agree with the rows, two may run at once, newer databases are left alone."""

import multiprocessing
import sqlite3
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, inspect, select, text

from qa_service.adapters.clock import SystemClock
from qa_service.db import migrating, schema
from qa_service.db.engine import open_engine, parse_url
from qa_service.db.rows import FindingRow, Row
from qa_service.db.session import Database
from qa_service.errors import ConfigurationError
from tests.clocks import ManualClock
from tests.qa_service.db import builders


def test_migrations_and_rows_agree(database: Database, database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []
    engine.dispose()


def test_the_newest_revision(database: Database, database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    with engine.connect() as connection:
        assert migrating.revisions(connection)[0] == schema.REVISION == schema.revision(connection)
    engine.dispose()


def test_one_that_is_up_to_date_needs_no_alembic(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qa_service.db.migrating", None)
    database.upgrade()


def test_a_copied_file_keeps_a_journal_again(tmp_path: Path, clock: ManualClock) -> None:
    """A backup of SQLite is a file without a write-ahead log, whatever its revision."""
    database = Database(f"sqlite:///{tmp_path / 'qa.db'}", clock=clock)
    database.upgrade()
    with closing(sqlite3.connect(tmp_path / "qa.db")) as first:
        first.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    copy = Database(f"sqlite:///{tmp_path / 'copy.db'}", clock=clock)
    copy.upgrade()
    with copy.unit_of_work(read_only=True) as unit:
        assert unit.session.scalar(text("PRAGMA journal_mode")) == "wal"
    copy.dispose()
    database.dispose()


def test_upgrading_again_changes_nothing(database: Database) -> None:
    database.upgrade()


def test_every_constraint_and_index_has_a_name(database: Database, database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    inspector = inspect(engine)
    for table in Row.metadata.tables:
        named = [
            inspector.get_pk_constraint(table),
            *inspector.get_foreign_keys(table),
            *inspector.get_unique_constraints(table),
            *inspector.get_indexes(table),
        ]
        assert all(entry["name"] for entry in named), table
    engine.dispose()


def test_a_downgrade_leaves_no_table(database: Database, database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    with engine.begin() as connection:
        command.downgrade(migrating.configuration(connection), "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "0003"])
def test_stored_calls_survive_the_migrations(database_url: str, clock: ManualClock, revision: str) -> None:
    """SQLite copies whole tables to alter them: rows, and what refers to them, must come along."""
    database = Database(database_url, clock=clock)
    database.upgrade()
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        conversation = unit.conversations.add("k", recording.id, builders.conversation(), elapsed_s=1.0)
        evaluation = builders.add_evaluation(unit, "e", conversation)
        unit.commit()
    builders.downgrade(database_url, revision)
    database.upgrade()
    with database.unit_of_work() as unit:
        assert unit.recordings.get(recording.id) == recording
        stored = unit.conversations.by_key("k")
        survived = unit.evaluations.latest(recording.id)
        assert unit.session.scalar(select(func.count()).select_from(FindingRow)) == 2
    assert stored is not None
    assert stored.recording_id == recording.id
    assert survived is not None
    unknown = {"0001": {"style": (), **SINCE_0003}, "0003": SINCE_0003}[revision]
    assert survived.results == tuple(replace(result, **unknown) for result in evaluation.results)
    assert survived.metrics == evaluation.metrics
    database.dispose()


SINCE_0003: dict[str, Any] = {"grade": None, "review": True, "opens": ()}


def test_a_newer_database_is_left_alone(database: Database) -> None:
    with database.unit_of_work() as unit:
        unit.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        unit.commit()
    with pytest.raises(ConfigurationError) as caught:
        database.upgrade()
    assert caught.value.code == "database_newer"
    assert "9999" in caught.value.message
    with database.unit_of_work() as unit:
        assert unit.session.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_failed_migration_leaves_the_database_as_it_was(database_url: str, clock: ManualClock) -> None:
    database = Database(database_url, clock=clock)
    database.upgrade()
    engine = open_engine(parse_url(database_url))
    with engine.begin() as connection:
        command.downgrade(migrating.configuration(connection), "base")
        connection.execute(text("CREATE TABLE findings (id INTEGER)"))  # the last table the migration makes
    with pytest.raises(ConfigurationError):
        database.upgrade()
    assert set(inspect(engine).get_table_names()) == {"alembic_version", "findings"}
    engine.dispose()
    database.dispose()


def test_threads_upgrade_at_once(database_url: str, clock: ManualClock) -> None:
    errors: list[Exception] = []

    def upgrade() -> None:
        database = Database(database_url, clock=clock)
        try:
            database.upgrade()
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)
        finally:
            database.dispose()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def _upgrade_in_process(url: str) -> None:
    database = Database(url, clock=SystemClock())
    database.upgrade()
    database.dispose()


def test_processes_upgrade_at_once(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_upgrade_in_process, args=(database_url,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
