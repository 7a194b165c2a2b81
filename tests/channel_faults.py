"""Calls with a fault in their channels, made from recorded ones: level, delay, filter and side drawn by a seed.

Guarantee: the same seed gives the same samples. Samples are float32 (channel, time) at 16 kHz.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from tests.corpus import ROOT, UNLEARNT
from tests.signals import RATE_HZ, Samples

CASES = 20
MOST_S = 40.0


def shipped_calls() -> list[Path]:
    return sorted([*ROOT.glob("examples/calls/*.stereo.*"), *ROOT.glob("tests/data/calls/*/*.stereo.*")])


def every_call() -> list[Path]:
    """The shipped calls, and those of the corpus where it is: noisy ones and real ones too."""
    corpus = ROOT.parent / "shared" / "corpus"
    return [
        *shipped_calls(),
        *sorted(corpus.glob("*_synth/*.stereo.*")),
        *sorted(corpus.glob("*_real/**/*.stereo.*")),
    ]


@cache
def samples_of(path: Path, *, most_s: float = MOST_S) -> Samples:
    """The first 40 s of a recording, or ``most_s``."""
    rate_hz = sf.info(path).samplerate
    samples, _ = sf.read(path, stop=round(most_s * rate_hz), dtype="float32", always_2d=True)
    return np.ascontiguousarray(soxr.resample(samples, rate_hz, RATE_HZ).T)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A recording with its fault, and what was drawn."""

    samples: Samples
    side: int
    level_db: float


def a_call(rng: np.random.Generator) -> Samples:
    calls = [path for path in shipped_calls() if path.parent.name != UNLEARNT]
    return samples_of(calls[rng.integers(len(calls))])


def cross_talk(seed: int, *, level_db: float | None = None, both: bool | None = None) -> Drawn:
    """The voice of ``side`` in the other channel, as a late, filtered, fainter copy; or each in the other's."""
    rng = np.random.default_rng(seed)
    call = a_call(rng)
    level_db = float(rng.uniform(-18, -5)) if level_db is None else level_db
    side = int(rng.integers(2))
    both = bool(rng.integers(2)) if both is None else both
    late, response = int(rng.integers(round(0.04 * RATE_HZ))), _line(rng)
    mixed = call.copy()
    for source in (0, 1) if both else (side,):
        copy = _late(np.convolve(call[source], response)[: call.shape[1]], late)
        mixed[1 - source] += copy * _gain(level_db, of=copy, to=call[source])
    return Drawn(mixed, side, level_db)


def same_audio(seed: int) -> Drawn:
    """The mixture of a call on both channels, the one of ``side`` late or early, filtered, fainter, inverted."""
    rng = np.random.default_rng(seed)
    mixture = a_call(rng).mean(axis=0)
    copy = np.roll(np.convolve(mixture, _line(rng))[: len(mixture)], rng.integers(-320, 321))
    level_db, side = float(rng.uniform(-9, 3)), int(rng.integers(2))
    copy = copy * _gain(level_db, of=copy, to=mixture) * rng.choice([-1, 1])
    return Drawn(np.stack([mixture, copy] if side else [copy, mixture]).astype(np.float32), side, level_db)


def dead(seed: int) -> Drawn:
    """A channel with nothing on it but what converters and encoders leave: zeros, dither, idle codes, a click."""
    rng = np.random.default_rng(seed)
    call, side = a_call(rng).copy(), int(rng.integers(2))
    kind = rng.integers(4)
    nothing = np.zeros(call.shape[1])
    if kind == 1:
        nothing = rng.uniform(-1, 1, call.shape[1]) / 32768
    elif kind == 2:
        nothing += rng.choice([-8, 8]) / 32768  # A-law has no zero
    elif kind == 3:
        nothing[rng.integers(len(nothing))] = 0.05
    call[side] = nothing
    return Drawn(call, side, -np.inf)


def clipped(seed: int) -> Drawn:
    """A gain too high before the converter; often reduced again behind it."""
    rng = np.random.default_rng(seed)
    call, side = a_call(rng).copy(), int(rng.integers(2))
    line = soxr.resample(call[side], RATE_HZ, 8000)  # the converter's own rate
    over_db = float(rng.uniform(8, 18))
    ceiling = rng.choice([1.0, rng.uniform(0.4, 1.0)])
    line = np.clip(line * 10 ** (over_db / 20) / np.abs(line).max(), -1, 1) * ceiling
    call[side] = np.clip(soxr.resample(line, 8000, RATE_HZ)[: call.shape[1]], -1, 1)
    return Drawn(call, side, over_db)


def faint(seed: int) -> Drawn:
    """The speech of one side brought down to between −65 and −47 dBFS, in 16 bits."""
    rng = np.random.default_rng(seed)
    call, side = a_call(rng).copy(), int(rng.integers(2))
    level_db = float(rng.uniform(-65, -47))
    loud = call[side][np.abs(call[side]) > 0.01]
    call[side] *= 10 ** (level_db / 20) / float(np.sqrt(np.mean(loud**2)))
    call[side] = np.rint(call[side] * 32768) / 32768
    return Drawn(call, side, level_db)


def _line(rng: np.random.Generator) -> NDArray[np.float64]:
    """A response: none, a dull line's, a short room's."""
    kind = rng.integers(3)
    if kind == 0:
        return np.ones(1)
    if kind == 1:
        cut = rng.uniform(1200, 2500) / RATE_HZ
        dull: NDArray[np.float64] = 2 * cut * np.sinc(2 * cut * np.arange(-16, 17)) * np.hanning(35)[1:-1]
        return dull
    time_s = np.arange(round(0.012 * RATE_HZ)) / RATE_HZ
    room: NDArray[np.float64] = rng.standard_normal(len(time_s)) * np.exp(-time_s / 0.003)
    room[0] += 2
    return room


def _late(signal: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    late: NDArray[np.float64] = np.concatenate([np.zeros(samples), signal])[: len(signal)]
    return late


def _gain(level_db: float, *, of: NDArray[np.float64], to: Samples | NDArray[np.float64]) -> float:
    return float(10 ** (level_db / 20) * np.sqrt(np.sum(np.square(to, dtype=np.float64)) / np.sum(of**2)))
