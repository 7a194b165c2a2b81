"""Music and tones among what was taken for speech: taken out, and speech left alone."""

from functools import partial

import numpy as np
import pytest

from models.vad.steady import SteadyOptions, steady_shares, without_steady
from qa_service.domain.timeline import TimeSpan, total_s
from tests.builders import spans
from tests.signals import RATE_HZ, ArrayAudio, Samples, clip_of, noise, silence
from tests.sounds import SOUNDS

FRAME_S = 0.032
ZH_SPEECH = spans((0.8, 6.484))


def kept(samples: Samples, speech: tuple[TimeSpan, ...], *, probability: float = 0.5) -> tuple[TimeSpan, ...]:
    audio = ArrayAudio(samples)
    return without_steady(
        speech,
        probabilities=np.full(int(audio.duration_s / FRAME_S) + 1, probability, np.float32),
        frame_s=FRAME_S,
        read=partial(audio.read, 0),
        rate_hz=RATE_HZ,
        duration_s=audio.duration_s,
        options=SteadyOptions(),
    )


@pytest.mark.parametrize("name", ["piano", "violin", "saxophone", "humming", "band", "information tones"])
def test_music_is_taken_out(name: str) -> None:
    samples = SOUNDS[name](10.0)
    assert total_s(kept(samples, spans((0.0, 10.0)))) <= 2.0
    assert kept(samples, spans((4.0, 4.6))) == ()


def test_where_the_network_is_sure_nothing_is_taken() -> None:
    assert kept(SOUNDS["piano"](10.0), spans((2.0, 5.0)), probability=0.9) == spans((2.0, 5.0))


def test_speech_stands_however_unsure_the_network_is() -> None:
    for clip, channel, speech in (("zh01", 0, ZH_SPEECH), ("en01", 0, spans((0.8, 7.235)))):
        assert kept(clip_of(clip, 0.0, 8.0)[channel], speech, probability=0.0) == speech


def test_speech_stands_right_beside_music() -> None:
    """The greeting begins where the ringing, or the tune, ends."""
    call = clip_of("zh01", 0.8, 6.4)[0]
    samples = np.concatenate([SOUNDS["piano"](4.0), call, SOUNDS["piano"](4.0)])
    assert kept(samples, spans((0.0, 4.0), (4.0, 9.6), (9.6, 13.6))) == spans((4.0, 9.6))


def test_a_drawn_out_vowel_is_no_tune() -> None:
    """Half a second on one pitch, alone in silence."""
    samples = np.concatenate([silence(3.0), SOUNDS["violin"](0.55), silence(3.0)])
    assert kept(samples, spans((3.0, 3.55))) == spans((3.0, 3.55))


def test_noise_keeps_no_pitch() -> None:
    shares, powers = steady_shares(noise(4.0), rate_hz=RATE_HZ, options=SteadyOptions())
    assert shares.shape == powers.shape == (-(-(4 * RATE_HZ - 1023) // 256),)
    assert shares.max() < 0.3


def test_the_edges_of_a_recording() -> None:
    assert kept(silence(1.0), spans((0.0, 1.0))) == spans((0.0, 1.0))
    assert kept(silence(0.03), spans((0.0, 0.03))) == spans((0.0, 0.03))
    assert kept(noise(1.0), ()) == ()
    shares, _ = steady_shares(silence(0.03), rate_hz=RATE_HZ, options=SteadyOptions())
    assert len(shares) == 0
