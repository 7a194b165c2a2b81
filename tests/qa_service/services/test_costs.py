"""Costs: every second is somebody's, once, and what is shared is shared by audio."""

import pytest

from qa_service.ports import Cost
from qa_service.services.costs import CostMeter


class Time:
    """Seconds of processors and of a clock, that a test moves."""

    def __init__(self) -> None:
        self.cpu_s = 100.0
        self.wall_s = 0.0

    def spend(self, seconds: float, *, cores: int = 1) -> None:
        self.cpu_s += seconds * cores
        self.wall_s += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def meter(time: Time, *, on_gpu: bool = False) -> CostMeter:
    return CostMeter(on_gpu=lambda: on_gpu, processor_s=lambda: time.cpu_s, now=lambda: time.wall_s)


def test_what_is_done_together_is_shared_by_audio_and_the_rest_is_its_own(time: Time) -> None:
    costs_of = meter(time, on_gpu=True)
    time.spend(4)  # preparing both
    costs = costs_of.batch({1: 30.0, 2: 10.0})
    with costs.recognising(1):
        time.spend(8, cores=2)
    time.spend(0.5)  # scoring the first
    first = costs.of(1)
    with costs.recognising(2):
        time.spend(0.25)
    time.spend(0.5)
    second = costs.of(2)
    assert first == Cost(cpu_s=3 + 12 + 0.5, gpu_s=6)
    assert second == Cost(cpu_s=1 + 4 + 0.25 + 0.5, gpu_s=2 + 0.25)
    assert first.cpu_s + second.cpu_s == time.cpu_s - 100


def test_without_a_gpu_none_is_held(time: Time) -> None:
    costs = meter(time).batch({1: 30.0})
    with costs.recognising(1):
        time.spend(8)
    assert costs.of(1) == Cost(cpu_s=8)


def test_jobs_without_audio_share_alike_when_there_is_nothing_else(time: Time) -> None:
    costs_of = meter(time)
    time.spend(2)
    costs = costs_of.batch({1: 0.0, 2: 0.0})
    time.spend(1)
    assert [costs.of(1), costs.of(2)] == [Cost(cpu_s=2), Cost(cpu_s=1)]
    assert costs_of.batch({3: 0.0, 4: 60.0}).of(3) == Cost()


def test_one_batch_follows_another(time: Time) -> None:
    costs_of = meter(time)
    for _ in range(3):
        time.spend(2)
        costs = costs_of.batch({1: 60.0})
        with costs.recognising(1):
            time.spend(5)
        assert costs.of(1) == Cost(cpu_s=7)
    costs_of.batch({})
