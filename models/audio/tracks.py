"""From one stream's frames to spooled channels: chosen, checked, resampled.

Guarantee: samples are contiguous from the recording's start, at one rate, finite, and no longer than allowed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

from models.audio.faults import corrupt, too_long
from models.audio.limits import AudioLimits
from models.audio.spool import SpoolWriter
from qa_service.errors import InputError

Samples = NDArray[np.float32]

_BLOCK_S = 2.0


def choose_tracks(
    streams: Sequence[int], channel_map: tuple[int, ...] | None, *, max_tracks: int
) -> list[tuple[int, int]]:
    """Which track becomes channel 0 and which channel 1, as (stream, its channel).

    Args:
        streams: how many channels each of the file's audio streams has; its tracks are counted through.
        channel_map: tracks by number; None: all of them.
        max_tracks: more are refused.

    Raises:
        InputError: ``too_many_channels``, ``channel_map_invalid``.
    """
    tracks = [(stream, channel) for stream, count in enumerate(streams) for channel in range(count)]
    if len(tracks) > max_tracks:
        raise InputError(
            "too_many_channels",
            f"the recording has {len(tracks)} tracks, more than the {max_tracks} allowed: export fewer",
        )
    if channel_map is None:
        if len(tracks) > 2:
            raise InputError(
                "too_many_channels",
                f"the recording has {len(tracks)} tracks: name the agent's and the customer's as channel_map in "
                "the call metadata, such as 0,1",
            )
        return tracks
    if not 1 <= len(channel_map) <= 2 or len(set(channel_map)) < len(channel_map):
        raise InputError("channel_map_invalid", "a channel map is one or two different tracks: write such as 2,0")
    missing = [track for track in channel_map if not 0 <= track < len(tracks)]
    if missing:
        raise InputError(
            "channel_map_invalid",
            f"channel_map names track {missing[0]}, of {len(tracks)} counted from 0: correct the map",
        )
    return [tracks[track] for track in channel_map]


def check_rate(rate_hz: int, limits: AudioLimits) -> None:
    """Raises InputError ``sample_rate_unsupported``."""
    if not limits.min_sample_rate_hz <= rate_hz <= limits.max_sample_rate_hz:
        raise InputError(
            "sample_rate_unsupported",
            f"the recording has {rate_hz} samples a second, outside {limits.min_sample_rate_hz} to "
            f"{limits.max_sample_rate_hz}: export it with 8000, 16000 or 48000",
        )


class StreamTracks:
    """Takes the frames of one audio stream and spools the channels that were chosen from it."""

    def __init__(
        self, chosen: Sequence[tuple[int, SpoolWriter]], *, channels: int, limits: AudioLimits, rate_hz: int
    ) -> None:
        """
        Args:
            chosen: channels of the stream, each with where it goes; none, when only other streams are wanted.
            channels: how many the stream has.
            limits: of the recording.
            rate_hz: of the spooled samples.
        """
        self._wanted = [channel for channel, _ in chosen]
        self._spools = [spool for _, spool in chosen]
        self._channels = channels
        self._limits = limits
        self._rate_hz = rate_hz
        self._source_rate_hz = 0
        self._resamplers: list[soxr.ResampleStream] = []
        self._decoded = 0
        self._delay_s = 0.0
        self._block: list[Samples] = []
        self._block_samples = 0

    @property
    def decoded_s(self) -> float:
        """Seconds taken so far, counted in samples of the stream; a delay is not among them."""
        return self._decoded / self._source_rate_hz if self._decoded else 0.0

    def delay(self, seconds: float) -> None:
        """Begin with silence: the stream joins the recording late. Only before the first frame."""
        self._delay_s = seconds
        self._check_duration()
        left = round(seconds * self._rate_hz)
        while left > 0:
            block = np.zeros(min(left, round(_BLOCK_S * self._rate_hz)), np.float32)
            for spool in self._spools:
                spool.append(block)
            left -= len(block)

    def add(self, samples: Samples, *, rate_hz: int) -> None:
        """Take a frame: float32 (channel, time) at the stream's rate."""
        if not samples.shape[1]:
            return
        if not self._source_rate_hz:
            self._begin(rate_hz)
        if len(samples) != self._channels or rate_hz != self._source_rate_hz:
            raise corrupt(f"changes its sample rate or channels at {self.decoded_s:.1f} s")
        self._decoded += samples.shape[1]
        self._check_duration()
        if not self._wanted:
            return
        self._block.append(samples[self._wanted])
        self._block_samples += samples.shape[1]
        if self._block_samples >= _BLOCK_S * self._source_rate_hz:
            self._flush(last=False)

    def finish(self) -> None:
        if self._source_rate_hz and self._wanted:
            self._flush(last=True)

    def _check_duration(self) -> None:
        if self._delay_s + self.decoded_s > self._limits.max_duration_s:
            raise too_long(self._limits.max_duration_s)

    def _begin(self, rate_hz: int) -> None:
        check_rate(rate_hz, self._limits)
        self._source_rate_hz = rate_hz
        if rate_hz != self._rate_hz:
            # The stream resampler compensates its own delay, so an impulse stays where it was.
            self._resamplers = [soxr.ResampleStream(rate_hz, self._rate_hz, 1) for _ in self._wanted]

    def _flush(self, *, last: bool) -> None:
        empty = np.zeros((len(self._wanted), 0), np.float32)
        block = np.concatenate(self._block, axis=1) if self._block else empty
        self._block, self._block_samples = [], 0
        finite = np.isfinite(block).all(axis=0)
        if not finite.all():
            # Setting them to 0 would hide a broken recorder, and one NaN spoils a whole recogniser window.
            at_s = (self._decoded - block.shape[1] + int(np.argmin(finite))) / self._source_rate_hz
            raise corrupt(f"holds samples that are not numbers at {at_s:.1f} s")
        for channel, spool in enumerate(self._spools):
            samples = np.ascontiguousarray(block[channel])
            if self._resamplers:
                samples = self._resamplers[channel].resample_chunk(samples, last=last)
            spool.append(samples)
