"""A database that a newer version has upgraded: who works goes on, who starts waits and says why."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from qa_service.ports import Job
from tests.cli import environment
from tests.worker.containers import FakeContainer
from tests.worker.queued import end

ON_FAKES = ("tests.worker.long_worker", "embedded")
AS_USERS_DO = ("worker", "worker", "--embedded", "--concurrency", "1")


@pytest.fixture
def container(tmp_path: Path) -> Iterator[FakeContainer]:
    container = FakeContainer(tmp_path / "data")
    yield container
    container.database.dispose()


@pytest.fixture
def start(container: FakeContainer, tmp_path: Path) -> Iterator[Callable[..., psutil.Popen]]:
    started: list[psutil.Popen] = []

    def one(said: Path, *command: str) -> psutil.Popen:
        surroundings = environment(
            container.settings.data_dir, QA_DATABASE_URL=str(container.settings.database_url), QA_LOG_FORMAT="json"
        )
        with said.open("w") as log:
            started.append(
                psutil.Popen(
                    [sys.executable, "-m", *command], env=surroundings, stdout=subprocess.DEVNULL, stderr=log
                )
            )
        return started[-1]

    yield one
    for process in started:
        end(process)


def enqueue(container: FakeContainer, path: Path) -> Job:
    path.write_bytes(path.name.encode())
    received = container.ingest.receive(path, None)
    return container.jobs.enqueue(received.recording, received.metadata, pack=None)


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def done(container: FakeContainer, job: Job) -> bool:
    return container.jobs.state(job.id).ended


def refusals(log: Path) -> list[str]:
    told = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    return [line["code"] for line in told if line["event"] == "this worker cannot work"]


def set_revision(container: FakeContainer, revision: str) -> None:
    with container.database.unit_of_work() as unit:
        unit.session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
        unit.commit()


def test_who_works_goes_on_and_who_starts_waits(
    container: FakeContainer, start: Callable[..., psutil.Popen], tmp_path: Path
) -> None:
    first = enqueue(container, tmp_path / "first.wav")
    with container.database.unit_of_work(read_only=True) as unit:
        ours = str(unit.session.scalar(text("SELECT version_num FROM alembic_version")))
    old = start(tmp_path / "old.log", *ON_FAKES)
    until(lambda: done(container, first))

    set_revision(container, "9999")
    second = enqueue(container, tmp_path / "second.wav")
    until(lambda: done(container, second))
    end(old)
    assert refusals(tmp_path / "old.log") == []

    third = enqueue(container, tmp_path / "third.wav")
    late = start(tmp_path / "late.log", *AS_USERS_DO)
    until(lambda: bool(refusals(tmp_path / "late.log")))
    assert set(refusals(tmp_path / "late.log")) == {"database_newer"}
    assert container.jobs.state(third.id).attempts == 0
    assert late.is_running()
    end(late)

    set_revision(container, ours)  # as a restored backup would
    start(tmp_path / "again.log", *ON_FAKES)
    until(lambda: done(container, third))
