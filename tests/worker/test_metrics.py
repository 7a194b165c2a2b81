"""The metrics of real workers, asked for over HTTP while they work."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from qa_service.observing import STAGES
from qa_service.settings import Settings
from tests.brokers import Redis, free_port, running_redis
from tests.cli import Here, environment, refused
from tests.fakes import DURATION_S, SILENT
from tests.worker.containers import FakeContainer

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    with running_redis(tmp_path / "redis") as server:
        yield server


def scraped(port: int) -> Samples:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def eventually(port: int, true_of: Callable[[Samples], bool]) -> Samples:
    deadline, samples = time.monotonic() + 60, {}
    while time.monotonic() < deadline:
        try:
            if true_of(samples := scraped(port)):
                return samples
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(samples)


def kill_all(process: psutil.Process) -> None:
    for one in (process, *process.children(recursive=True)):
        try:
            os.kill(one.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait(10)


@pytest.mark.parametrize("kind", ["embedded", "broker"])
def test_a_worker_tells_what_its_processes_did(tmp_path: Path, broker: Redis, kind: str) -> None:
    container = FakeContainer(tmp_path / "data")
    for number, content in enumerate((b"one", b"two", b"die once", SILENT)):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(content)
        received = container.ingest.receive(path, None)
        container.jobs.enqueue(received.recording, received.metadata, pack=None)
    port = free_port()
    surroundings = environment(
        tmp_path / "data",
        QA_DATABASE_URL=str(container.settings.database_url),
        QA_BROKER_URL=broker.url,
        QA_LEASE_S="2",
        QA_METRICS_PORT=str(port),
    )
    process = psutil.Popen([sys.executable, "-m", "tests.worker.long_worker", kind], env=surroundings)
    try:
        samples = eventually(
            port,
            lambda seen: (
                [value(seen, "qa_jobs_settled_total", ending=ending) for ending in ("done", "failed")] == [3, 1]
            ),
        )
    finally:
        kill_all(process)
        container.database.dispose()
    assert value(samples, "qa_job_failures_total", code="silent_audio") == 1
    assert value(samples, "qa_audio_seconds_total") == 3 * DURATION_S
    assert value(samples, "qa_jobs_freed_total"), "those of the process that died"
    assert value(samples, "qa_queue_up") == 1
    assert {stage for stage in STAGES if value(samples, "qa_stage_seconds_count", stage=stage)} == set(STAGES)
    assert value(samples, "qa_rule_results_total", pack="rules-zh", rule="greeting", outcome="met") == 3
    assert value(samples, "qa_disk_free_bytes", folder="data")


def test_a_taken_port_ends_with_a_usage_error(here: Here, data: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as other:
        try:
            eventually_open(port)
            said = refused(here("worker", "--embedded", "--metrics-port", str(port)))
        finally:
            other.kill()
    assert said.startswith("metrics_port_unusable: ")


def eventually_open(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_no_label_can_be_a_person_or_a_call() -> None:
    """What labels may be is written down here: a new one is looked at twice."""
    from prometheus_client import CollectorRegistry

    from qa_service.adapters.metrics import JobMeter

    registry = CollectorRegistry()
    JobMeter(registry)
    labels = {
        name for metric in registry._names_to_collectors.values() for name in getattr(metric, "_labelnames", ())
    }
    assert labels == {"ending", "code", "stage", "pack", "verdict", "rule", "outcome"}


def test_metrics_are_off_until_asked_for(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).metrics_port is None
