"""The real recogniser on short clips: words at their times, the same every time, none where nobody speaks."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf
import soxr

from models.asr.decoding import WhisperOptions
from models.asr.recogniser import WhisperRecogniser
from models.vad.silero import SileroVad
from qa_service.domain.conversation import Transcript, Word
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import SpeechActivity, SpokenCall, Transcriber
from tests.builders import spans
from tests.corpus import corpus_dir
from tests.signals import NOT_SPEECH, RATE_HZ, ArrayAudio, Samples, clip_of, keypad, noise, tone

engine = pytest.mark.engine


def speaking(channels: Mapping[int, tuple[TimeSpan, ...]]) -> list[SpeechActivity]:
    return [SpeechActivity(channel, found, -20.0) for channel, found in channels.items()]


# The first two utterances of example calls as they were written (Whisper writes digits), and when they are spoken.
ZH_CLIP = ("zh01", 0.0, 12.25)
ZH_SPEECH = speaking({0: spans((0.8, 6.484)), 1: spans((7.038, 11.784))})
ZH_TEXTS = (
    "您好，华信通信客服，工号8023为您服务，请问有什么可以帮您？",
    "你好，我想查一下，我上个月的话费怎么比平时多了50多块钱。",
)
EN_CLIP = ("en01", 0.0, 14.0)
EN_SPEECH = speaking({0: spans((0.8, 7.235)), 1: spans((7.919, 13.707))})
EN_TEXT = "Hi, I noticed a fee of twenty five dollars on my card this month, and I don't know what it is for."

PAD_S = WhisperOptions().packing.pad_s


def hear(
    recogniser: Transcriber, audio: ArrayAudio, speech: Sequence[SpeechActivity], *, language: str | None
) -> Sequence[Transcript]:
    (transcripts,) = recogniser.transcribe([SpokenCall(audio, tuple(speech), language)])
    return transcripts


def words_of(transcript: Transcript) -> list[Word]:
    return [word for segment in transcript.segments for word in segment.words]


def text_of(transcript: Transcript) -> str:
    return "".join(word.text for word in words_of(transcript))


def likeness(heard: str, said: str) -> float:
    """2 · common characters ÷ all characters, without punctuation, in [0, 1]."""
    return SequenceMatcher(None, fold(heard).text, fold(said).text, autojunk=False).ratio()


@pytest.fixture(scope="module")
def mandarin(whisper: WhisperRecogniser) -> Sequence[Transcript]:
    return hear(whisper, ArrayAudio(clip_of(*ZH_CLIP)), ZH_SPEECH, language=None)


@pytest.fixture(scope="module")
def english(whisper: WhisperRecogniser) -> Sequence[Transcript]:
    return hear(whisper, ArrayAudio(clip_of(*EN_CLIP)), EN_SPEECH, language=None)


@pytest.fixture(scope="module")
def switching(whisper: WhisperRecogniser) -> Sequence[Transcript]:
    """The Mandarin clip and after it the English one, the same two speakers."""
    clips = np.concatenate([clip_of(*ZH_CLIP), clip_of(*EN_CLIP)], axis=1)
    later = [TimeSpan(ZH_CLIP[2] + s.start, ZH_CLIP[2] + s.end) for channel in EN_SPEECH for s in channel.spans]
    speech = [SpeechActivity(c.channel, (*c.spans, later[c.channel]), -20.0) for c in ZH_SPEECH]
    return hear(whisper, ArrayAudio(clips), speech, language="mixed")


# --- what was said, when ----------------------------------------------------------------------------------


@engine
def test_each_channel_gets_its_own_words(mandarin: Sequence[Transcript]) -> None:
    assert [t.channel for t in mandarin] == [0, 1]
    for transcript, said in zip(mandarin, ZH_TEXTS, strict=True):
        assert likeness(text_of(transcript), said) > 0.75  # the company's name and 工号 come back as homophones


@engine
def test_words_lie_inside_their_utterance_in_order(
    mandarin: Sequence[Transcript], english: Sequence[Transcript]
) -> None:
    for transcripts, speech in ((mandarin, ZH_SPEECH), (english, EN_SPEECH)):
        for transcript in transcripts:
            (span,) = speech[transcript.channel].spans
            said = words_of(transcript)
            assert said
            for word in said:
                assert span.start - PAD_S <= word.start <= word.end <= span.end + PAD_S
                assert 0.0 <= word.confidence <= 1.0
            assert all(a.start <= b.start for a, b in pairwise(said))
            # From one end of the utterance to the other, not piled up in a corner of it.
            assert said[-1].end - said[0].start > 0.8 * span.duration_s


@engine
def test_mandarin_words_are_characters_or_nearly_so(mandarin: Sequence[Transcript]) -> None:
    """A quote's time is only as fine as the words are."""
    lengths = [len(fold(word.text).text) for word in words_of(mandarin[1])]
    assert sum(lengths) / len(lengths) < 2


@engine
def test_the_language_is_heard(mandarin: Sequence[Transcript], english: Sequence[Transcript]) -> None:
    assert {t.language for t in mandarin} == {"zh"}
    assert {t.language for t in english} == {"en"}
    # Digits may be written as such; everything else is plain English.
    assert likeness(text_of(english[1]), EN_TEXT) > 0.8


@engine
def test_the_same_call_twice_gives_identical_words(
    whisper: WhisperRecogniser, mandarin: Sequence[Transcript]
) -> None:
    again = hear(whisper, ArrayAudio(clip_of(*ZH_CLIP)), ZH_SPEECH, language=None)
    assert again == mandarin


@engine
def test_doubtful_decoding_is_repeatable_too(whisper: WhisperRecogniser) -> None:
    """With a floor that no result reaches, every way of decoding is tried; what is decoded in between is nothing
    to it."""
    doubtful = WhisperRecogniser(whisper._runtime, options=WhisperOptions(log_probability_floor=0.0))
    audio, speech = ArrayAudio(clip_of("zh01", 7.0, 9.0)), speaking({1: spans((0.0, 2.0))})
    first = hear(doubtful, audio, speech, language="zh")
    hear(doubtful, ArrayAudio(noise(2.0)), speaking({0: spans((0.0, 2.0))}), language="zh")
    assert hear(doubtful, audio, speech, language="zh") == first
    assert words_of(first[0])


@engine
def test_a_given_language_is_not_detected(whisper: WhisperRecogniser) -> None:
    audio = ArrayAudio(clip_of("zh01", 7.0, 9.0))
    (transcript,) = hear(whisper, audio, speaking({1: spans((0.0, 2.0))}), language="en")
    assert (transcript.channel, transcript.language) == (1, "en")


@engine
def test_only_the_given_speech_is_heard(whisper: WhisperRecogniser) -> None:
    """The customer's channel up to 10 s, of which only the first part of the sentence is given as speech."""
    audio = ArrayAudio(clip_of(*ZH_CLIP))
    (transcript,) = hear(whisper, audio, speaking({1: spans((7.038, 8.5))}), language="zh")
    assert 0 < len(fold(text_of(transcript)).text) < len(fold(ZH_TEXTS[1]).text) / 2
    assert all(word.end <= 8.5 + PAD_S for word in words_of(transcript))


@engine
@pytest.mark.parametrize("language", ["zh", None])
def test_two_speakers_of_one_channel_get_their_own_words(whisper: WhisperRecogniser, language: str | None) -> None:
    """The same clip, mixed to one channel."""
    audio = ArrayAudio(clip_of(*ZH_CLIP).mean(axis=0))
    speakers = [SpeechActivity(0, s.spans, -20.0, speaker) for speaker, s in enumerate(ZH_SPEECH)]
    found = hear(whisper, audio, speakers, language=language)
    assert [(t.channel, t.speaker, t.language) for t in found] == [(0, 0, "zh"), (0, 1, "zh")]
    for transcript, said, own in zip(found, ZH_TEXTS, speakers, strict=True):
        assert likeness(text_of(transcript), said) > 0.75
        (span,) = own.spans
        assert all(span.start - PAD_S <= w.start <= w.end <= span.end + PAD_S for w in words_of(transcript))


@engine
def test_padding_reaches_no_other_speaker_of_the_channel(whisper: WhisperRecogniser) -> None:
    """The agent is said to end in the middle of a sentence, where the other goes on."""
    audio = ArrayAudio(clip_of(*ZH_CLIP)[:1])
    halves = [SpeechActivity(0, spans((0.8, 3.5)), -20.0, 0), SpeechActivity(0, spans((3.5, 6.484)), -20.0, 1)]
    first, second = hear(whisper, audio, halves, language="zh")
    assert words_of(first)[-1].end <= 3.5 <= words_of(second)[0].start


# --- where nobody speaks ----------------------------------------------------------------------------------


@engine
@pytest.mark.parametrize("name", NOT_SPEECH)
def test_no_words_without_speech(whisper: WhisperRecogniser, vad: SileroVad, name: str) -> None:
    audio = ArrayAudio(NOT_SPEECH[name](20.0))
    (transcript,) = hear(whisper, audio, vad.detect(audio), language="zh")
    assert transcript.segments == ()


@engine
@pytest.mark.parametrize("samples", [noise(20.0), tone(20.0), keypad(20.0)], ids=["noise", "tone", "keypad"])
def test_no_words_even_when_noise_is_taken_for_speech(whisper: WhisperRecogniser, samples: Samples) -> None:
    """(Digital silence is left out: there Whisper base makes up a sentence, with a confidence below any floor.)"""
    (transcript,) = hear(whisper, ArrayAudio(samples), speaking({0: spans((0, 20))}), language="zh")
    assert words_of(transcript) == []


@engine
@pytest.mark.parametrize("language", [None, "zh", "en"])
def test_speech_that_nobody_understands_is_sure_of_nothing(
    whisper: WhisperRecogniser, vad: SileroVad, language: str | None
) -> None:
    """A call played backwards: speech by every measure but its meaning. Whisper repeats "I don't know" with a
    probability of 0.9, in words that take no time: a window keeps no words, or words sure of nothing."""
    audio = ArrayAudio(clip_of("zh04", 20.0, 60.0)[:, ::-1])
    speech = vad.detect(audio)
    assert sum(span.duration_s for activity in speech for span in activity.spans) > 10
    heard = hear(whisper, audio, speech, language=language)
    segments = [segment for transcript in heard for segment in transcript.segments]
    assert segments
    assert all(segment.struck or segment.words for segment in segments)
    assert all(word.confidence == 0.0 for segment in segments for word in segment.words)


@engine
def test_a_call_without_speech_has_empty_transcripts(whisper: WhisperRecogniser) -> None:
    found = hear(whisper, ArrayAudio(np.zeros((2, RATE_HZ), np.float32)), speaking({0: (), 1: ()}), language=None)
    assert [(t.channel, t.segments) for t in found] == [(0, ()), (1, ())]


# --- real speakers ----------------------------------------------------------------------------------------


@engine
@pytest.mark.corpus
@pytest.mark.parametrize(
    ("clip", "said"),
    [
        ("firered_BAC009S0764W0121", "甚至出现交易几乎停滞的情况"),
        ("iflytek_iat_pcm_16k", "语音听写可以将一分钟以内的语音转成文字"),
    ],
)
def test_real_speakers(whisper: WhisperRecogniser, clip: str, said: str) -> None:
    path = corpus_dir() / "mandarin_real" / "clips" / f"{clip}.flac"
    samples, rate_hz = sf.read(path, dtype="float32", always_2d=True)
    audio = ArrayAudio(soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ))
    (transcript,) = hear(whisper, audio, speaking({0: spans((0.0, audio.duration_s))}), language="zh")
    assert likeness(text_of(transcript), said) > 0.7


# --- two languages ----------------------------------------------------------------------------------------


@engine
def test_each_utterance_is_recognised_in_its_own_language(
    switching: Sequence[Transcript], mandarin: Sequence[Transcript], english: Sequence[Transcript]
) -> None:
    assert {transcript.language for transcript in switching} == {"en"}  # 12.1 s of 22.6
    for both, first, second in zip(switching, mandarin, english, strict=True):
        parts = {segment.language: "".join(word.text for word in segment.words) for segment in both.segments}
        assert likeness(parts["zh"], text_of(first)) > 0.95
        assert likeness(parts["en"], text_of(second)) > 0.95
