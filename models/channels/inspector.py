"""What the samples of a call tell of its channels, in one reading.

Guarantee: the recording is read in blocks; memory does not grow with it beyond a few numbers a second.
"""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise

import numpy as np

from models.channels.ceiling import Ceiling, CeilingOptions
from models.channels.leakage import Leakage, LeakageOptions, LeakagePath, Likeness
from models.channels.wiener import FRAME, Flags, Signal, halved
from qa_service.domain.conversation import EngineRun
from qa_service.domain.faults import ChannelInspection, ChannelSignal
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import DecodedAudio

REVISION = "1"


class SignalInspector:
    """Implements ``ChannelInspector``."""

    def __init__(self, *, leakage: LeakageOptions | None = None, ceiling: CeilingOptions | None = None) -> None:
        self._leakage = leakage or LeakageOptions()
        self._ceiling = ceiling or CeilingOptions()

    @property
    def run(self) -> EngineRun:
        options = {**asdict(self._leakage), **asdict(self._ceiling)}
        return EngineRun(
            "channels",
            "least-squares",
            "none",
            REVISION,
            "cpu",
            tuple((n, str(v)) for n, v in sorted(options.items())),
        )

    def inspect(self, audio: DecodedAudio) -> ChannelInspection:
        ceilings = [Ceiling(self._ceiling, audio.sample_rate_hz) for _ in range(audio.channels)]
        paths = [LeakagePath(self._leakage, audio.sample_rate_hz) for _ in range(audio.channels)]
        likeness = Likeness(self._leakage, audio.sample_rate_hz)
        for block in _blocks(audio, self._leakage.block_s):
            for ceiling, samples in zip(ceilings, block, strict=True):
                ceiling.follow(samples)
            if audio.channels == 2:
                first, second = (halved(samples) for samples in block)
                paths[0].follow(second, first)
                paths[1].follow(first, second)
                likeness.follow(first, second)
        return ChannelInspection(
            tuple(
                _signal(ceiling, path.leakage(), FRAME / audio.sample_rate_hz)
                for ceiling, path in zip(ceilings, paths, strict=True)
            ),
            likeness.share,
            likeness.louder_db,
        )


def _blocks(audio: DecodedAudio, block_s: float) -> Iterator[tuple[Signal, ...]]:
    """Every channel, block after block: whole seconds and whole frames; a last short piece goes with the one
    before."""
    step = int(np.lcm(audio.sample_rate_hz, FRAME)) / audio.sample_rate_hz
    count = max(1, round(audio.duration_s / block_s))
    edges = [step * round(index * audio.duration_s / count / step) for index in range(count)]
    for start, end in pairwise(sorted({*edges, audio.duration_s})):
        block = tuple(audio.read(channel, TimeSpan(start, end)) for channel in range(audio.channels))
        if len(block[0]):
            yield block


def _signal(ceiling: Ceiling, leakage: Leakage, frame_s: float) -> ChannelSignal:
    share, clipped = ceiling.clipped()
    return ChannelSignal(ceiling.peak_dbfs, _spans(leakage.frames, frame_s), leakage.level_db, share, clipped)


def _spans(frames: Flags, frame_s: float) -> tuple[TimeSpan, ...]:
    edges = np.diff(np.concatenate([[0], frames.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return tuple(TimeSpan(float(a) * frame_s, float(b) * frame_s) for a, b in zip(starts, ends, strict=True))
