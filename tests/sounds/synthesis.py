"""What the sounds are made of: envelopes, filters, harmonic voices.

Guarantee: pure; random parts come from generators with a fixed seed.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
Samples = NDArray[np.float32]
Signal = NDArray[np.float64]
Sound = Callable[[float], Samples]


def time_axis(duration_s: float) -> Signal:
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def white(duration_s: float, *, seed: int) -> Signal:
    return np.random.default_rng(seed).standard_normal(round(duration_s * RATE_HZ))


def coloured(duration_s: float, *, slope: float, seed: int) -> Signal:
    """Noise whose power falls with frequency to the power of ``slope``: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(white(duration_s, seed=seed))
    frequencies = np.fft.rfftfreq(round(duration_s * RATE_HZ), 1 / RATE_HZ)
    spectrum *= np.maximum(frequencies, 30.0) ** (-slope / 2)
    return np.fft.irfft(spectrum, round(duration_s * RATE_HZ))


def band(signal: Signal, low_hz: float, high_hz: float) -> Signal:
    """The signal's part between two frequencies, with soft edges."""
    frequencies = np.fft.rfftfreq(len(signal), 1 / RATE_HZ)
    edge_hz = 0.1 * (high_hz - low_hz)
    gain = np.clip((frequencies - low_hz) / edge_hz + 1, 0, 1) * np.clip(
        (high_hz - frequencies) / edge_hz + 1, 0, 1
    )
    return np.fft.irfft(np.fft.rfft(signal) * gain, len(signal))


def on_and_off(duration_s: float, pattern: Iterable[tuple[float, bool]]) -> Signal:
    """1 while on, 0 while off, repeated, with edges of 5 ms that do not click."""
    steps = list(pattern)
    period = np.concatenate([np.full(round(s * RATE_HZ), float(on)) for s, on in steps])
    gate = np.resize(period, round(duration_s * RATE_HZ))
    edge = round(0.005 * RATE_HZ)
    return np.convolve(gate, np.ones(edge) / edge, mode="same")


def tones(duration_s: float, *frequencies_hz: float) -> Signal:
    time_s = time_axis(duration_s)
    return np.sum([np.sin(2 * np.pi * f * time_s) for f in frequencies_hz], axis=0)


def decaying(duration_s: float, half_life_s: float, *, attack_s: float = 0.005) -> Signal:
    """A struck note's envelope; its end is faded so that it does not click."""
    time_s = time_axis(duration_s)
    fade = np.clip((duration_s - time_s) / 0.01, 0, 1)
    return np.minimum(time_s / attack_s, 1) * 0.5 ** (time_s / half_life_s) * fade


def swelling(duration_s: float, edge_s: float) -> Signal:
    """A bowed or sung note's envelope: up and down over ``edge_s``."""
    time_s = time_axis(duration_s)
    return np.clip(np.minimum(time_s, duration_s - time_s) / edge_s, 0, 1)


def harmonics(frequency_hz: Signal, strength: Callable[[int], float]) -> Signal:
    """A tone of a pitch that may move, with overtones up to 7 kHz.

    Args:
        frequency_hz: at each sample.
        strength: of the n-th harmonic, from 1.
    """
    phase = 2 * np.pi * np.cumsum(frequency_hz) / RATE_HZ
    count = max(1, int(7000 / float(frequency_hz.max())))
    return np.sum([strength(n) * np.sin(n * phase) for n in range(1, count + 1)], axis=0)


def with_vibrato(frequency_hz: float, duration_s: float, *, depth: float = 0.012, rate_hz: float = 5.5) -> Signal:
    time_s = time_axis(duration_s)
    return frequency_hz * (1 + depth * np.minimum(time_s / 0.3, 1) * np.sin(2 * np.pi * rate_hz * time_s))


VOWELS_HZ = {"a": (800, 1200, 2800), "o": (450, 850, 2600), "i": (300, 2250, 3000), "u": (330, 750, 2400)}


def sung(frequency_hz: Signal, vowel: str) -> Signal:
    """Harmonics shaped by a vowel's formants."""
    pitch_hz = float(frequency_hz.mean())

    def strength(n: int) -> float:
        peaks = sum(1 / (1 + ((n * pitch_hz - f) / (60 + 0.06 * f)) ** 2) for f in VOWELS_HZ[vowel])
        return peaks / n**0.5

    return harmonics(frequency_hz, strength)


def hertz(midi: float) -> float:
    """Frequency of a MIDI note number."""
    return float(440.0 * 2 ** ((midi - 69) / 12))


def laid(duration_s: float, notes: Iterator[tuple[float, Signal]]) -> Signal:
    """Sounds added at their start times, which ascend without end; cut at ``duration_s``."""
    track = np.zeros(round(duration_s * RATE_HZ))
    for start_s, sound in notes:
        first = round(start_s * RATE_HZ)
        if first >= len(track):
            break
        room = track[first : first + len(sound)]
        room += sound[: len(room)]
    return track


def at_level(signal: Signal, level_dbfs: float) -> Samples:
    """The signal at a level: its mean power, pauses included; never past full scale."""
    rms = float(np.sqrt(np.mean(np.square(signal)))) or 1.0
    return (signal * (10 ** (level_dbfs / 20) / rms)).clip(-1, 1).astype(np.float32)
