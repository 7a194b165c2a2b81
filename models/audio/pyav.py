"""FFmpeg (PyAV): an open file in, its channels as 16 kHz samples in the spools.

Guarantee: every sample comes out at its second, or a coded error says what is wrong with the file. Lost
samples are an error, never skipped: a shifted quote is worse than a recording that has to be exported
again. What cannot be known is not claimed: an Ogg file, or an MP3 without a frame count, may have been cut
short. Runs in the process that calls it; ``models.audio.decoder`` runs it in one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import av
import av.error
import numpy as np

from models.audio.faults import corrupt, not_audio, too_long
from models.audio.headers import read_promise
from models.audio.limits import AudioLimits
from models.audio.raw import Prefixed, RawInput, raw_input
from models.audio.spool import SpoolWriter
from models.audio.tracks import Samples, StreamTracks, choose_tracks
from qa_service.domain.call import RawFormat
from qa_service.errors import InputError

# Containers of single recordings only. FFmpeg also knows play lists (HLS, concat, DASH) that would make a
# "recording" open other files or network addresses.
_FORMATS = "wav,w64,flac,mp3,ogg,aac,amr,aiff,au,caf,gsm,mov,mp4,m4a,3gp,matroska,webm,asf"
_PROTOCOLS = "file"

# Containers whose time stamps run on over a damaged stretch that the demuxer drops without an error.
_CONTINUOUS_FORMATS = frozenset({"flac", "mp3", "ogg"})
_MAX_JUMP_S = 0.1

# Trailing garbage (tags, padding) is common; the absolute slack is for clips shorter than a codec frame or two.
_COMPLETE_SHARE = 0.99
_COMPLETE_SLACK_S = 0.1


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What to make of a file. ``channel_map`` and ``raw_format`` as in ``ports.AudioSource``.

    ``default_map`` is the map of a file that has more than two tracks and none of its own.
    """

    limits: AudioLimits
    sample_rate_hz: int
    channel_map: tuple[int, ...] | None = None
    default_map: tuple[int, ...] | None = None
    raw_format: RawFormat | None = None


def decode(file: BinaryIO, spools: Sequence[SpoolWriter], options: DecodeOptions) -> int:
    """Decode the whole file into the first spools.

    Returns:
        The number of channels, each in one of ``spools``.

    Raises:
        InputError: ``not_audio``, ``no_audio_stream``, ``audio_corrupt``, ``audio_empty``, ``too_long``,
            ``too_many_channels``, ``channel_map_invalid``, ``raw_format_unknown``, ``sample_rate_unsupported``.
        TransientError: ``storage_unavailable``.
        MemoryError: also FFmpeg's.
    """
    raw = raw_input(options.raw_format) if options.raw_format is not None else None
    promise = read_promise(file)
    with _open(file, raw) as container:
        streams = container.streams.audio
        if not streams:
            raise InputError("no_audio_stream", "the file holds no audio track: export the call with its sound")
        if any(stream.codec_context is None for stream in streams):  # FFmpeg knows the container, not the codec
            raise not_audio()
        declared_s = promise.duration_s
        if declared_s is None and streams[0].duration is not None and streams[0].time_base is not None:
            declared_s = float(streams[0].duration * streams[0].time_base)
        promised_s = declared_s if promise.kept_by_ffmpeg else promise.duration_s
        if promised_s is not None and promised_s > options.limits.max_duration_s:
            raise too_long(options.limits.max_duration_s)
        reader = _Reader(container, spools, options)
        try:
            reader.read()
        except MemoryError:
            raise
        except (av.error.FFmpegError, ValueError) as error:
            if reader.decoded_s == 0:
                raise not_audio() from error
            if declared_s is None or not _complete(reader.decoded_s, declared_s):
                raise corrupt(f"cannot be decoded beyond {reader.decoded_s:.1f} s") from error
    if reader.decoded_s == 0:
        raise InputError("audio_empty", "the recording holds no samples: check the recorder's export")
    if promised_s is not None and not _complete(reader.decoded_s, promised_s):
        raise corrupt(f"ends at {reader.decoded_s:.1f} s, its header says {promised_s:.1f} s")
    return reader.finish()


def _open(file: BinaryIO, raw: RawInput | None) -> Any:
    try:
        return av.open(
            Prefixed(raw.prefix if raw else b"", file),
            mode="r",
            format=raw.demuxer if raw else None,
            options={
                "format_whitelist": raw.demuxer if raw else _FORMATS,
                "protocol_whitelist": _PROTOCOLS,
                **(raw.options if raw else {}),
            },
            # Tags in another encoding than UTF-8 are ordinary and none of our business.
            metadata_errors="replace",
        )
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise not_audio() from error


class _Reader:
    """Reads all audio streams of a container side by side."""

    def __init__(self, container: Any, spools: Sequence[SpoolWriter], options: DecodeOptions) -> None:
        self._container = container
        self._spools = spools
        self._options = options
        self._continuous = container.format.name in _CONTINUOUS_FORMATS
        self._tracks: dict[int, StreamTracks] = {}
        self._first_s: dict[int, float] = {}
        self._channels = 0

    @property
    def decoded_s(self) -> float:
        return max((tracks.decoded_s for tracks in self._tracks.values()), default=0.0)

    def read(self) -> None:
        streams = self._container.streams.audio
        for packet in self._container.demux(streams):
            for frame in packet.decode():
                if not self._tracks:
                    self._begin(packet.stream, frame)
                tracks = self._tracks[packet.stream.index]
                if self._continuous and frame.pts is not None and frame.time_base is not None:
                    self._check_time(packet.stream.index, float(frame.pts * frame.time_base), tracks.decoded_s)
                tracks.add(samples_of(frame), rate_hz=frame.sample_rate)

    def finish(self) -> int:
        """The number of channels that were written."""
        for tracks in self._tracks.values():
            tracks.finish()
        return self._channels

    def _begin(self, first: Any, frame: av.AudioFrame) -> None:
        # A header may be wrong about channels (AAC's parametric stereo); the frame at hand is not.
        streams = self._container.streams.audio
        counts = [
            frame.layout.nb_channels if stream.index == first.index else stream.codec_context.channels
            for stream in streams
        ]
        limits = self._options.limits
        channel_map = self._options.channel_map
        if channel_map is None and sum(counts) > 2:
            channel_map = self._options.default_map
        chosen = choose_tracks(counts, channel_map, max_tracks=limits.max_tracks)
        self._channels = len(chosen)
        for position, stream in enumerate(streams):
            self._tracks[stream.index] = StreamTracks(
                [
                    (channel, spool)
                    for (of, channel), spool in zip(chosen, self._spools, strict=False)
                    if of == position
                ],
                channels=counts[position],
                limits=limits,
                rate_hz=self._options.sample_rate_hz,
            )

    def _check_time(self, stream: int, time_s: float, decoded_s: float) -> None:
        first_s = self._first_s.setdefault(stream, time_s - decoded_s)
        if time_s - first_s - decoded_s > _MAX_JUMP_S:
            raise corrupt(f"is damaged at {decoded_s:.1f} s")


def _complete(decoded_s: float, declared_s: float) -> bool:
    return decoded_s >= min(declared_s * _COMPLETE_SHARE, declared_s - _COMPLETE_SLACK_S)


def samples_of(frame: av.AudioFrame) -> Samples:
    """float32 (channel, time) of a frame in any sample format, in [-1, 1]."""
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    samples: Samples = raw.astype(np.float32)
    if raw.dtype.kind == "u":  # unsigned 8 bit: silence is 128
        samples = samples / np.float32(128) - np.float32(1)
    elif raw.dtype.kind == "i":
        samples = samples / np.float32(2 ** (8 * raw.dtype.itemsize - 1))
    return samples
