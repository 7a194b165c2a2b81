"""What a container may use counts, not what its host has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qa_service.adapters.machine import cpu_cores, free_memory_bytes, own_memory_bytes, total_memory_bytes
from tests.corpus import ROOT

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", CORES),
        ("50000 100000", 1),
        ("100000 100000", 1),
        (f"{CORES}50000 100000", CORES),
        ("", CORES),
        ("1 0", CORES),
    ],
)
def test_cores(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n", "ascii")
    assert cpu_cores(cgroup=tmp_path) == cores
    assert cpu_cores(cgroup=tmp_path / "none") == CORES


def test_memory_of_the_machine(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9000 kB\nMemAvailable:  4000 kB\n", "ascii")
    assert free_memory_bytes(cgroup=tmp_path, meminfo=meminfo) == 4000 * 1024
    (tmp_path / "memory.max").write_text("max\n", "ascii")
    (tmp_path / "memory.current").write_text("1000\n", "ascii")
    assert free_memory_bytes(cgroup=tmp_path, meminfo=meminfo) == 4000 * 1024


def test_memory_of_a_container(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemAvailable:  4000 kB\n", "ascii")
    (tmp_path / "memory.max").write_text("1000000\n", "ascii")
    (tmp_path / "memory.current").write_text("900000\n", "ascii")
    assert free_memory_bytes(cgroup=tmp_path, meminfo=meminfo) == 100_000
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 50000\n", "ascii")
    assert free_memory_bytes(cgroup=tmp_path, meminfo=meminfo) == 150_000
    (tmp_path / "memory.current").write_text("2000000\n", "ascii")
    assert free_memory_bytes(cgroup=tmp_path, meminfo=meminfo) == 0


def test_total_memory(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9000 kB\nMemAvailable:  4000 kB\n", "ascii")
    assert total_memory_bytes(cgroup=tmp_path, meminfo=meminfo) == 9000 * 1024
    (tmp_path / "memory.max").write_text("1000000\n", "ascii")
    assert total_memory_bytes(cgroup=tmp_path, meminfo=meminfo) == 1_000_000
    assert total_memory_bytes(cgroup=tmp_path / "none", meminfo=tmp_path / "none") is None


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert free_memory_bytes(cgroup=tmp_path, meminfo=tmp_path / "none") is None
    assert (free_memory_bytes() or 0) > 0


def test_memory_of_this_process(tmp_path: Path) -> None:
    """Of a fresh one: a process that has run thousands of tests gives memory back meanwhile."""
    code = (
        "import os; from qa_service.adapters.machine import own_memory_bytes as own; before = own(); "
        "held = bytearray(os.urandom(64 * 2**20)); print((own() - before) / len(held))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0.9 < float(told.stdout) < 1.5
    assert own_memory_bytes(statm=tmp_path / "none") is None
