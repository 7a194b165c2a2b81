"""A minute of each sound of telephones, lines, rooms and hold music: no word of it is accepted."""

from pathlib import Path

import numpy as np
import pytest

from models.audio.decoder import RecordingDecoder
from models.vad.silero import SileroVad
from qa_service.domain.conversation import Segment
from qa_service.ports import AudioSource, DecodedAudio, SpokenCall, Transcriber
from tests.recordings import write_recording
from tests.signals import RATE_HZ, ArrayAudio
from tests.sounds import MUSIC, SOUNDS
from tests.sounds.synthesis import at_level

engine = pytest.mark.engine

LEVELS_DBFS = (-12.0, -45.0)
CODECS = ("wav-mulaw", "amr-nb", "ogg-opus")


def accepted(whisper: Transcriber, vad: SileroVad, audio: DecodedAudio) -> str:
    """The words that any language's recogniser would have a rule read."""
    speech = vad.detect(audio)
    if not any(activity.spans for activity in speech):
        return ""
    heard: list[Segment] = []
    for transcripts in whisper.transcribe([SpokenCall(audio, speech, language) for language in ("zh", "en")]):
        heard.extend(segment for transcript in transcripts for segment in transcript.segments)
    return "".join(word.text for segment in heard for word in segment.words if word.confidence > 0)


@engine
@pytest.mark.parametrize("name", SOUNDS)
def test_no_word_in_a_minute(whisper: Transcriber, vad: SileroVad, name: str) -> None:
    samples = SOUNDS[name](60.0)
    assert accepted(whisper, vad, ArrayAudio(samples)) == ""
    for level_dbfs in LEVELS_DBFS:
        assert accepted(whisper, vad, ArrayAudio(at_level(samples.astype(np.float64), level_dbfs))) == ""


@engine
@pytest.mark.parametrize("name", [*MUSIC, "keypad dialling", "bursts", "street"])
def test_no_word_in_what_a_codec_makes_of_it(
    whisper: Transcriber, vad: SileroVad, name: str, tmp_path: Path
) -> None:
    samples = SOUNDS[name](20.0)
    for codec in CODECS:
        path = tmp_path / codec
        write_recording(path, samples[None], rate_hz=RATE_HZ, format=codec)
        with RecordingDecoder().decode(AudioSource((path,))) as audio:
            assert accepted(whisper, vad, audio) == ""
