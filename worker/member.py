"""A worker process of a fleet: runs the jobs it is given, on engines of its own.

Guarantee: it ends with the process that started it, however that ends. Its standard output is the other's standard
error; results go to the store.

On the pipe, from the fleet: the settings, then lists of job ids. To the fleet: ``("ready",)`` when it has no jobs,
and after each job ``("seen", id)`` or ``("trouble", id, passing, code, message)``.
"""

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from qa_service.errors import QAError, TransientError
from qa_service.settings import Settings
from worker.container import Container
from worker.logs import set_up_logs


def main(descriptor: int, make: Callable[[Settings], Container] = Container) -> None:
    """Work until the pipe with this descriptor is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the fleet ends its workers
    pipe: Connection[Any, Any] = Connection(descriptor)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody wants anything any more
        settings, verbose = pipe.recv()
        set_up_logs(settings, verbose=verbose)
        _work(pipe, make(settings))


def _work(pipe: "Connection[Any, Any]", container: Container) -> None:
    batches: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_listen, args=(pipe, batches, busy), name="fleet", daemon=True).start()
    while True:
        pipe.send(("ready",))
        if (batch := batches.get()) is None:
            return
        busy.set()
        for job_id, seen in container.jobs.run_all(batch):
            if isinstance(seen, QAError):
                pipe.send(("trouble", job_id, isinstance(seen, TransientError), seen.code, seen.message))
            else:
                pipe.send(("seen", job_id))
        busy.clear()


def _listen(
    pipe: "Connection[Any, Any]",
    batches: "queue.SimpleQueue[list[int] | None]",
    busy: threading.Event,
) -> None:
    """Pass batches on. A fleet that dies closes the pipe: what is under way is then nobody's, and inference does
    not wait for its end."""
    try:
        while True:
            batches.put(pipe.recv())
    except (EOFError, OSError):
        if busy.is_set():
            os._exit(1)
        batches.put(None)
