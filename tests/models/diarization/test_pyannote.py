"""The real engine on short pieces of calls mixed to one channel: who speaks when, the same every time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from models.diarization.pyannote import CHUNK_S, DiarizationOptions, PyannoteDiarizer, _loudness
from models.diarization.voices import VoiceOptions
from models.vad.silero import SileroVad
from models.weights import CAMPPLUS, SEGMENTATION, PackagedModel, assemble, default_cache_dir
from qa_service.domain.timeline import TimeSpan, difference, hull, intersection, total_s
from qa_service.errors import EngineError
from qa_service.ports import SpeechActivity
from tests.builders import spans
from tests.corpus import ROOT, corpus_dir
from tests.models.diarization.der import error_rate
from tests.signals import NOT_SPEECH, RATE_HZ, ArrayAudio, Samples, clip_of, line_noise, noise, tone

engine = pytest.mark.engine

# Pieces of example calls, and when their agent and their customer speak in them.
EXCERPTS = {
    "zh01": (0.0, 20.0, (spans((0.8, 6.484), (12.514, 20.0)), spans((7.038, 11.784)))),
    "en01": (0.0, 14.0, (spans((0.8, 7.235)), spans((7.919, 13.707)))),
    # They talk over each other twice.
    "zh04": (8.0, 32.0, (spans((6.044, 9.639), (19.13, 23.566)), spans((0.0, 8.244), (10.239, 20.93)))),
}
OVERLAPS = spans((6.044, 8.244), (19.13, 20.93))
MAX_ERROR = 0.1  # 0.01 to 0.02 for Mandarin; 0.09 for the English voices, whose pauses the truth counts as speech


def mixed(name: str) -> Samples:
    start_s, end_s, _ = EXCERPTS[name]
    mean: Samples = clip_of(name, start_s, end_s).mean(axis=0)
    return mean


def anywhere(audio: ArrayAudio) -> SpeechActivity:
    """Speech from beginning to end, as far as any detector goes."""
    return SpeechActivity(0, (TimeSpan(0.0, audio.duration_s),), -20.0)


def apart(
    pyannote: PyannoteDiarizer, samples: Samples, *, expected: int | None = None
) -> tuple[SpeechActivity, ...]:
    audio = ArrayAudio(samples)
    return pyannote.take_apart(audio, anywhere(audio), expected=expected)


def spans_of(found: tuple[SpeechActivity, ...]) -> list[tuple[TimeSpan, ...]]:
    return [speaker.spans for speaker in found]


# --- who speaks when --------------------------------------------------------------------------------------


@engine
@pytest.mark.parametrize("name", EXCERPTS)
def test_two_speakers_are_found_without_being_told(pyannote: PyannoteDiarizer, name: str) -> None:
    samples, (start_s, end_s, truth) = mixed(name), EXCERPTS[name]
    found = apart(pyannote, samples)
    assert [(s.channel, s.speaker) for s in found] == [(0, 0), (0, 1)]
    assert hull(found[0].spans).start < hull(found[1].spans).start
    assert error_rate(truth, spans_of(found), end_s - start_s) < MAX_ERROR
    first, second = sorted(truth)
    for own, other, told in ((first, second, found[0].spans), (second, first, found[1].spans)):
        assert total_s(intersection(told, difference(other, own))) < 0.2  # nobody is given another's words


@engine
def test_what_is_said_at_once_is_both_speakers(pyannote: PyannoteDiarizer) -> None:
    first, second = spans_of(apart(pyannote, mixed("zh04")))
    both = intersection(first, second)
    assert total_s(intersection(both, OVERLAPS)) > 0.85 * total_s(OVERLAPS)
    assert total_s(both) < 1.1 * total_s(OVERLAPS)


@engine
@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("name", EXCERPTS)
def test_one_speaker_is_one(pyannote: PyannoteDiarizer, name: str, channel: int) -> None:
    start_s, end_s, truth = EXCERPTS[name]
    samples = clip_of(name, start_s, end_s)[channel]
    assert error_rate([truth[channel]], spans_of(apart(pyannote, samples)), end_s - start_s) < MAX_ERROR


@engine
@pytest.mark.parametrize("expected", [1, 2, 3])
def test_the_expected_number_of_speakers(pyannote: PyannoteDiarizer, expected: int) -> None:
    found = apart(pyannote, mixed("zh01"), expected=expected)
    assert [s.speaker for s in found] == list(range(expected))


# --- the same again ---------------------------------------------------------------------------------------


@engine
def test_the_same_audio_gives_the_same_speakers(pyannote: PyannoteDiarizer) -> None:
    """To the last bit, also after other audio, and in an engine loaded anew."""
    first = apart(pyannote, mixed("zh01"))
    apart(pyannote, mixed("en01"))
    assert apart(pyannote, mixed("zh01")) == first
    assert apart(PyannoteDiarizer(cache_dir=default_cache_dir()), mixed("zh01")) == first


@engine
@pytest.mark.parametrize("gain_db", [-20.0, 12.0])
def test_loudness_changes_the_level_alone(pyannote: PyannoteDiarizer, gain_db: float) -> None:
    samples = mixed("zh04")
    before, after = apart(pyannote, samples), apart(pyannote, (10 ** (gain_db / 20) * samples).astype(np.float32))
    assert error_rate(spans_of(before), spans_of(after), len(samples) / RATE_HZ) < 0.02
    for quiet, loud in zip(before, after, strict=True):
        assert quiet.level_dbfs is not None
        assert loud.level_dbfs == pytest.approx(quiet.level_dbfs + gain_db, abs=0.3)


@engine
def test_what_comes_later_changes_nothing_before(pyannote: PyannoteDiarizer) -> None:
    """Silence at the end, past the end of the last chunk."""
    samples = mixed("en01")
    longer = np.append(samples, np.zeros(round(7.3 * RATE_HZ), np.float32))
    before, after = spans_of(apart(pyannote, samples)), spans_of(apart(pyannote, longer))
    assert error_rate(before, after, len(longer) / RATE_HZ) < 0.02


# --- no speech --------------------------------------------------------------------------------------------


@engine
@pytest.mark.parametrize("name", NOT_SPEECH)
def test_what_is_no_speech_is_never_two_people(pyannote: PyannoteDiarizer, name: str) -> None:
    """Even where a detector takes all of it for speech."""
    assert len(apart(pyannote, NOT_SPEECH[name](20.0))) <= 1


@engine
def test_only_near_detected_speech_anybody_speaks(pyannote: PyannoteDiarizer) -> None:
    """The first sentence is all that the detector heard: the second one begins two seconds later."""
    audio = ArrayAudio(mixed("en01"))
    (found,) = pyannote.take_apart(audio, SpeechActivity(0, spans((0.8, 6.0)), -20.0), expected=None)
    assert hull(found.spans).end < 7.5


@engine
def test_noise_around_a_call_is_nobodys(pyannote: PyannoteDiarizer, vad: SileroVad) -> None:
    around = noise(12.0, rms=0.02), tone(8.0)
    audio = ArrayAudio(np.concatenate([around[0], mixed("en01"), around[1]]))
    (activity,) = vad.detect(audio)
    found = pyannote.take_apart(audio, activity, expected=None)
    truth = [[TimeSpan(s.start + 12.0, s.end + 12.0) for s in whose] for whose in EXCERPTS["en01"][2]]
    assert error_rate(truth, spans_of(found), audio.duration_s) < MAX_ERROR


# --- lengths ----------------------------------------------------------------------------------------------


@engine
@pytest.mark.parametrize("length_s", [0.01, 0.1, 0.4, 1.0, 9.9, CHUNK_S, CHUNK_S + 0.01, CHUNK_S + 0.5])
def test_any_length(pyannote: PyannoteDiarizer, length_s: float) -> None:
    """Somebody speaks without a pause, cut wherever: one speaker, to the end and no further."""
    found = apart(pyannote, clip_of("zh04", 18.3, 18.3 + length_s)[1])
    if length_s < 0.2:
        assert found == ()
        return
    (speaker,) = found
    whole = hull(speaker.spans)
    assert 0.0 <= whole.start < 0.3
    assert length_s - 0.2 < whole.end <= length_s + 1e-9


class Watched(ArrayAudio):
    """Audio that remembers the longest piece read of it."""

    longest_s = 0.0

    def read(self, channel: int, span: TimeSpan) -> Samples:
        self.longest_s = max(self.longest_s, span.duration_s)
        return super().read(channel, span)


@engine
def test_the_audio_is_never_whole_in_memory(pyannote: PyannoteDiarizer) -> None:
    audio = Watched(np.tile(mixed("zh04"), 3))
    found = pyannote.take_apart(audio, anywhere(audio), expected=None)
    assert sum(total_s(s.spans) for s in found) > 60.0
    assert CHUNK_S <= audio.longest_s < 30.0


def test_the_level_is_a_mean_of_power_while_speaking() -> None:
    samples = np.concatenate([tone(1.0), line_noise(9.0)])
    level_db = 20 * np.log10(0.3) - 3.01
    assert _loudness(ArrayAudio(samples), 0, spans((0.0, 1.0))).mean_dbfs == pytest.approx(level_db, abs=0.01)
    assert _loudness(ArrayAudio(samples), 0, spans((0.0, 0.5), (0.5, 2.0))).mean_dbfs == pytest.approx(
        level_db - 3.01, abs=0.01
    )
    assert _loudness(ArrayAudio(np.zeros(RATE_HZ, np.float32)), 0, spans((0.0, 1.0))).mean_dbfs == -120.0


# --- provenance and refusals ------------------------------------------------------------------------------


def test_the_run_tells_every_option() -> None:
    cache_dir = Path("nowhere")  # asking what would run loads nothing
    run = PyannoteDiarizer(cache_dir=cache_dir, device="cuda").run
    assert (run.stage, run.engine, run.device) == ("diarization", "pyannote.audio", "cuda")
    assert set(dict(run.options)) == {*DiarizationOptions.__slots__, "pipeline"}
    for other in (DiarizationOptions(bridge_s=0.2), DiarizationOptions(voices=VoiceOptions(same_voice=0.8))):
        assert PyannoteDiarizer(cache_dir=cache_dir, device="cuda", options=other).run != run


def refused_without(package: str) -> str:
    """The error of a process in which ``package`` is not installed: what is loaded stays loaded in this one."""
    code = f"""
import sys
from pathlib import Path
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r} or name.startswith({package + "."!r}):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from models.diarization.pyannote import PyannoteDiarizer
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import EngineError
from qa_service.ports import SpeechActivity
from tests.signals import ArrayAudio, tone
try:
    PyannoteDiarizer(cache_dir=Path({str(default_cache_dir())!r})).take_apart(
        ArrayAudio(tone(1)), SpeechActivity(0, (TimeSpan(0.0, 1.0),), None), expected=None
    )
except EngineError as error:
    print(error.code, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


@engine
@pytest.mark.parametrize("package", ["torch", "pyannote.audio", "torchaudio"])
def test_a_package_that_is_not_installed(package: str) -> None:
    assert refused_without(package).startswith("engine_missing ")


@engine
def test_no_gpu() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EngineError) as caught:
        apart(PyannoteDiarizer(cache_dir=default_cache_dir(), device="cuda"), tone(1.0))
    assert caught.value.code == "engine_unavailable"


@engine
@pytest.mark.parametrize(
    ("model", "file"),
    [(SEGMENTATION, "pytorch_model.bin"), (CAMPPLUS, "campplus.pt"), (CAMPPLUS, "camplusplus.py")],
)
def test_weights_damaged_since_they_were_verified(tmp_path: Path, model: PackagedModel, file: str) -> None:
    for needed in (SEGMENTATION, CAMPPLUS):
        assemble(needed, cache_dir=tmp_path)
    (assemble(model, cache_dir=tmp_path).path / file).write_bytes(b"no such thing")
    with pytest.raises(EngineError) as caught:
        apart(PyannoteDiarizer(cache_dir=tmp_path), tone(1.0))
    assert caught.value.code == "model_corrupt"


# --- a real call ------------------------------------------------------------------------------------------


def rttm(path: Path) -> list[list[TimeSpan]]:
    """The speakers of a NIST RTTM file."""
    speakers: dict[str, list[TimeSpan]] = {}
    for line in path.read_text("utf-8").splitlines():
        fields = line.split()
        start_s, length_s = float(fields[3]), float(fields[4])
        speakers.setdefault(fields[7], []).append(TimeSpan(start_s, start_s + length_s))
    return list(speakers.values())


@engine
@pytest.mark.corpus
def test_the_librarys_own_sample(pyannote: PyannoteDiarizer, vad: SileroVad) -> None:
    """Two people on a telephone who answer fast and talk over each other."""
    folder = corpus_dir() / "english_real"
    samples, rate_hz = sf.read(folder / "pyannote_sample.flac", dtype="float32")
    assert rate_hz == RATE_HZ
    audio = ArrayAudio(samples)
    (activity,) = vad.detect(audio)
    found = pyannote.take_apart(audio, activity, expected=None)
    assert error_rate(rttm(folder / "pyannote_sample.rttm"), spans_of(found), audio.duration_s) <= 0.08
