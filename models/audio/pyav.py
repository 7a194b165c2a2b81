"""FFmpeg (PyAV): an open file in, its channels as 16 kHz samples in the spools.

Guarantee: every sample comes out at its second, or a coded error says what is wrong with the file. Lost
samples are an error, never skipped: a shifted quote is worse than a recording that has to be exported
again. What cannot be known is not claimed: an Ogg file, or an MP3 without a frame count, may have been cut
short. Runs in the process that calls it; ``models.audio.decoder`` runs it in one of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import av
import av.error
import numpy as np

from models.audio.completeness import LengthCheck, SampleClock, clock_of
from models.audio.faults import corrupt, not_audio, raw_not_audio, too_long
from models.audio.headers import LengthPromise, read_promise
from models.audio.limits import AudioLimits
from models.audio.raw import Prefixed, RawInput, raw_input
from models.audio.spool import SpoolWriter
from models.audio.tracks import Samples, StreamTracks, check_rate, choose_tracks
from qa_service.domain.call import RawFormat
from qa_service.errors import InputError

# Containers of single recordings only. FFmpeg also knows play lists (HLS, concat, DASH) that would make a
# "recording" open other files or network addresses.
_FORMATS = "wav,w64,flac,mp3,ogg,aac,amr,aiff,au,caf,mov,mp4,m4a,3gp,matroska,webm,asf,nistsphere,voc"
_PROTOCOLS = "file"

_PLANES = 8  # AV_NUM_DATA_POINTERS


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What to make of a file. ``channel_map`` and ``raw_format`` as in ``ports.AudioSource``.

    ``default_map`` is the map of a file that has more than two tracks and none of its own.
    ``narrow_rate_hz``: the rate instead, where no track has a higher one.
    """

    limits: AudioLimits
    sample_rate_hz: int
    channel_map: tuple[int, ...] | None = None
    default_map: tuple[int, ...] | None = None
    raw_format: RawFormat | None = None
    narrow_rate_hz: int | None = None


def decode(file: BinaryIO, spools: Sequence[SpoolWriter], options: DecodeOptions) -> tuple[int, int]:
    """Decode the whole file into the first spools.

    Returns:
        The number of channels, each in one of ``spools``, and the rate of their samples.

    Raises:
        InputError: ``not_audio``, ``no_audio_stream``, ``audio_corrupt``, ``audio_empty``, ``too_long``,
            ``too_many_channels``, ``channel_map_invalid``, ``raw_format_unknown``, ``sample_rate_unsupported``.
        TransientError: ``storage_unavailable``.
        MemoryError: also FFmpeg's.
    """
    raw = None
    if options.raw_format is not None:
        raw = raw_input(options.raw_format)
        check_rate(options.raw_format.sample_rate_hz, options.limits)
        _choose([options.raw_format.channels], options)
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    promise = LengthPromise() if raw else read_promise(file)
    unreadable = raw_not_audio(options.raw_format.encoding) if options.raw_format else not_audio()
    with _open(file, raw, unreadable) as container:
        streams = container.streams.audio
        if not streams:
            raise InputError("no_audio_stream", "the file holds no audio track: export the call with its sound")
        if any(stream.codec_context is None for stream in streams):  # FFmpeg knows the container, not the codec
            raise unreadable
        lengths = LengthCheck(
            promise, {stream.index: _told_s(stream) for stream in streams}, alone=len(container.streams) == 1
        )
        if lengths.surely_longer_than(options.limits.max_duration_s, size_bytes):
            raise too_long(options.limits.max_duration_s)
        reader = _Reader(container, spools, options)
        try:
            reader.read()
        except MemoryError:
            raise
        except (av.error.FFmpegError, ValueError) as error:
            if reader.decoded_s == 0:
                raise unreadable from error
            if not lengths.reached(reader.decoded_s):
                raise corrupt(f"cannot be decoded beyond {reader.decoded_s:.1f} s") from error
        lengths.check({index: tracks.decoded_s for index, tracks in reader.tracks.items()}, reader.packet_bytes)
    channels = reader.finish()
    if not any(spool.samples for spool in spools):
        raise InputError("audio_empty", "the recording holds no samples: check the recorder's export")
    return channels, reader.rate_hz


def _open(file: BinaryIO, raw: RawInput | None, unreadable: InputError) -> Any:
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
        raise unreadable from error


def _choose(counts: Sequence[int], options: DecodeOptions) -> list[tuple[int, int]]:
    channel_map = options.channel_map
    if channel_map is None and sum(counts) > 2:
        channel_map = options.default_map
    return choose_tracks(counts, channel_map, max_tracks=options.limits.max_tracks)


def _told_s(stream: Any) -> float | None:
    """The duration by FFmpeg, which may be an estimate."""
    if stream.duration is None or stream.time_base is None:
        return None
    return float(stream.duration * stream.time_base)


class _Reader:
    """Reads all audio streams of a container side by side."""

    def __init__(self, container: Any, spools: Sequence[SpoolWriter], options: DecodeOptions) -> None:
        self._container = container
        self._spools = spools
        self._options = options
        self._clocks: dict[int, SampleClock] = {}
        self._packers: dict[int, av.AudioResampler] = {}
        self._channels = 0
        self._start_s = 0.0
        self.rate_hz = options.sample_rate_hz
        self.tracks: dict[int, StreamTracks] = {}
        """By the index of their stream."""
        self.packet_bytes = 0

    @property
    def decoded_s(self) -> float:
        return max((tracks.decoded_s for tracks in self.tracks.values()), default=0.0)

    def read(self) -> None:
        streams = self._container.streams.audio
        for packet in self._container.demux(streams):
            self.packet_bytes += packet.size
            for frame in packet.decode():
                if not frame.samples:
                    continue
                if not self.tracks:
                    self._begin(packet.stream, frame)
                tracks = self.tracks[packet.stream.index]
                if frame.pts is not None and frame.time_base is not None:
                    time_s = float(frame.pts * frame.time_base)
                    if len(streams) > 1 and tracks.decoded_s == 0:
                        tracks.delay(max(time_s - self._start_s, 0.0))
                    if packet.stream.index in self._clocks:
                        self._clocks[packet.stream.index].check(time_s, tracks.decoded_s)
                for part in self._readable(packet.stream.index, frame):
                    tracks.add(samples_of(part), rate_hz=frame.sample_rate)

    def _readable(self, stream: int, frame: av.AudioFrame) -> list[av.AudioFrame]:
        """PyAV looks for the planes of eight and more channels beyond the end of their list, and crashes."""
        if not (frame.format.is_planar and frame.layout.nb_channels >= _PLANES):
            return [frame]
        if stream not in self._packers:
            self._packers[stream] = av.AudioResampler(format=frame.format.packed)
        return self._packers[stream].resample(frame)

    def finish(self) -> int:
        """The number of channels that were written."""
        for tracks in self.tracks.values():
            tracks.finish()
        return self._channels

    def _begin(self, first: Any, frame: av.AudioFrame) -> None:
        # A header may be wrong about channels (AAC's parametric stereo); the frame at hand is not.
        streams = self._container.streams.audio
        counts = [
            frame.layout.nb_channels if stream.index == first.index else stream.codec_context.channels
            for stream in streams
        ]
        chosen = _choose(counts, self._options)
        self._channels = len(chosen)
        self._start_s = min(
            float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
            for stream in streams
        )
        rates = [frame.sample_rate, *(s.codec_context.sample_rate for s in streams if s.index != first.index)]
        narrow = self._options.narrow_rate_hz
        self.rate_hz = narrow if narrow and max(rates) <= narrow else self._options.sample_rate_hz
        for position, stream in enumerate(streams):
            self.tracks[stream.index] = StreamTracks(
                [
                    (channel, spool)
                    for (of, channel), spool in zip(chosen, self._spools, strict=False)
                    if of == position
                ],
                channels=counts[position],
                limits=self._options.limits,
                rate_hz=self.rate_hz,
            )
            if (clock := clock_of(self._container.format.name)) is not None:
                self._clocks[stream.index] = clock


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
