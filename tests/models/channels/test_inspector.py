"""Every fault of a channel is found, twenty times each, and none in calls that have none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.channels.inspector import SignalInspector
from qa_service.domain.faults import (
    ChannelFault,
    ChannelInspection,
    FaultKind,
    FaultOptions,
    channel_faults,
    hold_one_mixture,
    is_same_audio,
    leaked,
)
from qa_service.domain.timeline import TimeSpan, total_s
from tests.channel_faults import (
    CASES,
    Drawn,
    clipped,
    cross_talk,
    dead,
    every_call,
    same_audio,
    samples_of,
    shipped_calls,
)
from tests.signals import RATE_HZ, ArrayAudio, Samples, line_noise, silence

OPTIONS = FaultOptions()
ENOUGH = 19
INSPECTOR = SignalInspector()


def inspected(samples: Samples) -> ChannelInspection:
    return INSPECTOR.inspect(ArrayAudio(samples))


def faults(samples: Samples, *, separate: bool = True) -> tuple[ChannelFault, ...]:
    found = inspected(samples)
    return channel_faults(found, speech_dbfs=(-25.0,) * len(samples), separate=separate, options=OPTIONS)


def found_in(make: Callable[[int], Drawn], is_found: Callable[[Drawn], bool]) -> int:
    return sum(is_found(make(seed)) for seed in range(CASES))


# --- found --------------------------------------------------------------------------------------------------


def test_cross_talk() -> None:
    def is_found(drawn: Drawn) -> bool:
        found = {f.channel: f.value for f in faults(drawn.samples) if f.kind is FaultKind.CROSS_TALK}
        level_db = found.get(1 - drawn.side)
        return level_db is not None and abs(level_db - drawn.level_db) < 4

    assert found_in(cross_talk, is_found) >= ENOUGH


def test_cross_talk_one_way_is_found_one_way() -> None:
    for seed in range(5):
        drawn = cross_talk(seed, level_db=-10, both=False)
        assert [f.channel for f in faults(drawn.samples)] == [1 - drawn.side]


def test_the_same_audio_on_both() -> None:
    def is_found(drawn: Drawn) -> bool:
        found = inspected(drawn.samples)
        (fault, *_) = faults(drawn.samples, separate=False)
        return hold_one_mixture(found, OPTIONS) and fault.kind is FaultKind.SAME_AUDIO and fault.channel is None

    assert found_in(same_audio, is_found) >= ENOUGH


def test_a_dead_channel() -> None:
    def is_found(drawn: Drawn) -> bool:
        return [(f.kind, f.channel) for f in faults(drawn.samples)] == [(FaultKind.DEAD, drawn.side)]

    assert found_in(dead, is_found) >= ENOUGH


def test_clipping() -> None:
    def is_found(drawn: Drawn) -> bool:
        found = [f for f in faults(drawn.samples) if f.kind is FaultKind.CLIPPING]
        return [f.channel for f in found] == [drawn.side] and bool(found[0].spans)

    assert found_in(clipped, is_found) >= ENOUGH


# --- not found ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", every_call(), ids=lambda path: path.name)
def test_a_call_without_a_fault_has_none(path: Path) -> None:
    """All of it, not the first minute."""
    samples = samples_of(path, most_s=600.0)
    assert faults(samples) == ()
    assert not is_same_audio(inspected(samples), OPTIONS)


@pytest.mark.parametrize("level_db", [-28, -30, -32])
def test_what_a_hybrid_leaks_is_no_fault(level_db: float) -> None:
    for seed in range(5):
        assert faults(cross_talk(seed, level_db=level_db, both=True).samples) == ()


@pytest.mark.parametrize("level_db", [-6, -10, -15])
def test_cross_talk_both_ways_is_not_the_same_audio(level_db: float) -> None:
    for seed in range(5):
        assert inspected(cross_talk(seed, level_db=level_db, both=True).samples).explained_share < 0.6


@pytest.mark.parametrize("rms_db", [-50, -65, -70])
def test_a_person_who_says_nothing_has_a_line_with_noise_on_it(rms_db: float) -> None:
    call = samples_of(shipped_calls()[0]).copy()
    call[1] = line_noise(call.shape[1] / RATE_HZ) * 10 ** ((rms_db + 50) / 20)
    assert faults(call) == ()


def test_an_announcement_to_both_is_not_the_same_audio() -> None:
    """The first third is the same on both channels, what follows is each one's own."""
    first, second = (samples_of(path)[:, : 30 * RATE_HZ] for path in shipped_calls()[:2])
    announcement = np.stack([first[0] + first[1]] * 2)[:, : 15 * RATE_HZ]
    found = inspected(np.concatenate([announcement, second], axis=1))
    assert 0.1 < found.explained_share < OPTIONS.same_share


def test_line_cards_with_the_same_direct_current_are_not_one() -> None:
    call = samples_of(shipped_calls()[0])
    assert inspected(call + np.float32(0.2)).explained_share < 0.1


def test_one_channel_alone() -> None:
    (call, _) = samples_of(shipped_calls()[0])
    assert faults(call[None], separate=False) == ()
    assert inspected(call[None]).explained_share == 0.0


@pytest.mark.parametrize("samples", [0, 1, 100, 512, 2000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_very_short_recording(channels: int, samples: int) -> None:
    found = inspected(np.zeros((channels, samples), np.float32))
    assert [(c.peak_dbfs, c.leaked, c.leakage_db, c.clipped_share) for c in found.channels] == (
        [(None, (), None, 0.0)] * channels
    )


# --- what is leaked, and what is not ------------------------------------------------------------------------


def talks(seed: int, *spans: tuple[float, float], length_s: float = 40.0) -> Samples:
    """Somebody's noise in these spans, coloured so that two of them differ as voices do, over a quiet line."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    speaks = np.any([(start <= time_s) & (time_s < end) for start, end in spans], axis=0)
    voice = np.convolve(rng.standard_normal(len(time_s)), rng.standard_normal(8))[: len(time_s)]
    loudness = 0.03 * (1.2 + np.sin(2 * np.pi * 4 * time_s + seed))  # syllables
    return (voice * loudness * speaks + 3e-4 * rng.standard_normal(len(time_s))).astype(np.float32)


@pytest.mark.parametrize("leak_db", [-6, -12, -18])
def test_only_the_time_of_the_copy_alone_is_leaked(leak_db: float) -> None:
    """The agent speaks 0–20 s, the customer 15–30 s; in 15–20 s both."""
    agent, customer = talks(1, (0.5, 20.0)), talks(2, (15.0, 30.0))
    leak = 10 ** (leak_db / 20) * np.concatenate([np.zeros(160), agent[:-160]])
    spans = inspected(np.stack([agent, (customer + leak).astype(np.float32)])).channels[1].leaked
    alone = TimeSpan(0.5, 14.7)
    assert total_s([TimeSpan(max(s.start, 0.5), min(s.end, 14.7)) for s in spans if s.start < 14.7]) > 13.5
    assert not any(span.overlap_s(TimeSpan(15.3, 30.0)) > 0 for span in spans), (alone, spans)


def test_a_leak_that_sets_in_late_is_still_found() -> None:
    """At 120 s; from the next block on."""
    agent, customer = talks(1, (0.5, 80.0), (100.0, 180.0), length_s=200.0), talks(2, (80.0, 99.0), length_s=200.0)
    leak = np.where(np.arange(len(agent)) / RATE_HZ > 120, 0.3 * agent, 0.0)
    (_, second) = inspected(np.stack([agent, (customer + leak).astype(np.float32)])).channels
    assert total_s(second.leaked) > 45
    assert all(span.duration_s < 0.3 for span in second.leaked if span.start < 115)


def test_all_of_a_faint_copy_is_leaked() -> None:
    """A silent customer whose line brings back the agent, 15 dB fainter: nothing on it is their own."""
    agent = talks(1, (0.5, 20.0), (25.0, 35.0))
    copy = (0.18 * agent + 3e-4 * np.random.default_rng(5).standard_normal(len(agent))).astype(np.float32)
    found = inspected(np.stack([agent, copy]))
    assert not hold_one_mixture(found, OPTIONS)
    assert leaked(found, duration_s=40.0, options=OPTIONS) == ((), (TimeSpan(0.0, 40.0),))


def test_of_one_mixture_nothing_is_leaked() -> None:
    mixture = talks(1, (0.5, 20.0)) + talks(2, (18.0, 35.0))
    found = inspected(np.stack([mixture, -0.5 * mixture]))
    assert hold_one_mixture(found, OPTIONS)
    assert leaked(found, duration_s=40.0, options=OPTIONS) == ((), ())


def test_blocks_make_no_difference_to_what_is_read() -> None:
    """Five minutes, of which each block is read once, and not a sample more than a block at a time."""

    class Counting(ArrayAudio):
        longest_s = read_s = 0.0

        def read(self, channel: int, span: TimeSpan) -> Samples:
            self.longest_s = max(self.longest_s, span.duration_s)
            self.read_s += span.duration_s
            return super().read(channel, span)

    audio = Counting(np.stack([silence(300.0), silence(300.0)]))
    INSPECTOR.inspect(audio)
    assert audio.read_s == pytest.approx(600.0)
    assert audio.longest_s < 70.0


def test_the_run_tells_every_option() -> None:
    run = INSPECTOR.run
    assert (run.stage, run.device) == ("channels", "cpu")
    assert {"explained", "reach_s", "pile_up", "full"} <= set(dict(run.options))
