"""Following a batch run in real processes: killed, and several at once."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qa_service.db.rows import BatchRunJobRow, ConversationRow, EvaluationRow
from qa_service.domain.batch_runs import BatchState
from qa_service.settings import Settings
from tests.cli import environment
from tests.worker.containers import FakeContainer

CALLS = 9


@pytest.fixture
def container(tmp_path: Path, database_url: str) -> Iterator[FakeContainer]:
    settings = Settings(data_dir=tmp_path / "data", database_url=database_url, processes=1)
    container = FakeContainer(settings.data_dir, settings=settings)
    for number in range(CALLS):
        container.ingest.receive(container.workplace.file(f"{number}.wav", f"slow {number}".encode()), None)
    yield container
    container.database.dispose()


@pytest.fixture
def follow(container: FakeContainer) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []

    def one() -> "subprocess.Popen[bytes]":
        settings = container.settings
        url = settings.resolved_database_url
        surroundings = environment(settings.data_dir, QA_DATABASE_URL=url, QA_PROCESSES="1", QA_BATCH_CALLS="2")
        started.append(subprocess.Popen([sys.executable, "-m", "tests.worker.follow_run"], env=surroundings))
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.wait()


def test_a_run_survives_who_followed_it_and_is_shared_by_those_who_come(
    container: FakeContainer, follow: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    heard = container.settings.data_dir / "heard"
    first = follow()
    deadline = time.monotonic() + 60
    while not heard.exists() or len(list(heard.iterdir())) < 3:
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    interrupted = container.batch_runs.get(1)
    assert interrupted.is_open
    both = [follow(), follow()]
    assert [process.wait(90) for process in both] == [0, 0]
    run = container.batch_runs.get(1)
    assert (run.state, run.left, run.tally.scored, run.tally.failed) == (BatchState.DONE, 0, CALLS, 0)
    assert container.workplace.count(BatchRunJobRow) == CALLS
    assert container.workplace.count(ConversationRow) == container.workplace.count(EvaluationRow) == CALLS
