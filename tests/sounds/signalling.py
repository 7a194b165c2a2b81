"""What the telephone network and telephones themselves sound like (ITU-T E.180, Q.23, V.21, V.25)."""

from collections.abc import Iterator

import numpy as np

from tests.sounds.synthesis import (
    RATE_HZ,
    Samples,
    Signal,
    Sound,
    at_level,
    laid,
    on_and_off,
    time_axis,
    tones,
)

LEVEL_DBFS = -18.0


def _cadence(pattern: list[tuple[float, bool]], *frequencies_hz: float) -> Sound:
    def sound(duration_s: float) -> Samples:
        return at_level(tones(duration_s, *frequencies_hz) * on_and_off(duration_s, pattern), LEVEL_DBFS)

    return sound


def keypad(duration_s: float) -> Samples:
    """A number that is dialled again and again: keys of different length, a pause after each eleven."""
    low = {c: f for f, row in zip((697, 770, 852, 941), ("123", "456", "789", "*0#"), strict=True) for c in row}
    high = {c: f for f, column in zip((1209, 1336, 1477), ("147*", "2580", "369#"), strict=True) for c in column}

    def keys() -> Iterator[tuple[float, Signal]]:
        start_s, random = 0.2, np.random.default_rng(3)
        while True:
            for key in "13907214568":
                length_s = random.uniform(0.08, 0.3)
                pressed = on_and_off(length_s, [(length_s - 0.01, True), (0.01, False)])
                yield start_s, tones(length_s, low[key], high[key]) * pressed
                start_s += length_s + random.uniform(0.06, 0.4)
            start_s += 1.5

    return at_level(laid(duration_s, keys()), LEVEL_DBFS)


def information_tones(duration_s: float) -> Samples:
    """ "The number does not exist": three rising tones of 1/3 s and a second of silence."""
    gates = [[(s, n == i) for i, s in enumerate((0.333, 0.333, 0.333, 1.0))] for n in range(3)]
    parts = [
        tones(duration_s, f) * on_and_off(duration_s, g) for f, g in zip((950, 1400, 1800), gates, strict=True)
    ]
    return at_level(np.sum(parts, axis=0), LEVEL_DBFS)


def fax(duration_s: float) -> Samples:
    """A fax machine answers: 2.6 s of 2100 Hz, then frames of frequency-shift keying (1650/1850 Hz, 300 bit/s)."""
    time_s = time_axis(duration_s)
    bits = np.random.default_rng(5).integers(0, 2, int(duration_s * 300) + 1)
    shifted_hz = np.where(bits[(time_s * 300).astype(int)], 1650.0, 1850.0)
    keyed = np.sin(2 * np.pi * np.cumsum(shifted_hz) / RATE_HZ)
    answer = tones(duration_s, 2100)
    within = time_s % 9
    return at_level(np.where(within < 2.6, answer, np.where((within > 3) & (within < 8), keyed, 0.0)), LEVEL_DBFS)


def modem(duration_s: float) -> Samples:
    """Scrambled data: noise-like, 600–3000 Hz, with a carrier of 1800 Hz."""
    symbols = np.random.default_rng(6).integers(0, 4, int(duration_s * 2400) + 1)
    time_s = time_axis(duration_s)
    phase = np.pi / 2 * np.cumsum(symbols)[(time_s * 2400).astype(int)]
    return at_level(np.sin(2 * np.pi * 1800 * time_s + phase), LEVEL_DBFS)


SIGNALLING: dict[str, Sound] = {
    "dial tone 450": _cadence([(1.0, True)], 450),
    "ringing 450, 1 s in 5": _cadence([(1.0, True), (4.0, False)], 450),
    "ringing 440+480, 2 s in 6": _cadence([(2.0, True), (4.0, False)], 440, 480),
    "ringing 400+450, double": _cadence([(0.4, True), (0.2, False), (0.4, True), (2.0, False)], 400, 450),
    "busy 450": _cadence([(0.35, True), (0.35, False)], 450),
    "busy 480+620": _cadence([(0.5, True), (0.5, False)], 480, 620),
    "congestion 450": _cadence([(0.7, True), (0.7, False)], 450),
    "call waiting 450": _cadence([(0.4, True), (4.0, False)], 450),
    "recording beep 1400": _cadence([(0.4, True), (14.6, False)], 1400),
    "voicemail beep 1000": _cadence([(5.0, False), (0.5, True)], 1000),
    "fax calling 1100": _cadence([(0.5, True), (3.0, False)], 1100),
    "fax": fax,
    "modem": modem,
    "information tones": information_tones,
    "keypad dialling": keypad,
}
