"""From counted frames and labelled windows to each voice's spans."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.diarization.turns import FrameTimes, continuity, speaker_spans
from models.diarization.voices import NOBODY, Labels
from qa_service.domain.timeline import TimeSpan, intersection, total_s, union
from tests.builders import spans

Counts = NDArray[np.uint8]

HOP_S = 0.125
FRAMES = FrameTimes(0.0, 0.03125)  # four a hop, exact in binary
PER_HOP = 4


def counts(*runs: tuple[int, int]) -> Counts:
    """People and hops, one after the other."""
    return np.repeat([n for n, _ in runs], [PER_HOP * hops for _, hops in runs]).astype(np.uint8)


def voices(*runs: tuple[int, int]) -> Labels:
    """Voice and hops."""
    return np.repeat([n for n, _ in runs], [hops for _, hops in runs])


def found(
    count: Counts,
    labels: Labels,
    *,
    frames: FrameTimes = FRAMES,
    duration_s: float = 1000.0,
    min_speech_s: float = 0.0,
    bridge_s: float = 0.0,
) -> tuple[tuple[TimeSpan, ...], ...]:
    return speaker_spans(
        count,
        labels,
        frames=frames,
        hop_s=HOP_S,
        duration_s=duration_s,
        min_speech_s=min_speech_s,
        bridge_s=bridge_s,
    )


# --- frames -----------------------------------------------------------------------------------------------


def test_frames_cover_their_step() -> None:
    frames = FrameTimes(0.5, 0.25)
    assert frames.middles(3).tolist() == [0.625, 0.875, 1.125]
    assert frames.span(1, 3, 10.0) == TimeSpan(0.75, 1.25)
    assert frames.nearest(np.array([0.5, 0.74, 0.75, 1.1]), 3).tolist() == [0, 0, 1, 2]


def test_frames_end_with_the_recording() -> None:
    frames = FrameTimes(-0.25, 0.25)
    assert frames.span(0, 9, 1.5) == TimeSpan(0.0, 1.5)
    assert frames.span(8, 9, 1.5) == TimeSpan(1.5, 1.5)
    assert frames.nearest(np.array([-5.0, 99.0]), 4).tolist() == [0, 3]


# --- who goes on speaking ---------------------------------------------------------------------------------


def test_chunks_vote_for_who_goes_on_speaking() -> None:
    """Two chunks of 4 s, 2 s apart, a frame a second; the first hears a change at 2 s, the second none."""
    first = [[1, 0], [1, 0], [0, 1], [0, 1]]
    second = [[1, 0]] * 4
    chunks = np.array([first, second], dtype=np.uint8)
    middles_s = np.arange(6) + 0.5
    share = continuity(chunks, middles_s, chunk_s=4.0, step_s=2.0)
    # Window 0 has none before it; the second chunk's first window (2) has none before it in its chunk.
    assert share.tolist() == [0.5, 1.0, 0.0, 1.0, 1.0, 1.0]
    assert share.dtype == np.float32


def test_a_pause_or_an_overlap_is_bridged() -> None:
    alone, other, nobody, both = [1, 0], [0, 1], [0, 0], [1, 1]
    chunks = np.array([[alone, nobody, alone, both, alone, nobody, other, other]], dtype=np.uint8)
    share = continuity(chunks, np.arange(8) + 0.5, chunk_s=8.0, step_s=1.0)
    assert share.tolist() == [0.5, 0.5, 1.0, 0.5, 1.0, 0.5, 0.0, 1.0]


def test_the_chunks_that_see_a_change_are_a_share_of_all() -> None:
    hears = [[1, 0], [0, 1], [0, 1], [0, 1]]
    chunks = np.array([hears, [[1, 0]] * 4, [[1, 0]] * 4], dtype=np.uint8)
    share = continuity(chunks, np.array([0.5, 1.5]), chunk_s=4.0, step_s=0.0)
    assert share[1] == pytest.approx(2 / 3)


def test_windows_behind_all_chunks_are_open() -> None:
    chunks = np.ones((1, 4, 1), dtype=np.uint8)
    assert continuity(chunks, np.array([3.5, 4.5]), chunk_s=4.0, step_s=1.0).tolist() == [0.5, 0.5]


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 3), min_size=8, max_size=8), min_size=n, max_size=n)
    ),
    st.permutations(range(2)),
)
def test_what_a_chunk_calls_its_speakers_does_not_matter(sets: list[list[int]], order: list[int]) -> None:
    """``sets``: of two speakers nobody, the first, the second, or both, a frame."""
    chunks = np.array([[[n & 1, n >> 1] for n in chunk] for chunk in sets], dtype=np.uint8)
    middles_s = (np.arange(8 + len(sets)) + 0.5) * 0.5
    share = continuity(chunks, middles_s, chunk_s=4.0, step_s=0.5)
    assert np.array_equal(share, continuity(chunks[:, :, order], middles_s, chunk_s=4.0, step_s=0.5))
    assert ((share >= 0) & (share <= 1)).all()


# --- spans ------------------------------------------------------------------------------------------------


def test_each_voice_gets_the_frames_it_speaks_in() -> None:
    count = counts((0, 2), (1, 4), (0, 2), (1, 4))
    labels = voices((NOBODY, 2), (0, 4), (NOBODY, 2), (1, 4))
    assert found(count, labels) == (spans((0.25, 0.75)), spans((1.0, 1.5)))


def test_speech_changes_hands_half_way_between_two_windows() -> None:
    assert found(counts((1, 8)), voices((0, 4), (1, 4))) == (spans((0.0, 0.5)), spans((0.5, 1.0)))


def test_overlap_belongs_to_both() -> None:
    count = counts((1, 4), (2, 2), (1, 4))
    labels = voices((0, 4), (NOBODY, 2), (1, 4))
    assert found(count, labels) == (spans((0.0, 0.75)), spans((0.5, 1.25)))


def test_overlap_inside_a_turn_is_with_the_nearest_other_voice() -> None:
    count = counts((1, 4), (1, 4), (2, 2), (1, 4), (1, 8))
    labels = voices((2, 4), (0, 4), (NOBODY, 2), (0, 4), (1, 8))
    zero, one, two = found(count, labels)
    assert zero == spans((0.5, 1.75))
    assert one == spans((1.125, 1.25), (1.75, 2.75))  # the nearer one from the middle on
    assert two == spans((0.0, 0.5), (1.0, 1.125))


def test_overlap_with_nobody_else_on_the_call_is_one_persons() -> None:
    assert found(counts((1, 4), (2, 2)), voices((0, 4), (NOBODY, 2))) == (spans((0.0, 0.75)),)


def test_short_gaps_are_bridged_before_short_speech_is_dropped() -> None:
    count = counts((1, 1), (0, 1), (1, 1), (0, 4), (1, 1))
    labels = voices((0, 1), (NOBODY, 1), (0, 1), (NOBODY, 4), (0, 1))
    assert found(count, labels, bridge_s=0.125, min_speech_s=0.375) == (spans((0.0, 0.375)),)
    assert found(count, labels, bridge_s=0.0, min_speech_s=0.2) == ((),)


def test_nobody_speaks() -> None:
    assert found(counts((0, 4)), voices((NOBODY, 4))) == ()
    assert found(counts((2, 4)), voices((NOBODY, 4))) == ()  # never one alone: no voice is known


SILENCE, BOTH = -3, -2


@st.composite
def heard(draw: st.DrawFn) -> tuple[Counts, Labels]:
    """A hop each: nobody speaks, two do, or one of three voices does."""
    hops = np.array(draw(st.lists(st.sampled_from([SILENCE, BOTH, 0, 1, 2]), min_size=1, max_size=24)))
    speaking = np.select([hops == SILENCE, hops == BOTH], [0, 2], 1)
    return np.repeat(speaking, PER_HOP).astype(np.uint8), np.where(hops < 0, NOBODY, hops)


@given(heard())
def test_everything_said_is_somebodys_and_nothing_else(
    said: tuple[Counts, Labels],
) -> None:
    count, labels = said
    apart = found(count, labels)
    for whose in apart:
        assert all(a.end < b.start for a, b in pairwise(whose))
    if not apart:
        assert (labels == NOBODY).all()
        return
    step_s = FRAMES.step_s
    assert total_s(span for whose in apart for span in whose) == step_s * np.count_nonzero(count)
    several = len({int(v) for v in labels} - {NOBODY}) > 1
    times_two = np.minimum(count, 2 if several else 1)
    assert sum(total_s(whose) for whose in apart) == step_s * int(times_two.sum())
    for voice, whose in enumerate(apart):
        alone = np.flatnonzero(labels == voice)
        for window in alone:
            assert total_s(intersection(whose, spans((window * HOP_S, (window + 1) * HOP_S)))) == HOP_S


@given(heard(), st.integers(0, 12).map(lambda n: n / 16), st.integers(0, 12).map(lambda n: n / 16))
def test_spans_keep_their_limits(said: tuple[Counts, Labels], min_speech_s: float, bridge_s: float) -> None:
    count, labels = said
    duration_s = len(count) * FRAMES.step_s - 0.05
    shifted = FrameTimes(-0.02, FRAMES.step_s)
    apart = found(
        count, labels, frames=shifted, duration_s=duration_s, min_speech_s=min_speech_s, bridge_s=bridge_s
    )
    exact = found(count, labels, frames=shifted, duration_s=duration_s)
    for whose, before in zip(apart, exact, strict=True):
        assert all(0.0 <= s.start < s.end <= duration_s for s in whose)
        assert all(s.duration_s >= min_speech_s for s in whose)
        assert all(b.start - a.end > bridge_s for a, b in pairwise(whose))
        assert set(whose) == {s for s in union(before, bridge_s=bridge_s) if s.duration_s >= min_speech_s}
