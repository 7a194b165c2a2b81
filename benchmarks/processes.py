"""A command measured as a whole: wall time, and the memory of its process with all that it starts."""

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Measured:
    """One command: wall seconds, peak memory in MiB, its standard output."""

    wall_s: float
    peak_mib: float
    output: str


def run(command: Sequence[str], environment: Mapping[str, str], *, may_end_with: Sequence[int] = (0,)) -> Measured:
    """Run ``command`` from the repository's root.

    Memory is the proportional set size (PSS), summed over the process and its descendants five times a second:
    a page that several of them share counts once, which a sum of resident sizes would not do.

    Raises:
        SystemExit: it ended with another code than ``may_end_with``.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=out, stderr=log, env=dict(environment), cwd=ROOT)
        root, peak = psutil.Process(process.pid), 0
        while process.poll() is None:
            peak = max(peak, tree_memory(root))
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
        wall_s = time.monotonic() - started
        if process.returncode not in may_end_with:
            log.seek(0)
            raise SystemExit(f"{command} ended with {process.returncode}: {log.read()[-2000:]}")
        out.seek(0)
        return Measured(wall_s, peak / 2**20, out.read())


def tree_memory(root: psutil.Process) -> int:
    """PSS of the process and its descendants, in bytes; those that end meanwhile count nothing."""
    with suppress(psutil.NoSuchProcess):
        return sum(map(_proportional, [root, *root.children(recursive=True)]))
    return 0


def _proportional(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_full_info().pss)
    return 0
