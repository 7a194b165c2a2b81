"""Figures for Prometheus: what is counted, what is looked at, and what that may cost."""

import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from qa_service import __version__
from qa_service.adapters.gpus import GpuMemory
from qa_service.adapters.metrics import LOOK_AGAIN_S, LOOK_SHARE, JobMeter, MachineGauges, QueueGauges, served
from qa_service.errors import ConfigurationError, TransientError
from qa_service.observing import Ending, JobReport, Lap, QueueDepth, RunsUnderWay
from tests.brokers import free_port

DEPTH = QueueDepth(due=5, later=1, held=2, expired=3, suspected=4, workers=1, oldest_due_age_s=60.5)


def report(ending: Ending = Ending.DONE, **changes: object) -> JobReport:
    values: dict[str, object] = {
        "job_id": 1,
        "recording_id": 2,
        "digest": "3fa9c1d0b7e2",
        "attempt": 1,
        "trace_id": "0" * 32,
        "ending": ending,
        "code": None,
        "started_at": 1000.0,
        "ended_at": 1020.5,
        **changes,
    }
    return JobReport(**values)  # type: ignore[arg-type]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_jobs_are_counted_by_how_they_ended(registry: CollectorRegistry) -> None:
    meter = JobMeter(registry)
    assert registry.get_sample_value("qa_jobs_settled_total", {"ending": "lost"}) == 0
    meter.settled(report(audio_s=243.0))
    meter.settled(report(audio_s=57.0, ended_at=1050.0))
    meter.settled(report(Ending.FAILED, code="audio_corrupt"))
    meter.settled(report(Ending.PUT_BACK, code="storage_full"))
    settled = {e.value: registry.get_sample_value("qa_jobs_settled_total", {"ending": e.value}) for e in Ending}
    assert settled == {"done": 2, "failed": 1, "put_back": 1, "lost": 0}
    assert registry.get_sample_value("qa_job_failures_total", {"code": "audio_corrupt"}) == 1
    assert registry.get_sample_value("qa_audio_seconds_total") == 300
    assert registry.get_sample_value("qa_last_settled_timestamp_seconds") == 1020.5


def test_stages_and_rules_are_counted(registry: CollectorRegistry) -> None:
    meter = JobMeter(registry)
    laps = (Lap("decode", 0.0, 0.4), Lap("store", 0.0, 0.02), Lap("store", 0.0, 0.03), Lap("asr", 0.0, 20.0))
    meter.settled(
        report(laps=laps, pack="service-zh", verdict="fatal", results=(("opening", "met"), ("argue", "not_met")))
    )
    assert registry.get_sample_value("qa_stage_seconds_sum", {"stage": "asr"}) == 20
    assert registry.get_sample_value("qa_stage_seconds_sum", {"stage": "store"}) == pytest.approx(0.05)
    assert registry.get_sample_value("qa_stage_seconds_count", {"stage": "store"}) == 1
    assert registry.get_sample_value("qa_evaluations_total", {"pack": "service-zh", "verdict": "fatal"}) == 1
    labels = {"pack": "service-zh", "rule": "argue", "outcome": "not_met"}
    assert registry.get_sample_value("qa_rule_results_total", labels) == 1


def test_sweeps_and_lost_reports_are_counted(registry: CollectorRegistry) -> None:
    meter = JobMeter(registry)
    meter.swept(freed=3, set_aside=1)
    meter.lost(2)
    for name, expected in {"qa_jobs_freed": 3, "qa_jobs_set_aside": 1, "qa_reports_lost": 2}.items():
        assert registry.get_sample_value(f"{name}_total") == expected


def test_the_queue_is_told_by_state(registry: CollectorRegistry) -> None:
    registry.register(QueueGauges(lambda: DEPTH))
    jobs = {
        state: registry.get_sample_value("qa_queue_jobs", {"state": state})
        for state in ("due", "later", "held", "expired")
    }
    assert jobs == {"due": 5, "later": 1, "held": 2, "expired": 3}
    assert registry.get_sample_value("qa_queue_suspected_jobs") == 4
    assert registry.get_sample_value("qa_queue_workers") == 1
    assert registry.get_sample_value("qa_queue_oldest_due_age_seconds") == 60.5
    assert registry.get_sample_value("qa_queue_up") == 1


def test_batch_runs_are_told_by_kind(registry: CollectorRegistry) -> None:
    runs = (RunsUnderWay("nightly", 1, 36_000.0), RunsUnderWay("requested", 2, 5.0))
    registry.register(QueueGauges(lambda: replace(DEPTH, runs=runs)))
    assert registry.get_sample_value("qa_batch_runs", {"kind": "requested"}) == 2
    assert registry.get_sample_value("qa_batch_run_age_seconds", {"kind": "nightly"}) == 36_000
    assert registry.get_sample_value("qa_night_age_seconds") is None, "there was no night"


class Looking:
    """A look that takes a while, on a clock that only the test moves."""

    def __init__(self, takes_s: float) -> None:
        self.now = 0.0
        self.takes_s = takes_s
        self.looks = 0
        self.fails = False

    def __call__(self) -> QueueDepth:
        self.looks += 1
        self.now += self.takes_s
        if self.fails:
            raise TransientError("database_interrupted", "gone: check it")
        return DEPTH


@pytest.mark.parametrize("takes_s", [0.001, 2.0])
def test_a_look_costs_a_fiftieth_of_the_time_at_most(registry: CollectorRegistry, takes_s: float) -> None:
    look = Looking(takes_s)
    registry.register(QueueGauges(look, now_s=lambda: look.now))
    for _ in range(20_000):  # asked ten times a second
        registry.get_sample_value("qa_queue_up")
        look.now += 0.1
    assert 1 < look.looks <= look.now / LOOK_AGAIN_S + 1
    assert look.looks * takes_s <= look.now / LOOK_SHARE + takes_s


def test_a_database_that_does_not_answer_is_told(registry: CollectorRegistry) -> None:
    look = Looking(0.1)
    registry.register(QueueGauges(look, now_s=lambda: look.now))
    look.fails = True
    assert registry.get_sample_value("qa_queue_up") == 0
    assert registry.get_sample_value("qa_queue_workers") is None, "what is not known is no zero"
    look.fails = False
    look.now += LOOK_AGAIN_S
    assert registry.get_sample_value("qa_queue_up") == 1


def test_registering_looks_at_nothing(registry: CollectorRegistry) -> None:
    look = Looking(0.1)
    registry.register(QueueGauges(look))
    assert look.looks == 0


def test_the_machine_tells_its_room(registry: CollectorRegistry, tmp_path: Path) -> None:
    gpus = (GpuMemory("0 Some GPU", 3, 80), GpuMemory("1 Some GPU", 5, 80))
    registry.register(MachineGauges({"data": tmp_path / "not made yet"}, gpus=lambda: gpus))
    free = registry.get_sample_value("qa_disk_free_bytes", {"folder": "data"})
    size = registry.get_sample_value("qa_disk_size_bytes", {"folder": "data"})
    assert free is not None
    assert size is not None
    assert 0 < free < size
    assert registry.get_sample_value("qa_gpu_memory_used_bytes", {"gpu": "1 Some GPU"}) == 5
    assert registry.get_sample_value("qa_gpu_memory_size_bytes", {"gpu": "0 Some GPU"}) == 80
    assert registry.get_sample_value("qa_build_info", {"version": __version__}) == 1


def test_it_is_served(registry: CollectorRegistry, tmp_path: Path) -> None:
    registry.register(MachineGauges({"data": tmp_path}))
    with served(registry, host="127.0.0.1", port=0) as port:
        text = _get(port)
        assert f'qa_build_info{{version="{__version__}"}} 1.0' in text
    with pytest.raises(OSError, match="refused"):
        _get(port)


def test_a_port_that_is_taken_is_named(registry: CollectorRegistry, refused: Callable[[int], str]) -> None:
    with served(registry, host="127.0.0.1", port=free_port()) as port:
        assert f"127.0.0.1:{port}" in refused(port)


@pytest.fixture
def refused(registry: CollectorRegistry) -> Callable[[int], str]:
    def message(port: int) -> str:
        with (
            pytest.raises(ConfigurationError) as caught,
            served(CollectorRegistry(), host="127.0.0.1", port=port),
        ):
            raise AssertionError("two on one port")
        assert caught.value.code == "metrics_port_unusable"
        return caught.value.message

    return message


def _get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        body: str = answer.read().decode()
    return body
