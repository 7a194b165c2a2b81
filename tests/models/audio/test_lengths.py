"""Recordings whose headers lie about their length, container by container."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from models.audio.decoder import RecordingDecoder
from models.audio.limits import AudioLimits
from tests.models.audio.recordings import fails, long_silence, noise, source, write
from tests.recordings import write_recording

Patch = Callable[[bytes], bytes]


def scaled(marker: bytes, distance: int, layout: str, factor: float) -> Patch:
    """Multiply the number at ``distance`` from the marker."""

    def patch(data: bytes) -> bytes:
        at = data.index(marker) + distance
        (value,) = struct.unpack_from(layout, data, at)
        changed = value * factor if layout[-1] in "fd" else round(value * factor)
        return data[:at] + struct.pack(layout, changed) + data[at + struct.calcsize(layout) :]

    return patch


def flac_samples(factor: float) -> Patch:
    def patch(data: bytes) -> bytes:
        value = int.from_bytes(data[21:26], "big")
        count = round((value & (1 << 36) - 1) * factor)
        return data[:21] + (value >> 36 << 36 | count).to_bytes(5, "big") + data[26:]

    return patch


def asf_duration(factor: float) -> Patch:
    """Which counts the preroll."""

    def patch(data: bytes) -> bytes:
        at = data.index(bytes.fromhex("a1dcab8c47a9cf11"))
        play, _, preroll_ms = struct.unpack_from("<QQQ", data, at + 64)
        lie = round((play - preroll_ms * 10_000) * factor) + preroll_ms * 10_000
        return data[: at + 64] + struct.pack("<Q", lie) + data[at + 72 :]

    return patch


LENGTHS: dict[str, tuple[str, Callable[[float], Patch]]] = {
    "wav": ("wav-s16", lambda factor: scaled(b"data", 4, "<I", factor)),
    "wav-gsm": ("wav-gsm", lambda factor: scaled(b"data", 4, "<I", factor)),
    "rf64": ("rf64", lambda factor: scaled(b"ds64", 16, "<Q", factor)),
    "w64": ("w64", lambda factor: scaled(b"data\xf3\xac", 16, "<Q", factor)),
    "aiff-data": ("aiff", lambda factor: scaled(b"SSND", 4, ">I", factor)),
    "aiff-frames": ("aiff", lambda factor: scaled(b"COMM", 10, ">I", factor)),
    "au": ("au-mulaw", lambda factor: scaled(b".snd", 8, ">I", factor)),
    "caf": ("caf", lambda factor: scaled(b"data", 4, ">q", factor)),
    "flac": ("flac", flac_samples),
    "mp3": ("mp3", lambda factor: scaled(b"Info", 8, ">I", factor)),
    "mp4": ("m4a", lambda factor: scaled(b"mdhd", 20, ">I", factor)),
    "asf": ("wma", lambda factor: asf_duration(factor)),
    "matroska": ("mka-opus", lambda factor: scaled(b"\x44\x89\x88", 3, ">d", factor)),
}


@pytest.fixture(params=LENGTHS)
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Callable[[float], Patch]]:
    """Twelve seconds, and how to lie about them."""
    name, lie = LENGTHS[request.param]
    channels = 1 if name == "wav-gsm" else 2
    write_recording(tmp_path / "a", noise(12.0, channels=channels).T, rate_hz=8000, format=name)
    return tmp_path / "a", lie


def test_the_truth_is_believed(
    recording: tuple[Path, Callable[[float], Patch]], decoder: RecordingDecoder
) -> None:
    with decoder.decode(source(recording[0])) as audio:
        assert audio.duration_s == pytest.approx(12.0, abs=0.2)


@pytest.mark.parametrize("factor", [0.02, 0.5, 0.9])
def test_a_header_that_promises_less_than_there_is(
    recording: tuple[Path, Callable[[float], Patch]], decoder: RecordingDecoder, factor: float
) -> None:
    path, lie = recording
    path.write_bytes(lie(factor)(path.read_bytes()))
    error = fails(decoder, path, "header_mismatch")
    said = re.search(r"header says ([0-9.]+) s, the file holds about ([0-9.]+) s", error.message)
    assert said is not None
    assert [float(seconds) for seconds in said.groups()] == pytest.approx([12.0 * factor, 12.0], abs=0.25)


@pytest.mark.parametrize("factor", [1.2, 3.0])
def test_a_header_that_promises_more_than_there_is(
    recording: tuple[Path, Callable[[float], Patch]], decoder: RecordingDecoder, factor: float
) -> None:
    path, lie = recording
    data = path.read_bytes()
    path.write_bytes(lie(factor)(data))
    if b"mdhd" in data:  # FFmpeg believes the table of samples, and so may we
        with decoder.decode(source(path)) as audio:
            assert audio.duration_s == pytest.approx(12.0, abs=0.2)
    else:
        fails(decoder, path, "audio_corrupt")


@pytest.mark.parametrize("name", ["aiff-frames", "au", "flac", "mp3", "asf", "matroska"])
def test_a_header_that_promises_too_much_is_refused_before_decoding(tmp_path: Path, name: str) -> None:
    form, lie = LENGTHS[name]
    write_recording(tmp_path / "a", noise(12.0).T, rate_hz=8000, format=form)
    (tmp_path / "a").write_bytes(lie(10.0)((tmp_path / "a").read_bytes()))
    limits = AudioLimits(max_duration_s=60.0)
    fails(RecordingDecoder(spool_dir=tmp_path, limits=limits), tmp_path / "a", "too_long")


def test_a_movie_whose_table_forgets_samples(tmp_path: Path, decoder: RecordingDecoder) -> None:
    write_recording(tmp_path / "a", noise(12.0, channels=1).T, rate_hz=8000, format="3gp-amr-nb")
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(scaled(b"stsz", 12, ">I", 0.5)(data))
    fails(decoder, tmp_path / "a", "header_mismatch")


def test_five_hours_are_refused_at_once(tmp_path: Path, decoder: RecordingDecoder) -> None:
    fails(decoder, long_silence(tmp_path / "a.wav", duration_s=5 * 3600), "too_long")


def test_hours_of_zeros_in_a_small_file_end_at_the_limit(tmp_path: Path) -> None:
    """A gigabyte of samples in a file of kilobytes, whose header does not say so."""
    path = write(tmp_path / "a.flac", np.zeros((1800 * 8000, 1), np.float32))
    path.write_bytes(flac_samples(0.0)(path.read_bytes()))
    assert path.stat().st_size < 300_000
    fails(RecordingDecoder(spool_dir=tmp_path, limits=AudioLimits(max_duration_s=60.0)), path, "too_long")


def test_too_large_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(1.0))
    fails(RecordingDecoder(limits=AudioLimits(max_file_bytes=path.stat().st_size - 1)), path, "file_too_large")
    with RecordingDecoder(limits=AudioLimits(max_file_bytes=path.stat().st_size)).decode(source(path)) as audio:
        assert audio.duration_s == 1.0


# --- time stamps and changes in mid-stream -----------------------------------------------------------------


def matroska(path: Path, *, jump_s: float) -> Path:
    """Four seconds of PCM; from the middle on, stamps are ``jump_s`` late."""
    with av.open(path, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for n in range(40):
            frame = av.AudioFrame.from_ndarray(np.full((1, 800), 500, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, n * 800 + round(8000 * jump_s * (n >= 20))
            container.mux(stream.encode(frame))
    return path


@pytest.mark.parametrize("jump_s", [0.5, 3.0, 3600.0])
def test_stamps_that_jump_are_found(tmp_path: Path, decoder: RecordingDecoder, jump_s: float) -> None:
    error = fails(decoder, matroska(tmp_path / "a.mka", jump_s=jump_s), "audio_corrupt")
    assert "2.0 s" in error.message
    with decoder.decode(source(matroska(tmp_path / "b.mka", jump_s=0.0))) as audio:
        assert audio.duration_s == 4.0


@pytest.mark.parametrize("name", ["mp3", "aac"])
def test_a_rate_that_changes_in_mid_stream_is_refused(
    tmp_path: Path, decoder: RecordingDecoder, name: str
) -> None:
    parts = []
    for rate_hz in (8000, 16_000):
        write_recording(tmp_path / "a", noise(3.0, rate_hz=rate_hz).T, rate_hz=rate_hz, format=name)
        parts.append((tmp_path / "a").read_bytes())
    (tmp_path / "a").write_bytes(b"".join(parts))
    fails(decoder, tmp_path / "a", "audio_corrupt")


def test_chained_ogg_is_one_recording(tmp_path: Path, decoder: RecordingDecoder) -> None:
    """Recorders that are restarted append; each part counts its time from its own start."""
    first = write(tmp_path / "a.ogg", noise(3.0)).read_bytes()
    second = write(tmp_path / "b.ogg", noise(2.0)).read_bytes()
    (tmp_path / "c.ogg").write_bytes(first + second)
    with decoder.decode(source(tmp_path / "c.ogg")) as audio:
        assert audio.duration_s == pytest.approx(5.0, abs=0.2)
