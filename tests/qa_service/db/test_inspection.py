"""Looking at a database: what it is like, and that nothing of it changes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import inspect as columns_of
from sqlalchemy import make_url, text

from qa_service.db import engine as engines
from qa_service.db.engine import open_engine, parse_url
from qa_service.db.inspection import Inspection, SchemaState
from qa_service.db.session import Database
from qa_service.errors import ConfigurationError
from tests.clocks import ManualClock
from tests.qa_service.db import builders


@pytest.fixture
def unmade(database_url: str, clock: ManualClock) -> Iterator[Database]:
    """A database nobody has upgraded."""
    database = Database(database_url, clock=clock)
    yield database
    database.dispose()


def seen(database: Database) -> Inspection:
    found = database.inspect()
    assert found is not None
    return found


def test_a_database_of_this_version(database: Database, database_url: str) -> None:
    found = seen(database)
    assert found.schema is SchemaState.CURRENT
    assert found.revision == found.head != ""
    assert found.writing_fault is None
    assert found.server.split()[0] == ("SQLite" if database_url.startswith("sqlite") else "PostgreSQL")
    assert found.server.split()[1][0].isdecimal()


def test_an_older_and_a_newer_database(database: Database, database_url: str) -> None:
    head = seen(database).head
    builders.downgrade(database_url, "0001")
    older = seen(database)
    assert (older.schema, older.revision, older.head, older.writing_fault) == (
        SchemaState.BEHIND,
        "0001",
        head,
        None,
    )
    with database.unit_of_work() as unit:
        unit.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        unit.commit()
    assert (seen(database).schema, seen(database).revision) == (SchemaState.NEWER, "9999")


def test_an_empty_database_stays_empty(unmade: Database, database_url: str) -> None:
    url = parse_url(database_url)
    if (file := engines.sqlite_path(url)) is not None:
        assert unmade.inspect() is None
        assert not file.parent.exists()
        file.parent.mkdir()
        file.touch()
    found = seen(unmade)
    assert (found.schema, found.revision, found.writing_fault) == (SchemaState.EMPTY, "", None)
    engine = open_engine(url)
    assert columns_of(engine).get_table_names() == []
    engine.dispose()


def test_the_servers_clock_beside_ours(postgresql_url: str, clock: ManualClock) -> None:
    database = Database(postgresql_url, clock=clock)
    expected_s = (datetime.now(UTC) - clock.now()).total_seconds()
    ahead_s = seen(database).clock_ahead_s
    database.dispose()
    assert ahead_s is not None
    assert ahead_s == pytest.approx(expected_s, abs=10)


def test_sqlite_has_our_clock(tmp_path: Path, clock: ManualClock) -> None:
    database = Database(f"sqlite:///{tmp_path / 'qa.db'}", clock=clock)
    database.upgrade()
    assert seen(database).clock_ahead_s is None
    database.dispose()


@pytest.mark.parametrize("upgraded", [False, True])
def test_a_server_that_takes_no_writes(postgresql_url: str, clock: ManualClock, upgraded: bool) -> None:
    database = Database(postgresql_url, clock=clock)
    if upgraded:
        database.upgrade()
        database.dispose()
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(
            f'ALTER DATABASE "{make_url(postgresql_url).database}" SET default_transaction_read_only = on'
        )
    fault = seen(database).writing_fault
    database.dispose()
    assert fault is not None
    assert "read-only transaction" in fault


def test_a_file_whose_lock_is_held(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_S", 0.05)
    database = Database(f"sqlite:///{tmp_path / 'qa.db'}", clock=clock)
    database.upgrade()
    with database.unit_of_work() as holder:
        holder.recordings.find("nothing")
        found = seen(database)
    database.dispose()
    assert (found.schema, found.writing_fault) == (SchemaState.CURRENT, "database is locked")


def test_a_database_that_is_down_or_none(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "qa.db").write_bytes(b"RIFF" * 1_000)
    for url in ("postgresql://qa:secret@127.0.0.1:1/qa", f"sqlite:///{tmp_path / 'qa.db'}"):
        database = Database(url, clock=clock)
        with pytest.raises(ConfigurationError) as caught:
            database.inspect()
        database.dispose()
        assert caught.value.code == "database_unavailable"
        assert "secret" not in str(caught.value)
