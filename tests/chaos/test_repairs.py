"""Machines that break at night: what they should have done waits, and is done after the repair by itself."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.weights import default_cache_dir, locate
from qa_service.ports import JobState
from qa_service.settings import Settings
from tests.chaos.story import clips, enqueue
from tests.cli import QA, ROOT, environment
from worker.container import Container

pytestmark = [pytest.mark.slow, pytest.mark.engine]

OWN_NAMESPACE = ("unshare", "--map-root-user", "--mount")


def _may_mount() -> bool:
    try:
        return subprocess.run([*OWN_NAMESPACE, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not _may_mount(), reason="needs namespaces of its own (unshare)")
def test_a_disk_that_is_full_and_one_that_cannot_be_written(tmp_path: Path) -> None:
    drill = subprocess.run(
        [*OWN_NAMESPACE, sys.executable, "-m", "tests.chaos.disk"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert drill.returncode == 0, f"{drill.stdout}\n{drill.stderr[-3000:]}"


@pytest.fixture
def worker() -> Iterator[Callable[[Settings], None]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(settings: Settings) -> None:
        started.append(
            subprocess.Popen(
                [*QA, "worker", "--embedded", "--concurrency", "1"],
                env=environment(settings.data_dir, QA_ASR_MODEL=settings.asr_model),
            )
        )

    yield start
    for process in started:
        process.terminate()
        process.wait(60)


def test_a_model_that_was_damaged(tmp_path: Path, worker: Callable[[Settings], None]) -> None:
    model = tmp_path / "model"
    shutil.copytree(locate("base", cache_dir=default_cache_dir()).path, model)
    container = Container(Settings(data_dir=tmp_path / "data", asr_model=str(model)))
    ids = enqueue(container, clips(2, tmp_path / "calls"))
    whole = (model / "model.bin").rename(tmp_path / "model.bin")
    (model / "model.bin").write_bytes(whole.read_bytes()[:1_000_000])

    worker(container.settings)
    time.sleep(10)
    jobs = [container.jobs.state(job_id) for job_id in ids]
    assert [(job.state, job.losses) for job in jobs] == [(JobState.QUEUED, 0)] * 2

    whole.rename(model / "model.bin")
    deadline = time.monotonic() + 120
    while not all(container.jobs.state(job_id).ended for job_id in ids) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [container.jobs.state(job_id).state for job_id in ids] == [JobState.DONE] * 2
