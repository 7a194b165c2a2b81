"""How loud speech is, in the mean and step by step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.loudness import Loudness, loudness
from qa_service.domain.conversation import LEVEL_STEP_S
from qa_service.domain.timeline import TimeSpan
from tests.builders import spans

RATE_HZ = 100


def measured(levels_db: NDArray[np.float64], speech: tuple[TimeSpan, ...]) -> Loudness:
    """Of samples with these levels."""
    power = 10 ** (levels_db / 10)
    return loudness(speech, lambda s: power[round(s.start * RATE_HZ) : round(s.end * RATE_HZ)], rate_hz=RATE_HZ)


def test_the_level_is_that_of_the_speech_alone() -> None:
    levels = np.full(500, -120.0)
    levels[50:125] = levels[250:300] = -20.0
    loud = measured(levels, spans((0.5, 1.25), (2.5, 3.0)))
    assert loud.mean_dbfs == pytest.approx(-20.0, abs=0.01)
    assert loud.steps_dbfs == (None, -20.0, -20.0, None, None, -20.0, None)


def test_the_level_is_a_mean_of_power() -> None:
    """(1 + 0.01) / 2 of full power is −2.97 dB."""
    levels = np.repeat([0.0, -20.0], 25)
    loud = measured(levels, spans((0.0, 0.5)))
    assert loud.mean_dbfs == pytest.approx(-2.97, abs=0.01)
    assert loud.steps_dbfs[0] == -3.0


def test_without_speech_there_is_no_level() -> None:
    assert measured(np.zeros(100), ()) == Loudness(None, ())


def test_of_a_moment_of_speech_the_step_says_nothing() -> None:
    assert measured(np.zeros(100), spans((0.1, 0.25))).steps_dbfs == (None,)


@given(st.lists(st.floats(-90, 0), min_size=1, max_size=20), st.floats(-30, 30))
def test_what_is_louder_is_louder_in_every_step(levels: list[float], gain_db: float) -> None:
    samples = np.repeat(levels, int(LEVEL_STEP_S * RATE_HZ))
    whole = (TimeSpan(0.0, len(samples) / RATE_HZ),)
    quiet, loud = measured(samples, whole), measured(samples + gain_db, whole)
    assert [level for level in quiet.steps_dbfs if level is not None] == pytest.approx(levels, abs=0.06)
    assert loud.steps_dbfs[: len(levels)] == pytest.approx([level + gain_db for level in levels], abs=0.06)
