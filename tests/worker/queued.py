"""Jobs in a queue that workers of their own processes work on."""

import os
import signal
import time
from collections.abc import Callable

import psutil

from tests.worker.containers import FakeContainer


def end(process: psutil.Process) -> None:
    """With its children, as the power does."""
    with_children = [process]
    try:
        with_children += process.children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for one in with_children:
        try:
            os.kill(one.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    psutil.wait_procs(with_children, 10)


def enqueue(container: FakeContainer, *contents: bytes) -> list[int]:
    folder = container.settings.data_dir.parent / "calls"
    folder.mkdir(exist_ok=True)
    ids = []
    for number, content in enumerate(contents):
        (folder / f"{number}.wav").write_bytes(content)
        received = container.ingest.receive(folder / f"{number}.wav", None)
        ids.append(container.jobs.enqueue(received.recording, received.metadata, pack=None).id)
    return ids


def wait_for(happened: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def settled(container: FakeContainer, ids: list[int], timeout_s: float = 60) -> list[str]:
    """States of the jobs when each has come to its end: done, or the code of its failure."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        jobs = [container.jobs.state(job_id) for job_id in ids]
        if all(job.ended for job in jobs):
            return [job.error_code or job.state.value for job in jobs]
        time.sleep(0.05)
    raise AssertionError([(job.id, job.state, job.attempts, job.error_code) for job in jobs])
