"""Clocks that are wrong, and machines that are small."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from qa_service.services.diagnosis import State
from qa_service.settings import Settings
from tests.clocks import ManualClock
from worker.doctor import machine

GIB = 1024**3


def settings(**given: object) -> Settings:
    return Settings.model_validate({"data_dir": "/nowhere", "asr_threads": 1, **given})


def test_the_clock_of_this_machine() -> None:
    found = machine.clock(settings(time_zone="America/St_Johns"))
    assert "America/St_Johns UTC-0" in found.measured
    assert machine.clock(settings(time_zone="Asia/Kathmandu")).measured.endswith("UTC+05:45")


def test_a_clock_before_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SystemClock", lambda: ManualClock(datetime(1970, 1, 1, tzinfo=UTC)))
    found = machine.clock(settings())
    assert (found.state, "1970-01-01" in found.measured) == (State.FAILED, True)


@pytest.mark.parametrize(
    ("offset_s", "state"),
    [
        (0, State.OK),
        (20_700, State.OK),
        (-43_200, State.OK),
        (50_400, State.OK),
        (29_143, State.WARNING),
        (54_000, State.WARNING),
        (-46_800, State.WARNING),
    ],
)
def test_the_machines_offset(monkeypatch: pytest.MonkeyPatch, offset_s: int, state: State) -> None:
    monkeypatch.setattr(time, "localtime", lambda *_: SimpleNamespace(tm_gmtoff=offset_s))
    assert machine.clock(settings()).state is state


@pytest.mark.parametrize(
    ("cores", "free", "total", "given", "state"),
    [
        (2, 3.0, 4.0, {}, State.OK),
        (1, 1.3, 1.5, {}, State.OK),
        (2, 1.3, 2.0, {}, State.OK),  # one process then
        (2, 1.2, 4.0, {}, State.WARNING),
        (2, 1.0, 1.0, {}, State.FAILED),
        (4, 4.5, 8.0, {"processes": 4}, State.WARNING),
        (4, 4.0, 4.5, {"processes": 4}, State.WARNING),
        (4, 8.0, 8.0, {"processes": 4}, State.OK),
    ],
)
def test_cores_and_memory(
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    free: float,
    total: float,
    given: dict[str, object],
    state: State,
) -> None:
    for module in ("worker.doctor.machine", "worker.running"):
        monkeypatch.setattr(f"{module}.cpu_cores", lambda: cores)
        monkeypatch.setattr(f"{module}.free_memory_bytes", lambda: int(free * GIB))
    monkeypatch.setattr(machine, "total_memory_bytes", lambda: int(total * GIB))
    found = machine.capacity(settings(**given))
    assert (found.state, bool(found.remedy)) == (state, state is not State.OK)
    assert f"{free:.1f} GiB of {total:.1f} GiB memory free" in found.measured


def test_a_system_that_does_not_tell_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: None)
    monkeypatch.setattr(machine, "total_memory_bytes", lambda: None)
    assert machine.capacity(settings()).state is State.OK
