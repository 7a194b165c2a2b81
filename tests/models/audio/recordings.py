"""Recordings for tests of the decoder, and asking it for them."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from models.audio.decoder import RecordingDecoder
from qa_service.errors import InputError
from qa_service.ports import AudioSource


def source(*paths: Path) -> AudioSource:
    return AudioSource(paths)


def noise(duration_s: float, *, rate_hz: int = 8000, channels: int = 2) -> NDArray[np.float32]:
    """float32 (time, channel)."""
    shape = (round(duration_s * rate_hz), channels)
    return (np.random.default_rng(7).standard_normal(shape) * 0.1).clip(-1, 1).astype(np.float32)


def write(
    path: Path,
    samples: NDArray[np.float32],
    *,
    rate_hz: int = 8000,
    subtype: str | None = None,
    form: str | None = None,
) -> Path:
    """``form``: libsndfile's name of the container; by the suffix when None."""
    sf.write(path, samples, rate_hz, subtype=subtype, format=form or ("OGG" if path.suffix == ".opus" else None))
    return path


def fails(decoder: RecordingDecoder, path: Path | AudioSource, code: str) -> InputError:
    """The error of a recording that cannot be decoded."""
    recording = source(path) if isinstance(path, Path) else path
    with pytest.raises(InputError) as caught, decoder.decode(recording):
        pass
    assert caught.value.code == code
    assert ": " in caught.value.message  # what is wrong: what to do
    assert "\n" not in caught.value.message
    assert caught.value.context["path"] in map(str, recording.paths)
    return caught.value


def long_silence(path: Path, *, duration_s: int, rate_hz: int = 8000) -> Path:
    """Zeros as mono 16-bit WAV, which take a decoder long; the file system stores none of them."""
    size = duration_s * rate_hz * 2
    form = struct.pack("<HHIIHH", 1, 1, rate_hz, rate_hz * 2, 2, 16)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", 16) + form)
        file.write(b"data" + struct.pack("<I", size))
        file.truncate(file.tell() + size)
    return path
