"""Whatever is asked for, in whatever order, nothing of a silent span is in it."""

import io
import os
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qa_service.adapters.blob_files import RANGE_CHUNK_BYTES
from qa_service.adapters.silenced_wav import SilencedWav, is_whole
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError
from qa_service.wav import HEADER_BYTES, header
from tests.builders import spans

RATE_HZ, CHANNELS, FRAMES = 8_000, 2, 16_000
FRAME_BYTES = 4


def samples(frames: int = FRAMES) -> NDArray[np.int16]:
    """Never zero, and no two frames near each other alike."""
    ramp = np.arange(frames * CHANNELS, dtype=np.int64) % 32_000 + 1
    return ramp.astype(np.int16).reshape(-1, CHANNELS)


def write(path: Path, frames: int = FRAMES) -> Path:
    path.write_bytes(header(frames, channels=CHANNELS, rate_hz=RATE_HZ) + samples(frames).tobytes())
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    descriptor = os.open(write(tmp_path_factory.mktemp("wav") / "copy.wav"), os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def read(wav: SilencedWav, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(wav.read_range(start, wav.size_bytes if end is None else end))


def played(data: bytes) -> NDArray[np.int16]:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (CHANNELS, RATE_HZ, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, CHANNELS)


def test_without_silence_it_is_the_recording(recording: int) -> None:
    wav = SilencedWav(recording, name="a", silent=())
    assert wav.size_bytes == len(read(wav)) == HEADER_BYTES + FRAMES * FRAME_BYTES
    assert wav.duration_s == 2.0
    assert np.array_equal(played(read(wav)), samples())


def test_a_silent_span_is_silent_on_all_channels_and_nothing_else_is(recording: int) -> None:
    heard = played(read(SilencedWav(recording, name="a", silent=spans((0.5, 0.75), (1.9, 99.0)))))
    expected = samples()
    expected[4_000:6_000] = 0
    expected[15_200:] = 0
    assert np.array_equal(heard, expected)


def test_the_edges_of_silence_are_rounded_outwards(recording: int) -> None:
    inside = TimeSpan(1.00001 / RATE_HZ, 3.00001 / RATE_HZ)
    heard = played(read(SilencedWav(recording, name="a", silent=[inside])))
    assert np.flatnonzero(heard[:, 0] == 0).tolist() == [1, 2, 3]


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[TimeSpan], float, float, list[tuple[int, int]]]:
    seconds = st.floats(-0.5, 2.5)
    silent = [TimeSpan(*sorted(draw(st.tuples(seconds, seconds)))) for _ in range(draw(st.integers(0, 4)))]
    start = draw(st.floats(0.0, 1.99))
    end = draw(st.floats(start + 0.001, 3.0))
    size = HEADER_BYTES + FRAMES * FRAME_BYTES
    ranges = draw(st.lists(st.tuples(st.integers(0, size), st.integers(0, size)), max_size=5))
    return silent, start, end, [(min(pair), max(pair)) for pair in ranges]


@given(questions())
def test_every_range_is_a_piece_of_the_same_silenced_file(
    recording: int, question: tuple[list[TimeSpan], float, float, list[tuple[int, int]]]
) -> None:
    silent, start_s, end_s, ranges = question
    wav = SilencedWav(recording, name="a", silent=silent, start_s=start_s, end_s=end_s)
    whole = read(wav)
    assert len(whole) == wav.size_bytes
    expected = samples()
    for span in silent:
        middle = (np.arange(FRAMES) >= span.start * RATE_HZ) & (np.arange(FRAMES) < span.end * RATE_HZ)
        expected[middle] = 0
    heard = played(whole)
    first = min(round(start_s * RATE_HZ), FRAMES - 1)
    assert len(heard) == wav.duration_s * RATE_HZ
    # At an edge of silence one sample more may be silent, none less.
    differ = heard != expected[first : first + len(heard)]
    assert not heard[differ].any()
    assert differ.any(axis=1).sum() <= 2 * len(silent)
    for start, end in ranges:
        assert read(wav, start, end) == whole[start:end]


def test_long_ranges_come_in_pieces_and_each_is_silenced(tmp_path: Path) -> None:
    frames = 3 * RANGE_CHUNK_BYTES // FRAME_BYTES
    descriptor = os.open(write(tmp_path / "long.wav", frames), os.O_RDONLY)
    try:
        wav = SilencedWav(descriptor, name="a", silent=spans((0.0, frames / RATE_HZ)))
        pieces = list(wav.read_range(0, wav.size_bytes))
    finally:
        os.close(descriptor)
    assert max(map(len, pieces)) <= RANGE_CHUNK_BYTES
    assert not any(b"".join(pieces)[HEADER_BYTES:])


def test_the_tag_follows_what_is_heard(recording: int) -> None:
    tags = [
        SilencedWav(recording, name="a", silent=()).etag,
        SilencedWav(recording, name="b", silent=()).etag,
        SilencedWav(recording, name="a", silent=spans((0.5, 1.0))).etag,
        SilencedWav(recording, name="a", silent=(), start_s=0.5).etag,
        SilencedWav(recording, name="a", silent=(), end_s=1.5).etag,
    ]
    assert len(set(tags)) == len(tags)
    assert SilencedWav(recording, name="a", silent=(), start_s=0.0, end_s=9.0).etag == tags[0]
    halves = SilencedWav(recording, name="a", silent=spans((0.75, 1.0), (0.5, 0.75))).etag
    assert halves != tags[0]


@pytest.mark.parametrize(
    ("start_s", "end_s"),
    [
        (1.0, 1.0),
        (1.5, 0.5),
        (2.0, None),
        (-0.1, 1.0),
        (float("nan"), 1.0),
        (0.0, float("nan")),
        (float("inf"), None),
    ],
)
def test_what_is_no_clip(recording: int, start_s: float | None, end_s: float | None) -> None:
    with pytest.raises(InputError) as caught:
        SilencedWav(recording, name="a", silent=(), start_s=start_s, end_s=end_s)
    assert caught.value.code == "clip_invalid"


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4)])
def test_what_is_no_range(recording: int, start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no byte range"):
        SilencedWav(recording, name="a", silent=()).read_range(start, end)


def test_a_damaged_copy_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "copy.wav")
    for damaged in (path.read_bytes()[:-4], path.read_bytes() + bytes(4), b"RIFF", b"", bytes(2_000)):
        path.write_bytes(damaged)
        descriptor = os.open(path, os.O_RDONLY)
        assert not is_whole(descriptor)
        os.close(descriptor)
