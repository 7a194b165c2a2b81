"""Every Whisper runtime against one contract, and against each other: the same weights hear the same."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
import torch

from models.asr.ct2_weights import checkpoint
from models.asr.recogniser import WhisperRecogniser
from models.asr.runtime import Decoding, Samples, WhisperRuntime
from models.asr.whisper import NoRepeat
from models.registry import WHISPERS, transcriber, whisper_runtime
from models.weights import default_cache_dir, locate
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import ConfigurationError, EngineError
from qa_service.ports import SpeechActivity, SpokenCall
from tests.corpus import corpus_dir
from tests.signals import RATE_HZ, ArrayAudio, clip_of

engine = pytest.mark.engine
CLIPS = {
    "zh01 agent": ("zh01", 0.0, 7.0, 0),
    "zh01 customer": ("zh01", 6.8, 12.25, 1),
    "en01": ("en01", 0.5, 7.5, 0),
}
PROMPTS = {"zh": "以下是普通话的句子。", "en": ""}
LENGTH_S = 9.0


def runtime(name: str, model: str = "base") -> WhisperRuntime:
    return whisper_runtime(
        name, model=model, cache_dir=default_cache_dir(), device="cpu", compute_type="float32", threads=2
    )


@pytest.fixture(scope="module")
def runtimes() -> Mapping[str, WhisperRuntime]:
    return {name: runtime(name) for name in WHISPERS}


def window(name: str) -> Samples:
    call, start_s, end_s, channel = CLIPS[name]
    samples = clip_of(call, start_s, end_s)[channel]
    return np.pad(samples, (0, round(LENGTH_S * RATE_HZ) - len(samples)))


@engine
@pytest.mark.parametrize("name", WHISPERS)
@pytest.mark.parametrize(
    "decoding", [Decoding(), Decoding(beam_size=3, no_repeat_ngram_size=3)], ids=["greedy", "beam"]
)
def test_a_window_in_a_batch_is_heard_as_alone(
    runtimes: Mapping[str, WhisperRuntime], name: str, decoding: Decoding
) -> None:
    whisper = runtimes[name]
    features = [whisper.features(window(clip)) for clip in ("zh01 agent", "zh01 customer")]
    together = whisper.encode(features)
    alone = [whisper.encode([one])[0] for one in features]
    frames = round(LENGTH_S * 100)
    options = {"language": "zh", "prompt": PROMPTS["zh"], "decoding": decoding, "max_tokens": 150}
    texts = whisper.decode(together, **options)
    assert texts == [whisper.decode([one], **options)[0] for one in alone]
    assert all(len(text.tokens) > 5 for text in texts)
    tokens = [text.tokens for text in texts]
    assert whisper.align(together, tokens, language="zh", frames=[frames] * 2) == [
        whisper.align([one], [said], language="zh", frames=[frames])[0]
        for one, said in zip(alone, tokens, strict=True)
    ]


@engine
@pytest.mark.parametrize("clip", CLIPS)
def test_the_same_weights_hear_the_same(runtimes: Mapping[str, WhisperRuntime], clip: str) -> None:
    """Text to the letter; times to a frame of 20 ms, probabilities to rounding."""
    language = clip[:2]
    found = []
    for whisper in runtimes.values():
        encoded = whisper.encode([whisper.features(window(clip))])
        (text,) = whisper.decode(
            encoded, language=language, prompt=PROMPTS[language], decoding=Decoding(), max_tokens=150
        )
        (words,) = whisper.align(encoded, [text.tokens], language=language, frames=[round(LENGTH_S * 100)])
        (languages,) = whisper.language_probabilities(encoded)
        found.append((text, words, languages))
    (text, words, languages), *others = found
    assert len(text.text) > 10
    assert max(languages, key=lambda code: languages[code]) == language
    for other_text, other_words, other_languages in others:
        assert (other_text.text, other_text.tokens) == (text.text, text.tokens)
        assert other_text.average_log_probability == pytest.approx(text.average_log_probability, abs=0.002)
        assert other_text.no_speech_probability == pytest.approx(text.no_speech_probability, abs=0.002)
        assert other_languages[language] == pytest.approx(languages[language], abs=0.002)
        assert [word.text for word in other_words] == [word.text for word in words]
        assert [word.start for word in other_words] == pytest.approx([w.start for w in words], abs=0.021)
        assert [word.end for word in other_words] == pytest.approx([w.end for w in words], abs=0.021)
        assert [w.confidence for w in other_words] == pytest.approx([w.confidence for w in words], abs=0.01)


@engine
@pytest.mark.corpus
def test_the_same_weights_hear_the_same_of_real_speakers(runtimes: Mapping[str, WhisperRuntime]) -> None:
    clips = sorted((corpus_dir() / "mandarin_real" / "clips").glob("*.flac"))[::11]
    spoken = []
    for path in clips:
        samples, rate_hz = sf.read(path, dtype="float32", always_2d=True)
        audio = ArrayAudio(soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ))
        speech = (SpeechActivity(0, (TimeSpan(0.0, audio.duration_s),), -20.0),)
        spoken.append(SpokenCall(audio, speech, "zh"))
    texts = [
        [
            "".join(word.text for segment in transcript.segments for word in segment.words)
            for (transcript,) in WhisperRecogniser(whisper).transcribe(spoken)
        ]
        for whisper in runtimes.values()
    ]
    assert all(texts[0])
    assert texts[1:] == texts[:1] * (len(texts) - 1)


@engine
@pytest.mark.parametrize("name", WHISPERS)
def test_the_run_tells_engine_model_and_options(name: str) -> None:
    recogniser = transcriber(name, model="base", cache_dir=None, device="cpu", compute_type="default", threads=1)
    run = recogniser.run
    assert (run.stage, run.engine, run.model, run.device) == ("asr", name, "base", "cpu")
    assert dict(run.options)["compute_type"] == {"faster-whisper": "int8", "openai-whisper": "float32"}[name]
    assert list(run.options) == sorted(run.options)


# --- models that cannot be used -----------------------------------------------------------------------------


def refused(name: str, model: Path | str) -> EngineError:
    whisper = runtime(name, str(model))
    with pytest.raises(EngineError) as caught:
        whisper.features(np.zeros(RATE_HZ, np.float32))
    return caught.value


@pytest.mark.parametrize("name", WHISPERS)
def test_an_unknown_model(name: str, tmp_path: Path) -> None:
    assert refused(name, "huge").code == "model_unknown"
    assert refused(name, tmp_path / "nowhere").code == "model_unknown"


@pytest.mark.parametrize("name", WHISPERS)
def test_a_folder_without_weights(name: str, tmp_path: Path) -> None:
    assert refused(name, tmp_path).code == "model_missing"


@engine
@pytest.mark.parametrize(
    ("name", "code"), [("faster-whisper", "engine_unavailable"), ("openai-whisper", "model_unusable")]
)
def test_weights_that_are_no_model(name: str, code: str, tmp_path: Path) -> None:
    for file in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"):
        (tmp_path / file).write_text("{}")
    assert refused(name, tmp_path).code == code


def test_quantised_weights_are_for_faster_whisper_only(tmp_path: Path) -> None:
    name = b"encoder/conv1/weight_scale\0"
    header = struct.pack("<I", 6) + struct.pack("<H", 12) + b"WhisperSpec\0" + struct.pack("<II", 3, 1)
    (tmp_path / "model.bin").write_bytes(
        header + struct.pack("<H", len(name)) + name + struct.pack("<BIBI", 1, 1, 0, 4) + bytes(4)
    )
    with pytest.raises(EngineError, match=r"its weights are quantised.*QA_ASR_ENGINE=faster-whisper") as caught:
        checkpoint(tmp_path)
    assert caught.value.code == "model_unusable"


@engine
def test_truncated_weights(tmp_path: Path) -> None:
    with (locate("base", cache_dir=default_cache_dir()).path / "model.bin").open("rb") as whole:
        (tmp_path / "model.bin").write_bytes(whole.read(1_000_000))
    with pytest.raises(EngineError, match="not a Whisper with float weights"):
        checkpoint(tmp_path)


@pytest.mark.parametrize("name", WHISPERS)
def test_making_a_recogniser_loads_nothing(name: str, tmp_path: Path) -> None:
    whisper_runtime(name, model="huge", cache_dir=tmp_path, device="cpu", compute_type="default", threads=1)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="use one of faster-whisper, openai-whisper") as caught:
        runtime("vosk")
    assert caught.value.code == "engine_unknown"


def test_a_compute_type_that_torch_has_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="openai-whisper has no int8"):
        whisper_runtime(
            "openai-whisper", model="base", cache_dir=tmp_path, device="cpu", compute_type="int8", threads=1
        )


# --- openai-whisper's ban on repetition ----------------------------------------------------------------------


def test_a_run_of_tokens_is_not_said_twice() -> None:
    logits = torch.zeros(2, 6)
    said = torch.tensor([[9, 9, 1, 2, 3, 1, 2], [9, 9, 1, 2, 3, 4, 5]])
    NoRepeat(3, 2).apply(logits, said)
    assert logits.isneginf().nonzero().tolist() == [[0, 3]]


@engine
@pytest.mark.parametrize("name", WHISPERS)
def test_an_engine_can_be_tried_without_a_recording(runtimes: Mapping[str, WhisperRuntime], name: str) -> None:
    WhisperRecogniser(runtimes[name]).rehearse()


def test_a_trial_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        WhisperRecogniser(runtime("faster-whisper", str(tmp_path))).rehearse()
    assert caught.value.code == "model_missing"
