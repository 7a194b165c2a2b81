"""Workers on a real broker: every job once, whatever happens to messages, workers and the broker."""

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update

from qa_service.db.rows import EvaluationRow, RecordingRow
from qa_service.domain.batch_runs import BatchKind, BatchState
from qa_service.errors import ConfigurationError
from qa_service.ports import JobState
from qa_service.services.duty import Duty
from qa_service.settings import Settings
from tests.brokers import Redis
from tests.fakes import SILENT
from tests.worker.containers import FakeContainer
from tests.worker.queued import end, enqueue, settled, wait_for
from worker.app import MOST_RINGS, SPEECH, SWEEP, UPKEEP, WORK, make_app


def test_jobs_that_nobody_rang_for_are_found(
    container: FakeContainer, start: Callable[..., psutil.Process]
) -> None:
    ids = enqueue(container, *[f"call {n}".encode() for n in range(30)], SILENT)
    start()
    assert settled(container, ids) == ["done"] * 30 + ["silent_audio"]
    assert container.workplace.count(EvaluationRow) == 30


def test_a_worker_that_is_killed_costs_nothing(
    container: FakeContainer, start: Callable[..., psutil.Process]
) -> None:
    ids = enqueue(container, *[f"slow {n}".encode() for n in range(12)])
    first = start()
    heard = container.settings.data_dir / "heard"
    deadline = time.monotonic() + 60
    while not heard.exists() or len(list(heard.iterdir())) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    end(first)
    start()
    assert set(settled(container, ids)) == {"done"}
    assert container.workplace.count(EvaluationRow) == 12


def test_a_recording_that_kills_workers_is_set_aside_alone(
    container: FakeContainer, start: Callable[..., psutil.Process]
) -> None:
    ids = enqueue(container, b"one", b"die always", b"two", b"three")
    start()
    assert settled(container, ids) == ["done", "worker_died", "done", "done"]


def test_a_busy_worker_looks_after_others_and_fills_no_queue(
    container: FakeContainer, broker: Redis, start: Callable[..., psutil.Process]
) -> None:
    """Batches that take longer than the time between two sweeps."""
    ids = enqueue(container, *[f"slow {n}".encode() for n in range(24)])
    with container.database.unit_of_work() as unit:  # held by a process of this machine that is gone
        name = container.owner.rsplit(":", 3)
        unit.jobs.claim(f"{name[0]}:4194304:1:{name[3]}", lease_s=600, job_id=ids[-1])
        unit.commit()
    start()
    assert settled(container, ids) == ["done"] * 24
    assert broker.client().llen(UPKEEP) == 0
    assert broker.client().llen(SPEECH) <= MOST_RINGS


def test_the_broker_may_forget_everything(
    container: FakeContainer, broker: Redis, start: Callable[..., psutil.Process]
) -> None:
    ids = enqueue(container, *[f"slow {n}".encode() for n in range(10)])
    start()
    deadline = time.monotonic() + 60
    while not (container.settings.data_dir / "heard").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    broker.kill()
    time.sleep(0.3)
    broker.start()
    more = enqueue(container, *[f"later {n}".encode() for n in range(10)])
    assert set(settled(container, ids + more)) == {"done"}


def test_messages_are_few_however_many_jobs_there_are(container: FakeContainer, broker: Redis) -> None:
    enqueue(container, *[f"call {n}".encode() for n in range(MOST_RINGS + 20)])
    for _ in range(3):
        make_app(container.settings, make=lambda _: container).tasks[SWEEP]()
        assert broker.client().llen(SPEECH) == MOST_RINGS


def test_a_bell_without_a_broker_rings_for_nobody_and_fails_nobody(
    container: FakeContainer, broker: Redis
) -> None:
    broker.kill()
    enqueue(container, b"one")
    make_app(container.settings, make=lambda _: container).tasks[SWEEP]()


class Locked(FakeContainer):
    """On a database that a newer version has upgraded."""

    @property
    def duty(self) -> Duty:  # type: ignore[override]
        raise ConfigurationError("database_newer", "upgrade the product")


def test_a_worker_in_trouble_passes_the_bell_on(
    container: FakeContainer, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.app.UNFIT_S", 0.0)
    locked = Locked(container.settings.data_dir, settings=container.settings)
    make_app(container.settings, make=lambda _: locked).tasks[WORK]()
    assert broker.client().llen(SPEECH) == 1


def test_speech_workers_ask_nobody_for_a_sweep(
    container: FakeContainer, broker: Redis, start: Callable[..., psutil.Process]
) -> None:
    make_app(container.settings).send_task(WORK, queue=SPEECH)
    ids = enqueue(container, b"one", b"two")
    start("broker", SPEECH)
    assert settled(container, ids) == ["done", "done"]
    time.sleep(2)  # four sweeps of another worker
    assert broker.client().llen(UPKEEP) == 0


def test_doubled_messages_do_nothing_twice(container: FakeContainer, start: Callable[..., psutil.Process]) -> None:
    celery = make_app(container.settings, make=lambda _: container)
    for _ in range(20):
        celery.send_task(WORK, queue=SPEECH)
    ids = enqueue(container, b"one", b"two")
    start()
    assert settled(container, ids) == ["done", "done"]
    assert [container.jobs.state(job_id).attempts for job_id in ids] == [1, 1]


def test_a_night_is_begun_once_by_whatever_workers(
    container: FakeContainer, start: Callable[..., psutil.Process]
) -> None:
    for number in range(12):
        path = container.workplace.file(f"{number}.wav", f"call {number}".encode())
        container.ingest.receive(path, None)
    with container.database.unit_of_work() as unit:  # four days ago: before the last night, whatever time it is
        unit.session.execute(update(RecordingRow).values(created_at=datetime.now(UTC) - timedelta(days=4)))
        unit.commit()
    for _ in range(2):
        start(QA_NIGHTLY_AT="22:00")
    wait_for(lambda: any(run.ended_at for run in container.batch_runs.recent(10)))
    (run,) = container.batch_runs.recent(10)
    assert (run.kind, run.state, run.tally.scored) == (BatchKind.NIGHTLY, BatchState.DONE, 12)
    assert container.workplace.count(EvaluationRow) == 12


def test_one_machine_needs_no_broker(
    container: FakeContainer, broker: Redis, start: Callable[..., psutil.Process]
) -> None:
    broker.kill()
    ids = enqueue(container, b"one", b"two")
    worker = start("embedded")
    assert settled(container, ids) == ["done", "done"]
    later = enqueue(container, b"three")
    assert settled(container, later) == ["done"]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_a_killed_embedded_process_is_replaced(
    container: FakeContainer, start: Callable[..., psutil.Process]
) -> None:
    ids = enqueue(container, b"die once", b"two")
    worker = start("embedded")
    assert settled(container, ids) == ["done", "done"]
    assert worker.is_running()


def test_embedded_processes_end_with_the_one_that_started_them(
    container: FakeContainer, start: Callable[..., psutil.Process]
) -> None:
    ids = enqueue(container, b"endless")
    worker = start("embedded")
    wait_for(lambda: (container.settings.data_dir / "heard" / "endless").exists())
    processes = worker.children()
    worker.kill()
    gone, alive = psutil.wait_procs(processes, 10)
    assert len(gone) == 1
    assert not alive
    assert container.jobs.state(ids[0]).state is JobState.LEASED  # until somebody sweeps


def test_a_process_that_gets_nowhere_is_ended(
    container: FakeContainer, start: Callable[..., psutil.Process]
) -> None:
    ids = enqueue(container, b"endless", b"two")
    start("embedded", QA_WORK_LIMIT_S="2", QA_BATCH_CALLS="1")
    assert settled(container, ids) == ["worker_died", "done"]


def test_a_process_that_has_grown_is_replaced(
    container: FakeContainer, start: Callable[..., psutil.Process]
) -> None:
    ids = enqueue(container, b"one", b"two")
    start("embedded", QA_WORKER_MEMORY_BYTES="1000", QA_BATCH_CALLS="1")
    assert settled(container, ids) == ["done", "done"]
    workers = {(container.settings.data_dir / "heard" / name).read_text() for name in ("one", "two")}
    assert len(workers) == 2


@pytest.mark.parametrize("kind", ["broker", "embedded"])
def test_a_machine_that_cannot_work_blames_no_recording(
    container: FakeContainer, start: Callable[..., psutil.Process], kind: str
) -> None:
    """Its engines fail in the middle of the work; later they are repaired."""
    fault = container.settings.data_dir / "unfit"
    ids = enqueue(container, *[f"slow {n}".encode() for n in range(10)])
    start(kind, QA_BATCH_CALLS="2")
    wait_for(lambda: any(container.jobs.state(job_id).ended for job_id in ids))
    fault.touch()
    wait_for(lambda: any(container.jobs.state(job_id).error_code == "engine_unavailable" for job_id in ids))
    waiting = [job_id for job_id in ids if not container.jobs.state(job_id).ended]
    time.sleep(1)
    assert not any(container.jobs.state(job_id).ended for job_id in waiting)
    fault.unlink()
    assert settled(container, ids) == ["done"] * 10
    assert all(container.jobs.state(job_id).losses == 0 for job_id in ids)


def test_a_worker_without_the_recordings_takes_no_job(
    container: FakeContainer, start: Callable[..., psutil.Process], tmp_path: Path
) -> None:
    ids = enqueue(container, b"one", b"two")
    start("embedded", QA_DATA_DIR=str(tmp_path / "elsewhere"))
    time.sleep(3)
    assert [container.jobs.state(job_id).attempts for job_id in ids] == [0, 0]
    start("embedded")
    assert settled(container, ids) == ["done", "done"]


def test_without_a_broker_there_is_no_fleet() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_app(Settings())
    assert caught.value.code == "broker_missing"
