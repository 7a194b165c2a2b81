"""``qa db``: tables, and copies of a database in use."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli import Here, refused
from tests.worker.containers import FakeContainer


def scored(fakes: FakeContainer, folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        path = folder / f"{number}.wav"
        path.write_bytes(f"call {number}".encode())
        received = fakes.ingest.receive(path, None)
        fakes.jobs.run(fakes.jobs.enqueue(received.recording, received.metadata, pack=None).id)


def evaluations(database: Path) -> int:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        count: int = connection.execute("SELECT count(*) FROM evaluations").fetchone()[0]
    return count


def test_a_copy_is_one_whole_file(here: Here, fakes: FakeContainer, tmp_path: Path) -> None:
    scored(fakes, tmp_path / "calls", 5)
    target = tmp_path / "backups" / "qa.db"
    target.parent.mkdir()
    assert here("db", "backup", target).returncode == 0
    assert [path.name for path in target.parent.iterdir()] == ["qa.db"]
    assert evaluations(target) == 5


def test_a_copy_is_of_one_moment_and_holds_nobody_up(here: Here, fakes: FakeContainer, tmp_path: Path) -> None:
    """A writer goes on all the time; every copy is from between two of its transactions."""
    scored(fakes, tmp_path / "calls", 1)
    with closing(sqlite3.connect(fakes.settings.data_dir / "qa.db")) as connection:
        connection.execute("CREATE TABLE pairs (a, b)")
    stop = threading.Event()
    written = []

    def write() -> None:
        with closing(sqlite3.connect(fakes.settings.data_dir / "qa.db", timeout=30)) as connection:
            while not stop.is_set():
                with connection:
                    connection.execute("INSERT INTO pairs VALUES (1, zeroblob(5000))")
                    connection.execute("UPDATE pairs SET a = a + 1")
                written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not written:
            assert writer.is_alive()
        for number in range(5):
            before = len(written)
            assert here("db", "backup", tmp_path / f"{number}.db").returncode == 0
            with closing(sqlite3.connect(tmp_path / f"{number}.db")) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                count, least, most = copy.execute("SELECT count(*), min(a), max(a) FROM pairs").fetchone()
                assert (least, most) == (2, count + 1), "all rows are from between two transactions"
            while len(written) == before:
                assert writer.is_alive()
    finally:
        stop.set()
        writer.join()


def test_what_is_there_is_not_overwritten(here: Here, fakes: FakeContainer, tmp_path: Path) -> None:
    scored(fakes, tmp_path / "calls", 1)
    target = tmp_path / "copy.db"
    target.write_text("precious")
    assert refused(here("db", "backup", target)).startswith("backup_target: ")
    assert target.read_text() == "precious"


@pytest.mark.parametrize("where", ["missing/copy.db", "file/copy.db"])
def test_where_nothing_can_be_written(here: Here, fakes: FakeContainer, tmp_path: Path, where: str) -> None:
    scored(fakes, tmp_path / "calls", 1)
    (tmp_path / "file").touch()
    assert refused(here("db", "backup", tmp_path / where)).startswith("backup_target: ")


def test_a_damaged_database_is_not_copied(here: Here, fakes: FakeContainer, tmp_path: Path) -> None:
    scored(fakes, tmp_path / "calls", 3)
    fakes.database.dispose()
    database = fakes.settings.data_dir / "qa.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(database.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    database.write_bytes(content)
    result = here("db", "backup", tmp_path / "copy.db")
    assert refused(result, result.returncode).startswith("backup_failed: ")
    assert not (tmp_path / "copy.db").exists()
    assert result.returncode == 1


def test_no_database_is_made(here: Here, data: Path, tmp_path: Path) -> None:
    assert refused(here("db", "backup", tmp_path / "copy.db")).startswith("database_unavailable: ")
    assert not data.exists()


def test_postgresql_has_its_own_tools(here: Here, tmp_path: Path) -> None:
    said = refused(
        here("db", "backup", tmp_path / "copy.db", QA_DATABASE_URL="postgresql://nobody@127.0.0.1/none")
    )
    assert said.startswith("backup_unsupported: ")
    assert "pg_dump" in said
