"""Several processes: the same answers as one, and a worker that dies costs nobody else anything."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import structlog

from qa_service.adapters.metadata_sources import MetadataSources
from qa_service.db.rows import ConversationRow, EvaluationRow
from qa_service.errors import EngineError
from qa_service.settings import Settings
from tests.fakes import SILENT
from tests.worker.containers import FakeContainer
from worker import schedule
from worker.running import PROCESS_BYTES, processes_for
from worker.scoring import Failed, Listener, Scored, score

GIB = 1024**3


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[structlog.typing.EventDict]]:
    monkeypatch.setattr(schedule, "POLL_S", 0.05)
    with structlog.testing.capture_logs() as captured:
        yield captured
    assert members() == []


@pytest.fixture
def container(tmp_path: Path) -> Iterator[FakeContainer]:
    container = FakeContainer(tmp_path / "data", processes=2)
    yield container
    container.database.dispose()


def members() -> list[psutil.Process]:
    """Worker processes of this one."""
    return [child for child in psutil.Process().children() if "tests.worker.member" in " ".join(child.cmdline())]


def answers(
    container: FakeContainer, *contents: bytes, listener: Listener | None = None
) -> Iterator[Scored | Failed]:
    folder = container.settings.data_dir.parent / "calls"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.wav" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    sources = MetadataSources(container.metadata_options, None, print)
    with closing(
        score(container, sources.calls(paths), metadata=sources, pack=None, listener=listener or Listener(print))
    ) as running:
        yield from running


def codes(container: FakeContainer, *contents: bytes) -> list[str]:
    return [a.code if isinstance(a, Failed) else "scored" for a in answers(container, *contents)]


def hearers(container: FakeContainer) -> dict[str, list[int]]:
    """By content, the processes that heard it."""
    folder = container.settings.data_dir / "heard"
    return {file.name: [int(pid) for pid in file.read_text().split()] for file in folder.iterdir()}


def test_several_processes_share_the_work(container: FakeContainer) -> None:
    contents = [f"slow {number} {'x' * (number * 7 % 5)}".encode() for number in range(8)]
    finished: list[float] = []
    listener = Listener(print, finished=finished.append)
    done = list(answers(container, *contents, listener=listener))
    assert [a.path.name for a in done] == [f"{number}.wav" for number in range(8)], "in the order of the input"
    assert all(isinstance(a, Scored) for a in done)
    heard = hearers(container)
    assert sorted(heard) == sorted(content.decode() for content in contents)
    assert all(len(pids) == 1 for pids in heard.values()), "each once"
    assert len({pids[0] for pids in heard.values()} - {os.getpid()}) == 2
    assert container.workplace.transcriber.heard == []
    assert finished == [12.0] * 8
    rows = [container.workplace.count(row) for row in (ConversationRow, EvaluationRow)]
    assert rows == [8, 8]


def test_nothing_to_hear_needs_no_process(container: FakeContainer) -> None:
    assert codes(container, b"one") == ["scored"]
    assert container.workplace.transcriber.heard == [b"one"], "a single call is heard here"
    assert codes(container, b"one", b"") == ["scored", "file_empty"]
    assert codes(container, b"one", b"two") == ["scored", "scored"]
    assert container.workplace.transcriber.heard == [b"one", b"two"]
    assert codes(container, b"one", b"two") == ["scored", "scored"]
    assert not (container.settings.data_dir / "heard").exists()


def test_each_recordings_trouble_is_its_own(container: FakeContainer) -> None:
    assert codes(container, b"one", SILENT, b"", b"two") == ["scored", "silent_audio", "file_empty", "scored"]


def test_what_a_dead_worker_had_is_done_by_another(
    container: FakeContainer, logs: list[structlog.typing.EventDict]
) -> None:
    assert codes(container, b"die once", b"one", b"two", b"three") == ["scored"] * 4
    (death,) = [entry for entry in logs if entry["event"] == "worker died"]
    assert death["how"] == "SIGKILL"
    assert all(len(pids) == 1 for pids in hearers(container).values())


def test_a_recording_that_kills_workers_fails_alone(
    container: FakeContainer, logs: list[structlog.typing.EventDict]
) -> None:
    contents = [b"one", b"two", b"die", b"three", b"four", b"five"]
    assert codes(container, *contents) == ["scored", "scored", "worker_died", "scored", "scored", "scored"]
    assert len([entry for entry in logs if entry["event"] == "worker died"]) == 2
    # Scored again later it is tried again, as it may have been the machine's fault.
    assert codes(container, b"die once", *contents[:2])[0] == "scored"


def test_workers_that_never_start_are_told_once(container: FakeContainer) -> None:
    container.settings.data_dir.mkdir()
    (container.settings.data_dir / "broken").touch()
    with pytest.raises(EngineError, match="worker_unavailable"):
        list(answers(container, b"one", b"two"))


def test_leaving_early_ends_the_workers_at_once(container: FakeContainer) -> None:
    running = answers(container, b"one", b"endless")
    assert isinstance(next(running), Scored)
    mark = container.settings.data_dir / "heard" / "endless"
    until = time.monotonic() + 30
    while not mark.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    started = time.monotonic()
    running.close()  # type: ignore[attr-defined]  # a generator
    assert members() == []
    assert time.monotonic() - started < 5


# How many ---------------------------------------------------------------------------------------------------


def count(
    *, calls: int = 100, cores: int = 8, free_gib: float = 64, on_gpu: bool = False, **settings: object
) -> int:
    return processes_for(
        Settings.model_validate(settings),
        on_gpu=on_gpu,
        calls=lambda most: min(calls, most),
        cores=cores,
        free_bytes=int(free_gib * GIB),
    )


def test_as_many_processes_as_cores_calls_and_memory_allow() -> None:
    assert count() == 8
    assert count(calls=3) == 3
    assert count(calls=0) == count(calls=1) == 1
    assert count(free_gib=3 * PROCESS_BYTES / GIB) == 3
    assert count(free_gib=0.1) == 1
    assert count(asr_threads=2) == 4
    assert count(asr_threads=16) == 1
    assert count(on_gpu=True) == 1


def test_somebody_else_may_choose() -> None:
    assert count(processes=5, free_gib=0.1, on_gpu=True) == 5
    assert count(processes=5, calls=2) == 2
    assert count(processes=1) == 1


def test_a_larger_model_takes_more_memory(tmp_path: Path) -> None:
    with (tmp_path / "model.bin").open("wb") as file:
        file.truncate(GIB)
    assert count(asr_model=str(tmp_path), free_gib=7) == 2
