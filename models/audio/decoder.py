"""Decoding of recordings into 16 kHz audio that is read piece by piece.

Guarantee: a recording comes out whole, every sample at its second, or a coded error says what is wrong with it.
Its bytes are only ever interpreted in a process of their own, with bounded time and memory; see
``models.audio.pyav`` for what is checked there. Memory here does not grow with the length of the recording:
samples go to unlinked temporary files, which a crash cannot leave behind.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from models.audio.limits import AudioLimits
from models.audio.processes import shared
from models.audio.pyav import DecodeOptions
from models.audio.spool import SpooledAudio, open_spool
from qa_service.errors import InputError, QAError
from qa_service.ports import AudioSource, DecodedAudio

MAX_CHANNELS = 2
_SIDES = ("first file", "second file")


class RecordingDecoder:
    """Streams any recording that FFmpeg can decode to a temporary 16 kHz copy; implements ``AudioDecoder``."""

    def __init__(
        self,
        *,
        limits: AudioLimits = AudioLimits(),  # noqa: B008 - frozen
        spool_dir: Path | None = None,
        channel_map: tuple[int, ...] | None = None,
        sample_rate_hz: int = 16_000,
        narrow_rate_hz: int | None = None,
    ) -> None:
        """
        Args:
            limits: what a recording may cost.
            spool_dir: folder for the temporary files, made when missing; the system's when None. One hour
                of one channel takes 115 MB, so it should not be a memory file system.
            channel_map: for recordings of more than two tracks whose source names no map.
            sample_rate_hz: rate of the decoded audio.
            narrow_rate_hz: its rate where no track of the recording has a higher one.
        """
        self._limits = limits
        self._spool_dir = spool_dir
        self.channel_map = channel_map
        self._sample_rate_hz = sample_rate_hz
        self._narrow_rate_hz = narrow_rate_hz

    @contextlib.contextmanager
    def decode(self, source: AudioSource) -> Iterator[DecodedAudio]:
        """Decode the whole recording; the audio can be read inside the context.

        The path is in an error's context, as messages may not name a stored blob.

        Raises:
            InputError: ``file_missing``, ``file_empty``, ``file_unreadable``, ``file_too_large``,
                ``leg_not_mono``; the codes of ``pyav.decode`` and ``DecodeProcesses.decode``.
            TransientError: ``storage_unavailable``, ``decoder_unavailable``.
        """
        if not 1 <= len(source.paths) <= MAX_CHANNELS:
            raise ValueError(f"a recording of {len(source.paths)} files")
        with contextlib.ExitStack() as stack:
            spools, samples, rates = self._decode_all(source, stack, self._narrow_rate_hz)
            if len(rates) > 1:
                spools, samples, rates = self._decode_all(source, stack, None)
            yield SpooledAudio(spools, samples, sample_rate_hz=rates.pop())

    def _decode_all(
        self, source: AudioSource, stack: contextlib.ExitStack, narrow_rate_hz: int | None
    ) -> tuple[list[int], list[int], set[int]]:
        """The spools of all files, how many samples each holds, and at which rates."""
        spools: list[int] = []
        samples: list[int] = []
        rates: set[int] = set()
        for side, path in enumerate(source.paths):
            try:
                one = [open_spool(stack, self._spool_dir) for _ in range(MAX_CHANNELS)]
                options = self._options(source, side, narrow_rate_hz)
                held, rate_hz = self._decode_file(path, one, options)
                if len(source.paths) > 1 and len(held) > 1:
                    raise _not_mono()
            except QAError as error:
                prefix = f"{_SIDES[side]}: " if len(source.paths) > 1 else ""
                context = {**error.context, "path": str(path)}
                raise type(error)(error.code, prefix + error.message, **context) from error.__cause__
            spools += one[: len(held)]
            samples += held
            rates.add(rate_hz)
        return spools, samples, rates

    def _decode_file(self, path: Path, spools: list[int], options: DecodeOptions) -> tuple[list[int], int]:
        file = _open_file(path, max_bytes=self._limits.max_file_bytes)
        try:
            return shared().decode(file, spools, options)
        finally:
            os.close(file)

    def _options(self, source: AudioSource, side: int, narrow_rate_hz: int | None) -> DecodeOptions:
        channel_map = source.channel_map
        if channel_map is not None and len(source.paths) > 1:
            channel_map = channel_map[side : side + 1] or channel_map[:1]
        return DecodeOptions(
            limits=self._limits,
            sample_rate_hz=self._sample_rate_hz,
            channel_map=channel_map,
            default_map=self.channel_map,
            raw_format=source.raw_format,
            narrow_rate_hz=narrow_rate_hz,
        )


def _not_mono() -> InputError:
    return InputError(
        "leg_not_mono",
        "one side of a call has two channels: give two mono files, or name a track of each as channel_map",
    )


def _open_file(path: Path, *, max_bytes: int) -> int:
    """Descriptor of a file that is regular, readable and not empty.

    FFmpeg gets this and never the name, which it might take for an address ("http:…", "concat:…").
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a named pipe would wait for ever
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError("file_missing", "the file does not exist: check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            "file_unreadable", f"the file cannot be read ({reason}): check its permissions and its disk"
        ) from error
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("file_unreadable", "this is not a regular file: give the recording itself")
        if status.st_size == 0:
            raise InputError("file_empty", "the file has 0 bytes: copy or export the recording again")
        if status.st_size > max_bytes:
            raise InputError(
                "file_too_large",
                f"the file has {status.st_size / 1024**2:.0f} MiB, more than the {max_bytes / 1024**2:.0f} "
                "allowed: export it compressed, or raise QA_MAX_FILE_BYTES",
            )
    except BaseException:
        os.close(file)
        raise
    return file
