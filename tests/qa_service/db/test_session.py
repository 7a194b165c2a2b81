"""Units of work: what stays, what does not, and what an error looks like."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from qa_service.db import engine as engines
from qa_service.db.rows import ConversationRow, JobRow, RecordingRow, UTCDateTime
from qa_service.db.session import Database
from qa_service.errors import ConfigurationError, TransientError
from tests.clocks import ManualClock
from tests.qa_service.db import builders


def _paths(database: Database) -> list[str]:
    with database.unit_of_work(read_only=True) as unit:
        return list(unit.session.scalars(select(RecordingRow.path).order_by(RecordingRow.id)))


def test_leaving_without_commit_leaves_nothing(database: Database) -> None:
    with database.unit_of_work() as unit:
        recording, _ = unit.recordings.add(builders.blob(), path="a.wav")
        unit.jobs.enqueue("process", "k", recording.id, {})
    with database.unit_of_work() as unit:
        assert unit.session.scalars(select(RecordingRow.id)).all() == []
        assert unit.session.scalars(select(JobRow.id)).all() == []


def test_an_error_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.unit_of_work() as unit:
            unit.recordings.add(builders.blob(), path="a.wav")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _paths(database) == []


def test_what_follows_a_commit_needs_another(database: Database) -> None:
    with database.unit_of_work() as unit:
        unit.recordings.add(builders.blob(b"1"), path="a.wav")
        unit.commit()
        unit.recordings.add(builders.blob(b"2"), path="b.wav")
    assert _paths(database) == ["a.wav"]


def test_a_reading_unit_cannot_write_and_the_next_one_can(database: Database) -> None:
    with pytest.raises((DBAPIError, TransientError)), database.unit_of_work(read_only=True) as unit:
        unit.recordings.add(builders.blob(), path="a.wav")
    builders.add_recording(database, path="b.wav")
    assert _paths(database) == ["b.wav"]


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    builders.add_recording(database, b"1", "a.wav")
    with database.unit_of_work() as writer:
        writer.recordings.add(builders.blob(b"2"), path="b.wav")
        assert _paths(database) == ["a.wav"]


def test_two_writers_that_read_first_both_succeed(database: Database) -> None:
    """With a plain BEGIN on SQLite the second one fails at once: its read is out of date when it writes."""
    recording = builders.add_recording(database)
    first_has_read, errors = threading.Barrier(2), []

    def write(channels: int) -> None:
        try:
            first_has_read.wait()
            with database.unit_of_work() as unit:
                unit.recordings.get(recording.id)
                threading.Event().wait(0.05)
                unit.recordings.set_audio(recording.id, duration_s=1.0, channels=channels)
                unit.commit()
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(channels,)) for channels in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_relationships_never_load_behind_the_callers_back(database: Database) -> None:
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        unit.conversations.add("k", recording.id, builders.conversation(), elapsed_s=1.0)
        unit.commit()
    with database.unit_of_work() as unit:
        row = unit.session.scalars(select(ConversationRow)).one()
        with pytest.raises(InvalidRequestError):
            _ = row.engine_runs


def test_times_come_back_aware_and_naive_ones_are_refused(database: Database) -> None:
    beijing = datetime(2026, 3, 2, 17, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    with database.unit_of_work() as unit:
        moment = select(bindparam("moment", beijing, type_=UTCDateTime))
        read = unit.session.scalar(moment)
        assert read is not None
        assert (read, read.tzinfo) == (beijing, UTC)
        with pytest.raises(Exception, match="naive time"):
            unit.session.scalar(moment, {"moment": beijing.replace(tzinfo=None)})


def test_a_lost_database_is_tried_again_and_shows_no_parameters(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_S", 0.05)
    database = Database(f"sqlite:///{tmp_path / 'qa.db'}", clock=clock)
    database.upgrade()
    with database.unit_of_work() as holder:
        holder.recordings.find("nothing")
        with pytest.raises(TransientError) as caught, database.unit_of_work() as unit:
            unit.recordings.add(builders.blob(), path="13800138000.wav")
    assert caught.value.code == "database_interrupted"
    assert "locked" in caught.value.message
    assert "13800138000" not in str(caught.value) + str(caught.value.__cause__)
    database.dispose()


def test_sqlite_is_set_up_for_two_processes(tmp_path: Path, clock: ManualClock) -> None:
    database = Database(f"sqlite:///{tmp_path / 'qa.db'}", clock=clock)
    database.upgrade()
    expected = {"foreign_keys": 1, "journal_mode": "wal", "synchronous": 1, "busy_timeout": 30_000}
    with database.unit_of_work() as unit:
        read = {name: unit.session.scalar(text(f"PRAGMA {name}")) for name in expected}
    database.dispose()
    assert read == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "mysql://host/qa",
        "postgresql+asyncpg://host/qa",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:qa?mode=memory&uri=true",
        "postgresql://user:secret@host:port/qa",
    ],
)
def test_a_wrong_url_is_refused_with_a_remedy(url: str, clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Database(url, clock=clock)
    assert caught.value.code == "database_unavailable"
    assert "sqlite:////" in caught.value.message
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_plain_postgresql_means_psycopg(scheme: str) -> None:
    assert engines.parse_url(f"{scheme}://u:p@h/d").drivername == "postgresql+psycopg"


def test_an_unreachable_server_is_a_configuration_error(clock: ManualClock) -> None:
    database = Database("postgresql://qa:secret@127.0.0.1:1/qa", clock=clock)
    with pytest.raises(ConfigurationError) as caught:
        database.upgrade()
    assert caught.value.code == "database_unavailable"
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_a_configuration_error(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "qa.db").write_bytes(b"RIFF" * 1_000)
    for path in (tmp_path / "qa.db", tmp_path, tmp_path / "qa.db" / "below-a-file.db"):
        with pytest.raises(ConfigurationError) as caught:
            Database(f"sqlite:///{path}", clock=clock).upgrade()
        assert caught.value.code == "database_unavailable"
