"""Workers of one machine that need no broker: processes that look for work in the database.

Guarantee: a process that dies, gets nowhere or is no longer fit is replaced; all end with the one that started
them.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import structlog

from qa_service.adapters.machine import own_memory_bytes
from qa_service.errors import QAError
from qa_service.services.duty import Duty
from qa_service.settings import Settings
from worker.container import Container
from worker.logs import WORKER, set_up_logs
from worker.spawning import how_it_ended, spawn

POLL_S = 2.0
"""A process without work looks again so often."""

UNFIT_S = 10.0
"""And one that cannot work."""

_LOOK_S = 0.5
_GOODBYE_S = 5.0
_START_LIMIT_S = 120.0
_SHORT_LIFE_S = 10.0
_LONGEST_WAIT_S = 60.0

log = structlog.get_logger(__name__)


# --- a process --------------------------------------------------------------------------------------------------


def main(descriptor: int, make: Callable[[Settings], Container] = Container) -> None:
    """Work until told to stop on the pipe with this descriptor, or by SIGTERM; what is under way is finished."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pipe: Connection[Any, Any] = Connection(descriptor)
    try:
        settings, verbose = pipe.recv()
    except EOFError:
        return
    set_up_logs(settings, service=WORKER, usual="info", verbose=verbose)
    threading.Thread(target=_listen, args=(pipe, stop), name="embedded", daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        _work(make(settings), stop, alive=lambda: pipe.send(True))


def _work(container: Container, stop: threading.Event, *, alive: Callable[[], None]) -> None:
    while not stop.is_set():
        alive()
        duty = _duty(container)
        if duty is None:
            stop.wait(UNFIT_S)
            continue
        duty.look_after()
        container.collector.turn()
        turn = duty.work()
        if turn.worn or (turn.ended and _has_outgrown(container.settings)):
            return
        if not turn.ended:
            stop.wait(POLL_S if turn.fit else UNFIT_S)


def _has_outgrown(settings: Settings) -> bool:
    used = own_memory_bytes() if settings.worker_memory_bytes else None
    if used is None or used <= settings.worker_memory_bytes:
        return False
    log.info("a worker process has outgrown its memory and is replaced", used_bytes=used)
    return True


def _duty(container: Container) -> Duty | None:
    try:
        return container.duty
    except QAError as error:  # the store's trouble: it may pass
        log.error("this worker cannot work", code=error.code, message=error.message)
        return None


def _listen(pipe: "Connection[Any, Any]", stop: threading.Event) -> None:
    """A parent that dies closes the pipe: what is under way is then nobody's, and inference does not wait for
    its end."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        os._exit(1)
    stop.set()


# --- the one that starts them -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Member:
    process: subprocess.Popen[bytes]
    pipe: "Connection[Any, Any]"
    started_at: float = field(default_factory=time.monotonic)
    seen_at: float = field(default_factory=time.monotonic)
    began: bool = False
    stuck: bool = False


class Embedded:
    """Keeps ``size`` processes at work."""

    def __init__(self, settings: Settings, *, size: int, member: str, verbose: bool = False) -> None:
        """``member``: the module whose ``main`` a process runs."""
        self._settings = settings
        self._size = size
        self._member = member
        self._verbose = verbose
        self._members: list[_Member] = []
        self._wait_s = 0.0
        self._start_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set; what is under way then is finished."""
        try:
            while not stop.is_set():
                self._fill()
                self._hear(_LOOK_S)
                self._end_the_stuck()
            for member in self._members:
                with contextlib.suppress(OSError):
                    member.pipe.send("stop")
            while self._members:
                self._hear(_LOOK_S)
                self._end_the_stuck()
        finally:
            for member in self._members:
                member.process.kill()
                member.process.wait()

    def _fill(self) -> None:
        while len(self._members) < self._size and time.monotonic() >= self._start_at:
            try:
                self._members.append(_Member(*spawn(self._member, self._settings, verbose=self._verbose)))
            except OSError as error:
                log.error("no process could be started", error=error.strerror)
                self._put_off()

    def _hear(self, timeout_s: float) -> None:
        if not self._members:
            time.sleep(timeout_s)
            return
        by_pipe = {member.pipe: member for member in self._members}
        for pipe in wait(list(by_pipe), timeout_s):
            assert isinstance(pipe, Connection)
            member = by_pipe[pipe]
            try:
                pipe.recv()
                member.seen_at, member.began = time.monotonic(), True
            except (EOFError, OSError):
                self._bury(member)

    def _bury(self, member: _Member) -> None:
        self._members.remove(member)
        member.pipe.close()
        try:
            status = member.process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:  # the pipe can be closed by a process that is still there
            member.process.kill()
            status = member.process.wait()
        if status:
            log.warning("a worker process ended", how=how_it_ended(status))
        if not member.stuck and time.monotonic() - member.started_at < _SHORT_LIFE_S:
            self._put_off()
        else:
            self._wait_s = 0.0

    def _put_off(self) -> None:
        """The next start: what dies at once would otherwise do nothing but start."""
        self._wait_s = min(max(1.0, 2 * self._wait_s), _LONGEST_WAIT_S)
        self._start_at = time.monotonic() + self._wait_s

    def _end_the_stuck(self) -> None:
        work_limit_s = self._settings.work_limit_s
        for member in self._members:
            limit_s = work_limit_s if member.began else max(work_limit_s, _START_LIMIT_S)
            if not member.stuck and time.monotonic() - member.seen_at > limit_s:
                log.error("a worker process gets nowhere and is ended", limit_s=limit_s)
                member.stuck = True
                member.process.kill()
