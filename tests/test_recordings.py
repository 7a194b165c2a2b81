"""The recordings that tests are made of: each format holds the samples it was given, the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
import soxr

from models.audio.decoder import RecordingDecoder
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import AudioSource
from tests.recordings import DATA, FORMATS, Samples, sound, write_call, write_recording
from tests.signals import clip_of

WRITTEN = [name for name, known in FORMATS.items() if known.write is not None]

# Samples at 16 kHz that the encoder puts before the first one where the container does not say so: an AAC frame
# without an MP4 edit list, LAME's delay without its tag, the look-ahead of AMR, G.722 and G.723.1. FFmpeg's WMA
# decoder takes off one frame more than its encoder puts on; its 3GP muxer takes off more than AMR-NB's.
DELAY = {"aac": 2048, "wav-mp3": 2210, "wma": -1024, "amr-nb": 79, "3gp-amr-nb": -21, "amr-wb": 95,
         "raw-g722": 22, "raw-g723": 120}  # fmt: skip


@pytest.fixture(scope="module")
def call() -> Samples:
    """Three seconds in which both sides speak, float32 (channel, time) at 8 kHz."""
    return np.ascontiguousarray(soxr.resample(clip_of("zh04", 13.5, 16.5).T, 16_000, 8000).T)


def decoded(source: AudioSource) -> Samples:
    with RecordingDecoder().decode(source) as audio:
        return np.stack([audio.read(channel, TimeSpan(0.0, 60.0)) for channel in range(audio.channels)])


def likeness(heard: Samples, said: Samples, *, delay: int) -> float:
    """Correlation of one channel with what was written, the known delay taken off."""
    heard, said = heard[max(0, delay) :], said[max(0, -delay) :]
    length = min(len(heard), len(said))
    return float(np.corrcoef(heard[:length], said[:length])[0, 1])


@pytest.mark.parametrize("format", WRITTEN)
def test_what_is_written_is_heard(tmp_path: Path, call: Samples, format: str) -> None:
    source = write_call(tmp_path, call, rate_hz=8000, format=format)
    sides = decoded(source)
    said = soxr.resample(call.T, 8000, 16_000).T
    assert len(sides) == 2
    assert sides.shape[1] / 16_000 == pytest.approx(3.0, abs=0.26)
    for side, other in ((0, 1), (1, 0)):
        same = likeness(sides[side], said[side], delay=DELAY.get(format, 0))
        assert same > (0.999 if FORMATS[format].lossless else 0.9)
        assert same > 2 * abs(likeness(sides[side], said[other], delay=DELAY.get(format, 0)))


@pytest.mark.parametrize("format", WRITTEN)
def test_the_same_samples_are_the_same_bytes(tmp_path: Path, format: str) -> None:
    for name in ("first", "second"):
        write_recording(tmp_path / name, sound(1), rate_hz=8000, format=format)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("format", WRITTEN)
def test_any_number_of_samples_is_written(tmp_path: Path, format: str) -> None:
    (clip,) = decoded(write_call(tmp_path, sound(1)[:, :8001], rate_hz=8000, format=format))
    assert len(clip) >= 16_000 * 0.9


def test_a_format_that_cannot_hold_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds 1 channel"):
        write_recording(tmp_path / "a", sound(2), rate_hz=8000, format="amr-nb")
    with pytest.raises(ValueError, match="has no encoder"):
        write_recording(tmp_path / "a", sound(1), rate_hz=8000, format="amr-wb")
    with pytest.raises(KeyError):
        write_recording(tmp_path / "a", sound(1), rate_hz=8000, format="wax")


def test_the_kept_recordings_are_heard() -> None:
    (clip,) = decoded(AudioSource((DATA / "clip.awb",)))
    customer = clip_of("zh04", 6.6, 8.6)[1]
    assert len(clip) == 2 * 16_000
    assert likeness(clip, customer, delay=DELAY["amr-wb"]) > 0.95
