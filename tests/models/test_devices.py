"""Runtimes and GPUs: what they tell, and what becomes of one that breaks."""

import sys
from pathlib import Path

import pytest

from models import devices
from models.devices import Gpu, Runtime, gpus, runtimes


@pytest.mark.engine
def test_the_installed_runtimes_tell_their_versions() -> None:
    told = runtimes(["onnxruntime", "ctranslate2"], timeout_s=120)
    assert [(runtime.name, runtime.fault) for runtime in told] == [("onnxruntime", None), ("ctranslate2", None)]
    assert all(runtime.version[0].isdecimal() for runtime in told)
    assert told[1].compute_types


@pytest.mark.parametrize(
    ("module", "fault"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGILL)", "ends its process (status -4)"),
        ("raise OSError('libcudart.so: no such file')", "OSError: libcudart.so: no such file"),
        ("import libraries_of_nobody", "lacks No module named 'libraries_of_nobody'"),
        ("import time\ntime.sleep(60)", "does not answer"),
    ],
)
def test_a_runtime_that_breaks_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, fault: str
) -> None:
    (tmp_path / "onnxruntime.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    (told,) = runtimes(["onnxruntime"], timeout_s=3.0 if "sleep" in module else 60)
    assert told == Runtime("onnxruntime", fault=fault)


def test_a_runtime_that_is_not_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    devices.main("torch")
    assert '"fault": "is not installed' in capsys.readouterr().out


def test_what_the_driver_tells() -> None:
    say = "print('NVIDIA H100 80GB HBM3, 80995, 81559\\nTesla, T4, 10, 20\\nNVIDIA GH200, [N/A], [N/A]')"
    assert gpus(command=[sys.executable, "-c", say]) == (
        Gpu("NVIDIA H100 80GB HBM3", 80995, 81559),
        Gpu("Tesla, T4", 10, 20),
    )


@pytest.mark.parametrize(
    "command", [["no-such-command"], [sys.executable, "-c", "raise SystemExit(9)"], [sys.executable, "-c", ""]]
)
def test_no_driver_is_no_gpu(command: list[str]) -> None:
    assert gpus(command=command) == ()
