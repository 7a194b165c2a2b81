"""Whose voice is on which channel: only what several share is taken apart."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.diarization.call import CallDiarizer, SharedOptions, WholeChannel
from qa_service.domain.conversation import EngineRun
from qa_service.domain.timeline import TimeSpan, total_s
from qa_service.ports import DecodedAudio, SpeechActivity
from tests.builders import spans
from tests.signals import RATE_HZ, ArrayAudio, Samples, clip_of, line_noise, silence

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
) -> tuple[tuple[SpeechActivity, ...], list[SpeechActivity], Halves]:
    """Who speaks, of these channels with this speech: the answer, the channels, and the engine."""
    engine = Halves(voices)
    activities = [SpeechActivity(channel, found, -20.0 if found else None) for channel, found in enumerate(speech)]
    audio = ArrayAudio(np.stack(samples))
    return CallDiarizer(engine).speakers(audio, activities, expected=expected), activities, engine


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


@pytest.mark.parametrize("leak_db", [-20.0, -12.0])
def test_cross_talk_does_not_make_channels_one(agent: Samples, customer: Samples, leak_db: float) -> None:
    leak = 10 ** (leak_db / 20)
    mixed = [agent + leak * customer, customer + leak * agent]
    heard = (*AGENT_S, *CUSTOMER_S)
    found, activities, engine = speakers(mixed, [heard, heard])
    assert found == tuple(activities)
    assert engine.asked == []


def test_an_announcement_to_both_does_not_make_them_one() -> None:
    """The first half minute is the same on both channels, what follows is each one's own."""
    announcement = talking(3, spans((0.0, 29.0)))
    heard = spans((0.0, 29.0), (31.0, 70.0))
    own = [talking(seed, heard[1:]) for seed in (4, 5)]
    found, activities, _ = speakers([announcement + own[0], announcement + own[1]], [heard, heard])
    assert found == tuple(activities)


def test_line_cards_with_the_same_direct_current_are_not_one(agent: Samples, customer: Samples) -> None:
    found, activities, _ = speakers([agent + 0.5, customer + 0.5], [AGENT_S, CUSTOMER_S])
    assert found == tuple(activities)


@pytest.mark.parametrize("speech", [AGENT_S, ()])
def test_silent_tracks_under_detected_speech_are_not_compared(speech: tuple[TimeSpan, ...]) -> None:
    """A detector that hears speech in digital silence: nothing is divided by nothing."""
    found, activities, _ = speakers([silence(LENGTH_S), silence(LENGTH_S)], [speech, speech])
    assert found == tuple(activities)


# --- shared channels --------------------------------------------------------------------------------------


def test_a_single_channel_is_taken_apart(agent: Samples, customer: Samples) -> None:
    found, (activity,), engine = speakers([agent + customer], [(*AGENT_S, *CUSTOMER_S)], expected=2)
    assert [s.speaker for s in found] == [0, 1]
    assert engine.asked == [(activity, 2)]


@pytest.mark.parametrize("gain", [1.0, 0.05, -1.0, -3.0])
def test_the_same_mixture_at_any_level_and_polarity_is_one(agent: Samples, customer: Samples, gain: float) -> None:
    mixture, heard = agent + customer, (*AGENT_S, *CUSTOMER_S)
    found, (first, _), engine = speakers([mixture, gain * (mixture + line_noise(LENGTH_S))], [heard, heard])
    assert [(s.channel, s.speaker) for s in found] == [(0, 0), (0, 1)]
    assert engine.asked == [(first, None)]


def test_of_two_equal_channels_the_one_with_more_speech_is_taken(agent: Samples, customer: Samples) -> None:
    mixture, heard = agent + customer, (*AGENT_S, *CUSTOMER_S)
    found, (_, second), engine = speakers([0.1 * mixture, mixture], [heard[:1], heard])
    assert {s.channel for s in found} == {1}
    assert engine.asked == [(second, None)]


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


# --- options ----------------------------------------------------------------------------------------------


def test_the_limit_between_one_and_two() -> None:
    """Two channels, correlated by 0.8."""
    own, shared = talking(1, AGENT_S), talking(2, AGENT_S)
    audio = ArrayAudio(np.stack([shared, 0.8 * shared + 0.6 * own]))
    activities = [SpeechActivity(channel, AGENT_S, -20.0) for channel in (0, 1)]
    for same_audio, channels in ((0.79, {0}), (0.81, {0, 1})):
        diarizer = CallDiarizer(Halves(), options=SharedOptions(same_audio=same_audio))
        assert {s.channel for s in diarizer.speakers(audio, activities, expected=None)} == channels


def test_the_run_is_the_engines_with_the_limit() -> None:
    run = CallDiarizer(Halves(), options=SharedOptions(same_audio=0.75)).run
    assert (run.stage, run.engine, run.model) == ("diarization", "fake", "halves")
    assert run.options == (("step", "1"), ("same_audio", "0.75"))


def test_no_diarization_leaves_a_single_channel_as_it_is(customer: Samples) -> None:
    activity = SpeechActivity(0, CUSTOMER_S, -20.0)
    diarizer = CallDiarizer(WholeChannel(cache_dir=None, device="cpu"))  # type: ignore[arg-type]
    assert diarizer.speakers(ArrayAudio(customer), [activity], expected=2) == (activity,)


def test_an_example_call_is_two_channels_and_its_mixture_twice_is_one() -> None:
    call = clip_of("zh01", 0.0, 12.0)
    speech = [spans((0.8, 6.5)), spans((7.0, 11.8))]
    found, activities, _ = speakers(list(call), speech)
    assert found == tuple(activities)
    mixture = call.mean(axis=0)
    found, _, engine = speakers([mixture, 0.5 * mixture], [speech[0] + speech[1]] * 2)
    assert len(engine.asked) == 1
    assert total_s(found[0].spans) == pytest.approx(5.7)
