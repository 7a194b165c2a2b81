"""What the speech runtimes make of this machine.

Guarantee: asking for ``runtimes`` ends nothing but itself. Each is asked in a process of its own: a processor that
is too old, or a broken driver, ends the process that loads one, and what they load would otherwise stay.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from qa_service.errors import EngineError

_BOOT = "import sys; sys.path[:] = sys.argv[2:]; from models.devices import main; main(sys.argv[1])"
_ROOT = str(Path(__file__).resolve().parent.parent)
_SMI = ("nvidia-smi", "--query-gpu=name,memory.free,memory.total", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True)
class Runtime:
    """One runtime: ``gpus`` that it can compute on, ``compute_types`` it offers there (or on the CPU).

    ``fault``: why it does not work.
    """

    name: str
    version: str = ""
    gpus: int = 0
    compute_types: tuple[str, ...] = ()
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    free_mib: int
    total_mib: int


def runtimes(names: Sequence[str], *, timeout_s: float) -> tuple[Runtime, ...]:
    """Ask the named runtimes, all at once."""
    asked = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, name, *sys.path, _ROOT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        for name in names
    ]
    until = time.monotonic() + timeout_s
    return tuple(_answer(name, process, until) for name, process in zip(names, asked, strict=True))


def _answer(name: str, process: subprocess.Popen[str], until: float) -> Runtime:
    with process:
        try:
            said, complaints = process.communicate(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            return Runtime(name, fault="does not answer")
    if process.returncode != 0:
        last = (complaints.strip().splitlines() or [""])[-1]
        return Runtime(name, fault=f"ends its process (status {process.returncode}) {last}".rstrip())
    answer = json.loads(said.splitlines()[-1])  # a runtime may print before it
    return Runtime(**{**answer, "compute_types": tuple(answer["compute_types"])})


def gpus(*, command: Sequence[str] = _SMI, timeout_s: float = 20.0) -> tuple[Gpu, ...]:
    """The GPUs that the NVIDIA driver knows; none without a driver."""
    try:
        told = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    found = []
    for line in told.stdout.splitlines():
        name, *sizes = (field.strip() for field in line.rsplit(",", 2))
        if len(sizes) == 2 and all(size.isdecimal() for size in sizes):
            found.append(Gpu(name, int(sizes[0]), int(sizes[1])))
    return tuple(found)


def resolve_device(device: str) -> str:
    """``auto`` is the GPU when the runtime sees one."""
    if device != "auto":
        return device
    try:
        import ctranslate2
    except ImportError as error:
        raise EngineError(
            "engine_missing", "faster-whisper is not installed: install the extra 'speech'"
        ) from error
    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"


def main(name: str) -> None:
    """In the process that asks: one JSON line."""
    try:
        told = _ASK[name]()
    except ImportError as error:
        told = Runtime(name, fault=f"is not installed ({error})" if error.name == name else f"lacks {error}")
    except Exception as error:  # noqa: BLE001 - each runtime has its own, and any of them is the answer
        told = Runtime(name, fault=f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(asdict(told)) + "\n")


def _ctranslate2() -> Runtime:
    import ctranslate2

    count = ctranslate2.get_cuda_device_count()
    types = sorted(ctranslate2.get_supported_compute_types("cuda" if count else "cpu"))
    return Runtime("ctranslate2", ctranslate2.__version__, count, tuple(types))


def _onnxruntime() -> Runtime:
    import onnxruntime

    return Runtime("onnxruntime", onnxruntime.__version__)


def _torch() -> Runtime:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:  # a build without kernels for this GPU sees it all the same
        torch.ones(8, device="cuda").sum().item()
    return Runtime("torch", torch.__version__, count)


_ASK: Final[dict[str, Callable[[], Runtime]]] = {
    "ctranslate2": _ctranslate2,
    "onnxruntime": _onnxruntime,
    "torch": _torch,
}
