"""Damaged calls: as damaged as their name says, in place, and the same every time."""

import numpy as np
import pytest

from benchmarks.conditions import (
    ACTIVE_MARGIN_DB,
    CONDITIONS,
    FRAME_S,
    Noise,
    active_frames,
    active_power,
    babble,
    damaged,
    lost_packets,
    noisy,
    office,
    street,
)
from tests.recordings import Samples

RATE_HZ = 8000
SPEECH_S = ((0.5, 2.0), (2.5, 4.0))
"""When each of the two channels speaks."""


@pytest.fixture
def call() -> Samples:
    """Two sides that take turns over faint line noise: harmonics with a syllable's rise and fall."""
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ
    rng = np.random.default_rng(3)
    channels = []
    for number, (start_s, end_s) in enumerate(SPEECH_S):
        voice = sum(np.sin(2 * np.pi * (110 + 70 * number) * n * time_s) / n for n in range(1, 12))
        spoken = (time_s >= start_s) & (time_s < end_s)
        syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time_s)
        channels.append(0.15 * voice * syllables * spoken + 0.0005 * rng.standard_normal(len(time_s)))
    return np.array(channels, np.float32)


def db(power: float) -> float:
    return float(10 * np.log10(power))


def envelopes(call: np.ndarray) -> np.ndarray:
    """Each channel's level at every millisecond, of mean 0."""
    whole = call[:, : call.shape[1] // 8 * 8].astype(np.float64)
    power = np.square(whole).reshape(len(call), -1, RATE_HZ // 1000).mean(axis=2)
    level = np.sqrt([np.convolve(channel, np.ones(5) / 5, "same") for channel in power])
    return level - level.mean(axis=1, keepdims=True)


def frame_times_s(active: np.ndarray) -> tuple[float, float]:
    frames = np.flatnonzero(active)
    return float(frames[0]) * FRAME_S, float(frames[-1] + 1) * FRAME_S


@pytest.mark.parametrize("channel", [0, 1])
def test_the_active_level_leaves_pauses_out(call: Samples, channel: int) -> None:
    start_s, end_s = SPEECH_S[channel]
    assert frame_times_s(active_frames(call[channel], RATE_HZ)) == pytest.approx((start_s, end_s), abs=FRAME_S)
    spoken = call[channel, int(start_s * RATE_HZ) : int(end_s * RATE_HZ)].astype(np.float64)
    assert active_power(call[channel], RATE_HZ) == pytest.approx(np.mean(spoken**2), rel=0.02)


def test_the_active_level_does_not_depend_on_the_volume(call: Samples) -> None:
    assert (active_frames(call[0], RATE_HZ) == active_frames(call[0] * 0.01, RATE_HZ)).all()
    assert ACTIVE_MARGIN_DB == 15.9


def test_a_silent_channel_has_no_active_level() -> None:
    assert active_power(np.zeros(RATE_HZ, np.float32), RATE_HZ) == 0.0


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_is_the_same_for_the_same_seed_and_keeps_the_shape(call: Samples, condition: str) -> None:
    untouched = call.copy()
    first = damaged(call, rate_hz=RATE_HZ, condition=condition, seed=5)
    assert (first == damaged(call, rate_hz=RATE_HZ, condition=condition, seed=5)).all()
    assert first.dtype == np.float32
    assert first.shape == (2, round(call.shape[1] / CONDITIONS[condition].speed))
    assert np.abs(first).max() <= 1.0
    assert (call == untouched).all()
    assert (condition == "clean") == np.array_equal(first, call)


@pytest.mark.parametrize("condition", [name for name in CONDITIONS if name.split("-")[0] in {"babble", "loss"}])
def test_another_seed_damages_otherwise(call: Samples, condition: str) -> None:
    one, other = (damaged(call, rate_hz=RATE_HZ, condition=condition, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_speech_stays_where_it_was(call: Samples, condition: str) -> None:
    """The damaged call's envelope, brought back to the clean call's speed, fits best where the clean one is."""
    speed = CONDITIONS[condition].speed
    heard = damaged(call, rate_hz=RATE_HZ, condition=condition, seed=5)
    for before, after in zip(envelopes(call), envelopes(heard), strict=True):
        at = (np.arange(len(before)) / speed).astype(int).clip(0, len(after) - 1)
        fits = {lag_ms: np.dot(np.roll(before, lag_ms), after[at]) for lag_ms in range(-100, 101)}
        assert abs(max(fits, key=lambda lag_ms: fits[lag_ms])) <= (40 if speed != 1.0 else 10)


@pytest.mark.parametrize("kind", [babble, office, street])
@pytest.mark.parametrize("snr_db", [20, 10, 5])
def test_noise_has_the_ratio_asked_for_on_each_channel(call: Samples, kind: Noise, snr_db: int) -> None:
    uneven = call * np.array([[0.3], [0.03]], np.float32)
    mixed = noisy(kind, snr_db)(uneven, RATE_HZ, 7)
    noise = mixed.astype(np.float64) - uneven
    for channel in (0, 1):
        ratio_db = db(active_power(uneven[channel], RATE_HZ)) - db(float(np.mean(noise[channel] ** 2)))
        assert ratio_db == pytest.approx(snr_db, abs=0.05)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.1


def test_noise_that_would_clip_turns_the_whole_call_down(call: Samples) -> None:
    loud = (call / np.abs(call).max()).astype(np.float32)
    mixed = noisy(office, 5)(loud, RATE_HZ, 7)
    assert np.abs(mixed).max() == pytest.approx(0.99, abs=1e-6)


def test_a_silent_channel_gets_no_noise(call: Samples) -> None:
    call[1] = 0
    assert not noisy(street, 5)(call, RATE_HZ, 7)[1].any()


def test_street_noise_comes_and_goes_and_office_noise_clicks(call: Samples) -> None:
    rng = np.random.default_rng(1)
    long = np.zeros((2, 30 * RATE_HZ), np.float32)
    second_db = [db(np.mean(part**2)) for part in np.split(street(long, RATE_HZ, rng), 30)]
    assert max(second_db) - min(second_db) > 8
    clicks = office(long, RATE_HZ, rng)
    assert np.mean(clicks**4) / np.mean(clicks**2) ** 2 > 4  # steady noise has 3


@pytest.mark.parametrize("share", [0.03, 0.08])
def test_packets_are_lost_in_bursts(share: float) -> None:
    lost = lost_packets(200_000, share, np.random.default_rng(2))
    bursts = np.count_nonzero(lost[1:] & ~lost[:-1])
    assert lost.mean() == pytest.approx(share, rel=0.05)
    assert lost.sum() / bursts == pytest.approx(2.5, rel=0.05)
    assert not lost[0]


def test_a_lost_packet_is_the_last_one_fading(call: Samples) -> None:
    size = round(FRAME_S * RATE_HZ)
    heard = damaged(call, rate_hz=RATE_HZ, condition="loss-8", seed=5)
    for number in (0, 1):
        lost = lost_packets(call.shape[1] // size, 0.08, np.random.default_rng([5, number]))
        frames, before = (x[number, : len(lost) * size].reshape(-1, size) for x in (heard, call))
        assert (frames[~lost] == before[~lost]).all()
        first = np.flatnonzero(lost[1:] & ~lost[:-1]) + 1
        assert len(first) > 2
        assert frames[first] == pytest.approx(before[first - 1] * 0.75)


@pytest.mark.parametrize("gain_db", [20, 10])
def test_crosstalk_is_the_other_side_later_and_softer(call: Samples, gain_db: int) -> None:
    heard = damaged(call, rate_hz=RATE_HZ, condition=f"crosstalk-{gain_db}", seed=5)
    leak = heard[0].astype(np.float64) - call[0]
    start_s, end_s = SPEECH_S[1]
    assert frame_times_s(active_frames(leak, RATE_HZ)) == pytest.approx(
        (start_s + 0.03, end_s + 0.03), abs=FRAME_S
    )
    assert db(active_power(leak, RATE_HZ) / active_power(call[1], RATE_HZ)) == pytest.approx(-gain_db, abs=0.01)


def test_quiet_is_twenty_db_down(call: Samples) -> None:
    assert damaged(call, rate_hz=RATE_HZ, condition="quiet-20", seed=5) == pytest.approx(call * 0.1)


def test_clipping_cuts_off_the_loudest_of_the_speech(call: Samples) -> None:
    heard = damaged(call * 0.2, rate_hz=RATE_HZ, condition="clipped", seed=5)
    for channel, (start_s, end_s) in zip(heard, SPEECH_S, strict=True):
        spoken = channel[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)]
        assert np.mean(np.abs(spoken) == 1.0) == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize("condition", ["slow-20", "fast-20"])
def test_changed_tempo_keeps_the_pitch(call: Samples, condition: str) -> None:
    heard = damaged(call, rate_hz=RATE_HZ, condition=condition, seed=5)
    for channel in (0, 1):
        loudest_hz = [
            np.abs(np.fft.rfft(x[channel], 1 << 17))[1:].argmax() * RATE_HZ / (1 << 17) for x in (call, heard)
        ]
        assert loudest_hz[1] == pytest.approx(loudest_hz[0], rel=0.05)
