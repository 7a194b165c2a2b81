"""Which tracks of which files become channels 0 and 1."""

import math
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audio.decoder import RecordingDecoder
from models.audio.limits import AudioLimits
from models.audio.tracks import choose_tracks
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError
from qa_service.ports import AudioSource
from tests.models.audio.recordings import fails, noise, write

WHOLE = TimeSpan(0.0, math.inf)


def tracks(count: int, *, rate_hz: int = 16_000) -> np.ndarray:
    """float32 (time, track), two seconds: track n is a constant level of (n + 1) hundredths."""
    levels = (np.arange(count, dtype=np.float32) + 1) / 100
    return np.tile(levels, (2 * rate_hz, 1))


def heard(decoder: RecordingDecoder, source: AudioSource) -> list[int]:
    """The track that each channel is, by its level."""
    with decoder.decode(source) as audio:
        return [round(float(np.median(audio.read(channel, WHOLE))) * 100) - 1 for channel in range(audio.channels)]


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("tracks") / "six.wav", tracks(6), rate_hz=16_000)


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("tracks") / "stereo.wav", tracks(2), rate_hz=16_000)


# --- one file ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel_map", [(0, 1), (4, 1), (5,), (2, 5)])
def test_a_map_picks_tracks(decoder: RecordingDecoder, six: Path, channel_map: tuple[int, ...]) -> None:
    assert heard(decoder, AudioSource((six,), channel_map)) == list(channel_map)


@pytest.mark.parametrize(
    ("channel_map", "expected"), [(None, [0, 1]), ((1, 0), [1, 0]), ((1,), [1]), ((0, 1), [0, 1])]
)
def test_a_map_of_two_tracks_is_obeyed(
    decoder: RecordingDecoder, stereo: Path, channel_map: tuple[int, ...] | None, expected: list[int]
) -> None:
    assert heard(decoder, AudioSource((stereo,), channel_map)) == expected


def test_without_a_map_many_tracks_are_refused(decoder: RecordingDecoder, six: Path) -> None:
    assert "channel_map" in fails(decoder, six, "too_many_channels").message


@pytest.mark.parametrize("channel_map", [(6,), (0, 6), (-1, 0), (1, 1), (0, 1, 2), ()])
def test_a_map_that_does_not_fit_is_refused(
    decoder: RecordingDecoder, six: Path, channel_map: tuple[int, ...]
) -> None:
    fails(decoder, AudioSource((six,), channel_map), "channel_map_invalid")


def test_the_site_s_map_is_for_many_tracks_without_their_own(six: Path, stereo: Path) -> None:
    decoder = RecordingDecoder(channel_map=(3, 2))
    assert heard(decoder, AudioSource((six,))) == [3, 2]
    assert heard(decoder, AudioSource((six,), (0, 5))) == [0, 5]
    assert heard(decoder, AudioSource((stereo,))) == [0, 1]


def test_tracks_are_limited_whatever_the_map(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tracks(9), rate_hz=16_000)
    assert heard(RecordingDecoder(limits=AudioLimits(max_tracks=9)), AudioSource((path,), (8, 0))) == [8, 0]
    fails(RecordingDecoder(limits=AudioLimits(max_tracks=8)), AudioSource((path,), (8, 0)), "too_many_channels")


@pytest.mark.parametrize(("suffix", "form"), [(".ogg", None), (".caf", None), (".wav", "RF64"), (".aiff", None)])
def test_eight_and_more_tracks_in_any_layout_of_samples(
    tmp_path: Path, decoder: RecordingDecoder, suffix: str, form: str | None
) -> None:
    """PyAV itself crashes on planar frames of so many."""
    time_s = np.arange(32_000) / 16_000
    tones = np.zeros((32_000, 12), np.float32)
    tones[:16_000, 11] = 0.5 * np.sin(2 * np.pi * 440 * time_s[:16_000])
    tones[16_000:, 9] = 0.5 * np.sin(2 * np.pi * 440 * time_s[16_000:])
    path = write(tmp_path / f"a{suffix}", tones, rate_hz=16_000, form=form)
    with decoder.decode(AudioSource((path,), (11, 9))) as audio:
        for channel, (loud, quiet) in enumerate([((0.2, 0.8), (1.2, 1.8)), ((1.2, 1.8), (0.2, 0.8))]):
            assert np.std(audio.read(channel, TimeSpan(*loud))) == pytest.approx(0.354, abs=0.03)
            assert np.std(audio.read(channel, TimeSpan(*quiet))) < 0.03


@given(st.lists(st.integers(0, 4), max_size=4), st.none() | st.lists(st.integers(-1, 9), max_size=3).map(tuple))
def test_what_is_chosen_exists_and_is_at_most_two(streams: list[int], channel_map: tuple[int, ...] | None) -> None:
    try:
        chosen = choose_tracks(streams, channel_map, max_tracks=12)
    except InputError:
        return
    assert len(chosen) <= 2
    assert len(set(chosen)) == len(chosen)
    assert all(channel < streams[stream] for stream, channel in chosen)
    if channel_map is not None:
        assert len(chosen) == len(channel_map)


# --- one file of several streams ---------------------------------------------------------------------------


def streams_of(path: Path, *, starts_s: tuple[float, ...], lasting_s: float = 2.0) -> Path:
    """A Matroska file of mono PCM streams; stream n has a level of (n + 1) hundredths from its start."""
    with av.open(path, "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in starts_s]
        packets = []
        for n, (stream, start_s) in enumerate(zip(streams, starts_s, strict=True)):
            for block in range(round(lasting_s * 10)):
                samples = np.full((1, 800), round((n + 1) * 327.68), np.int16)
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                frame.sample_rate, frame.pts = 8000, round(start_s * 8000) + block * 800
                packets += stream.encode(frame)
        for packet in sorted(packets, key=lambda packet: packet.pts * packet.time_base):
            container.mux(packet)
    return path


def test_streams_are_tracks_counted_through(tmp_path: Path, decoder: RecordingDecoder) -> None:
    two = streams_of(tmp_path / "two.mka", starts_s=(0.0, 0.0))
    assert heard(decoder, AudioSource((two,))) == [0, 1]
    assert heard(decoder, AudioSource((two,), (1, 0))) == [1, 0]
    three = streams_of(tmp_path / "three.mka", starts_s=(0.0, 0.0, 0.0))
    fails(decoder, three, "too_many_channels")
    assert heard(decoder, AudioSource((three,), (2, 0))) == [2, 0]


def test_a_stream_that_joins_late_stays_at_its_time(tmp_path: Path, decoder: RecordingDecoder) -> None:
    path = streams_of(tmp_path / "late.mka", starts_s=(0.0, 1.5))
    with decoder.decode(AudioSource((path,))) as audio:
        assert audio.duration_s == pytest.approx(3.5, abs=0.01)
        first, second = audio.read(0, WHOLE), audio.read(1, WHOLE)
    assert len(first) == len(second)
    assert np.flatnonzero(first > 0.005)[-1] / 16_000 == pytest.approx(2.0, abs=0.01)
    assert np.flatnonzero(second > 0.01)[0] / 16_000 == pytest.approx(1.5, abs=0.01)


def test_a_stream_cannot_join_after_the_longest_duration(tmp_path: Path) -> None:
    path = streams_of(tmp_path / "late.mka", starts_s=(0.0, 50_000.0), lasting_s=0.5)
    fails(RecordingDecoder(spool_dir=tmp_path), path, "too_long")


# --- two files ---------------------------------------------------------------------------------------------


def test_two_files_are_the_sides_of_one_call(tmp_path: Path, decoder: RecordingDecoder) -> None:
    agent = write(tmp_path / "agent.wav", noise(3.0, channels=1), subtype="ULAW")
    customer = write(tmp_path / "customer.flac", noise(2.0, rate_hz=16_000, channels=1), rate_hz=16_000)
    with decoder.decode(AudioSource((agent, customer))) as audio:
        assert (audio.channels, audio.duration_s) == (2, 3.0)
        assert len(audio.read(0, WHOLE)) == len(audio.read(1, WHOLE)) == 48_000
        assert np.std(audio.read(1, TimeSpan(0.0, 2.0))) == pytest.approx(0.1, abs=0.005)
        assert not audio.read(1, TimeSpan(2.0, 3.0)).any()  # the shorter side is silent at its end
        np.testing.assert_array_equal(audio.read(1, TimeSpan(1.5, 2.5))[8000:], np.zeros(8000))
        both = audio.read(1, WHOLE)
    with decoder.decode(AudioSource((customer, agent))) as audio:
        np.testing.assert_array_equal(audio.read(0, WHOLE), both)


def test_the_faulty_side_is_named(tmp_path: Path, decoder: RecordingDecoder, stereo: Path) -> None:
    mono = write(tmp_path / "mono.wav", tracks(1), rate_hz=16_000)
    missing = tmp_path / "missing.wav"
    for paths, code, side in [
        ((mono, stereo), "leg_not_mono", "second"),
        ((stereo, mono), "leg_not_mono", "first"),
        ((mono, missing), "file_missing", "second"),
        ((missing, mono), "file_missing", "first"),
    ]:
        error = fails(decoder, AudioSource(paths), code)
        assert error.message.startswith(f"{side} file: ")
        assert error.context["path"] == str(paths[side == "second"])


def test_a_map_makes_a_side_mono(tmp_path: Path, decoder: RecordingDecoder, stereo: Path, six: Path) -> None:
    mono = write(tmp_path / "mono.wav", tracks(1), rate_hz=16_000)
    assert heard(decoder, AudioSource((stereo, six), (1, 4))) == [1, 4]  # a track of each
    assert heard(decoder, AudioSource((mono, six), (0,))) == [0, 0]  # the same of both
    fails(decoder, AudioSource((mono, six), (0, 9)), "channel_map_invalid")


@pytest.mark.parametrize("count", [0, 3])
def test_a_call_is_one_or_two_files(decoder: RecordingDecoder, stereo: Path, count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} files"), decoder.decode(AudioSource((stereo,) * count)):
        pass
