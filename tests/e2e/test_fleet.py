"""``qa score`` in two processes with the real engines: whatever is killed, the answers are those of one."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from qa_service.adapters.clock import SystemClock
from qa_service.db.rows import JobRow
from qa_service.db.session import Database
from qa_service.ports import JobState
from tests.cli import QA, environment, qa
from tests.e2e.runs import Store
from tests.recordings import write_recording
from tests.signals import RATE_HZ, clip_of

pytestmark = [pytest.mark.engine, pytest.mark.slow]

CLIPS = {"a": ("en02", 0.0, 8.0), "b": ("zh04", 20.0, 30.0), "c": ("zh02", 0.0, 12.0)}
TWO = {"QA_PROCESSES": "2", "QA_ASR_THREADS": "1"}
PATIENCE_S = 120  # of a machine that others use too


@dataclass(frozen=True)
class Calls:
    """Short recordings, and what one process says of them."""

    folder: Path
    answers: str


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    base = tmp_path_factory.mktemp("fleet")
    folder = base / "calls"
    folder.mkdir()
    for name, clip in CLIPS.items():
        write_recording(folder / f"{name}.flac", clip_of(*clip), rate_hz=RATE_HZ, format="flac")
    done = qa("score", folder, "--format", "json", data=base / "data", QA_PROCESSES="1")
    assert done.returncode == 0, done.stderr
    return Calls(folder, done.stdout)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def running(calls: Calls, data: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*QA, "score", str(calls.folder), "--format", "json"],
        env=environment(data, **TWO),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The worker processes, and whatever they started."""
    return [
        child
        for worker in psutil.Process(process.pid).children()
        if "worker.member" in " ".join(worker.cmdline())
        for child in (worker, *worker.children(recursive=True))
    ]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.02)


def holders(data: Path) -> set[int]:
    """Process ids of those who hold jobs."""
    if not (data / "qa.db").exists():
        return set()
    database = Database(f"sqlite:///{data / 'qa.db'}", clock=SystemClock())
    try:
        with database.unit_of_work(read_only=True) as unit:
            leased = unit.session.query(JobRow.lease_owner).where(JobRow.state == JobState.LEASED.value).all()
        return {int(owner.rsplit(":", 3)[1]) for (owner,) in leased if owner}
    except Exception:  # noqa: BLE001 - the tables are being made
        return set()
    finally:
        database.dispose()


def test_a_worker_that_is_killed_costs_nothing(calls: Calls, data: Path, running: subprocess.Popen[str]) -> None:
    until(lambda: bool(holders(data)))
    os.kill(holders(data).pop(), signal.SIGKILL)
    answers, said = running.communicate(timeout=2 * PATIENCE_S)
    assert running.returncode == 0, said
    assert answers == calls.answers, "as from one process, in the order of the input"
    assert "worker died" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_no_worker_outlives_the_command(
    data: Path, running: subprocess.Popen[str], number: signal.Signals, status: int
) -> None:
    until(lambda: bool(holders(data)))
    left = workers(running)
    assert len(left) >= 2
    running.send_signal(number)
    assert running.wait(timeout=10) == status
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []
    assert "Traceback" not in running.communicate()[1]


def test_what_a_killed_command_left_is_done_by_the_next(
    calls: Calls, data: Path, running: subprocess.Popen[str]
) -> None:
    until(lambda: bool(holders(data)))
    running.kill()
    running.wait()
    again = qa("score", calls.folder, "--format", "json", data=data, timeout_s=2 * PATIENCE_S, **TWO)
    assert again.returncode == 0, again.stderr
    assert again.stdout == calls.answers
    counts = Store(data).counts()
    assert [counts[table] for table in ("recordings", "conversations", "evaluations", "jobs")] == [len(CLIPS)] * 4
    assert (counts["jobs not done"], counts["leases"]) == (0, 0)
