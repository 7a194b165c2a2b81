"""The command line in this process, on a data directory of its own; and workers in processes of theirs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import structlog

from qa_service.settings import Settings
from tests.brokers import Redis, running_redis
from tests.cli import Here, environment
from tests.worker.containers import FakeContainer
from tests.worker.queued import end
from worker.cli import main
from worker.container import pack


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def fakes(data: Path) -> Iterator[FakeContainer]:
    """The same data directory with engines that need no model."""
    container = FakeContainer(data)
    yield container
    container.database.dispose()


@pytest.fixture
def here(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """``main`` in this process, in ``tmp_path`` and with no settings but the given ones."""

    def run(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name in [name for name in os.environ if name.startswith("QA_")]:
                patch.delenv(name)
            for name, value in {"QA_DATA_DIR": str(data), **settings}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["qa", *map(str, arguments)])
            pack.cache_clear()  # a process reads a pack once
            with pytest.raises(SystemExit) as ended:
                main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, ended.value.code, said.out, said.err)

    yield run
    structlog.reset_defaults()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    with running_redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def container(tmp_path: Path, broker: Redis, postgresql_url: str) -> Iterator[FakeContainer]:
    settings = Settings(data_dir=tmp_path / "data", database_url=postgresql_url, broker_url=broker.url, lease_s=2)
    container = FakeContainer(tmp_path / "data", settings=settings)
    yield container
    container.database.dispose()


@pytest.fixture
def start(container: FakeContainer) -> Iterator[Callable[..., psutil.Process]]:
    started: list[psutil.Process] = []

    def one(kind: str = "broker", *queues: str, **variables: str) -> psutil.Process:
        settings = container.settings
        surroundings = environment(
            settings.data_dir,
            QA_DATABASE_URL=settings.database_url or "",
            QA_BROKER_URL=settings.broker_url or "",
            QA_LEASE_S="2",
        )
        surroundings |= variables
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.worker.long_worker", kind, *queues],
            env=surroundings,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(psutil.Process(process.pid))
        return started[-1]

    yield one
    for process in started:
        end(process)
