"""Too little and too much against the header's word; time stamps against samples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audio.completeness import LengthCheck, SampleClock, clock_of
from models.audio.headers import LengthPromise
from qa_service.errors import InputError


def verdict(
    promise: LengthPromise,
    decoded_s: float,
    *,
    told_s: float | None = None,
    alone: bool = True,
    packets: int = 1000,
) -> str:
    try:
        LengthCheck(promise, {0: told_s}, alone=alone).check({0: decoded_s}, packets)
    except InputError as error:
        return error.code
    return "whole"


@pytest.mark.parametrize(
    ("decoded_s", "expected"),
    [(100.0, "whole"), (99.0, "whole"), (98.9, "audio_corrupt"), (101.0, "whole"), (101.1, "header_mismatch"),
     (5.0, "audio_corrupt"), (10_000.0, "header_mismatch")],
)  # fmt: skip
def test_a_hundredth_may_be_missing_or_too_much(decoded_s: float, expected: str) -> None:
    assert verdict(LengthPromise(duration_s=100.0), decoded_s) == expected
    assert verdict(LengthPromise(kept_by_ffmpeg=True), decoded_s, told_s=100.0) == expected


def test_short_recordings_have_some_slack() -> None:
    assert verdict(LengthPromise(duration_s=0.5), 0.41) == "whole"
    assert verdict(LengthPromise(duration_s=0.5), 0.39) == "audio_corrupt"
    assert verdict(LengthPromise(duration_s=0.5, slack_s=0.5), 0.05) == "whole"
    assert verdict(LengthPromise(duration_s=0.5), 0.99) == "whole"
    assert verdict(LengthPromise(duration_s=0.5), 1.01) == "header_mismatch"


def test_what_nobody_promised_condemns_nothing() -> None:
    assert verdict(LengthPromise(), 3.0, told_s=5000.0) == "whole"  # FFmpeg's estimate
    assert verdict(LengthPromise(duration_s=100.0), 5.0, alone=False) == "whole"  # the pictures' length, say
    assert (
        verdict(LengthPromise(promised_bytes=1, held_bytes=1, unclaimed_bytes=9999), 5.0, alone=False) == "whole"
    )
    assert verdict(LengthPromise(duration_s=100.0), 0.0) == "whole"  # nothing at all has a code of its own


def test_bytes_stand_for_seconds() -> None:
    def of(promised: int, held: int, unclaimed: int, *, packets: int | None = None) -> str:
        promise = LengthPromise(promised_bytes=promised, held_bytes=held, unclaimed_bytes=unclaimed)
        return verdict(promise, 10.0, packets=held if packets is None else packets)

    assert of(1000, 500, 0) == "audio_corrupt"
    assert of(1000, 999, 0) == "whole"
    assert of(500, 500, 500) == "header_mismatch"
    assert of(500, 500, 4) == "whole"
    assert of(500, 500, 500, packets=1000) == "header_mismatch"  # FFmpeg read on to the file's end
    assert of(1000, 1000, 0, packets=500) == "whole"  # an edit list leaves half out, and FFmpeg says so


def test_only_a_header_that_the_file_could_fulfil_refuses_it_before_it_is_decoded() -> None:
    def surely_longer(promise: LengthPromise, limit_s: float, *, size_bytes: int = 1000 * 8000) -> bool:
        return LengthCheck(promise, {0: 700.0, 1: 900.0}, alone=True).surely_longer_than(limit_s, size_bytes)

    assert not surely_longer(LengthPromise(), 1.0)  # FFmpeg's word alone may be an estimate
    for promise, said_s in (
        (LengthPromise(rough=True), 900.0),
        (LengthPromise(kept_by_ffmpeg=True), 900.0),
        (LengthPromise(duration_s=2000.0), 2000.0),
    ):
        assert surely_longer(promise, said_s - 1)
        assert not surely_longer(promise, said_s)
        assert not surely_longer(promise, said_s - 1, size_bytes=50_000)  # cut, or a lie: decoding tells


def runs(clock: SampleClock, stamps: list[tuple[float, float]]) -> bool:
    try:
        for time_s, decoded_s in stamps:
            clock.check(time_s, decoded_s)
    except InputError:
        return False
    return True


@given(st.floats(-1e4, 1e4), st.integers(1, 500), st.floats(0.005, 0.5))
def test_even_stamps_pass_wherever_they_start(start_s: float, frames: int, frame_s: float) -> None:
    stamps = [(start_s + n * frame_s, n * frame_s) for n in range(frames)]
    assert all(runs(clock, stamps) for clock in (SampleClock(exact=True, chained=False), *timed()))


def timed() -> list[SampleClock]:
    found = [clock_of(name) for name in ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf")]
    return [clock for clock in found if clock is not None]


@pytest.mark.parametrize("jump_s", [0.11, 5.0, -0.11, -5.0, 1e9])
def test_a_jump_is_found(jump_s: float) -> None:
    stamps = [(n * 0.02 + jump_s * (n >= 50), n * 0.02) for n in range(100)]
    assert len(timed()) == 3
    assert not any(runs(clock, stamps) for clock in (SampleClock(exact=True, chained=False), *timed()))
    assert runs(SampleClock(exact=True, chained=True), stamps) is (jump_s < 0)  # another stream begins


def test_a_hole_after_a_new_beginning_is_found() -> None:
    stamps = [(n * 0.02 % 10.0, n * 0.02) for n in range(900)]
    assert runs(SampleClock(exact=True, chained=True), stamps)
    assert not runs(SampleClock(exact=True, chained=True), [*stamps, (8.5, 18.0)])


def test_a_clock_may_drift_but_not_away() -> None:
    drifting = [(n * 0.02 * 1.001, n * 0.02) for n in range(180_000)]  # an hour, 3.6 s apart at its end
    assert all(runs(clock, drifting) for clock in timed())
    leaving = [(n * 0.02 * 1.02, n * 0.02) for n in range(180_000)]  # one packet in fifty is missing
    assert not any(runs(clock, leaving) for clock in timed())


def test_raw_streams_have_no_clock() -> None:
    assert clock_of("wav") is None
    assert clock_of("mulaw") is None
