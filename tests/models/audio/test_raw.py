"""Recordings without a header: read as declared, refused when not."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from models.audio.decoder import RecordingDecoder
from models.audio.limits import AudioLimits
from models.audio.raw import ENCODINGS, Prefixed, raw_input
from qa_service.domain.call import RawFormat
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError
from qa_service.ports import AudioSource
from tests.models.audio.recordings import fails, noise, write
from tests.recordings import DATA, FORMATS, write_call

WHOLE = TimeSpan(0.0, float("inf"))


def declared(path: Path, encoding: str, rate_hz: int, channels: int = 1) -> AudioSource:
    return AudioSource((path,), raw_format=RawFormat(encoding, rate_hz, channels))


PCM = {
    "mulaw": "ULAW",
    "alaw": "ALAW",
    "s8": "PCM_S8",
    "u8": "PCM_U8",
    "s16le": "PCM_16",
    "s24le": "PCM_24",
    "s32le": "PCM_32",
    "f32le": "FLOAT",
}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8000, 16_000])
@pytest.mark.parametrize("encoding", [*PCM, "s16be"])
def test_declared_samples_are_read(
    tmp_path: Path, decoder: RecordingDecoder, encoding: str, rate_hz: int, channels: int
) -> None:
    path, samples = tmp_path / "a.raw", noise(1.0, rate_hz=rate_hz, channels=channels)
    endian = "BIG" if encoding == "s16be" else "LITTLE"
    sf.write(path, samples, rate_hz, format="RAW", subtype=PCM.get(encoding, "PCM_16"), endian=endian)
    with decoder.decode(declared(path, encoding, rate_hz, channels)) as audio:
        assert (audio.channels, audio.duration_s) == (channels, 1.0)
        if rate_hz == 16_000:
            for channel in range(channels):
                error = audio.read(channel, WHOLE) - samples[:, channel]
                assert np.abs(error).max() < (0.02 if encoding in ("mulaw", "alaw", "s8", "u8") else 1e-4)


CODED = [name for name, known in FORMATS.items() if known.encoding and known.channels == 1]


@pytest.mark.parametrize("name", CODED)
def test_declared_codecs_are_read(tmp_path: Path, decoder: RecordingDecoder, name: str) -> None:
    rate_hz = FORMATS[name].rate_hz or 8000
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * rate_hz) / rate_hz)
    tone[: rate_hz // 2] = 0.0
    with decoder.decode(
        write_call(tmp_path, tone[None].astype(np.float32), rate_hz=rate_hz, format=name)
    ) as audio:
        assert audio.duration_s == pytest.approx(2.0, abs=0.04)
        assert np.std(audio.read(0, TimeSpan(0.0, 0.4))) < 0.02
        heard = audio.read(0, TimeSpan(1.0, 1.5))
    assert np.std(heard) == pytest.approx(0.21, abs=0.06)
    assert np.argmax(np.abs(np.fft.rfft(heard))) * 2 == pytest.approx(440, abs=4)


@pytest.mark.parametrize(("encoding", "header"), [("amrnb", b"#!AMR\n"), ("amrwb", b"#!AMR-WB\n")])
def test_amr_without_its_header(tmp_path: Path, decoder: RecordingDecoder, encoding: str, header: bytes) -> None:
    whole = DATA / "clip.awb"
    if encoding == "amrnb":
        whole = write_call(tmp_path, noise(1.0, channels=1).T, rate_hz=8000, format="amr-nb").paths[0]
    data = whole.read_bytes()
    assert data.startswith(header)
    (tmp_path / "a.raw").write_bytes(data[len(header) :])
    with decoder.decode(AudioSource((whole,))) as audio:
        expected = audio.read(0, WHOLE)
    with decoder.decode(declared(tmp_path / "a.raw", encoding, 8000 if encoding == "amrnb" else 16_000)) as audio:
        np.testing.assert_array_equal(audio.read(0, WHOLE), expected)


def test_a_declaration_is_obeyed_whatever_the_file_looks_like(tmp_path: Path, decoder: RecordingDecoder) -> None:
    path = write(tmp_path / "a.wav", noise(1.0, channels=1), subtype="ULAW")
    with decoder.decode(declared(path, "mulaw", 8000)) as audio:
        assert audio.duration_s == path.stat().st_size / 8000  # header and all


def test_undeclared_bytes_are_not_guessed_at(tmp_path: Path, decoder: RecordingDecoder) -> None:
    for encoding, subtype in PCM.items():
        path = tmp_path / f"{encoding}.raw"
        sf.write(path, noise(2.0, channels=1), 8000, format="RAW", subtype=subtype)
        assert "raw_format" in fails(decoder, path, "not_audio").message


def test_quiet_a_law_is_not_taken_for_gsm(tmp_path: Path, decoder: RecordingDecoder) -> None:
    """Its silence, 0xD5, is what a GSM frame begins with."""
    (tmp_path / "a.al").write_bytes(b"\xd5" * 33_000)
    fails(decoder, tmp_path / "a.al", "not_audio")


def test_an_unknown_encoding_lists_the_known(tmp_path: Path, decoder: RecordingDecoder) -> None:
    path = write(tmp_path / "a.wav", noise(0.1))
    message = fails(decoder, declared(path, "mp5", 8000), "raw_format_unknown").message
    assert all(name in message for name in ENCODINGS)


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "channels"),
    [("g722", 8000, 1), ("g722", 16_000, 2), ("gsm", 16_000, 1), ("amrwb", 8000, 1), ("vox", 8000, 2),
     ("mulaw", 0, 1), ("mulaw", 8000, 0), ("s16le", -8000, 1)],
)  # fmt: skip
def test_what_an_encoding_cannot_be_is_refused(
    tmp_path: Path, decoder: RecordingDecoder, encoding: str, rate_hz: int, channels: int
) -> None:
    path = write(tmp_path / "a.wav", noise(0.1))
    fails(decoder, declared(path, encoding, rate_hz, channels), "raw_format_unknown")


def test_limits_hold_for_declared_formats(tmp_path: Path, decoder: RecordingDecoder) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(400_000))
    fails(decoder, declared(tmp_path / "a.raw", "s16le", 5999), "sample_rate_unsupported")
    fails(decoder, declared(tmp_path / "a.raw", "s16le", 2**31 - 1), "sample_rate_unsupported")
    fails(decoder, declared(tmp_path / "a.raw", "mulaw", 8000, 3), "too_many_channels")
    fails(decoder, declared(tmp_path / "a.raw", "mulaw", 8000, 999), "too_many_channels")
    short = RecordingDecoder(spool_dir=tmp_path, limits=AudioLimits(max_duration_s=49.9))
    fails(short, declared(tmp_path / "a.raw", "mulaw", 8000), "too_long")


def test_tracks_of_a_declared_format_can_be_mapped(tmp_path: Path, decoder: RecordingDecoder) -> None:
    levels = np.tile(np.arange(4, dtype=np.float32) / 10, (16_000, 1))
    sf.write(tmp_path / "a.raw", levels, 16_000, format="RAW", subtype="PCM_16")
    source = AudioSource((tmp_path / "a.raw",), (3, 1), RawFormat("s16le", 16_000, 4))
    with decoder.decode(source) as audio:
        assert [round(float(audio.read(channel, WHOLE).mean()), 2) for channel in (0, 1)] == [0.3, 0.1]


@given(st.sampled_from(["mulaw", "vox", "g722", "nonsense"]), st.integers(-5, 2**33), st.integers(-2, 1000))
def test_any_declaration_is_understood_or_refused(encoding: str, rate_hz: int, channels: int) -> None:
    try:
        found = raw_input(RawFormat(encoding, rate_hz, channels))
    except InputError:
        return
    assert rate_hz > 0
    assert channels > 0
    assert found.demuxer in {known.demuxer for known in ENCODINGS.values()}


@given(
    st.binary(max_size=20), st.binary(max_size=40), st.lists(st.tuples(st.integers(-50, 90), st.integers(0, 30)))
)
def test_a_prefixed_file_reads_like_one_file(prefix: bytes, body: bytes, steps: list[tuple[int, int]]) -> None:
    file, one = Prefixed(prefix, io.BytesIO(body)), io.BytesIO(prefix + body)
    assert file.seek(0, 2) == one.seek(0, 2)
    assert file.seek(0) == one.seek(0)
    for to, size in steps:
        if to >= 0:
            assert file.seek(to) == one.seek(to) == file.tell()
        left = size
        while left and (piece := file.read(left)):  # may stop where the prefix ends, as any file may
            assert piece == one.read(len(piece))
            left -= len(piece)
        if left:
            assert one.read(left) == b""
