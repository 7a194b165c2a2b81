"""Speech engines for tests: loaded once a session, on first use."""

import pytest

from models.asr.faster_whisper import FasterWhisper
from models.asr.recogniser import WhisperRecogniser
from models.diarization.pyannote import PyannoteDiarizer
from models.vad.silero import SileroVad
from models.weights import default_cache_dir


@pytest.fixture(scope="session")
def vad() -> SileroVad:
    return SileroVad()


@pytest.fixture(scope="session")
def whisper() -> WhisperRecogniser:
    return WhisperRecogniser(
        FasterWhisper(model="base", cache_dir=default_cache_dir(), device="cpu", compute_type="default", threads=2)
    )


@pytest.fixture(scope="session")
def pyannote() -> PyannoteDiarizer:
    return PyannoteDiarizer(cache_dir=default_cache_dir())
