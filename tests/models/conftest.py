"""Speech engines for tests: loaded once a session, on first use."""

import pytest

from models.asr.faster_whisper import FasterWhisper
from models.vad.silero import SileroVad
from models.weights import default_cache_dir


@pytest.fixture(scope="session")
def vad() -> SileroVad:
    return SileroVad()


@pytest.fixture(scope="session")
def whisper() -> FasterWhisper:
    return FasterWhisper(model="base", cache_dir=default_cache_dir(), threads=2)
