"""One decode in a process of its own: what it may use, and what it answers.

Guarantee: the process holds the descriptors it was given and can open nothing else, takes no more memory than
allowed, leaves no core file, and ends with its parent. Coded errors cross as they are; anything else that goes
wrong becomes a code as well.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.audio.limits import AudioLimits
from models.audio.pyav import DecodeOptions, decode
from models.audio.spool import SpoolWriter
from qa_service.domain.call import RawFormat
from qa_service.errors import InputError, QAError, TransientError

MESSAGE_BYTES = 60_000  # a message of this size always fits the socket's buffer at once
NO_MEMORY = 77
"""Exit status of a process that ran out of memory."""
_KINDS: Mapping[str, type[QAError]] = {"InputError": InputError, "TransientError": TransientError}
_PR_SET_PDEATHSIG = 1
_LEAST_BYTES = 2 * 1024**2  # a decode takes 4 MiB and more beyond what is there before it begins
_DETAIL_CHARACTERS = 4000


def pack_options(options: DecodeOptions) -> bytes:
    return json.dumps(asdict(options)).encode()


def unpack_options(data: bytes) -> DecodeOptions:
    fields = json.loads(data)
    return DecodeOptions(
        limits=AudioLimits(**fields["limits"]),
        sample_rate_hz=fields["sample_rate_hz"],
        channel_map=_tracks(fields["channel_map"]),
        default_map=_tracks(fields["default_map"]),
        raw_format=None if fields["raw_format"] is None else RawFormat(**fields["raw_format"]),
        narrow_rate_hz=fields["narrow_rate_hz"],
    )


def _tracks(value: list[int] | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value)


def pack_error(error: QAError) -> bytes:
    context = {name: str(value) for name, value in error.context.items()}
    fields = {"kind": type(error).__name__, "code": error.code, "message": error.message, "context": context}
    return json.dumps({"error": fields}).encode()


def unpack_error(fields: Mapping[str, Any], **context: object) -> QAError:
    return _KINDS[fields["kind"]](fields["code"], fields["message"], **{**fields["context"], **context})


def memory_error(limit_bytes: int) -> InputError:
    return InputError(
        "decoder_memory",
        f"decoding the recording takes more than {limit_bytes // 1024**2} MiB: export it as WAV, or raise "
        "QA_DECODE_MEMORY_BYTES",
    )


def run(options: DecodeOptions, *, reply: socket.socket, source: int, spools: Sequence[int], parent: int) -> None:
    """Decode and answer on ``reply``. Called in a new process, which ends after it.

    Args:
        options: what to make of the file.
        reply: where the answer goes, as one message.
        source: descriptor of the file.
        spools: descriptors of the spools, at least as many as channels are wanted.
        parent: the process that must be alive.
    """
    try:
        _confine(parent, options.limits)
        reply.send(_decode(options, source, spools))
    except MemoryError:
        os._exit(NO_MEMORY)  # there may be none left to say it in words


def _decode(options: DecodeOptions, source: int, spools: Sequence[int]) -> bytes:
    writers = [SpoolWriter(descriptor) for descriptor in spools]
    try:
        with os.fdopen(source, "rb") as file:
            channels, rate_hz = decode(file, writers, options)
    except MemoryError:
        raise
    except QAError as error:
        return pack_error(error)
    except OSError as error:  # FFmpeg's own errors are mapped where they occur
        return pack_error(
            InputError(
                "file_unreadable",
                f"reading the recording failed ({error.strerror or error}): check the disk or share it is on",
            )
        )
    except Exception as error:  # noqa: BLE001 - hostile bytes may reach states that nobody thought of
        return pack_error(crashed(repr(error)[:200], detail=traceback.format_exc()[-_DETAIL_CHARACTERS:]))
    return json.dumps({"samples": [writer.samples for writer in writers[:channels]], "rate_hz": rate_hz}).encode()


def crashed(how: str, **context: object) -> InputError:
    return InputError(
        "decoder_crashed", f"the decoder broke on the recording ({how}): export it again as WAV", **context
    )


def _confine(parent: int, limits: AudioLimits) -> None:
    # The parent runs on one thread: "the parent has died" means its process, not a thread of it (prctl(2)).
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before that call
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # At its limit from the start, any C library may crash on its first allocation instead of saying what is wrong.
    if limits.decode_memory_bytes < _data_bytes() + _LEAST_BYTES:
        raise MemoryError
    # Private writable memory, which is what the machine must find. RLIMIT_AS would count FFmpeg's mapped code too.
    resource.setrlimit(resource.RLIMIT_DATA, (limits.decode_memory_bytes, limits.decode_memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # no more descriptors: no file, no socket


def _data_bytes() -> int:
    """What ``RLIMIT_DATA`` counts, of this process (proc(5))."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123 - one line of it
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
