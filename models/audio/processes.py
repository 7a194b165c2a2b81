"""Asking for decodes: the calling process's side of ``models.audio.zygote``.

Guarantee: a decode that was asked for is over when the call returns or raises, whatever it raises; nothing that a
recording does to its decoder reaches this process except as a coded error.

Works from any thread and in any process: forked ones start a zygote of their own on first use. The standard
library's fork server was not used because it runs the main module again in every child, and refuses to start
anything from a daemonic process, which pool workers are.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from models.audio import child
from models.audio.pyav import DecodeOptions
from models.audio.spool import SAMPLE_BYTES
from qa_service.errors import InputError, TransientError

_BOOT = "import sys; sys.path[:] = sys.argv[2:]; from models.audio.zygote import main; main(int(sys.argv[1]))"
# Where this package was found may not be on the path any more: "" is, after a change of directory.
_ROOT = str(Path(__file__).resolve().parents[2])
# Decoding must be at least this many times faster than the recording, on top of the flat allowance.
_MIN_SPEED = 10.0


class DecodeProcesses:
    """A zygote, started on first use, and the requests to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        os.register_at_fork(after_in_child=self._forget)

    def decode(self, source: int, spools: Sequence[int], options: DecodeOptions) -> tuple[list[int], int]:
        """Decode the open file ``source`` into ``spools``.

        Returns:
            The number of samples in each spool that a channel was written to, and their rate.

        Raises:
            InputError: the codes of ``pyav.decode``, ``decoder_crashed``, ``decoder_timeout``, ``decoder_memory``.
            TransientError: ``storage_unavailable``, ``decoder_unavailable``.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:  # closing it ends the decode
            with theirs:
                self._send(child.pack_options(options), [theirs.fileno(), source, *spools])
            return _answer(ours, spools, options)

    def _send(self, data: bytes, descriptors: list[int]) -> None:
        for last_try in (False, True):
            with self._lock:
                control = self._control or self._start()
            try:
                socket.send_fds(control, [data], descriptors, socket.MSG_NOSIGNAL)
                return
            except OSError as error:
                if last_try:
                    raise _unavailable(error.strerror or str(error)) from error
                self.close(control)  # somebody killed it: a new one

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._zygote = subprocess.Popen(
                    [sys.executable, "-c", _BOOT, str(theirs.fileno()), *sys.path, _ROOT],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                    # One thread, so that forking is safe; and no secrets beside hostile bytes.
                    env={k: v for k, v in os.environ.items() if not k.startswith("QA_")}
                    | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                )
            except OSError as error:
                ours.close()
                raise _unavailable(error.strerror or str(error)) from error
        self._control = ours
        # At the exit of this process, which a pool worker leaves without running atexit: an orphan would end by
        # itself, but in a container without an init nobody buries it.
        multiprocessing.util.Finalize(None, self.close, exitpriority=0)
        return ours

    def close(self, stale: socket.socket | None = None) -> None:
        """End the zygote, if only until the next decode; with ``stale``, only if that is still the one in use."""
        with self._lock:
            if self._control is None or (stale is not None and stale is not self._control):
                return
            self._control.close()
            self._control = None
            if self._zygote is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._zygote.wait(timeout=5)
                self._zygote = None

    def _forget(self) -> None:
        """In a forked process: the zygote belongs to the other one, and must not outlive it."""
        self._lock = threading.Lock()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._zygote is not None:
            self._zygote.returncode = 0  # not this process's child
            self._zygote = None


@lru_cache(maxsize=1)
def shared() -> DecodeProcesses:
    """The one of this process: a zygote is worth sharing."""
    return DecodeProcesses()


def _answer(reply: socket.socket, spools: Sequence[int], options: DecodeOptions) -> tuple[list[int], int]:
    started = time.monotonic()
    allowed_s = options.limits.decode_timeout_s
    while True:
        reply.settimeout(max(started + allowed_s - time.monotonic(), 0.001))
        try:
            data = reply.recv(child.MESSAGE_BYTES)
        except TimeoutError:
            spooled = max(os.fstat(spool).st_size for spool in spools)
            spooled_s = spooled / SAMPLE_BYTES / options.sample_rate_hz
            allowed_s = options.limits.decode_timeout_s + spooled_s / _MIN_SPEED
            if time.monotonic() < started + allowed_s:
                continue
            raise InputError(
                "decoder_timeout",
                f"the decoder got to {spooled_s:.0f} s of the recording in {time.monotonic() - started:.0f} s: "
                "export it again as WAV, or raise QA_DECODE_TIMEOUT_S",
            ) from None
        except OSError as error:
            raise _unavailable(error.strerror or str(error)) from error
        if not data:
            raise _unavailable("its process ended")
        answer = json.loads(data)
        if "samples" in answer:
            samples: list[int] = answer["samples"]
            rate_hz: int = answer["rate_hz"]
            return samples, rate_hz
        if "error" in answer:
            raise child.unpack_error(answer["error"])
        if "unavailable" in answer:
            raise _unavailable(answer["unavailable"])
        if answer["ended"] == child.NO_MEMORY:
            raise child.memory_error(options.limits.decode_memory_bytes)
        raise child.crashed(_how(answer["ended"]))


def _how(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _unavailable(reason: str) -> TransientError:
    return TransientError(
        "decoder_unavailable", f"no process for decoding ({reason}): free memory or process ids on this machine"
    )
