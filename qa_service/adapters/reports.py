"""Reports of jobs from the processes that do them to the one that is asked for metrics.

Guarantee: telling never waits, and never fails; a report that cannot be taken is lost, and counted with the next.

Datagrams on a Unix socket in a folder that only this account can enter. A process that dies leaves nothing behind
to clean up, and one that is forked or started anew finds the socket by its environment.
"""

import os
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import structlog

from qa_service.observing import JobReport, Observer
from qa_service.ports import Job

VARIABLE = "CALL_QA_REPORTS"
"""The environment variable that names the socket to processes of a worker. No setting: the worker sets it."""

_MOST_BYTES = 1 << 18

log = structlog.get_logger(__name__)


class _Settled(msgspec.Struct, tag="settled"):
    report: JobReport
    lost: int


class _Swept(msgspec.Struct, tag="swept"):
    freed: int
    set_aside: int
    lost: int


_Message = _Settled | _Swept


class ReportSender:
    """Implements ``Observer``: tells the socket at ``address``."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._lost = 0

    @classmethod
    def of_environment(cls) -> tuple[Self, ...]:
        """One where somebody listens, else none."""
        address = os.environ.get(VARIABLE)
        return (cls(address),) if address else ()

    def started(self, job: Job) -> None:
        """What begins is no figure yet."""

    def settled(self, report: JobReport) -> None:
        self._tell(_Settled(report, self._lost))

    def swept(self, *, freed: int, set_aside: int) -> None:
        self._tell(_Swept(freed, set_aside, self._lost))

    def close(self) -> None:
        self._socket.close()

    def _tell(self, message: _Message) -> None:
        try:
            self._socket.sendto(msgspec.msgpack.encode(message), self._address)
            self._lost = 0
        except OSError:  # nobody there any more, or they are behind
            self._lost += 1


class ReportReceiver:
    """A context in which reports of this process's children reach ``observer``; ``lost`` is told of those that do
    not."""

    def __init__(self, observer: Observer, *, lost: Callable[[int], None] = lambda _: None) -> None:
        self._observer = observer
        self._lost = lost
        self._decoder = msgspec.msgpack.Decoder(_Message)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="qa-reports-")
        self._path = Path(self._folder.name) / "socket"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * _MOST_BYTES)
        self._socket.bind(str(self._path))
        os.environ[VARIABLE] = str(self._path)
        self._thread = threading.Thread(target=self._listen, name="reports", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.environ.pop(VARIABLE, None)
        with suppress(OSError):  # an empty datagram ends the listening
            self._socket.sendto(b"", str(self._path))
        self._thread.join(5)
        self._socket.close()
        self._folder.cleanup()

    def _listen(self) -> None:
        while data := self._socket.recv(_MOST_BYTES):
            try:
                message = self._decoder.decode(data)
            except msgspec.MsgspecError:
                log.warning("a report cannot be read")
                continue
            try:
                self._count(message)
            except Exception:  # one report less, and not all that follow
                log.exception("a report could not be counted")
                self._lost(1)

    def _count(self, message: _Message) -> None:
        if message.lost:
            self._lost(message.lost)
        if isinstance(message, _Settled):
            self._observer.settled(message.report)
        else:
            self._observer.swept(freed=message.freed, set_aside=message.set_aside)
