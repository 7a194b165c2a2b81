"""From frame counts and window voices to spans of speech: pure array functions."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.diarization.voices import NOBODY, Labels
from qa_service.domain.timeline import TimeSpan, union

Times = NDArray[np.floating[Any]]


class FrameTimes(NamedTuple):
    """Frame ``i`` covers ``[start_s + i * step_s, start_s + (i + 1) * step_s)``."""

    start_s: float
    step_s: float

    def nearest(self, at_s: Times, count: int) -> NDArray[np.int64]:
        """The frame at each time, of ``count`` frames."""
        index: NDArray[np.int64] = ((at_s - self.start_s) / self.step_s).astype(np.int64)
        return np.clip(index, 0, count - 1)

    def middles(self, count: int) -> Times:
        return self.start_s + (np.arange(count) + 0.5) * self.step_s

    def span(self, first: int, last: int, duration_s: float) -> TimeSpan:
        """Frames ``[first, last)``, within the recording."""
        start, end = (min(max(0.0, self.start_s + edge * self.step_s), duration_s) for edge in (first, last))
        return TimeSpan(start, end)


def continuity(
    chunks: NDArray[np.uint8], middles_s: Times, *, chunk_s: float, step_s: float
) -> NDArray[np.float32]:
    """How surely each window has the speaker of the one before, by the chunks that see both.

    Args:
        chunks: (chunk, frame, speaker), 0 or 1; a chunk starts every ``step_s``.
        middles_s: where the windows are, ascending.

    Returns:
        float32 (window,): the share of chunks that hear the same speaker on both sides, also across a pause or an
        overlap; 0.5 where none tells.
    """
    frame_s = chunk_s / chunks.shape[1]
    alone = np.where(chunks.sum(axis=2) == 1, chunks.argmax(axis=2), NOBODY)
    same = np.zeros(len(middles_s))
    told = np.zeros(len(middles_s))
    for index, speakers in enumerate(alone):
        start_s = index * step_s
        seen = np.arange(*np.searchsorted(middles_s, (start_s, start_s + chunk_s)))
        frames = np.minimum(((middles_s[seen] - start_s) / frame_s).astype(int), len(speakers) - 1)
        speaking = speakers[frames] != NOBODY
        windows, who = seen[speaking], speakers[frames][speaking]
        told[windows[1:]] += 1
        same[windows[1:]] += who[1:] == who[:-1]
    share = np.full(len(middles_s), 0.5, dtype=np.float32)
    np.divide(same, told, out=share, where=told > 0, casting="same_kind")
    return share


def speaker_spans(
    count: NDArray[np.uint8],
    voices: Labels,
    *,
    frames: FrameTimes,
    hop_s: float,
    duration_s: float,
    min_speech_s: float,
    bridge_s: float,
) -> tuple[tuple[TimeSpan, ...], ...]:
    """Spans of each voice.

    Args:
        count: how many people speak in each frame.
        voices: voice of each window, ``NOBODY`` where not exactly one person speaks.

    Frames in which several speak belong to the voice of the nearest window and to the nearest other voice.
    """
    known = np.flatnonzero(voices != NOBODY)
    if not len(known):
        return ()
    whose = voices[known]
    middles_s = (known + 0.5) * hop_s
    times_s = frames.middles(len(count))
    speaker = whose[_nearest(middles_s, times_s)]
    active = np.zeros((int(whose.max()) + 1, len(count)), dtype=bool)
    speaking = np.flatnonzero(count >= 1)
    active[speaker[speaking], speaking] = True
    for voice in range(len(active)):
        both = np.flatnonzero((count >= 2) & (speaker == voice))
        others = np.flatnonzero(whose != voice)
        if len(both) and len(others):
            active[whose[others[_nearest(middles_s[others], times_s[both])]], both] = True
    return tuple(
        tuple(s for s in union(_runs(row, frames, duration_s), bridge_s=bridge_s) if s.duration_s >= min_speech_s)
        for row in active
    )


def _nearest(points: Times, at: Times) -> NDArray[np.int64]:
    after = np.clip(np.searchsorted(points, at), 0, len(points) - 1)
    before = np.maximum(after - 1, 0)
    nearest: NDArray[np.int64] = np.where(np.abs(points[before] - at) <= np.abs(points[after] - at), before, after)
    return nearest


def _runs(active: NDArray[np.bool_], frames: FrameTimes, duration_s: float) -> list[TimeSpan]:
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    return [frames.span(int(first), int(last), duration_s) for first, last in edges]
