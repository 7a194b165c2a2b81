"""Length promises: only on the header's own word."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from models.audio.headers import LengthPromise, read_promise


def _wav(*, tag: int = 1, bytes_per_s: int = 16000, size: int = 16000, before: bytes = b"") -> io.BytesIO:
    form = struct.pack("<HHIIHH", tag, 1, 8000, bytes_per_s, 2, 16)
    chunks = before + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return io.BytesIO(b"RIFF\0\0\0\0WAVE" + chunks + bytes(16000))


def test_a_wav_header_promises_its_data() -> None:
    assert read_promise(_wav(size=80000)).duration_s == 5.0
    assert read_promise(_wav(before=b"LIST" + struct.pack("<I", 3) + b"abc\0")).duration_s == 1.0


@pytest.mark.parametrize(
    "source",
    [_wav(size=0), _wav(size=0xFFFFFFFF), _wav(size=0x7FFFFFFF), _wav(bytes_per_s=0), _wav(bytes_per_s=12345),
     _wav(tag=0x55), _wav(before=b"junk" + struct.pack("<I", 0xFFFFFFFF)),
     _wav(before=(b"junk" + bytes(4)) * 2000)],
    ids=["zero", "placeholder", "signed-placeholder", "no-rate", "contradiction", "mp3-inside", "chunk", "chunks"],
)  # fmt: skip
def test_a_doubtful_wav_header_promises_nothing(source: io.BytesIO) -> None:
    assert read_promise(source) == LengthPromise()


@pytest.mark.parametrize("suffix", [".flac", ".mp3"])
def test_a_counted_flac_or_mp3_is_kept_by_ffmpeg(tmp_path: Path, suffix: str) -> None:
    sf.write(tmp_path / f"a{suffix}", np.zeros(16000), 8000)
    data = (tmp_path / f"a{suffix}").read_bytes()
    assert read_promise(io.BytesIO(data)).kept_by_ffmpeg
    if suffix == ".mp3":
        tagged = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128) + data
        assert read_promise(io.BytesIO(tagged)).kept_by_ffmpeg
        uncounted = data.replace(b"Xing", b"\0\0\0\0").replace(b"Info", b"\0\0\0\0")
    else:
        uncounted = data[:21] + bytes([data[21] & 0xF0, 0, 0, 0, 0]) + data[26:]
    assert not read_promise(io.BytesIO(uncounted)).kept_by_ffmpeg


@given(
    st.sampled_from([b"", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt ", b"fLaC", b"ID3", b"\xff\xfb"]), st.binary()
)
def test_any_bytes_leave_the_source_at_its_start(head: bytes, tail: bytes) -> None:
    source = io.BytesIO(head + tail)
    read_promise(source)
    assert source.tell() == 0
