"""Decoded samples on disk: one file without a name for each channel.

Guarantee: memory does not grow with the recording, and nothing is left behind however a process ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio.faults import storage_unavailable
from qa_service.domain.timeline import TimeSpan

SAMPLE_BYTES = 2
_INT16_SCALE = 32768.0


def open_spool(stack: contextlib.ExitStack, folder: Path | None) -> int:
    """A descriptor of a new file that has no name. Raises TransientError ``storage_unavailable``."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0)).fileno()
    except OSError as error:
        raise storage_unavailable(error) from error


class SpoolWriter:
    """Appends one channel, int16 little-endian."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.samples = 0

    def append(self, samples: NDArray[np.float32]) -> None:
        """Samples in [-1, 1]; louder ones are clipped. Raises TransientError ``storage_unavailable``."""
        scaled = np.clip(np.rint(samples * np.float32(_INT16_SCALE)), -32768, 32767).astype("<i2")
        left = memoryview(scaled.tobytes())
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            raise storage_unavailable(error) from error
        self.samples += scaled.size


class SpooledAudio:
    """Decoded audio in one unlinked file per channel; implements ``ports.DecodedAudio``.

    Reads are positional, so several threads may read at once. The files are not mapped into memory: mapped
    pages count as resident memory and a container's memory limit then kills the worker.
    """

    def __init__(self, descriptors: Sequence[int], samples: Sequence[int], *, sample_rate_hz: int) -> None:
        """
        Args:
            descriptors: the open files, channel by channel.
            samples: how many each holds; a channel shorter than the longest is silent at its end.
            sample_rate_hz: of the samples.
        """
        self._descriptors = tuple(descriptors)
        self._samples = tuple(samples)
        self.channels = len(self._samples)
        self.sample_rate_hz = sample_rate_hz
        self.duration_s = max(samples) / sample_rate_hz

    def read(self, channel: int, span: TimeSpan) -> NDArray[np.float32]:
        """Samples of one channel.

        Both ends are rounded to the nearest sample, so adjacent spans neither repeat nor lose one.

        Args:
            channel: from 0.
            span: seconds; cut at the recording's start and end.

        Returns:
            float32 (time,), in [-1, 1].

        Raises:
            ValueError: no such channel.
            TransientError: ``storage_unavailable``, the temporary file cannot be read.
        """
        if not 0 <= channel < self.channels:
            raise ValueError(f"channel {channel} of a recording with {self.channels}")
        length_s = self.duration_s
        first = round(min(max(span.start, 0.0), length_s) * self.sample_rate_hz)
        last = round(min(max(span.end, 0.0), length_s) * self.sample_rate_hz)
        held = self._samples[channel]
        data = self._bytes(self._descriptors[channel], min(first, held), min(last, held))
        samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(_INT16_SCALE)
        missing = max(last - first, 0) - len(samples)
        return np.pad(samples, (0, missing)) if missing else samples

    @staticmethod
    def _bytes(descriptor: int, first: int, last: int) -> bytes:
        pieces: list[bytes] = []
        position, end = first * SAMPLE_BYTES, last * SAMPLE_BYTES
        while position < end:
            try:
                piece = os.pread(descriptor, end - position, position)
            except OSError as error:
                raise storage_unavailable(error) from error
            if not piece:
                raise storage_unavailable(EOFError("shorter than written"))
            pieces.append(piece)
            position += len(piece)
        return b"".join(pieces)
