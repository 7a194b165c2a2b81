"""Decoding of recordings with FFmpeg (PyAV) into 16 kHz audio that is read piece by piece.

Guarantee: every sample comes out at its second, or a coded error says what is wrong with the file. Lost
samples are an error, never skipped: a shifted quote is worse than a recording that has to be exported
again. What cannot be known is not claimed: an Ogg file, or an MP3 without a frame count, may have been cut
short. Memory does not grow with the length of the recording: samples go to unlinked temporary files, which
a crash cannot leave behind.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

import av
import av.error
import numpy as np
import soxr
from numpy.typing import NDArray

from models.audio_headers import read_promise
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError, TransientError
from qa_service.ports import AudioSource, DecodedAudio

MIN_SAMPLE_RATE_HZ = 6_000
MAX_SAMPLE_RATE_HZ = 192_000
MAX_CHANNELS = 2

# Containers of single recordings only. FFmpeg also knows play lists (HLS, concat, DASH) that would make a
# "recording" open other files or network addresses.
_FORMATS = "wav,w64,flac,mp3,ogg,aac,amr,aiff,au,caf,mov,mp4,m4a,3gp,matroska,webm,asf"
_OPEN_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}

# Containers whose time stamps run on over a damaged stretch that the demuxer drops without an error.
_CONTINUOUS_FORMATS = frozenset({"flac", "mp3", "ogg"})
_MAX_JUMP_S = 0.1

# Trailing garbage (tags, padding) is common; the absolute slack is for clips shorter than a codec frame or two.
_COMPLETE_SHARE = 0.99
_COMPLETE_SLACK_S = 0.1

_BLOCK_S = 2.0
_INT16_SCALE = 32768.0


class SpooledAudio:
    """Decoded audio in one unlinked int16 file per channel; implements ``ports.DecodedAudio``.

    Reads are positional, so several threads may read at once. The files are not mapped into memory: mapped
    pages count as resident memory and a container's memory limit then kills the worker.
    """

    def __init__(self, spools: list[_Spool], *, sample_rate_hz: int) -> None:
        self._spools = spools
        self._samples = min(spool.samples for spool in spools)
        self.channels = len(spools)
        self.sample_rate_hz = sample_rate_hz
        self.duration_s = self._samples / sample_rate_hz

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
        return self._spools[channel].read(first, last)


class PyAvDecoder:
    """Streams any recording that FFmpeg can decode to a temporary 16 kHz copy; implements ``AudioDecoder``."""

    def __init__(
        self, *, sample_rate_hz: int = 16_000, spool_dir: Path | None = None, max_duration_s: float = 4 * 3600
    ) -> None:
        """
        Args:
            sample_rate_hz: rate of the decoded audio.
            spool_dir: folder for the temporary files, made when missing; the system's when None. One hour
                of one channel takes 115 MB, so it should not be a memory file system.
            max_duration_s: longer recordings are refused while they are decoded.
        """
        self._sample_rate_hz = sample_rate_hz
        self._spool_dir = spool_dir
        self._max_duration_s = max_duration_s

    @contextlib.contextmanager
    def decode(self, source: AudioSource) -> Iterator[DecodedAudio]:
        """Decode the whole file; the audio can be read inside the context.

        Messages speak of "the recording", not of its path: it may be a stored blob's, which tells nobody
        anything. The path is in the error's context.

        Raises:
            InputError: ``file_missing``, ``file_empty``, ``file_unreadable``, ``not_audio``,
                ``no_audio_stream``, ``audio_corrupt``, ``audio_empty``, ``too_long``,
                ``too_many_channels``, ``sample_rate_unsupported``.
            TransientError: ``storage_unavailable``, the temporary files cannot be written or read.
        """
        (path,) = source.paths
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_open_file(path))
            writer = _SpoolWriter(
                stack, self._spool_dir, path=path, rate_hz=self._sample_rate_hz, max_s=self._max_duration_s
            )
            try:
                _decode_into(writer, file, path)
                spools = writer.finish()
            except OSError as error:  # FFmpeg's own errors are mapped where they occur
                raise InputError(
                    "file_unreadable",
                    f"reading the recording failed ({error.strerror or error}): check the disk or share it is on",
                    path=str(path),
                ) from error
            yield SpooledAudio(spools, sample_rate_hz=self._sample_rate_hz)


def _open_file(path: Path) -> BinaryIO:
    """The file, known to be regular, readable and not empty.

    FFmpeg gets this handle and never the name, which it might take for an address ("http:…", "concat:…").
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
            raise InputError(
                "file_unreadable", "this is not a regular file: give the recording itself", path=str(path)
            )
        if status.st_size == 0:
            raise InputError(
                "file_empty", "the file has 0 bytes: copy or export the recording again", path=str(path)
            )
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError("file_missing", "the file does not exist: check the path", path=str(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            "file_unreadable",
            f"the file cannot be read ({reason}): check its permissions and its disk",
            path=str(path),
        ) from error


class _Nameless:
    """A file that hides its name: FFmpeg would take a text called ``x.flac`` for FLAC, and may not know a stored
    blob, which has no extension. So the content alone decides, wherever the file lies."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


def _decode_into(writer: _SpoolWriter, source: BinaryIO, path: Path) -> None:
    promise = read_promise(source)
    try:
        # Tags in another encoding than UTF-8 are ordinary and none of our business.
        container = av.open(_Nameless(source), mode="r", options=_OPEN_OPTIONS, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise _not_audio(path) from error
    with container:
        if not container.streams.audio:
            raise InputError(
                "no_audio_stream",
                "the file holds no audio track: export the call with its sound",
                path=str(path),
            )
        stream = container.streams.audio[0]
        if stream.codec_context is None:  # FFmpeg knows the container and not the codec
            raise _not_audio(path)
        declared_s = promise.duration_s
        if declared_s is None and stream.duration is not None and stream.time_base is not None:
            declared_s = float(stream.duration * stream.time_base)
        continuous = container.format.name in _CONTINUOUS_FORMATS
        first_s: float | None = None
        try:
            for frame in container.decode(stream):
                if continuous and frame.pts is not None and frame.time_base is not None:
                    time_s = float(frame.pts * frame.time_base)
                    if first_s is None:
                        first_s = time_s - writer.decoded_s
                    missing_s = time_s - first_s - writer.decoded_s
                    if missing_s > _MAX_JUMP_S:
                        raise _corrupt(f"is damaged at {writer.decoded_s:.1f} s", path)
                writer.add(_samples(frame), rate_hz=frame.sample_rate)
        except (av.error.FFmpegError, ValueError) as error:
            if writer.decoded_s == 0:
                raise _not_audio(path) from error
            if declared_s is None or not _complete(writer.decoded_s, declared_s):
                raise _corrupt(f"cannot be decoded beyond {writer.decoded_s:.1f} s", path) from error
    if writer.decoded_s == 0:
        raise InputError(
            "audio_empty", "the recording holds no samples: check the recorder's export", path=str(path)
        )
    promised_s = declared_s if promise.kept_by_ffmpeg else promise.duration_s
    if promised_s is not None and not _complete(writer.decoded_s, promised_s):
        raise _corrupt(f"ends at {writer.decoded_s:.1f} s, its header says {promised_s:.1f} s", path)


def _complete(decoded_s: float, declared_s: float) -> bool:
    return decoded_s >= min(declared_s * _COMPLETE_SHARE, declared_s - _COMPLETE_SLACK_S)


def _not_audio(path: Path) -> InputError:
    return InputError(
        "not_audio",
        "nothing in the file can be decoded as audio: check that it plays, or export it as WAV, FLAC, MP3 or Ogg",
        path=str(path),
    )


def _corrupt(fault: str, path: Path) -> InputError:
    return InputError("audio_corrupt", f"the recording {fault}: copy or export it again", path=str(path))


def _samples(frame: av.AudioFrame) -> NDArray[np.float32]:
    """float32 (channel, time) of a frame in any sample format, in [-1, 1]."""
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    samples: NDArray[np.float32] = raw.astype(np.float32)
    if raw.dtype.kind == "u":  # unsigned 8 bit: silence is 128
        samples = samples / np.float32(128) - np.float32(1)
    elif raw.dtype.kind == "i":
        samples = samples / np.float32(2 ** (8 * raw.dtype.itemsize - 1))
    return samples


class _Spool:
    """One channel's samples, int16 little-endian, in a file without a name."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.samples = 0

    def append(self, samples: NDArray[np.float32]) -> None:
        scaled = np.clip(np.rint(samples * np.float32(_INT16_SCALE)), -32768, 32767).astype("<i2")
        left = memoryview(scaled.tobytes())
        try:
            while left:
                left = left[os.write(self._file.fileno(), left) :]
        except OSError as error:
            raise _storage_unavailable(error) from error
        self.samples += scaled.size

    def read(self, first: int, last: int) -> NDArray[np.float32]:
        pieces: list[bytes] = []
        position, end = first * 2, last * 2
        while position < end:
            try:
                piece = os.pread(self._file.fileno(), end - position, position)
            except OSError as error:
                raise _storage_unavailable(error) from error
            if not piece:
                raise _storage_unavailable(EOFError("shorter than written"))
            pieces.append(piece)
            position += len(piece)
        return np.frombuffer(b"".join(pieces), dtype="<i2").astype(np.float32) / np.float32(_INT16_SCALE)


def _storage_unavailable(error: Exception) -> TransientError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return TransientError(
        "storage_unavailable",
        f"the folder for temporary audio cannot be used ({reason}): free disk space there or choose another",
    )


class _SpoolWriter:
    """Takes frames of the source, checks them, resamples and spools them in blocks."""

    def __init__(
        self, stack: contextlib.ExitStack, folder: Path | None, *, path: Path, rate_hz: int, max_s: float
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._path = path
        self._rate_hz = rate_hz
        self._max_s = max_s
        self._spools: list[_Spool] = []
        self._resamplers: list[soxr.ResampleStream] = []
        self._source_rate_hz = 0
        self._decoded = 0
        self._block: list[NDArray[np.float32]] = []
        self._block_samples = 0

    @property
    def decoded_s(self) -> float:
        """Seconds taken so far, counted in samples of the source."""
        return self._decoded / self._source_rate_hz if self._decoded else 0.0

    def add(self, samples: NDArray[np.float32], *, rate_hz: int) -> None:
        """Take a frame: float32 (channel, time) at the source's rate."""
        if not samples.shape[1]:
            return
        if not self._spools:
            self._begin(len(samples), rate_hz)
        if len(samples) != len(self._spools) or rate_hz != self._source_rate_hz:
            raise _corrupt(f"changes its sample rate or channels at {self.decoded_s:.1f} s", self._path)
        self._block.append(samples)
        self._block_samples += samples.shape[1]
        self._decoded += samples.shape[1]
        if self.decoded_s > self._max_s:
            raise InputError(
                "too_long",
                f"the recording is longer than {self._max_s / 3600:g} h: split it into calls",
                path=str(self._path),
            )
        if self._block_samples >= _BLOCK_S * self._source_rate_hz:
            self._flush(last=False)

    def finish(self) -> list[_Spool]:
        self._flush(last=True)
        return self._spools

    def _begin(self, channels: int, rate_hz: int) -> None:
        if channels > MAX_CHANNELS:
            raise InputError(
                "too_many_channels",
                f"the recording has {channels} channels: export it with one, or one each for agent and customer",
                path=str(self._path),
            )
        if not MIN_SAMPLE_RATE_HZ <= rate_hz <= MAX_SAMPLE_RATE_HZ:
            raise InputError(
                "sample_rate_unsupported",
                f"the recording has {rate_hz} samples a second: export it with 8000, 16000 or 48000",
                path=str(self._path),
            )
        self._source_rate_hz = rate_hz
        try:
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            for _ in range(channels):
                file = self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder, buffering=0))  # noqa: SIM115 - the stack closes it
                self._spools.append(_Spool(file))
        except OSError as error:
            raise _storage_unavailable(error) from error
        if rate_hz != self._rate_hz:
            # The stream resampler compensates its own delay, so an impulse stays where it was.
            self._resamplers = [soxr.ResampleStream(rate_hz, self._rate_hz, 1) for _ in range(channels)]

    def _flush(self, *, last: bool) -> None:
        if not self._spools:
            return
        empty = np.zeros((len(self._spools), 0), np.float32)
        block = np.concatenate(self._block, axis=1) if self._block else empty
        self._block, self._block_samples = [], 0
        finite = np.isfinite(block).all(axis=0)
        if not finite.all():
            # Setting them to 0 would hide a broken recorder, and one NaN spoils a whole recogniser window.
            at_s = (self._decoded - block.shape[1] + int(np.argmin(finite))) / self._source_rate_hz
            raise _corrupt(f"holds samples that are not numbers at {at_s:.1f} s", self._path)
        for channel, spool in enumerate(self._spools):
            samples = np.ascontiguousarray(block[channel])
            if self._resamplers:
                samples = self._resamplers[channel].resample_chunk(samples, last=last)
            spool.append(samples)
