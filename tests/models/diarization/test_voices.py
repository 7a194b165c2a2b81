"""Telling voices apart on made-up embeddings: as many as there are, in order, and none where nobody speaks."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.diarization.voices import NOBODY, Floats, Labels, VoiceOptions, _viterbi, tell_apart
from tests.corpus import ROOT

DIMENSION = 32
OPTIONS = VoiceOptions()
HOP_S = OPTIONS.hop_s

Turns = list[tuple[int, float]]
"""Voice and seconds, one after the other."""


def labels_of(turns: Turns) -> Labels:
    return np.repeat([voice for voice, _ in turns], [round(length_s / HOP_S) for _, length_s in turns])


def heard(voices: Labels, *, seed: int = 1, spread: float = 0.5) -> Floats:
    """An embedding a window: its voice's own direction, of which no two are alike, and noise of ``spread`` of its
    length."""
    rng = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))
    noise = rng.standard_normal((len(voices), DIMENSION)) * spread / np.sqrt(DIMENSION)
    return (directions[voices] + noise).astype(np.float32)


def told_apart(
    embeddings: Floats,
    *,
    clean: NDArray[np.bool_] | None = None,
    continuity: Floats | None = None,
    expected: int | None = None,
    options: VoiceOptions = OPTIONS,
) -> Labels:
    count = len(embeddings)
    return tell_apart(
        embeddings,
        np.ones(count, dtype=bool) if clean is None else clean,
        np.full(count, 0.5, dtype=np.float32) if continuity is None else continuity,
        expected=expected,
        options=options,
    )


@st.composite
def conversations(draw: st.DrawFn, *, voices: int) -> Turns:
    """Turns of 2 to 6 s; every voice speaks twice, voice 0 first, and nobody follows themselves."""
    lengths = st.integers(20, 60).map(lambda hops: hops * HOP_S)
    order = [v % voices for v in range(2 * voices)]
    order += draw(st.lists(st.integers(0, voices - 1), max_size=4))
    return [(voice, draw(lengths)) for voice, _ in itertools.groupby(order)]


# --- how many voices --------------------------------------------------------------------------------------


@pytest.mark.parametrize("voices", [1, 2, 3, 4])
@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_as_many_voices_as_speak(voices: int, data: st.DataObject, seed: int) -> None:
    """A window that straddles a change of voice may go to either; here none does."""
    truth = labels_of(data.draw(conversations(voices=voices)))
    assert np.array_equal(told_apart(heard(truth, seed=seed)), truth)


@pytest.mark.parametrize("spread", [0.1, 0.7, 1.5])
def test_one_voice_is_one_however_it_varies(spread: float) -> None:
    truth = labels_of([(0, 60.0)])
    assert np.array_equal(told_apart(heard(truth, spread=spread)), truth)


def test_no_more_voices_than_the_limit() -> None:
    truth = labels_of([(voice, 5.0) for voice in (0, 1, 2, 3, 4, 5)] * 2)
    assert told_apart(heard(truth)).max() + 1 == OPTIONS.most_voices


@pytest.mark.parametrize("share", [0.05, 0.95])
def test_a_voice_that_hardly_speaks_is_found(share: float) -> None:
    """Of two minutes six seconds, in three answers."""
    other = 1 - share
    truth = labels_of([(0, 40 * share), (1, 40 * other)] * 3)
    assert np.array_equal(told_apart(heard(truth)), truth)


def between(alike: float, voices: Labels) -> Floats:
    """Embeddings of two voices whose cosine similarity is ``alike``, without noise."""
    rows = np.zeros((2, DIMENSION), dtype=np.float32)
    rows[0, 0] = 1.0
    rows[1, :2] = alike, np.sqrt(1 - alike**2)
    return rows[voices]


@pytest.mark.parametrize(
    ("alike", "second_s", "voices"),
    [
        (0.84, 20.0, 2),
        (0.86, 20.0, 1),
        (0.84, 4.0, 2),
        (0.84, 3.0, 1),  # so short, and hardly another voice
        (0.77, 3.0, 2),
        (0.79, 3.0, 1),
        (0.0, 1.0, 2),
        (0.0, 0.9, 1),  # no window is this voice's alone
    ],
)
def test_a_second_voice_is_another_one_and_the_more_so_the_shorter_it_is(
    alike: float, second_s: float, voices: int
) -> None:
    truth = labels_of([(0, 30.0), (1, second_s), (0, 10.0)])
    assert told_apart(between(alike, truth)).max() + 1 == voices


def test_a_third_voice_is_heard_for_a_while() -> None:
    for third_s, voices in ((OPTIONS.further_voice_s, 3), (OPTIONS.further_voice_s - HOP_S, 2)):
        truth = labels_of([(0, 20.0), (1, 20.0), (2, third_s), (0, 10.0), (1, 10.0)])
        assert told_apart(heard(truth)).max() + 1 == voices


# --- how many are expected --------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [1, 2, 3])
@pytest.mark.parametrize("voices", [1, 2, 3])
def test_the_expected_number_is_honoured(voices: int, expected: int) -> None:
    truth = labels_of([(voice, 6.0) for voice in range(voices)] * 2)
    found = told_apart(heard(truth), expected=expected)
    assert set(found) == set(range(expected))
    if expected == voices:
        assert np.array_equal(found, truth)


@pytest.mark.parametrize("expected", [2, 5, 100])
def test_what_cannot_be_told_apart_is_one_voice_whatever_is_expected(expected: int) -> None:
    assert not told_apart(np.ones((50, DIMENSION), dtype=np.float32), expected=expected).any()


def test_more_are_expected_than_there_are_windows() -> None:
    assert set(told_apart(heard(labels_of([(0, 0.2), (1, 0.2)])), expected=7)) <= {0, 1, 2, 3}


def test_any_number_may_be_expected() -> None:
    """Metadata may say 100; the cost of telling that many voices apart is bounded."""
    truth = labels_of([(voice, 3.0) for voice in range(12)])
    assert set(told_apart(heard(truth), expected=100)) == set(range(10))


# --- laws -------------------------------------------------------------------------------------------------


@given(conversations(voices=2), st.integers(0, 99), st.floats(1e-3, 1e3))
@settings(max_examples=20)
def test_neither_loudness_nor_the_basis_matters(turns: Turns, seed: int, scale: float) -> None:
    embeddings = heard(labels_of(turns), seed=seed, spread=1.0)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((DIMENSION, DIMENSION)))
    found = told_apart(embeddings)
    assert np.array_equal(told_apart((scale * embeddings @ rotation).astype(np.float32)), found)
    lengths = np.random.default_rng(seed).uniform(0.5, 2.0, (len(embeddings), 1)).astype(np.float32)
    assert np.array_equal(told_apart(lengths * embeddings), found)


@given(conversations(voices=3), st.permutations(range(3)))
@settings(max_examples=20)
def test_voices_are_numbered_as_they_appear(turns: Turns, order: list[int]) -> None:
    truth = labels_of(turns)
    found = told_apart(heard(np.array(order)[truth]))
    _, first = np.unique(found, return_index=True)
    assert list(first) == sorted(first)
    assert np.array_equal(found, truth)


@given(st.lists(st.booleans(), min_size=0, max_size=60), st.integers(0, 99), st.sampled_from([None, 1, 2]))
def test_nobody_exactly_where_not_one_person_speaks(clean: list[bool], seed: int, expected: int | None) -> None:
    embeddings = np.random.default_rng(seed).standard_normal((len(clean), DIMENSION)).astype(np.float32)
    mask = np.array(clean, dtype=bool)
    found = told_apart(embeddings, clean=mask, expected=expected)
    assert np.array_equal(found != NOBODY, mask)
    assert found.dtype == np.int64


def test_what_several_say_at_once_tells_nothing() -> None:
    """A mixture lies between two voices: were it looked at, it would be a third one."""
    truth = labels_of([(0, 6.0), (1, 6.0), (2, 6.0), (0, 6.0), (1, 6.0), (2, 6.0)])
    embeddings = heard(truth)
    found = told_apart(embeddings, clean=truth != 2)
    assert np.array_equal(found, np.where(truth == 2, NOBODY, truth))
    assert told_apart(embeddings).max() == 2


def test_the_inputs_are_left_as_they_are() -> None:
    truth = labels_of([(0, 3.0), (1, 3.0)])
    embeddings, continuity = heard(truth), np.full(len(truth), 0.5, dtype=np.float32)
    before = embeddings.copy(), continuity.copy()
    told_apart(embeddings, continuity=continuity)
    assert np.array_equal(embeddings, before[0])
    assert np.array_equal(continuity, before[1])


# --- changes of voice -------------------------------------------------------------------------------------


def test_a_flicker_is_smoothed_away_unless_another_speaker_is_heard() -> None:
    """A tenth of a second of the other voice: noise where the segmentation hears one speaker throughout, a short
    answer where it hears somebody else."""
    turns: Turns = [(0, 5.0), (1, 5.0), (0, 3.0), (1, HOP_S), (0, 3.0)]
    truth, flicker = labels_of(turns), round(13.0 / HOP_S)
    smooth = truth.copy()
    smooth[flicker] = 0
    embeddings = between(0.7, truth)
    same = np.ones(len(truth), dtype=np.float32)
    assert np.array_equal(told_apart(embeddings, continuity=same), smooth)
    other = same.copy()
    other[[flicker, flicker + 1]] = 0.0
    assert np.array_equal(told_apart(embeddings, continuity=other), truth)


def changes_cost(path: Iterable[int], switch: list[float]) -> float:
    return sum(cost for cost, (a, b) in zip(switch[1:], itertools.pairwise(path), strict=True) if a != b)


def brute(gain: Floats, switch: list[float]) -> float:
    """The best score of all paths."""
    return max(
        sum(float(gain[i, voice]) for i, voice in enumerate(path)) - changes_cost(path, switch)
        for path in itertools.product(range(gain.shape[1]), repeat=len(gain))
    )


@given(st.data(), st.integers(1, 6), st.integers(1, 3))
def test_viterbi_finds_the_best_path(data: st.DataObject, windows: int, voices: int) -> None:
    """Eighths, so that every sum is exact."""
    eighths = st.integers(-40, 40).map(lambda n: n / 8)
    gain = np.array(data.draw(st.lists(eighths, min_size=windows * voices, max_size=windows * voices)))
    gain = gain.reshape(windows, voices).astype(np.float32)
    switch = data.draw(st.lists(st.integers(0, 24).map(lambda n: n / 8), min_size=windows, max_size=windows))
    score, path = _viterbi(gain, switch)
    assert score == brute(gain, switch)
    assert score == gain[np.arange(windows), path].sum() - changes_cost(path, switch)


# --- sizes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", [0, 1, 2, 3])
@pytest.mark.parametrize("expected", [None, 1, 2, 4])
def test_hardly_anything_to_hear(windows: int, expected: int | None) -> None:
    found = told_apart(heard(np.zeros(windows, dtype=np.int64)), expected=expected)
    assert len(found) == windows
    assert NOBODY not in found


def test_embeddings_of_nothing_are_one_voice() -> None:
    assert not told_apart(np.zeros((100, DIMENSION), dtype=np.float32)).any()


_LONGEST = """
import resource
from tests.models.diarization.test_voices import *
truth = labels_of([(0, 7.0), (1, 5.0)] * 1200)
embeddings = heard(truth)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert np.array_equal(told_apart(embeddings, expected=2), truth)
print(len(truth), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_the_longest_recording_fits() -> None:
    """Four hours: to compare all of its stretches with each other would take 800 megabytes."""
    done = subprocess.run(
        [sys.executable, "-c", _LONGEST],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    windows, megabytes = map(int, done.stdout.split())
    assert windows == 4 * 3600 / HOP_S
    assert megabytes < 300
