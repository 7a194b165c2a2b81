"""The process that decodes are forked from: FFmpeg loaded, one thread, nothing else of the product in it.

Guarantee: every decode gets a new process, milliseconds after it was asked for. Whoever closes the socket of a
request ends its decode, by intent or by dying; and when nobody can ask any more, this process and all decodes end.

A request is one message on the control socket: the options, with the descriptors of the request's own socket, the
recording and the spools. On its own socket go the answer and, last, how the decode's process ended.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import select
import signal
import socket
from dataclasses import dataclass
from typing import NoReturn

from models.audio import child
from models.audio.limits import AudioLimits
from models.audio.pyav import DecodeOptions, decode
from models.audio.spool import SpoolWriter

DESCRIPTORS = 4
"""What comes with a request: its socket, the recording, two spools."""


@dataclass(frozen=True, slots=True)
class _Running:
    pid: int
    reply: socket.socket
    alive: int
    """Read end of a pipe whose other end only the decode's process holds."""


class _Zygote:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poller = select.poll()
        self._poller.register(control, select.POLLIN)
        self._by_reply: dict[int, _Running] = {}
        self._by_alive: dict[int, _Running] = {}

    def serve(self) -> None:
        """Until the last process that could ask is gone."""
        while True:
            for descriptor, _ in self._poller.poll():
                if descriptor == self._control.fileno():
                    if not self._receive():
                        for running in self._by_alive.values():
                            os.kill(running.pid, signal.SIGKILL)
                        return
                elif descriptor in self._by_reply:
                    self._abandoned(self._by_reply[descriptor])
                elif descriptor in self._by_alive:
                    self._ended(self._by_alive[descriptor])

    def _receive(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, child.MESSAGE_BYTES, DESCRIPTORS)
        if not data:
            return False
        try:
            if len(descriptors) == DESCRIPTORS:  # fewer came when this process has too many open
                self._start(data, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _start(self, data: bytes, descriptors: list[int]) -> None:
        reply = socket.socket(fileno=os.dup(descriptors[0]))
        alive, held = os.pipe()
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(alive)
            os.close(held)
            with reply, contextlib.suppress(OSError):
                reply.send(json.dumps({"unavailable": error.strerror}).encode())
            return
        if not pid:
            reply.detach()
            self._be_the_child(data, descriptors, zygote)
        os.close(held)
        running = _Running(pid, reply, alive)
        self._by_reply[reply.fileno()] = running
        self._by_alive[alive] = running
        self._poller.register(reply, 0)  # the other end's closing is always told
        self._poller.register(alive, 0)

    def _be_the_child(self, data: bytes, descriptors: list[int], zygote: int) -> NoReturn:
        try:
            for descriptor in (self._control.fileno(), *self._by_reply, *self._by_alive):
                os.close(descriptor)  # other requests' are none of its business, nor may it keep them open
            os.dup2(1, 2)  # FFmpeg's and the C library's last words: the exit status says enough
            child.run(
                child.unpack_options(data),
                reply=socket.socket(fileno=descriptors[0]),
                source=descriptors[1],
                spools=descriptors[2:],
                parent=zygote,
            )
            os._exit(0)
        finally:
            os._exit(1)

    def _abandoned(self, running: _Running) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)
        self._poller.unregister(running.reply)  # still told of otherwise, until the process is gone

    def _ended(self, running: _Running) -> None:
        _, status = os.waitpid(running.pid, 0)
        with contextlib.suppress(OSError):  # nobody may be left to hear it
            running.reply.send(json.dumps({"ended": os.waitstatus_to_exitcode(status)}).encode())
        del self._by_reply[running.reply.fileno()], self._by_alive[running.alive]
        with contextlib.suppress(KeyError):
            self._poller.unregister(running.reply)
        self._poller.unregister(running.alive)
        running.reply.close()
        os.close(running.alive)


def _warm_up() -> None:
    """Decode a moment of silence: what is made on first use (tables, modules) is then made for all decodes."""
    header = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"
    spool = os.memfd_create("warm-up")
    decode(io.BytesIO(header + bytes(16_000)), [SpoolWriter(spool)], DecodeOptions(AudioLimits(), 16_000))
    os.close(spool)


def main(control: int) -> NoReturn:
    """Serve requests that come in on the socket with the descriptor ``control``."""
    # A service manager or a terminal signals the whole group; a decode ends when its owner says so.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _warm_up()
    gc.collect()
    gc.freeze()  # a collection would write to every page that the decodes share
    _Zygote(socket.socket(fileno=control)).serve()
    os._exit(0)
