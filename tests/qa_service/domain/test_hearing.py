"""What recognised words account for of somebody's speech."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qa_service.domain.conversation import Utterance, Word
from qa_service.domain.hearing import Hearing, Stretch, heard, heard_share, placed_words, stretches
from qa_service.domain.timeline import TimeSpan, hull, total_s, union
from tests.builders import utterance

WHOLE = TimeSpan(0, 100)


def of(*words: tuple[float, float, float]) -> Utterance:
    """An utterance of one-character words ``(start, end, confidence)``."""
    said = tuple(Word("好", start, end, confidence) for start, end, confidence in words)
    whole = utterance("好" * len(words), words[0][0], words[-1][1])
    return replace(whole, words=said)


@st.composite
def spoken(draw: st.DrawFn) -> Utterance:
    edges = sorted(draw(st.lists(st.floats(0, 60), min_size=2, max_size=12, unique=True)))
    confidences = draw(st.lists(st.floats(0, 1), min_size=len(edges) - 1, max_size=len(edges) - 1))
    return of(*((a, b, c) for (a, b), c in zip(pairwise(edges), confidences, strict=True)))


def test_words_account_for_the_pauses_between_them_and_little_around() -> None:
    found = stretches(of((1.0, 1.2, 0.9), (1.4, 1.6, 0.5), (3.0, 3.2, 0.7)))
    assert [(round(start, 2), round(end, 2), c) for start, end, c in found] == [
        (0.7, 1.3, 0.9),
        (1.3, 1.9, 0.5),
        (2.7, 3.5, 0.7),
    ]


def test_a_word_that_took_a_pause_or_lost_words_lies_at_its_end() -> None:
    said = of((0.0, 0.2, 0.9), (0.2, 0.4, 0.9), (0.4, 5.0, 0.9), (5.0, 5.2, 0.9))
    assert [round(start, 2) for start, _, _ in stretches(said)] == [-0.3, 0.2, 4.1, 5.0]
    assert [w.end for w in placed_words(said)] == [0.2, 0.4, 5.2]


def test_words_without_times_are_one_stretch() -> None:
    bare = replace(utterance("您好", 2.0, 3.0, confidence=0.75), words=(), word_offsets=())
    assert stretches(bare) == [(2.0, 3.0, 0.75)]
    assert placed_words(bare) == ()


def right_share(speech: Sequence[TimeSpan], found: Sequence[Stretch], window: TimeSpan) -> float | None:
    return Hearing(speech, found).right_share(window)


def test_speech_without_words_is_not_heard() -> None:
    speech = (TimeSpan(0, 2), TimeSpan(10, 12))
    found = heard(speech, [of((0.0, 0.5, 0.8), (0.5, 1.0, 0.8), (1.0, 1.5, 0.8), (1.5, 2.0, 0.8))])
    assert right_share(speech, found, WHOLE) == pytest.approx(0.4)
    assert right_share(speech, found, TimeSpan(0, 5)) == pytest.approx(0.8)
    assert right_share(speech, found, TimeSpan(9, 20)) == 0
    assert right_share(speech, found, TimeSpan(4, 6)) is None


def evenly(
    speech: Sequence[TimeSpan], found: Sequence[Stretch], window: TimeSpan, *, length_s: float, share: float
) -> bool:
    return Hearing(speech, found).evenly(window, length_s=length_s, share=share)


@pytest.mark.parametrize(
    ("window", "length_s", "worst"),
    [
        (WHOLE, 1.0, 0.4),
        (WHOLE, 2.0, 0.6),
        (WHOLE, 3.0, (0.9 + 0.4 + 0.8) / 3),
        (TimeSpan(0, 5), 1.0, 0.9),
        (TimeSpan(10.5, 20), 1.0, 0.6),
        (WHOLE, 5.0, 1.0),  # so much was not said at all
    ],
)
def test_the_worst_place_decides_and_pauses_do_not_count(window: TimeSpan, length_s: float, worst: float) -> None:
    speech = (TimeSpan(0, 2), TimeSpan(10, 12))
    found = ((0.0, 2.0, 0.9), (10.0, 11.0, 0.4), (11.0, 12.0, 0.8))
    assert evenly(speech, found, window, length_s=length_s, share=worst - 0.01)
    assert worst == 1.0 or not evenly(speech, found, window, length_s=length_s, share=worst + 0.01)


def test_what_was_not_heard_at_all_is_a_bad_place() -> None:
    speech = (TimeSpan(0, 2), TimeSpan(20, 21))
    assert not evenly(speech, ((0.0, 2.0, 0.9),), WHOLE, length_s=1.0, share=0.01)


@given(
    st.lists(spoken(), min_size=1, max_size=3),
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), min_size=1, max_size=4),
    st.tuples(st.floats(0, 60), st.floats(0.5, 60)),
    st.floats(0.3, 3),
    st.floats(0.05, 0.95),
)
def test_every_place_is_as_well_heard_as_asked_for(
    said: list[Utterance],
    edges: list[tuple[float, float]],
    at: tuple[float, float],
    length_s: float,
    share: float,
) -> None:
    """Against the definition, looked up in small steps: the mean over any so many seconds of speech."""
    speech, window = union(TimeSpan(min(p), max(p)) for p in edges), TimeSpan(at[0], sum(at))
    found, step_s = heard(speech, said[:1]), 0.01
    inside = [
        s for s in (window.start + step_s * n for n in range(int(at[1] / step_s))) if any_contains(speech, s)
    ]
    right = [next((c for start, end, c in found if start <= s < end), 0.0) for s in inside]
    size = round(length_s / step_s)
    means = [sum(right[n : n + size]) / size for n in range(0, len(right) - size, 5)]
    even = evenly(speech, found, window, length_s=length_s, share=share)
    near = 30 * step_s / length_s  # of what the edges of a dozen stretches leave to chance
    if means and min(means) < share - near:
        assert not even
    if not even:
        assert not means or min(means) < share + near


def any_contains(spans: Sequence[TimeSpan], time_s: float) -> bool:
    return any(span.contains(time_s) for span in spans)


@given(spoken())
def test_stretches_are_disjoint_and_in_order(said: Utterance) -> None:
    assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(stretches(said)))


@given(spoken(), st.floats(0, 50), st.floats(0.1, 50))
def test_a_share_is_no_more_than_the_surest_word_and_no_less_than_the_worst_place(
    said: Utterance, start: float, length_s: float
) -> None:
    speech, window = (TimeSpan(said.start, said.end),), TimeSpan(start, start + length_s)
    found = heard(speech, [said])
    share = right_share(speech, found, window)
    if share is not None:
        assert -1e-9 <= share <= max(w.confidence for w in said.words) + 1e-9
        spoken_s = total_s([TimeSpan(max(said.start, start), min(said.end, start + length_s))])
        if spoken_s > 0.1:
            assert not evenly(speech, found, window, length_s=spoken_s / 7, share=share + 0.01)


@given(spoken(), st.integers(0, 10), st.floats(0, 1))
def test_a_surer_word_never_lowers_the_share(said: Utterance, index: int, confidence: float) -> None:
    index %= len(said.words)
    words = list(said.words)
    words[index] = replace(words[index], confidence=max(confidence, words[index].confidence))
    surer = replace(said, words=tuple(words))
    speech = (TimeSpan(said.start, said.end),)
    shares = [right_share(speech, heard(speech, [u]), WHOLE) or 0.0 for u in (said, surer)]
    assert shares[0] <= shares[1] + 1e-9


@given(st.lists(spoken(), max_size=3), st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), max_size=4))
@example([(0.0, 2.220446049250313e-16)], [])
def test_the_share_of_all_speech_is_that_of_its_hull(
    said: list[Utterance], edges: list[tuple[float, float]]
) -> None:
    speech = union(TimeSpan(min(pair), max(pair)) for pair in edges)
    expected = right_share(speech, heard(speech, said), hull(speech)) if speech else None
    assert heard_share(speech, said) == (expected if expected is None else pytest.approx(expected))


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), max_size=4),
    st.lists(spoken(), max_size=3),
    st.floats(0, 60),
    st.floats(0.1, 60),
)
def test_the_share_of_any_window_is_the_sum_over_its_stretches(
    edges: list[tuple[float, float]], said: list[Utterance], start: float, length_s: float
) -> None:
    speech, window = union(TimeSpan(min(p), max(p)) for p in edges), TimeSpan(start, start + length_s)
    found = heard(speech, said)
    spoken_s = sum(span.overlap_s(window) for span in speech)
    share = right_share(speech, found, window)
    if spoken_s > 0.001:
        right_s = sum(c * TimeSpan(start, end).overlap_s(window) for start, end, c in found)
        assert share == pytest.approx(min(1.0, right_s / spoken_s), abs=1e-6)
    elif spoken_s == 0:
        assert share is None
