"""New interpreters as worker processes, each at the end of a pipe.

A forked process would inherit threads, locks and engines of this one.
"""

import contextlib
import os
import signal
import subprocess
import sys
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from qa_service.settings import Settings
from qa_service.startup import quick_imports

_BOOT = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import sys; sys.path[:] = sys.argv[3:]; "
    "from worker.spawning import loaded; loaded(sys.argv[1]).main(int(sys.argv[2]))"
)
# Where this package was found may not be on the path any more: "" is, after a change of directory.
_ROOT = str(Path(__file__).resolve().parent.parent)


def spawn(
    module: str, settings: Settings, *, verbose: bool
) -> "tuple[subprocess.Popen[bytes], Connection[Any, Any]]":
    """Run the ``main`` of ``module`` with the descriptor of a pipe, on which ``(settings, verbose)`` comes first.

    Ctrl-C does not reach it. Its standard output is our standard error.

    Raises:
        OSError: there is no room for one more process.
    """
    ours, theirs = Pipe()
    environment = dict(os.environ)
    environment.setdefault("OMP_NUM_THREADS", str(settings.asr_threads))
    with theirs:
        try:
            process = subprocess.Popen(
                # -P: nothing is imported from wherever the command was called
                [sys.executable, "-P", "-c", _BOOT, module, str(theirs.fileno()), *sys.path, _ROOT],
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard output is for results alone
                pass_fds=[theirs.fileno()],
                env=environment,
            )
        except OSError:
            ours.close()
            raise
    with contextlib.suppress(OSError):  # it died already, which is found where it is heard
        ours.send((settings, verbose))
    return process, ours


def loaded(module: str) -> ModuleType:
    """A worker's module, in the new interpreter."""
    with quick_imports():
        return import_module(module)


def how_it_ended(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
