"""Whose voice is on which channel: only what several share is taken apart."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.diarization.call import CallDiarizer, WholeChannel
from qa_service.domain.conversation import EngineRun
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import DecodedAudio, SpeechActivity
from tests.builders import spans
from tests.signals import RATE_HZ, ArrayAudio, Samples, line_noise, silence

LENGTH_S = 70.0
AGENT_S, CUSTOMER_S = spans((1.0, 8.0), (35.0, 50.0)), spans((10.0, 34.0), (51.0, 65.0))


class Halves:
    """Implements ``ChannelDiarizer``: ``voices`` of them, each with an equal share of the spans."""

    def __init__(self, voices: int = 2) -> None:
        self._voices = voices
        self.asked: list[tuple[SpeechActivity, int | None]] = []

    @property
    def run(self) -> EngineRun:
        return EngineRun("diarization", "fake", "halves", "1", "cpu", (("step", "1"),))

    def take_apart(
        self, audio: DecodedAudio, activity: SpeechActivity, *, expected: int | None
    ) -> tuple[SpeechActivity, ...]:
        self.asked.append((activity, expected))
        return tuple(
            replace(activity, spans=activity.spans[voice :: self._voices], speaker=voice)
            for voice in range(self._voices)
        )


def speakers(
    samples: Sequence[Samples],
    speech: Sequence[tuple[TimeSpan, ...]],
    *,
    voices: int = 2,
    expected: int | None = None,
    shared: bool = False,
) -> tuple[tuple[SpeechActivity, ...], list[SpeechActivity], Halves]:
    """Who speaks, of these channels with this speech: the answer, the channels, and the engine."""
    engine = Halves(voices)
    activities = [SpeechActivity(channel, found, -20.0 if found else None) for channel, found in enumerate(speech)]
    audio = ArrayAudio(np.stack(samples))
    return CallDiarizer(engine).speakers(audio, activities, expected=expected, shared=shared), activities, engine


def talking(seed: int, speech: Sequence[TimeSpan]) -> Samples:
    """Noise while somebody speaks."""
    noise = np.random.default_rng(seed).standard_normal(round(LENGTH_S * RATE_HZ)) * 0.1
    time_s = np.arange(len(noise)) / RATE_HZ
    speaks = np.any([(span.start <= time_s) & (time_s < span.end) for span in speech], axis=0)
    return np.where(speaks, noise, 0.0).astype(np.float32)


@pytest.fixture(scope="module")
def agent() -> Samples:
    return talking(1, AGENT_S)


@pytest.fixture(scope="module")
def customer() -> Samples:
    return talking(2, CUSTOMER_S)


# --- separate channels ------------------------------------------------------------------------------------


def test_separate_channels_are_their_speakers(agent: Samples, customer: Samples) -> None:
    found, activities, engine = speakers([agent, customer], [AGENT_S, CUSTOMER_S])
    assert found == tuple(activities)
    assert engine.asked == []


# --- shared channels --------------------------------------------------------------------------------------


def test_a_single_channel_is_taken_apart(agent: Samples, customer: Samples) -> None:
    found, (activity,), engine = speakers([agent + customer], [(*AGENT_S, *CUSTOMER_S)], expected=2)
    assert [s.speaker for s in found] == [0, 1]
    assert engine.asked == [(activity, 2)]


def test_two_voices_on_the_only_channel_with_speech(agent: Samples, customer: Samples) -> None:
    found, (_, second), engine = speakers([line_noise(LENGTH_S), agent + customer], [(), (*AGENT_S, *CUSTOMER_S)])
    assert [(s.channel, s.speaker) for s in found] == [(1, 0), (1, 1)]
    assert engine.asked == [(second, None)]


def test_one_voice_on_the_only_channel_with_speech_leaves_the_channels(customer: Samples) -> None:
    """A customer who says nothing keeps a channel, and the agent the role of theirs."""
    found, activities, engine = speakers([customer, line_noise(LENGTH_S)], [CUSTOMER_S, ()], voices=1)
    assert found == tuple(activities)
    assert len(engine.asked) == 1


@pytest.mark.parametrize("voices", [0, 1])
def test_a_single_channel_with_one_voice_or_none_told_apart_is_one_speaker(customer: Samples, voices: int) -> None:
    found, activities, _ = speakers([customer], [CUSTOMER_S], voices=voices)
    assert found == tuple(activities)


def test_nobody_speaks() -> None:
    found, activities, engine = speakers([silence(LENGTH_S)], [()])
    assert found == tuple(activities)
    assert engine.asked == []


def test_two_channels_of_one_mixture_are_taken_apart_once(agent: Samples, customer: Samples) -> None:
    """The one on which more speech is found; so are two of which nobody knows whose the only voice is."""
    mixture, heard = agent + customer, (*AGENT_S, *CUSTOMER_S)
    found, (_, second), engine = speakers([0.1 * mixture, mixture], [heard[:1], heard], shared=True)
    assert [(s.channel, s.speaker) for s in found] == [(1, 0), (1, 1)]
    assert engine.asked == [(second, None)]
    found, (first, _), _ = speakers([mixture, mixture], [heard, heard], voices=1, shared=True)
    assert [(s.channel, s.spans) for s in found] == [(0, first.spans)]


# --- options ----------------------------------------------------------------------------------------------


def test_the_run_is_the_engines() -> None:
    assert CallDiarizer(Halves()).run == Halves().run


def test_no_diarization_leaves_a_single_channel_as_it_is(customer: Samples) -> None:
    activity = SpeechActivity(0, CUSTOMER_S, -20.0)
    diarizer = CallDiarizer(WholeChannel(cache_dir=None, device="cpu"))  # type: ignore[arg-type]
    assert diarizer.speakers(ArrayAudio(customer), [activity], expected=2) == (activity,)
