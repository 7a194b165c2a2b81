"""An engine at work writes nothing anywhere but where it is told to, as one that counts its users does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.weights import default_cache_dir
from tests.corpus import ROOT

_HEAR = """
from models.vad.silero import SileroVad
from tests.signals import ArrayAudio, tone
SileroVad().detect(ArrayAudio(tone(2)))
"""


@pytest.mark.engine
def test_an_engine_leaves_no_trace_of_its_user(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    subprocess.run(
        [sys.executable, "-c", _HEAR],
        env={**environment, "HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert [str(path) for path in tmp_path.rglob("*") if path not in (home, temporary)] == []


_TAKE_APART = """
import os, sys
from pathlib import Path
reached = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg"):
        reached.append((event, arguments[1:]))
sys.addaudithook(watch)
from models.diarization.pyannote import PyannoteDiarizer
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import SpeechActivity
from tests.signals import ArrayAudio, tone
diarizer = PyannoteDiarizer(cache_dir=Path(os.environ["WEIGHTS"]))
diarizer.take_apart(ArrayAudio(tone(2)), SpeechActivity(0, (TimeSpan(0.0, 2.0),), -20.0), expected=None)
from pyannote.audio.telemetry import metrics
assert not metrics.is_metrics_enabled()
metrics.provider.force_flush()
assert not reached, reached
"""

# What libraries build for themselves, whoever uses them: a list of the machine's fonts, an empty folder.
_OF_THE_MACHINE = ("home/.cache/matplotlib", "home/.config/matplotlib", "tmp/torchinductor_")


@pytest.mark.engine
def test_whoever_asks_for_reports_gets_none(tmp_path: Path) -> None:
    """Telling speakers apart reaches no network and leaves nothing of the call, even where the account's
    environment asks pyannote.audio for its reports."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    told = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), "PYANNOTE_METRICS_ENABLED": "1"}
    weights = {"WEIGHTS": str(default_cache_dir())}
    subprocess.run([sys.executable, "-c", _TAKE_APART], env={**environment, **told, **weights}, check=True)
    files = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert [file for file in files if not file.startswith(_OF_THE_MACHINE)] == []
