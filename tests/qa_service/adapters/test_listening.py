"""Recordings as people hear them: every format, once decoded, kept within bounds."""

import os
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from models.audio.decoder import RecordingDecoder
from models.audio.limits import AudioLimits
from qa_service.adapters.blobs import LocalBlobStore
from qa_service.adapters.listening import CachedListeningCopies
from qa_service.adapters.listening_program import ListeningPrograms
from qa_service.domain.call import CallMetadata, RawFormat, Recording, pair_digest
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError, NotFoundError, QAError
from qa_service.ports import AudioSource, ListeningCopy
from tests.builders import spans
from tests.corpus import example_call
from tests.signals import noise

NOTHING = CallMetadata()


class CountingPrograms(ListeningPrograms):
    """The real programs, and how often one was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def ask(self, request: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        self.asked += 1
        return super().ask(request, timeout_s=timeout_s)


@pytest.fixture(scope="module")
def programs() -> Iterator[CountingPrograms]:
    programs = CountingPrograms()
    yield programs
    programs.close()


class Desk:
    """Somebody who listens: a store and its listening copies."""

    def __init__(self, folder: Path, programs: CountingPrograms) -> None:
        self.folder = folder
        self.programs = programs
        self.blobs = LocalBlobStore(folder / "blobs")
        self.kept = folder / "listening"
        self.copies = self.with_limits()
        programs.asked = 0

    def with_limits(self, *, most_bytes: int = 10**9, **limits: float) -> CachedListeningCopies:
        return CachedListeningCopies(
            self.kept,
            blobs=self.blobs,
            programs=self.programs,
            limits={**asdict(AudioLimits()), **limits},
            channel_map=None,
            most_bytes=most_bytes,
        )

    def received(self, *paths: Path) -> Recording:
        stored = []
        for path in paths:
            with path.open("rb") as file:
                stored.append(self.blobs.put(file))
        recording = Recording(1, stored[0].sha256, str(paths[0]), stored[0].uri, stored[0].size_bytes, None, None)
        if len(paths) == 1:
            return recording
        digest = pair_digest(stored[0].sha256, stored[1].sha256)
        return replace(recording, sha256=digest, second_path=str(paths[1]), second_blob_uri=stored[1].uri)

    def heard(
        self, recording: Recording, metadata: CallMetadata = NOTHING, *, silent: tuple[TimeSpan, ...] = ()
    ) -> tuple[int, NDArray[np.int16]]:
        """Rate and samples (time, channel) of the whole copy."""
        with self.copies.open(recording, metadata, silent=silent) as copy:
            return played(copy, self.folder / "played.wav")

    def copies_kept(self) -> list[str]:
        return sorted(path.name for path in self.kept.glob("*.wav"))


def played(copy: ListeningCopy, path: Path) -> tuple[int, NDArray[np.int16]]:
    path.write_bytes(b"".join(copy.read_range(0, copy.size_bytes)))
    with wave.open(str(path)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getframerate(), data.reshape(-1, file.getnchannels())


@pytest.fixture
def desk(tmp_path: Path, programs: CountingPrograms) -> Desk:
    return Desk(tmp_path, programs)


def write(path: Path, seconds: float, *, rate_hz: int = 8_000, channels: int = 1, seed: int = 0) -> Path:
    frames = round(seconds * rate_hz)
    samples = noise(5.0)[seed : seed + frames * channels].reshape(frames, channels)
    sf.write(path, samples, rate_hz, subtype="PCM_16")
    return path


def test_a_call_is_heard_as_the_recogniser_hears_it(desk: Desk) -> None:
    path = example_call("zh06")
    rate_hz, heard = desk.heard(desk.received(path))
    with RecordingDecoder().decode(AudioSource((path,))) as audio:
        assert (rate_hz, heard.shape[1]) == (audio.sample_rate_hz, audio.channels) == (16_000, 2)
        for channel in range(2):
            expected = audio.read(channel, TimeSpan(0.0, audio.duration_s))
            assert np.array_equal(heard[:, channel], np.rint(expected * 32768).astype(np.int16))


def test_a_number_in_a_real_call_is_silent_and_the_rest_is_as_it_was(desk: Desk) -> None:
    recording = desk.received(example_call("zh06"))
    _, whole = desk.heard(recording)
    rate_hz, masked = desk.heard(recording, silent=spans((42.9, 49.9)))
    first, last = round(42.9 * rate_hz), round(49.9 * rate_hz)
    assert np.abs(whole[first:last]).max() > 1_000
    assert not masked[first:last].any()
    assert np.array_equal(masked[:first], whole[:first])
    assert np.array_equal(masked[last:], whole[last:])
    assert desk.programs.asked == 1  # one copy serves both


def test_a_telephone_recording_keeps_its_rate(desk: Desk) -> None:
    path = write(desk.folder / "a.wav", 0.5)
    rate_hz, heard = desk.heard(desk.received(path))
    assert rate_hz == 8_000
    assert np.array_equal(heard[:, 0], sf.read(path, dtype="int16")[0])


def test_a_better_one_does_not_take_more_than_recognition_does(desk: Desk) -> None:
    rate_hz, heard = desk.heard(desk.received(write(desk.folder / "a.wav", 0.5, rate_hz=44_100, channels=2)))
    assert (rate_hz, heard.shape) == (16_000, (8_000, 2))


def test_files_without_a_header_are_played_too(desk: Desk) -> None:
    path = desk.folder / "a.raw"
    samples = (noise(0.5)[:4_000] * 20_000).astype("<i2")
    path.write_bytes(samples.tobytes())
    told = CallMetadata(raw_format=RawFormat("s16le", 8_000))
    rate_hz, heard = desk.heard(desk.received(path), told)
    assert rate_hz == 8_000
    assert np.array_equal(heard[:, 0], samples)
    other = CallMetadata(raw_format=RawFormat("s16le", 8_000, 2))
    assert desk.heard(desk.received(path), other)[1].shape == (2_000, 2)


def test_a_call_of_two_files_is_one_copy(desk: Desk) -> None:
    agent, customer = write(desk.folder / "a.wav", 0.5), write(desk.folder / "b.wav", 0.25, seed=9)
    rate_hz, heard = desk.heard(desk.received(agent, customer))
    assert (rate_hz, heard.shape) == (8_000, (4_000, 2))
    assert np.array_equal(heard[:, 0], sf.read(agent, dtype="int16")[0])
    assert np.array_equal(heard[:2_000, 1], sf.read(customer, dtype="int16")[0])
    assert not heard[2_000:, 1].any()


def test_two_files_of_different_rates_have_one(desk: Desk) -> None:
    agent, customer = write(desk.folder / "a.wav", 0.5), write(desk.folder / "b.wav", 0.5, rate_hz=16_000)
    rate_hz, heard = desk.heard(desk.received(agent, customer))
    assert (rate_hz, heard.shape) == (16_000, (8_000, 2))
    assert np.array_equal(heard[:, 1], sf.read(customer, dtype="int16")[0])


def test_the_channel_map_says_which_tracks(desk: Desk) -> None:
    path = write(desk.folder / "a.wav", 0.25, channels=4)
    _, heard = desk.heard(desk.received(path), CallMetadata(channel_map=(3, 1)))
    assert np.array_equal(heard, sf.read(path, dtype="int16")[0][:, [3, 1]])


def test_a_clip_is_the_piece_of_the_call(desk: Desk) -> None:
    recording = desk.received(write(desk.folder / "a.wav", 0.5))
    _, whole = desk.heard(recording)
    silent = spans((0.2, 0.3))
    with desk.copies.open(recording, NOTHING, silent=silent, start_s=0.25, end_s=0.4) as copy:
        _, clip = played(copy, desk.folder / "clip.wav")
        assert copy.duration_s == pytest.approx(0.15)
    assert not clip[:400].any()
    assert np.array_equal(clip[400:], whole[2_400:3_200])


def test_what_cannot_be_decoded_is_coded_as_for_scoring(desk: Desk) -> None:
    text = desk.folder / "a.wav"
    text.write_text("no sound at all")
    with pytest.raises(InputError) as caught:
        desk.heard(desk.received(text))
    assert caught.value.code == "not_audio"
    assert list(desk.kept.rglob("*.*")) == []
    assert list((desk.kept / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"max_duration_s": 0.2}, "too_long"), ({"max_file_bytes": 100}, "file_too_large")],
)
def test_the_limits_are_those_of_scoring(desk: Desk, limits: dict[str, float], code: str) -> None:
    recording = desk.received(write(desk.folder / "a.wav", 0.5))
    desk.copies = desk.with_limits(**limits)
    with pytest.raises(QAError) as caught:
        desk.heard(recording)
    assert caught.value.code == code


def test_a_recording_that_is_gone_is_missing(desk: Desk) -> None:
    recording = desk.received(write(desk.folder / "a.wav", 0.5))
    desk.blobs.delete(recording.blob_uri)
    with pytest.raises(NotFoundError) as caught:
        desk.heard(recording)
    assert caught.value.code == "blob_not_found"


# --- what is kept ------------------------------------------------------------------------------------------


def test_copies_are_for_the_services_account_alone(desk: Desk) -> None:
    desk.heard(desk.received(write(desk.folder / "a.wav", 0.5)))
    (copy,) = desk.kept.glob("*.wav")
    assert copy.stat().st_mode & 0o077 == 0


def test_many_who_listen_at_once_wait_for_one_copy(desk: Desk) -> None:
    recording = desk.received(example_call("zh08"))
    heard: list[int] = []
    listeners = [threading.Thread(target=lambda: heard.append(size(desk, recording))) for _ in range(6)]
    for listener in listeners:
        listener.start()
    for listener in listeners:
        listener.join(60)
    assert len(heard) == 6
    assert len(set(heard)) == 1
    assert desk.programs.asked == 1


def size(desk: Desk, recording: Recording) -> int:
    with desk.copies.open(recording, NOTHING, silent=()) as copy:
        return copy.size_bytes


def test_what_was_not_listened_to_for_longest_goes(desk: Desk) -> None:
    calls = [desk.received(write(desk.folder / f"{n}.wav", 0.5, seed=n)) for n in range(4)]
    for call in calls[:3]:
        desk.heard(call)
    for age, call in enumerate(calls[:3]):
        (copy,) = desk.kept.glob(f"{call.sha256}-*.wav")
        os.utime(copy, (1_000.0 + age, 1_000.0 + age))
    desk.heard(calls[0])  # again
    desk.copies = desk.with_limits(most_bytes=3 * 8_100)
    desk.heard(calls[3])
    assert {name[:64] for name in desk.copies_kept()} == {calls[n].sha256 for n in (0, 2, 3)}


def test_a_copy_that_is_too_large_to_keep_is_heard(desk: Desk) -> None:
    desk.copies = desk.with_limits(most_bytes=100)
    recording = desk.received(write(desk.folder / "a.wav", 0.5))
    assert len(desk.heard(recording)[1]) == 4_000
    assert desk.copies_kept() == []


def test_a_copy_is_heard_to_its_end_though_it_goes_meanwhile(desk: Desk) -> None:
    recording = desk.received(write(desk.folder / "a.wav", 0.5))
    with desk.copies.open(recording, NOTHING, silent=()) as copy:
        desk.copies.forget(recording)
        assert desk.copies_kept() == []
        assert len(played(copy, desk.folder / "b.wav")[1]) == 4_000


def test_a_damaged_copy_is_made_again(desk: Desk) -> None:
    recording = desk.received(write(desk.folder / "a.wav", 0.5))
    before = desk.heard(recording)[1]
    (copy,) = desk.kept.glob("*.wav")
    copy.write_bytes(copy.read_bytes()[:1_000])
    assert np.array_equal(desk.heard(recording)[1], before)
    assert desk.programs.asked == 2


def test_what_killed_processes_left_is_removed_after_a_day(desk: Desk) -> None:
    desk.heard(desk.received(write(desk.folder / "a.wav", 0.5)))
    left, fresh = desk.kept / "tmp" / "left", desk.kept / "tmp" / "fresh"
    left.write_bytes(b"half a copy")
    fresh.write_bytes(b"of somebody at work")
    os.utime(left, (1_000.0, 1_000.0))
    desk.with_limits()
    assert (left.exists(), fresh.exists()) == (False, True)


def test_the_web_process_loads_no_decoder() -> None:
    script = (
        "import sys; from api.site import Site; from qa_service.settings import Settings; "
        "Site(Settings()).listening; "
        "print([name for name in ('av', 'soxr', 'torch', 'models', 'worker') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
