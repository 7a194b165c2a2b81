"""A program that makes copies to listen to: any recording in, a WAV file that every browser plays out.

Whoever may not load the decoder (the web process) runs it by name, ``python -m models.audio.listen``, and talks to
it on its standard input and output: a request is a line of JSON, and so is the answer.

- request: ``paths``, ``channel_map``, ``default_map``, ``raw_format``, ``limits``, ``target`` and ``spool_dir``
- answer: ``{"rate_hz", "channels", "frames"}``, or ``{"error": {"kind", "code", "message"}}``

Guarantee: recordings are decoded as for recognition, in a confined process with the same limits; memory does not
grow with their length; when the other end closes, by intent or by dying, the program ends at once, and its decode
with it. It ends by itself when nobody asked for anything for a while.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from qa_service.domain.call import RawFormat
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import EngineError, InputError, QAError, TransientError
from qa_service.wav import header

if TYPE_CHECKING:
    from qa_service.ports import DecodedAudio

SAMPLE_RATE_HZ = 16_000
NARROW_RATE_HZ = 8_000
"""Of telephone recordings: half the bytes, and not a sound less."""
IDLE_S = 300.0
_BLOCK_S = 10.0


def main() -> None:
    """Answer requests until standard input closes, or nothing is asked for ``IDLE_S``."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    requests: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    while True:
        try:
            request = requests.get(timeout=IDLE_S)
        except queue.Empty:
            os._exit(0)  # returning would wait for the thread that reads
        answers.write(json.dumps(_answer(request)).encode() + b"\n")
        answers.flush()


def _listen(source: BinaryIO, requests: queue.Queue[bytes]) -> None:
    for line in source:
        requests.put(line)
    os._exit(0)  # whatever is under way: nobody waits for it


def _answer(request: bytes) -> dict[str, Any]:
    try:
        return _copy(json.loads(request))
    except QAError as error:
        fault = error
    except OSError as error:
        fault = TransientError(
            "storage_unavailable",
            f"the folder of listening copies cannot be written ({error.strerror or error}): free room there",
        )
    except MemoryError:
        fault = InputError("decoder_memory", "the copy takes too much memory: raise QA_DECODE_MEMORY_BYTES")
    except ImportError as error:
        fault = EngineError(
            "engine_missing", f"{error.name or error} is not installed on this machine: pip install '.[speech]'"
        )
    return {"error": {"kind": type(fault).__name__, "code": fault.code, "message": fault.message}}


def _copy(request: dict[str, Any]) -> dict[str, Any]:
    from models.audio.decoder import RecordingDecoder
    from models.audio.limits import AudioLimits
    from qa_service.ports import AudioSource

    def tracks(name: str) -> tuple[int, ...] | None:
        return None if request[name] is None else tuple(request[name])

    limits = AudioLimits(**request["limits"])
    resource.setrlimit(resource.RLIMIT_DATA, (limits.decode_memory_bytes, resource.RLIM_INFINITY))
    decoder = RecordingDecoder(
        limits=limits,
        spool_dir=Path(request["spool_dir"]),
        channel_map=tracks("default_map"),
        sample_rate_hz=SAMPLE_RATE_HZ,
        narrow_rate_hz=NARROW_RATE_HZ,
    )
    raw = request["raw_format"]
    source = AudioSource(
        tuple(map(Path, request["paths"])), tracks("channel_map"), None if raw is None else RawFormat(**raw)
    )
    with decoder.decode(source) as audio, Path(request["target"]).open("r+b") as target:
        frames = round(audio.duration_s * audio.sample_rate_hz)
        target.write(header(frames, channels=audio.channels, rate_hz=audio.sample_rate_hz))
        _write(audio, target)
    return {"rate_hz": audio.sample_rate_hz, "channels": audio.channels, "frames": frames}


def _write(audio: DecodedAudio, target: BinaryIO) -> None:
    import numpy as np

    at = 0.0
    while at < audio.duration_s:
        span = TimeSpan(at, at + _BLOCK_S)
        block = np.stack([audio.read(channel, span) for channel in range(audio.channels)], axis=1)
        # Spooled samples are whole numbers of 1/32768: this gives them back exactly.
        target.write(np.rint(block * np.float32(32768)).astype("<i2").tobytes())
        at += _BLOCK_S


if __name__ == "__main__":
    main()
