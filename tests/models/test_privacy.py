"""An engine at work writes nothing anywhere but where it is told to, as one that counts its users does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
from pathlib import Path
from models.diarization.pyannote import PyannoteDiarizer
PyannoteDiarizer(cache_dir=Path())._import()
from pyannote.audio.telemetry.metrics import is_metrics_enabled
assert not is_metrics_enabled()
"""


@pytest.mark.engine
def test_whoever_asks_for_reports_gets_none() -> None:
    environment = {**os.environ, "PYANNOTE_METRICS_ENABLED": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", _TAKE_APART], env=environment, check=True)
