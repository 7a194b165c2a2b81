"""Where the network listens again, and what of that is believed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.vad.afresh import AfreshOptions, believed, unheard
from models.vad.silero import SileroVad
from qa_service.domain.timeline import total_s
from tests.signals import ArrayAudio, clip_of
from tests.sounds import SOUNDS

engine = pytest.mark.engine

FRAME_S = 0.25
OPTIONS = AfreshOptions(unheard_s=3.0, after_s=1.0, pause_s=0.5, doubt=0.4, evidence_s=0.2)


def pieces(probabilities: NDArray[np.float32], sounding: NDArray[np.bool_]) -> list[tuple[int, int]]:
    return list(unheard(probabilities, sounding, frame_s=FRAME_S, options=OPTIONS))


def flat(value: float, frames: int) -> NDArray[np.float32]:
    return np.full(frames, value, np.float32)


def test_a_long_sound_is_listened_to_in_pieces_that_overlap() -> None:
    assert pieces(flat(0.1, 12), np.ones(12, bool)) == [(0, 8), (4, 12), (8, 12)]


def test_speech_and_what_is_quiet_are_not_listened_to_again() -> None:
    assert pieces(flat(0.9, 40), np.ones(40, bool)) == []
    assert pieces(flat(0.1, 40), np.zeros(40, bool)) == []
    assert pieces(flat(0.1, 11), np.ones(11, bool)) == []
    assert pieces(flat(0.1, 0), np.ones(0, bool)) == []


def test_each_stretch_between_speech_counts_for_itself() -> None:
    probabilities = np.concatenate([flat(0.1, 8), flat(0.9, 4), flat(0.1, 12)])
    assert pieces(probabilities, np.ones(24, bool)) == [(12, 20), (16, 24), (20, 24)]


def test_a_little_of_what_follows_is_listened_to_as_well() -> None:
    probabilities = np.concatenate([flat(0.1, 12), flat(0.9, 12)])
    assert pieces(probabilities, np.ones(24, bool)) == [(0, 8), (4, 12), (8, 16), (12, 16)]


def test_silence_after_the_sound_is_skipped() -> None:
    sounding = np.arange(40) < 14
    assert pieces(flat(0.1, 40), sounding) == [(0, 8), (4, 12), (8, 16), (12, 20)]


@pytest.mark.parametrize(
    ("again", "counts"),
    [
        ([0.0, 0.7, 0.7, 0.7, 0.0, 0.0], True),
        ([0.0, 0.7, 0.7, 0.0, 0.0, 0.0], False),  # too short
        ([0.0, 0.5, 0.5, 0.5, 0.5, 0.5], False),  # unsure
        ([0.5] * 9, True),  # unsure, but for long
        ([0.9, 0.9, 0.0, 0.9, 0.0, 0.0], True),  # a pause inside
        ([0.9, 0.0, 0.0, 0.9, 0.0, 0.0], False),  # a pause between
    ],
)
def test_what_lasts_and_is_sure_is_believed(again: list[float], counts: bool) -> None:
    before, heard = flat(0.1, len(again)), np.array(again, np.float32)
    found = believed(before, heard, frame_s=FRAME_S, options=OPTIONS)
    np.testing.assert_array_equal(found, np.maximum(before, heard) if counts else before)


@engine
@pytest.mark.parametrize("name", ["piano", "band", "violin"])
def test_the_agent_who_comes_back_from_hold_is_heard(vad: SileroVad, name: str) -> None:
    """A minute of music, then speech at once: without listening afresh one to three seconds of it are lost."""
    resumed = clip_of("zh01", 12.5, 21.5)[0]
    alone = total_s(vad.detect(ArrayAudio(resumed))[0].spans)
    samples = np.concatenate([SOUNDS[name](60.0), resumed])
    deaf = SileroVad(afresh=AfreshOptions(unheard_s=float("inf")))
    after = [s for s in vad.detect(ArrayAudio(samples))[0].spans if s.end > 60.0]
    assert total_s(after) > alone - 0.5
    assert total_s([s for s in deaf.detect(ArrayAudio(samples))[0].spans if s.end > 60.0]) < alone - 0.5
