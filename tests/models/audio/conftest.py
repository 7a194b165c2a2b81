from pathlib import Path

import pytest

from models.audio.decoder import RecordingDecoder


@pytest.fixture
def decoder(tmp_path: Path) -> RecordingDecoder:
    return RecordingDecoder(spool_dir=tmp_path / "spool")
