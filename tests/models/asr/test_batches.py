"""Windows in batches across calls: together or alone, with much memory or little, the same is heard."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.asr.decoding import ATTEMPTS, compression_ratio
from models.asr.recogniser import WhisperRecogniser
from models.asr.runtime import Decoded, Decoding
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import EngineError
from qa_service.ports import SpeechActivity, SpokenCall
from qa_service.services.fitness import Fitness
from tests.models.asr.fake_runtime import FakeRuntime, saying
from tests.signals import ArrayAudio

Said = Sequence[Sequence[int]]
"""Of each channel the numbers that are said, from half a second on, a second apart."""


def call(said: Said, *, language: str | None = "zh") -> SpokenCall:
    longest = max(map(len, said))
    channels = []
    for numbers in said:
        spaced = [0, *(n for number in numbers for n in (number, 0)), *[0, 0] * (longest - len(numbers)), 0]
        channels.append(saying(spaced))
    speakers = tuple(
        SpeechActivity(
            channel, tuple(TimeSpan(0.5 + i, 1.0 + i) for i, number in enumerate(numbers) if number), -20.0
        )
        for channel, numbers in enumerate(said)
    )
    return SpokenCall(ArrayAudio(np.stack(channels)), speakers, language)


def heard(recogniser: WhisperRecogniser, calls: Sequence[SpokenCall]) -> list[list[list[str]]]:
    return [
        [
            [word.text.strip() for segment in transcript.segments for word in segment.words]
            for transcript in transcripts
        ]
        for transcripts in recogniser.transcribe(calls)
    ]


numbers = st.lists(st.integers(1, 999), min_size=1, max_size=70)
several_calls = st.lists(st.lists(numbers, min_size=1, max_size=2), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(said=several_calls, batch_size=st.integers(1, 9), room=st.integers(1, 8))
def test_what_is_heard_of_a_call_depends_on_no_other(said: list[Said], batch_size: int, room: int) -> None:
    calls = [call(one) for one in said]
    together = WhisperRecogniser(FakeRuntime(room=room), batch_size=batch_size).transcribe(calls)
    alone = WhisperRecogniser(FakeRuntime())
    assert together == tuple(alone.transcribe([one])[0] for one in calls)


@settings(max_examples=20, deadline=None)
@given(said=several_calls)
def test_every_word_comes_back_to_its_speaker_and_time(said: list[Said]) -> None:
    calls = [call(one) for one in said]
    found = WhisperRecogniser(FakeRuntime()).transcribe(calls)
    for one, transcripts in zip(said, found, strict=True):
        for channel, transcript in enumerate(transcripts):
            words = [word for segment in transcript.segments for word in segment.words]
            assert [word.text.strip() for word in words] == [str(number) for number in one[channel]]
            assert [word.start for word in words] == pytest.approx([0.5 + i for i in range(len(words))], abs=0.011)


def test_short_windows_of_many_calls_share_a_batch() -> None:
    runtime = FakeRuntime()
    WhisperRecogniser(runtime, batch_size=4).transcribe([call([[1, 2, 3]]) for _ in range(8)])
    assert runtime.encoded == [(4, 600), (4, 600)]


def test_windows_are_as_long_as_their_speech() -> None:
    runtime = FakeRuntime()
    WhisperRecogniser(runtime).transcribe([call([[1] * 3, [1] * 70])])
    lengths = [frames for _, frames in runtime.encoded]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == 3000
    assert lengths[-1] == 600


def test_a_batch_without_room_is_halved_and_that_is_remembered() -> None:
    runtime = FakeRuntime(room=2)
    recogniser = WhisperRecogniser(runtime, batch_size=16)
    calls = [call([[n] * 28]) for n in range(1, 9)]
    assert heard(recogniser, calls) == [[[str(n)] * 28] for n in range(1, 9)]
    assert {windows for windows, _ in runtime.encoded} == {2}
    runtime.room = 1000
    recogniser.transcribe(calls)
    assert {windows for windows, _ in runtime.encoded} == {2}


@pytest.mark.parametrize("trouble", [RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), MemoryError()])
def test_no_room_for_a_single_window(trouble: Exception) -> None:
    def encode(_: object) -> list[object]:
        raise trouble

    runtime = FakeRuntime()
    runtime.encode = encode  # type: ignore[method-assign, assignment]
    with pytest.raises(EngineError, match="smaller QA_ASR_MODEL") as caught:
        WhisperRecogniser(runtime).transcribe([call([[1]])])
    assert caught.value.code == "out_of_memory"


def test_a_device_without_memory_is_no_fault_of_the_recording() -> None:
    """Somebody else took it all: the worker waits, and goes on when there is some again."""
    runtime = FakeRuntime()
    recogniser = WhisperRecogniser(runtime)
    fitness = Fitness([recogniser.rehearse])
    assert fitness.trouble() is None
    runtime.room = 0
    with pytest.raises(EngineError) as caught:
        recogniser.transcribe([call([[1]])])
    trouble = fitness.trouble_behind(caught.value)
    assert trouble is not None
    assert trouble.code == "out_of_memory"
    runtime.room = 1000
    assert fitness.trouble() is None


def test_another_fault_of_the_engine_is_not_taken_for_a_lack_of_memory() -> None:
    def encode(_: object) -> list[object]:
        raise RuntimeError("CUDA error: device-side assert triggered")

    runtime = FakeRuntime()
    runtime.encode = encode  # type: ignore[method-assign, assignment]
    with pytest.raises(RuntimeError, match="device-side assert"):
        WhisperRecogniser(runtime, batch_size=8).transcribe([call([[1]]), call([[2]])])


def test_languages_are_told_or_found_call_by_call() -> None:
    runtime = FakeRuntime()
    runtime.language = "en"
    calls = [call([[1]], language=None), call([[2]], language="zh"), call([[3], [4]], language=None)]
    found = WhisperRecogniser(runtime).transcribe(calls)
    assert [[t.language for t in transcripts] for transcripts in found] == [["en"], ["zh"], ["en", "en"]]
    # What was encoded to find the language is decoded as it is.
    assert sum(windows for windows, _ in runtime.encoded) == 4


def test_a_language_that_the_model_does_not_know() -> None:
    runtime = FakeRuntime()
    runtime.languages = frozenset(("en",))
    with pytest.raises(EngineError, match="does not know zh: choose another model"):
        WhisperRecogniser(runtime).transcribe([call([[1]])])


def test_speech_without_words_is_decoded_once_more_on_its_own() -> None:
    """Two utterances far apart, of which the first attempt hears only the first."""
    runtime = FakeRuntime()
    first = True

    def alters(decoded: Decoded, _: Decoding) -> Decoded:
        nonlocal first
        if first:
            first = False
            return replace(decoded, tokens=decoded.tokens[:1], text=decoded.text.split()[0])
        return decoded

    runtime.alters = alters
    audio = ArrayAudio(saying([0, 7, 0, 0, 0, 8, 8, 0]))
    spans = (TimeSpan(0.5, 1.0), TimeSpan(2.5, 3.5))
    spoken = SpokenCall(audio, (SpeechActivity(0, spans, -20.0),), "zh")
    assert heard(WhisperRecogniser(runtime), [spoken]) == [[["7", "8"]]]
    assert [windows for windows, _ in runtime.encoded] == [1, 1]


@pytest.mark.parametrize(
    ("figures", "further"),
    [
        ({}, []),
        ({"average_log_probability": -1.5}, [1, 2]),
        ({"text": "again " * 40}, [1, 2]),
        ({"average_log_probability": -1.5, "no_speech_probability": 0.9}, [0]),
    ],
    ids=["sure", "improbable", "repetitive", "silent: its piece on its own"],
)
def test_only_doubtful_windows_are_decoded_again(figures: dict[str, object], further: list[int]) -> None:
    runtime = FakeRuntime()
    runtime.alters = lambda decoded, _: replace(decoded, **figures) if decoded.tokens == (7,) else decoded  # type: ignore[arg-type]
    WhisperRecogniser(runtime).transcribe([call([[7]]), call([[8]])])
    assert runtime.decoded == [
        (2, ATTEMPTS[0], "zh"),
        *((1, ATTEMPTS[number], "zh") for number in further),
    ]


def test_the_most_probable_varied_result_is_kept_and_doubted() -> None:
    found = {
        ATTEMPTS[0]: ("1 " * 40, -0.1),
        ATTEMPTS[1]: ("2 3 4 5 6", -1.2),
        ATTEMPTS[2]: ("3 4 5 6 7", -1.4),
    }

    def alters(decoded: Decoded, decoding: Decoding) -> Decoded:
        text, log_probability = found[decoding]
        return replace(decoded, text=text.strip(), average_log_probability=log_probability)

    runtime = FakeRuntime()
    runtime.alters = alters
    ((transcript,),) = WhisperRecogniser(runtime).transcribe([call([[2, 3, 4, 5, 6]])])
    (segment,) = transcript.segments
    assert segment.average_log_probability == -1.2
    assert [word.text.strip() for word in segment.words] == ["2", "3", "4", "5", "6"]
    assert {word.confidence for word in segment.words} == {0.0}


def test_compression_tells_repetition() -> None:
    assert compression_ratio("请问您还有什么问题吗") < 1.5
    assert compression_ratio("我不知道" * 30) > 2.4
