"""The command for GPUs: what it reads, and that the whole of it runs, on a CPU with a tiny model."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu import Reading, error_rate, gpu_cells
from benchmarks.processes import ROOT


def test_readings_count_while_the_row_is_measured() -> None:
    readings = [Reading(at, used, memory) for at, used, memory in ((0.9, 0, 90), (1.1, 50, 20), (1.9, 100, 40))]
    assert gpu_cells(readings, 1.0, 2.0) == ["75", "40"]
    assert gpu_cells(readings, 5.0, 6.0) == ["–", "–"]


def test_the_error_rate_is_over_all_channels() -> None:
    assert error_rate([["你好", ""], ["再见", "好的"]], [["您好", ""], ["再见", "好的吧"]]) == pytest.approx(2 / 7)


@pytest.mark.engine
@pytest.mark.slow
def test_the_whole_command_runs(tmp_path: Path) -> None:
    """With one engine: the other one compiles itself for ten seconds in every process."""
    options = ["--device", "cpu", "--smoke", "--engines", "faster-whisper", "--threads", "1"]
    command = [sys.executable, "-m", "benchmarks.gpu", *options, "--weights", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if "| tiny |" in line]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [row[:3] for row in rows] == [["faster-whisper", "tiny", once] for once in ("plain loop", "2")]
    assert all(float(row[3]) > 0 for row in rows)
    assert done.stdout.splitlines()[-1] == "gpu: every row measured"
