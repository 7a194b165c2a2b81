"""From probabilities to speech, by hand: frames of 1/8 s, so that every edge is exact."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.vad.regions import RegionOptions, regions, without_leakage
from qa_service.domain.timeline import TimeSpan
from tests.builders import spans

FRAME_S = 0.125
# Two frames of speech, three of silence; a region opens at 0.5 and closes under 0.25.
OPTIONS = RegionOptions(threshold=0.5, release=0.25, min_speech_s=0.25, min_silence_s=0.375, onset_s=0.0)
YES, SO, NO = 0.875, 0.375, 0.0  # speech, neither, silence


def found(*probabilities: float, duration_s: float | None = None, onset_s: float = 0.0) -> tuple[TimeSpan, ...]:
    options = RegionOptions(threshold=0.5, release=0.25, min_speech_s=0.25, min_silence_s=0.375, onset_s=onset_s)
    length_s = len(probabilities) * FRAME_S if duration_s is None else duration_s
    return regions(np.array(probabilities, np.float32), frame_s=FRAME_S, duration_s=length_s, options=options)


# --- hysteresis -------------------------------------------------------------------------------------------


def test_speech_between_silences() -> None:
    assert found(NO, NO, YES, YES, YES, NO, NO, NO) == spans((0.25, 0.625))


def test_a_middling_frame_opens_nothing_and_closes_nothing() -> None:
    assert found(SO, SO, SO, SO) == ()
    assert found(SO, YES, SO, SO, SO, SO, NO, NO, NO) == spans((0.125, 0.75))


def test_the_thresholds_themselves() -> None:
    assert found(0.5, 0.25, 0.25, 0.25, 0.25) == spans((0.0, 0.625))
    assert found(0.49, 0.49, 0.49) == ()
    assert found(0.5, 0.5, 0.24, 0.24, 0.24, 0.24) == spans((0.0, 0.25))


def test_a_short_silence_closes_nothing() -> None:
    assert found(YES, YES, NO, NO, YES, YES, NO, NO, NO) == spans((0.0, 0.75))


def test_a_silence_of_the_minimum_closes() -> None:
    assert found(YES, YES, NO, NO, NO, YES, YES) == spans((0.0, 0.25), (0.625, 0.875))


def test_a_middling_frame_inside_a_silence_does_not_end_it() -> None:
    assert found(YES, YES, NO, SO, NO, YES, YES) == spans((0.0, 0.25), (0.625, 0.875))


def test_speech_shorter_than_the_minimum_is_none() -> None:
    assert found(NO, YES, NO, NO, NO) == ()
    assert found(NO, YES, YES, NO, NO, NO) == spans((0.125, 0.375))


def test_speech_up_to_the_end() -> None:
    assert found(NO, YES, YES, YES) == spans((0.125, 0.5))
    assert found(NO, YES, YES, YES, duration_s=0.45) == spans((0.125, 0.45))  # the last frame is half empty
    assert found(YES, YES, YES, NO, NO) == spans((0.0, 0.375))


def test_no_frames() -> None:
    assert found() == ()


def test_the_late_onset_is_given_back_without_touching_what_lies_before() -> None:
    assert found(NO, NO, YES, YES, NO, NO, NO, onset_s=0.125) == spans((0.125, 0.5))
    assert found(YES, YES, onset_s=0.125) == spans((0.0, 0.25))
    assert found(YES, YES, NO, NO, NO, YES, YES, onset_s=0.5) == spans((0.0, 0.25), (0.25, 0.875))


@given(st.lists(st.sampled_from([YES, SO, NO]), max_size=60), st.sampled_from([0.0, 0.125, 0.5]))
def test_spans_are_sorted_disjoint_and_long_enough(probabilities: list[float], onset_s: float) -> None:
    speech = found(*probabilities, onset_s=onset_s)
    assert all(span.duration_s >= OPTIONS.min_speech_s for span in speech)
    assert all(a.end <= b.start for a, b in pairwise(speech))
    assert all(s.start >= 0.0 and s.end <= len(probabilities) * FRAME_S for s in speech)
    if not onset_s:
        assert all(b.start - a.end >= OPTIONS.min_silence_s for a, b in pairwise(speech))
        assert all(probabilities[round(s.start / FRAME_S)] == YES for s in speech)


# --- leakage ----------------------------------------------------------------------------------------------


def gated(
    probabilities: list[list[float]], levels_db: list[list[float]], *, leakage_window_s: float = 0.375
) -> NDArray[np.float32]:
    options = RegionOptions(release=0.25, leakage_db=18.0, leakage_window_s=leakage_window_s)
    return without_leakage(
        np.array(probabilities, np.float32), np.array(levels_db, np.float32), frame_s=FRAME_S, options=options
    )


def both(first: float, second: float, *, frames: int = 8) -> list[list[float]]:
    return [[first] * frames, [second] * frames]


def test_the_fainter_copy_of_the_other_voice_is_no_speech_either_way() -> None:
    assert gated(both(YES, YES), both(-20, -45)).tolist() == both(YES, NO)
    assert gated(both(YES, YES), both(-45, -20)).tolist() == both(NO, YES)


def test_two_people_talking_at_once_both_speak() -> None:
    assert gated(both(YES, YES), both(-20, -35)).tolist() == both(YES, YES)


def test_a_loud_sound_that_is_no_speech_hides_nobody() -> None:
    assert gated(both(NO, YES), both(-10, -40)).tolist() == both(NO, YES)


def test_one_loud_frame_is_judged_with_its_neighbours() -> None:
    """Mean power of three frames: (1 + 0.01 + 0.01) / 3 is −4.7 dB, 15 dB over the other channel."""
    levels = both(-20, -20)
    levels[0][4] = 0.0
    assert gated(both(YES, YES), levels).tolist() == both(YES, YES)
    assert gated(both(YES, YES), levels, leakage_window_s=0.125)[1].tolist() == [*[YES] * 4, NO, *[YES] * 3]


def test_leakage_ends_where_the_voice_ends() -> None:
    """The agent speaks in the first half, the customer, always at −45 dB, throughout."""
    cleaned = gated([[YES] * 8 + [NO] * 8, [YES] * 16], [[-20.0] * 8 + [-90.0] * 8, [-45.0] * 16])
    assert cleaned[1].tolist() == [NO] * 8 + [YES] * 8


def test_the_given_arrays_are_left_alone() -> None:
    probabilities = np.full((2, 8), YES, np.float32)
    levels = np.array(both(-20, -45), np.float32)
    without_leakage(probabilities, levels, frame_s=FRAME_S, options=RegionOptions())
    assert (probabilities == np.float32(YES)).all()
    assert levels.tolist() == both(-20, -45)


def test_a_single_channel_has_nothing_to_leak_from() -> None:
    assert gated([[YES] * 4], [[-60.0] * 4]).tolist() == [[YES] * 4]


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_a_recording_shorter_than_the_window(frames: int) -> None:
    cleaned = gated(both(YES, YES, frames=frames), both(-20, -45, frames=frames), leakage_window_s=0.5)
    assert cleaned.tolist() == both(YES, NO, frames=frames)
