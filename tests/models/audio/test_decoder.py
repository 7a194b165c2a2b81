"""The decoder: every sample at its second, every bad file its own code, nothing left behind."""

import itertools
import math
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audio.decoder import RecordingDecoder
from models.audio.limits import AudioLimits
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import TransientError
from tests.models.audio.recordings import fails, noise, source, write

WHOLE = TimeSpan(0.0, math.inf)


def python(script: str, *arguments: Path) -> str:
    """What the script prints, in an interpreter of its own."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# --- what comes out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "PCM_U8", "ULAW", "ALAW"])
def test_samples_at_the_target_rate_pass_unchanged(
    tmp_path: Path, decoder: RecordingDecoder, subtype: str
) -> None:
    path = write(tmp_path / "a.wav", noise(0.5, rate_hz=16000), rate_hz=16000, subtype=subtype)
    expected, _ = sf.read(path, dtype="float32", always_2d=True)
    with decoder.decode(source(path)) as audio:
        assert (audio.channels, audio.duration_s, audio.sample_rate_hz) == (2, 0.5, 16000)
        for channel in (0, 1):
            read = audio.read(channel, WHOLE)
            assert read.dtype == np.float32
            np.testing.assert_allclose(read, expected[:, channel], atol=0.5 / 32768)


# Measured 2026-11-21 by this test: no offset in any of them. Opus' pre-skip and the delay in an MP3's LAME tag are
# taken off; without that tag an MP3 keeps its encoder's delay, hence the wider bound.
@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance_s"),
    [(".wav", "PCM_16", 0.001), (".flac", None, 0.001), (".ogg", "VORBIS", 0.001), (".opus", "OPUS", 0.001),
     (".mp3", None, 0.060)],
)  # fmt: skip
@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
def test_an_impulse_stays_at_its_time(
    tmp_path: Path, decoder: RecordingDecoder, suffix: str, subtype: str | None, tolerance_s: float, rate_hz: int
) -> None:
    samples = np.zeros((rate_hz * 8, 2), np.float32)
    samples[round(1.25 * rate_hz), 0] = 0.9
    samples[round(6.5 * rate_hz), 1] = 0.9
    path = write(tmp_path / f"a{suffix}", samples, rate_hz=rate_hz, subtype=subtype)
    with decoder.decode(source(path)) as audio:
        for channel, time_s in ((0, 1.25), (1, 6.5)):
            found_s = int(np.argmax(np.abs(audio.read(channel, WHOLE)))) / audio.sample_rate_hz
            assert found_s == pytest.approx(time_s, abs=tolerance_s)
        assert audio.duration_s == pytest.approx(8.0, abs=0.05)  # FFmpeg drops a Vorbis file's last 32 ms


@pytest.mark.parametrize("rate_hz", [6000, 8000, 11025, 22050, 44100, 192000])
def test_any_rate_becomes_16_khz_of_the_same_duration(
    tmp_path: Path, decoder: RecordingDecoder, rate_hz: int
) -> None:
    time_s = np.arange(rate_hz * 5) / rate_hz
    tone = (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    with decoder.decode(source(write(tmp_path / "a.wav", tone, rate_hz=rate_hz))) as audio:
        assert audio.channels == 1
        assert audio.duration_s == pytest.approx(5.0, abs=1 / 16000)
        read = audio.read(0, TimeSpan(1.0, 4.0))
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000, 64000) / 16000)
    np.testing.assert_allclose(read, expected, atol=0.002)


def test_loud_samples_are_clipped_not_wrapped(tmp_path: Path, decoder: RecordingDecoder) -> None:
    loud = np.array([1.7, -1.7, 0.0] * 100, np.float32)
    with decoder.decode(source(write(tmp_path / "a.wav", loud, rate_hz=16000, subtype="FLOAT"))) as audio:
        np.testing.assert_allclose(audio.read(0, WHOLE)[:3], [32767 / 32768, -1.0, 0.0])


def test_pieces_equal_the_whole(tmp_path: Path, decoder: RecordingDecoder) -> None:
    path = write(tmp_path / "a.wav", noise(3.0))
    with decoder.decode(source(path)) as audio:
        whole = audio.read(1, WHOLE)
        assert len(whole) == 48000

        @settings(max_examples=50, deadline=None)
        @given(st.lists(st.floats(0.0, 3.0), max_size=8))
        def check(cuts: list[float]) -> None:
            edges = [0.0, *sorted(cuts), 3.0]
            pieces = [audio.read(1, TimeSpan(a, b)) for a, b in itertools.pairwise(edges)]
            np.testing.assert_array_equal(np.concatenate(pieces), whole)

        check()


def test_spans_are_cut_at_the_ends(tmp_path: Path, decoder: RecordingDecoder) -> None:
    with decoder.decode(source(write(tmp_path / "a.wav", noise(1.0)))) as audio:
        np.testing.assert_array_equal(audio.read(0, TimeSpan(-5.0, 0.5)), audio.read(0, TimeSpan(0.0, 0.5)))
        assert len(audio.read(0, TimeSpan(0.75, 9.0))) == 4000
        assert len(audio.read(0, TimeSpan(7.0, 9.0))) == 0
        with pytest.raises(ValueError, match="channel 2"):
            audio.read(2, WHOLE)


def test_tags_in_a_legacy_encoding_are_no_obstacle(tmp_path: Path, decoder: RecordingDecoder) -> None:
    title = "客服录音".encode("gb18030")
    info = b"INFOINAM" + struct.pack("<I", len(title)) + title
    data = write(tmp_path / "a.wav", noise(1.0)).read_bytes()
    chunk = b"LIST" + struct.pack("<I", len(info)) + info
    (tmp_path / "b.wav").write_bytes(data[:12] + chunk + data[12:])
    with decoder.decode(source(tmp_path / "b.wav")) as audio:
        assert audio.duration_s == 1.0


def test_sound_of_a_video_is_decoded(tmp_path: Path, decoder: RecordingDecoder) -> None:
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        tone = (0.3 * np.sin(np.arange(16384) * 0.2)).astype(np.float32)
        for block in tone.reshape(-1, 1024):
            frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with decoder.decode(source(path)) as audio:
        assert audio.duration_s == pytest.approx(1.024, abs=0.1)


# --- what does not ----------------------------------------------------------------------------------------


def test_a_missing_file(tmp_path: Path, decoder: RecordingDecoder) -> None:
    fails(decoder, tmp_path / "a.wav", "file_missing")
    fails(decoder, write(tmp_path / "b.wav", noise(0.1)) / "a.wav", "file_missing")


def test_an_empty_file(tmp_path: Path, decoder: RecordingDecoder) -> None:
    (tmp_path / "a.wav").touch()
    fails(decoder, tmp_path / "a.wav", "file_empty")


def test_an_unreadable_file(tmp_path: Path, decoder: RecordingDecoder) -> None:
    fails(decoder, tmp_path, "file_unreadable")
    fails(decoder, Path("a\0.wav"), "file_unreadable")
    path = write(tmp_path / "a.wav", noise(0.1))
    path.chmod(0)
    try:
        path.open("rb").close()
    except PermissionError:  # root may read everything
        fails(decoder, path, "file_unreadable")


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.ogg", "a"])
@pytest.mark.parametrize(
    "content",
    [b"Dear customer, thank you for calling.\n" * 200, bytes(5000), np.random.default_rng(1).bytes(20000), b"R",
     b"RIFF\xff\xff\xff\xffWAVEfmt ", b"#EXTM3U\n#EXTINF:1,\nother.wav\n", b"ffconcat version 1.0\nfile o.wav\n"],
    ids=["text", "zeros", "random", "one-byte", "header", "hls", "concat"],
)  # fmt: skip
def test_what_is_not_audio(tmp_path: Path, decoder: RecordingDecoder, name: str, content: bytes) -> None:
    write(tmp_path / "other.wav", noise(1.0))
    (tmp_path / name).write_bytes(content)
    fails(decoder, tmp_path / name, "not_audio")


def test_a_video_without_sound(tmp_path: Path, decoder: RecordingDecoder) -> None:
    with av.open(tmp_path / "a.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    fails(decoder, tmp_path / "a.mp4", "no_audio_stream")


def test_a_recording_without_samples(tmp_path: Path, decoder: RecordingDecoder) -> None:
    fails(decoder, write(tmp_path / "a.wav", noise(0.0)), "audio_empty")


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _hole(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(20000) + data[middle + 20000 :]


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [(".wav", _cut), (".flac", _cut), (".mp3", _cut), (".flac", _hole), (".mp3", _hole), (".ogg", _hole),
     (".opus", _hole)],
)  # fmt: skip
def test_a_damaged_recording_names_the_second(
    tmp_path: Path, decoder: RecordingDecoder, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, noise(30.0), subtype="OPUS" if suffix == ".opus" else None)
    path.write_bytes(damage(path.read_bytes()))
    message = fails(decoder, path, "audio_corrupt").message
    second = float(next(word for word in message.split() if word.replace(".", "", 1).isdigit()))
    assert second == pytest.approx(15.0, abs=1.5)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".opus"])
def test_trailing_garbage_is_tolerated(tmp_path: Path, decoder: RecordingDecoder, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", noise(20.0), subtype="OPUS" if suffix == ".opus" else None)
    with path.open("ab") as file:
        file.write(np.random.default_rng(1).bytes(3000))
    with decoder.decode(source(path)) as audio:
        assert audio.duration_s == pytest.approx(20.0, abs=0.3)  # an MP3 decoder may find a frame or two in noise


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_recorder_that_never_wrote_the_length_is_believed_to_the_end(
    tmp_path: Path, decoder: RecordingDecoder, size: int
) -> None:
    data = bytearray(write(tmp_path / "a.wav", noise(2.0)).read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(data)
    with decoder.decode(source(tmp_path / "a.wav")) as audio:
        assert audio.duration_s == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_numbers(tmp_path: Path, decoder: RecordingDecoder, value: float) -> None:
    samples = noise(6.0)
    samples[8000 * 5 + 3000, 1] = value
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert "5.4 s" in fails(decoder, path, "audio_corrupt").message


def test_too_long(tmp_path: Path) -> None:
    decoder = RecordingDecoder(spool_dir=tmp_path, limits=AudioLimits(max_duration_s=1.5))
    fails(decoder, write(tmp_path / "a.wav", noise(2.0)), "too_long")
    with decoder.decode(source(write(tmp_path / "b.wav", noise(1.5)))) as audio:
        assert audio.duration_s == 1.5


def test_too_many_channels(tmp_path: Path, decoder: RecordingDecoder) -> None:
    fails(decoder, write(tmp_path / "a.wav", noise(0.2, channels=3)), "too_many_channels")


@pytest.mark.parametrize("rate_hz", [5999, 192001])
def test_unsupported_rates(tmp_path: Path, decoder: RecordingDecoder, rate_hz: int) -> None:
    fails(decoder, write(tmp_path / "a.wav", noise(1.0), rate_hz=rate_hz), "sample_rate_unsupported")


# --- the spool --------------------------------------------------------------------------------------------


def test_nothing_is_left_in_the_spool_folder(tmp_path: Path, decoder: RecordingDecoder) -> None:
    path = write(tmp_path / "a.wav", noise(1.0))
    with decoder.decode(source(path)):
        assert list((tmp_path / "spool").iterdir()) == []  # unlinked from the start: a crash leaves nothing


def test_a_full_disk_is_transient(tmp_path: Path) -> None:
    script = """
        import resource, sys
        from pathlib import Path
        from models.audio.decoder import RecordingDecoder
        from qa_service.errors import TransientError
        from qa_service.ports import AudioSource
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # a write beyond it fails, as on a full disk
        try:
            with RecordingDecoder(spool_dir=Path(sys.argv[2])).decode(AudioSource((Path(sys.argv[1]),))):
                pass
        except TransientError as error:
            print(error.code)
    """
    assert python(script, write(tmp_path / "a.wav", noise(10.0)), tmp_path) == "storage_unavailable\n"


def test_an_unusable_spool_folder_is_transient(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(1.0))
    with pytest.raises(TransientError), RecordingDecoder(spool_dir=path).decode(source(path)):
        pass


def test_ffmpeg_does_not_write_to_stderr(
    tmp_path: Path, decoder: RecordingDecoder, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.mp3", noise(20.0))
    path.write_bytes(_hole(path.read_bytes()))
    fails(decoder, path, "audio_corrupt")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_memory_stays_flat(tmp_path: Path) -> None:
    """20 minutes of stereo are 147 MiB as float32 at 16 kHz; no process may take a third of that for it."""
    with sf.SoundFile(tmp_path / "a.wav", "w", 8000, 2, "PCM_16") as file:
        for _ in range(20):
            file.write(noise(60.0))
    script = """
        import resource, sys
        from pathlib import Path
        from models.audio.decoder import RecordingDecoder
        from models.audio.limits import AudioLimits
        from qa_service.domain.timeline import TimeSpan
        from qa_service.ports import AudioSource
        limits = AudioLimits(decode_memory_bytes=115 * 1024**2)  # interpreter and FFmpeg take about 70 of it
        decoder = RecordingDecoder(spool_dir=Path(sys.argv[2]), limits=limits)
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        before = peak()
        with decoder.decode(AudioSource((Path(sys.argv[1]),))) as audio:
            audio.read(0, TimeSpan(600.0, 630.0))
            print(audio.duration_s, peak() - before)
    """
    duration_s, growth_mib = map(float, python(script, tmp_path / "a.wav", tmp_path).split())
    assert duration_s == 1200.0
    assert growth_mib < 45
