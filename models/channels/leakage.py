"""Cross-talk and copies: when a channel holds the other channel's voice, and how loud.

Guarantee: blocks of a recording go in one after the other, memory does not grow with them; the same audio gives
the same frames.

A leaked voice is told by what it is, not by its level: the other channel through a short filter (delay,
attenuation, the line's colour). The filter is the least-squares one over the time when the other side is the
louder; where it explains what the channel holds, nobody speaks there. Two people who talk at once are no copies of
each other."""

from dataclasses import dataclass

import numpy as np

from models.channels.wiener import (
    FRAME,
    HOP,
    TINY,
    Flags,
    Powers,
    Signal,
    correlations,
    filtered,
    powers,
    smoothed,
    solved,
    whitened,
)


@dataclass(frozen=True, slots=True)
class LeakageOptions:
    """``reach_s``: the longest delay of a copy; ``window_s``: over which a channel is compared with the copy;
    ``block_s``: the filter is learned anew each block and remembers half of what it knew.

    ``louder_db``: by how much the other side is louder where the filter is learned; ``quiet_dbfs``: below it
    nobody is heard; ``preemphasis``: flattens speech, whose low tones would decide the filter; ``regularisation``:
    of the source's power, so that bands that nothing sounds in stay out of it.

    ``explained``: share of a channel's power from which it is the copy. Without cross-talk the share was at most
    0.11 in any window of 57 recordings (whitened), with it mostly over 0.95; somebody who speaks at once, as loud
    as the copy, halves it. ``noise_ratio``: what the copy leaves, in powers of the channel's own noise, and still
    nobody; ``audible``: what a copy is to that noise before it is a voice. ``around_s``: the voice detector hears
    a voice a little longer than it sounds. ``same``: share of its power that two copies explain of each other.

    ``gate_db``: a copy fainter than this to its source is left to the gate of levels. The recordings without
    cross-talk had −30.7 dB and less; those with a hybrid's −28…−32 dB had as much. ``least_s``: of the source
    alone before a filter is trusted."""

    reach_s: float = 0.06
    window_s: float = 0.256
    block_s: float = 60.0
    louder_db: float = 2.0
    quiet_dbfs: float = -60.0
    preemphasis: float = 0.9
    regularisation: float = 1e-3
    explained: float = 0.6
    same: float = 0.8
    noise_ratio: float = 2.0
    audible: float = 0.25
    around_s: float = 0.2
    gate_db: float = -24.0
    least_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Leakage:
    """What leaks into one channel.

    ``frames``: bool (frame,), ``FRAME`` samples each: nothing but the other side's voice. ``level_db``: of the
    copy to its source, None where there is none to speak of."""

    frames: Flags
    level_db: float | None


class _Filter:
    """The filter from a source to a receiver, learned block after block."""

    def __init__(self, options: LeakageOptions, sample_rate_hz: int) -> None:
        self._options = options
        taps = max(1, round(options.reach_s * sample_rate_hz / 2))
        self._own = np.zeros(taps)
        self._cross = np.zeros(taps)

    def copy(self, source: Signal, receiver: Signal, learned: Flags) -> Signal:
        """What of the receiver is the source's, after learning from the ``learned`` frames of this block."""
        options = self._options
        mask = np.repeat(learned, HOP)
        flat, flat_receiver = (whitened(side, options.preemphasis) * mask for side in (source, receiver))
        own, cross = correlations(flat, flat_receiver, len(self._own))
        self._own = self._own / 2 + own
        self._cross = self._cross / 2 + cross
        return filtered(source, solved(self._own, self._cross, regularisation=options.regularisation))


class LeakagePath:
    """What leaks from one channel into the other, block after block."""

    def __init__(self, options: LeakageOptions, sample_rate_hz: int) -> None:
        self._options = options
        self._frame_s = FRAME / sample_rate_hz
        self._filter = _Filter(options, sample_rate_hz)
        self._copied = self._spoken = 0.0
        self._learned = 0
        self._leaked: list[Flags] = []

    def follow(self, source: Signal, receiver: Signal) -> None:
        """Learn from a block, then tell its leaked frames."""
        options = self._options
        spoken, heard = powers(source), self._smooth(powers(receiver))
        sounding = self._smooth(spoken) > 10 ** (options.quiet_dbfs / 10)
        louder = self._smooth(spoken) > 10 ** (options.louder_db / 10) * heard
        copy = self._filter.copy(source, receiver, louder & sounding)
        copied, rest = self._smooth(powers(copy)), self._smooth(powers(receiver - copy))
        noise = np.percentile(heard, 10)
        explained = (rest < (1 - options.explained) * heard) & (copied > 10 ** (options.quiet_dbfs / 10 - 1))
        around = max(1, round(options.around_s / self._frame_s))
        near = np.convolve(copied > options.audible * noise, np.ones(2 * around + 1))[around:][: len(heard)] > 0
        self._leaked.append(explained | (near & (rest < options.noise_ratio * noise)))
        self._learned += int((louder & sounding).sum())
        self._copied += float(copied[sounding].sum())
        self._spoken += float(spoken[sounding].sum())

    def leakage(self) -> Leakage:
        """Of everything that was followed."""
        frames = np.concatenate(self._leaked) if self._leaked else np.zeros(0, dtype=np.bool_)
        if self._learned * self._frame_s < self._options.least_s:
            return Leakage(np.zeros_like(frames), None)
        level_db = 10 * float(np.log10(self._copied / self._spoken + TINY))
        if level_db < self._options.gate_db:
            return Leakage(np.zeros_like(frames), None)
        return Leakage(frames, level_db)

    def _smooth(self, power: Powers) -> Powers:
        return smoothed(power, max(1, round(self._options.window_s / self._frame_s)))


class Likeness:
    """How much of the sound of two channels is the same, at whatever level, delay and polarity."""

    def __init__(self, options: LeakageOptions, sample_rate_hz: int) -> None:
        self._options = options
        self._frame_s = FRAME / sample_rate_hz
        self._delay = round(options.reach_s / 2 * sample_rate_hz / 2)
        self._filters = [_Filter(options, sample_rate_hz) for _ in range(2)]
        self._sounding = [0, 0]
        self._explained = [0, 0]
        self._power = [0.0, 0.0]

    def follow(self, first: Signal, second: Signal) -> None:
        width = max(1, round(self._options.window_s / self._frame_s))
        for index, (source, receiver) in enumerate(((first, second), (second, first))):
            # Either side may be the later one: the receiver is delayed so that a filter can reach both ways.
            late = np.concatenate([np.zeros(self._delay, np.float32), receiver])[: len(receiver)]
            heard = smoothed(powers(late), width)
            floor = max(10 ** (self._options.quiet_dbfs / 10 - 1), 4 * float(np.percentile(heard, 10)))
            sounding = heard > floor
            rest = smoothed(powers(late - self._filters[index].copy(source, late, sounding)), width)
            self._sounding[index] += int(sounding.sum())
            self._power[index] += float(heard[sounding].sum())
            self._explained[index] += int((sounding & (rest < (1 - self._options.same) * heard)).sum())

    @property
    def share(self) -> float:
        """Of the sounding frames of the channel that is explained less; 0 when one of them is silent."""
        if not all(self._sounding):
            return 0.0
        return min(e / s for e, s in zip(self._explained, self._sounding, strict=True))

    @property
    def louder_db(self) -> float:
        """By how much the first channel is the louder; 0 when one of them is silent."""
        if not all(self._power):
            return 0.0
        second, first = self._power  # each filter is one from the other channel
        return 10 * float(np.log10(first / second))
