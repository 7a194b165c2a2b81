"""Length promises: only on the header's own word."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audio.headers import LengthPromise, read_promise
from tests.models.audio.recordings import noise, write
from tests.recordings import FORMATS, write_recording

BYTES = 16_000


def _wav(*, size: int = BYTES, before: bytes = b"", after: bytes = b"") -> io.BytesIO:
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    chunks = before + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return io.BytesIO(b"RIFF\0\0\0\0WAVE" + chunks + bytes(range(1, 251)) * (BYTES // 250) + after)


def _bytes(source: io.BytesIO) -> tuple[int, int, int]:
    promise = read_promise(source)
    return promise.promised_bytes, promise.held_bytes, promise.unclaimed_bytes


def test_a_wav_header_promises_its_data() -> None:
    assert _bytes(_wav()) == (BYTES, BYTES, 0)
    assert _bytes(_wav(size=5 * BYTES)) == (5 * BYTES, BYTES, 0)
    assert _bytes(_wav(before=b"LIST" + struct.pack("<I", 3) + b"abc\0")) == (BYTES, BYTES, 0)


def test_what_follows_the_data_is_chunks_or_unclaimed() -> None:
    chunk = b"LIST" + struct.pack("<I", 4) + b"abcd"
    assert _bytes(_wav(after=chunk)) == (BYTES, BYTES, 0)
    assert _bytes(_wav(after=chunk * 3 + b"data" + struct.pack("<I", 4) + b"abcd")) == (BYTES + 4, BYTES + 4, 0)
    assert _bytes(_wav(size=BYTES // 2)) == (BYTES // 2, BYTES // 2, BYTES // 2)
    assert _bytes(_wav(after=chunk + b"\1\2\3\4\5\6\7\x08more")) == (BYTES, BYTES, 12)


@pytest.mark.parametrize("fill", [0x00, 0xFF, 0xD5])
def test_space_set_aside_is_not_sound(fill: int) -> None:
    assert _bytes(_wav(after=bytes([fill]) * 3_000_000)) == (BYTES, BYTES, 0)
    assert _bytes(_wav(after=bytes([fill]) * 3_000_000 + b"\x01")) == (BYTES, BYTES, 3_000_001)


@pytest.mark.parametrize(
    "source",
    [_wav(size=0), _wav(size=0xFFFFFFFF), _wav(size=0x7FFFFFFF),
     _wav(before=b"junk" + struct.pack("<I", 0xFFFFFFFF)), _wav(before=(b"junk" + bytes(4)) * 2000)],
    ids=["zero", "placeholder", "signed-placeholder", "chunk", "chunks"],
)  # fmt: skip
def test_a_doubtful_wav_header_promises_nothing(source: io.BytesIO) -> None:
    assert read_promise(source) == LengthPromise()


@pytest.mark.parametrize(
    ("form", "subtype", "frame_bytes"),
    [("WAV", "ULAW", 2), ("RF64", "PCM_16", 4), ("W64", "PCM_24", 6), ("AIFF", "PCM_16", 4), ("AIFF", "ULAW", 2),
     ("AU", "ALAW", 2), ("CAF", "FLOAT", 8)],
)  # fmt: skip
def test_every_chunked_container_promises_its_bytes(
    tmp_path: Path, form: str, subtype: str, frame_bytes: int
) -> None:
    size = 24_000 * frame_bytes
    data = write(tmp_path / "a", noise(3.0), subtype=subtype, form=form).read_bytes()
    assert _bytes(io.BytesIO(data)) == (size, size, 0)
    assert _bytes(io.BytesIO(data[: len(data) - size // 2]))[:2] == (size, size // 2) or form == "CAF"
    assert _bytes(io.BytesIO(data + bytes(range(200)) * 5)) == (size, size, 1000)


@pytest.mark.parametrize("suffix", [".flac", ".mp3"])
def test_a_counted_flac_or_mp3_is_kept_by_ffmpeg(tmp_path: Path, suffix: str) -> None:
    data = write(tmp_path / f"a{suffix}", noise(2.0)).read_bytes()
    assert read_promise(io.BytesIO(data)).kept_by_ffmpeg
    if suffix == ".mp3":
        tagged = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128) + data
        assert read_promise(io.BytesIO(tagged)).kept_by_ffmpeg
        uncounted = data.replace(b"Xing", b"\0\0\0\0").replace(b"Info", b"\0\0\0\0")
    else:
        uncounted = data[:21] + bytes([data[21] & 0xF0, 0, 0, 0, 0]) + data[26:]
    assert not read_promise(io.BytesIO(uncounted)).kept_by_ffmpeg


@pytest.mark.parametrize("name", ["webm-opus", "mka-opus", "wma"])
def test_a_stated_duration_is_read(tmp_path: Path, name: str) -> None:
    write_recording(tmp_path / "a", noise(7.0, rate_hz=48_000).T, rate_hz=48_000, format=name)
    data = (tmp_path / "a").read_bytes()
    assert read_promise(io.BytesIO(data)).duration_s == pytest.approx(7.0, abs=0.1)
    for end in range(0, 600):  # a header that ends early says nothing, or already all
        assert read_promise(io.BytesIO(data[:end])).duration_s in (None, read_promise(io.BytesIO(data)).duration_s)


@pytest.mark.parametrize("size", [1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize(
    "data",
    [b"\0\0\0\x10ftyp" + bytes(8) + b"\0\0\0\x01mdat%s" + bytes(99),
     b"caff\0\1\0\0free%s" + bytes(99),
     b"riff" + bytes(36) + b"junk\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a%s" + bytes(99),
     b"\x1a\x45\xdf\xa3\x80\x15\x49\xa9\x66\x01%s" + bytes(99),
     b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0" + bytes(8) + b"%s" + bytes(12) + b"data" + b"\xff" * 4 + bytes(99)],
    ids=["mp4", "caf", "w64", "matroska", "rf64"],
)  # fmt: skip
def test_sizes_beyond_every_file_lead_nowhere(tmp_path: Path, data: bytes, size: int) -> None:
    (tmp_path / "a").write_bytes(data % size.to_bytes(8, "little" if data[:1] in b"rR" else "big"))
    with (tmp_path / "a").open("rb") as file:  # a position that the system refuses is an error of a file's only
        promise = read_promise(file)
    assert promise.duration_s is None
    assert promise.held_bytes <= 99


@pytest.mark.parametrize("name", ["m4a", "3gp-amr-nb"])
def test_a_movie_is_kept_by_ffmpeg_unless_in_fragments(tmp_path: Path, name: str) -> None:
    write_recording(tmp_path / "a", noise(2.0, channels=1).T, rate_hz=8000, format=name)
    data = (tmp_path / "a").read_bytes()
    promise = read_promise(io.BytesIO(data))
    assert promise.kept_by_ffmpeg
    assert 0 < promise.promised_bytes == promise.held_bytes < len(data)
    assert promise.unclaimed_bytes <= 8
    assert not read_promise(io.BytesIO(data.replace(b"stbl", b"mvex"))).kept_by_ffmpeg
    assert not read_promise(io.BytesIO(data[: len(data) // 2])).kept_by_ffmpeg  # its table is at the end


@given(st.sampled_from(["", *FORMATS]), st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_leave_the_source_at_its_start(heads: dict[str, bytes], name: str, tail: bytes, at: int) -> None:
    source = io.BytesIO(heads.get(name, b"")[:at] + tail)
    read_promise(source)
    assert source.tell() == 0


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("heads")
    for name, known in FORMATS.items():
        if known.write is not None:
            samples = noise(0.2, rate_hz=16_000, channels=1).T
            write_recording(folder / name, samples, rate_hz=16_000, format=name)
    return {file.name: file.read_bytes()[:400] for file in folder.iterdir()}
