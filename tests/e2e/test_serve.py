"""One machine: the API and the workers of ``qa serve``, with real engines."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from qa_service.ports import JobState
from qa_service.settings import Settings
from tests.brokers import free_port
from tests.chaos.story import clips, enqueue
from tests.cli import QA, environment
from worker.container import Container


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def taken(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


@pytest.fixture
def served(tmp_path: Path, port: int) -> Iterator[psutil.Popen]:
    process = psutil.Popen(
        [*QA, "serve", "--port", str(port), "--concurrency", "1"],
        env=environment(tmp_path / "data"),
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    if process.is_running():
        process.kill()
    process.wait()
    process.stderr.close()


def healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.engine
def test_calls_are_scored_beside_the_api_until_it_is_told_to_stop(
    tmp_path: Path, served: psutil.Popen, port: int
) -> None:
    container = Container(Settings(data_dir=tmp_path / "data"))
    (job_id,) = enqueue(container, clips(1, tmp_path / "calls"))
    deadline = time.monotonic() + 120
    while not (healthy(port) and container.jobs.state(job_id).ended):
        assert time.monotonic() < deadline
        assert served.is_running()
        time.sleep(0.2)
    assert container.jobs.state(job_id).state is JobState.DONE
    processes = served.children(recursive=True)
    served.terminate()
    assert served.wait(60) == 0
    assert not psutil.wait_procs(processes, 10)[1]
    assert not healthy(port)


@pytest.mark.usefixtures("taken")
def test_a_port_that_is_taken_is_told(port: int, request: pytest.FixtureRequest) -> None:
    served: psutil.Popen = request.getfixturevalue("served")  # after somebody else listens there
    _, said = served.communicate(timeout=60)
    assert served.returncode == 2
    assert "web_ended" in said
    assert str(port) in said
