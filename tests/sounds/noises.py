"""Lines and rooms without speech."""

from collections.abc import Iterator

import numpy as np

from tests.sounds.synthesis import (
    RATE_HZ,
    Samples,
    Signal,
    Sound,
    at_level,
    band,
    coloured,
    decaying,
    laid,
    swelling,
    time_axis,
    tones,
    white,
)


def silence(duration_s: float) -> Samples:
    return np.zeros(round(duration_s * RATE_HZ), np.float32)


def _noise(slope: float, level_dbfs: float) -> Sound:
    return lambda duration_s: at_level(coloured(duration_s, slope=slope, seed=7), level_dbfs)


def hum(duration_s: float) -> Samples:
    """A badly earthed line: 50 Hz and its odd harmonics."""
    parts = [tones(duration_s, 50 * n) / n for n in range(1, 16, 2)]
    return at_level(np.sum(parts, axis=0) + 0.02 * white(duration_s, seed=8), -30.0)


def street(duration_s: float) -> Samples:
    """Traffic: a low rumble, cars that swell and go, a horn now and then."""

    def events() -> Iterator[tuple[float, Signal]]:
        random, start_s = np.random.default_rng(9), 0.5
        while True:
            length_s = random.uniform(2.0, 6.0)
            car = band(white(length_s, seed=int(start_s * 100)), 150, 1200) * swelling(length_s, length_s / 2) ** 2
            yield start_s, 0.5 * car
            if random.random() < 0.25:
                yield start_s + 0.3, 0.6 * tones(0.4, 420, 510) * swelling(0.4, 0.02)
            start_s += random.uniform(1.0, 4.0)

    rumble = coloured(duration_s, slope=2, seed=10)
    return at_level(rumble / rumble.std() + laid(duration_s, events()), -25.0)


def typing(duration_s: float) -> Samples:
    """Keys that are struck and let go in bursts."""

    def strokes() -> Iterator[tuple[float, Signal]]:
        random, start_s, seed = np.random.default_rng(12), 0.3, 0
        while True:
            for _ in range(random.integers(4, 18)):
                for level, after_s in ((1.0, 0.0), (0.4, 0.07)):
                    seed += 1
                    click = band(white(0.04, seed=seed), 900, 6500) * decaying(0.04, 0.004, attack_s=0.001)
                    yield start_s + after_s, level * random.uniform(0.5, 1.0) * click
                start_s += random.uniform(0.09, 0.3)
            start_s += random.uniform(0.5, 2.5)

    return at_level(laid(duration_s, strokes()) + 0.002 * white(duration_s, seed=13), -38.0)


def clicks(duration_s: float) -> Samples:
    """A mouse, and what a bad line adds: single impulses."""

    def presses() -> Iterator[tuple[float, Signal]]:
        random, start_s = np.random.default_rng(14), 0.4
        while True:
            for after_s in (0.0, 0.09):
                yield start_s + after_s, tones(0.012, 2600, 4100) * decaying(0.012, 0.002, attack_s=0.0005)
            start_s += random.uniform(0.2, 3.0)

    return at_level(laid(duration_s, presses()) + 0.001 * white(duration_s, seed=15), -42.0)


def breathing(duration_s: float) -> Samples:
    """Breath over the microphone: in, out, a pause."""

    def breaths() -> Iterator[tuple[float, Signal]]:
        random, start_s, seed = np.random.default_rng(16), 0.2, 100
        while True:
            for low_hz, high_hz, length_s, level in ((500, 4500, 0.9, 0.6), (250, 2500, 1.3, 1.0)):
                seed += 1
                length_s *= random.uniform(0.8, 1.2)
                air = band(white(length_s, seed=seed), low_hz, high_hz) * swelling(length_s, 0.4 * length_s)
                yield start_s, level * air
                start_s += length_s + 0.15
            start_s += random.uniform(0.5, 1.5)

    return at_level(laid(duration_s, breaths()), -32.0)


def bursts(duration_s: float) -> Samples:
    """Noise in pieces as long as syllables and words: lost packets, a jacket over the microphone."""

    def pieces() -> Iterator[tuple[float, Signal]]:
        random, start_s, seed = np.random.default_rng(17), 0.1, 200
        while True:
            seed += 1
            length_s = random.uniform(0.08, 0.5)
            low_hz = random.uniform(150, 900)
            piece = band(white(length_s, seed=seed), low_hz, low_hz + random.uniform(500, 3000))
            yield start_s, piece * swelling(length_s, 0.02)
            start_s += length_s + random.uniform(0.03, 0.6)

    return at_level(laid(duration_s, pieces()), -24.0)


def warble(duration_s: float) -> Samples:
    """Feedback: a tone that wanders."""
    time_s = time_axis(duration_s)
    wandering_hz = 1200 + 500 * np.sin(2 * np.pi * 0.3 * time_s) + 120 * np.sin(2 * np.pi * 1.7 * time_s)
    return at_level(np.sin(2 * np.pi * np.cumsum(wandering_hz) / RATE_HZ), -20.0)


NOISES: dict[str, Sound] = {
    "silence": silence,
    "line noise": _noise(0, -55.0),
    "white noise": _noise(0, -22.0),
    "pink noise": _noise(1, -22.0),
    "brown noise": _noise(2, -22.0),
    "hum": hum,
    "street": street,
    "typing": typing,
    "clicks": clicks,
    "breathing": breathing,
    "bursts": bursts,
    "feedback": warble,
}
