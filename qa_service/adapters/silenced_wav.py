"""A stretch of a WAV file of our own, read as a file of its own with silences in it.

Guarantee: silence is written over every piece before it leaves ``read_range``, by the place of each byte in the
recording; there is no way to read around it.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Iterator, Sequence

from qa_service.adapters.blob_files import RANGE_CHUNK_BYTES, check_range, storage_errors
from qa_service.domain.timeline import TimeSpan, union
from qa_service.errors import InputError
from qa_service.wav import HEADER_BYTES, SAMPLE_BYTES, header


class SilencedWav:
    """Implements ``ListeningCopy`` on an open descriptor of what ``models.audio.listen`` wrote."""

    media_type = "audio/wav"

    def __init__(
        self,
        descriptor: int,
        *,
        name: str,
        silent: Sequence[TimeSpan],
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> None:
        """
        Args:
            descriptor: the open file; it stays the caller's.
            name: of what is in it, for the entity tag.
            silent: in seconds of the file.
            start_s: where this stretch begins; None: at the start.
            end_s: where it ends; None: at the end.

        Raises:
            InputError: ``clip_invalid``.
        """
        self._descriptor = descriptor
        with storage_errors():
            channels, rate_hz = struct.unpack("<HI", os.pread(descriptor, 6, 22))
            held = (os.fstat(descriptor).st_size - HEADER_BYTES) // (channels * SAMPLE_BYTES)
        first, last = _stretch(start_s, end_s, frames=held, rate_hz=rate_hz)
        self._frame_bytes = channels * SAMPLE_BYTES
        self._header = header(last - first, channels=channels, rate_hz=rate_hz)
        self._from = HEADER_BYTES + first * self._frame_bytes
        """Where in the file the stretch's samples begin."""
        self._silent = [self._place(span, rate_hz) for span in union(silent)]
        """Bytes of the file, in order."""
        self.size_bytes = HEADER_BYTES + (last - first) * self._frame_bytes
        self.duration_s = (last - first) / rate_hz
        told = f"{name} {first} {last} {self._silent}"
        self.etag = hashlib.sha256(told.encode()).hexdigest()[:32]

    def _place(self, span: TimeSpan, rate_hz: int) -> tuple[int, int]:
        first, last = math.floor(max(span.start, 0.0) * rate_hz), math.ceil(max(span.end, 0.0) * rate_hz)
        return HEADER_BYTES + first * self._frame_bytes, HEADER_BYTES + last * self._frame_bytes

    def read_range(self, start: int, end: int) -> Iterator[bytes]:
        """See ``ListeningCopy.read_range``.

        Raises:
            ValueError: the range is negative or ends before it starts.
            TransientError: ``storage_unavailable``, while reading.
        """
        check_range(start, end)
        return self._pieces(start, min(end, self.size_bytes))

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        if start < min(end, HEADER_BYTES):
            yield self._header[start : min(end, HEADER_BYTES)]
        at, until = (self._from + max(position - HEADER_BYTES, 0) for position in (start, end))
        while at < until:
            with storage_errors():
                piece = bytearray(os.pread(self._descriptor, min(until - at, RANGE_CHUNK_BYTES), at))
                if not piece:
                    raise OSError("shorter than it was")
            self._silence(piece, at)
            yield bytes(piece)
            at += len(piece)

    def _silence(self, piece: bytearray, at: int) -> None:
        for first, last in self._silent:
            begin, end = max(first - at, 0), min(last - at, len(piece))
            if begin < end:
                piece[begin:end] = bytes(end - begin)


def is_whole(descriptor: int) -> bool:
    """Whether the file is as long as its header says."""
    with storage_errors():
        head = os.pread(descriptor, HEADER_BYTES, 0)
        size = os.fstat(descriptor).st_size
    if len(head) < HEADER_BYTES or head[:4] != b"RIFF":
        return False
    channels, rate_hz = struct.unpack("<HI", head[22:28])
    frame_bytes = channels * SAMPLE_BYTES
    return head == header((size - HEADER_BYTES) // max(frame_bytes, 1), channels=channels, rate_hz=rate_hz)


def _stretch(start_s: float | None, end_s: float | None, *, frames: int, rate_hz: int) -> tuple[int, int]:
    start, end = start_s or 0.0, math.inf if end_s is None else end_s
    length_s = frames / rate_hz
    if not 0.0 <= start < min(end, length_s):  # also what is no number
        raise InputError(
            "clip_invalid", f"no such clip of {length_s:.1f} s: start before the end, and the end after the start"
        )
    return round(start * rate_hz), frames if end >= length_s else max(
        round(end * rate_hz), round(start * rate_hz) + 1
    )
