"""Hold music in many styles, some of them as close to a voice as an instrument comes."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count

import numpy as np

from tests.sounds.synthesis import (
    RATE_HZ,
    Samples,
    Signal,
    Sound,
    at_level,
    band,
    decaying,
    harmonics,
    hertz,
    laid,
    sung,
    swelling,
    time_axis,
    white,
    with_vibrato,
)

LEVEL_DBFS = -20.0
BEAT_S = 0.5
CHORDS = ((60, 64, 67), (57, 60, 64), (53, 57, 60), (55, 59, 62))
PENTATONIC = (62, 64, 66, 69, 71, 74, 76)
Voice = Callable[[float, float], Signal]  # of a MIDI note and its seconds


def _steady(midi: float, length_s: float) -> Signal:
    return np.full(round(length_s * RATE_HZ), hertz(midi))


@cache
def _piano(midi: float, length_s: float) -> Signal:
    return harmonics(_steady(midi, length_s), lambda n: 0.6**n) * decaying(length_s, 0.35)


@cache
def _bell(midi: float, length_s: float) -> Signal:
    time_s = time_axis(length_s)
    partials = ((1.0, 1.0), (2.76, 0.4), (5.4, 0.15))
    rung = np.sum([a * np.sin(2 * np.pi * hertz(midi) * r * time_s) for r, a in partials], axis=0)
    return rung * decaying(length_s, 0.25, attack_s=0.002)


@cache
def _plucked(midi: float, length_s: float) -> Signal:
    """Karplus–Strong: a burst of noise that goes round a string."""
    period = round(RATE_HZ / hertz(midi))
    string = white(period / RATE_HZ, seed=int(midi))
    rounds = []
    for _ in range(-(-round(length_s * RATE_HZ) // period)):
        rounds.append(string)
        string = 0.996 * 0.5 * (string + np.roll(string, 1))
    return np.concatenate(rounds)[: round(length_s * RATE_HZ)] * swelling(length_s, 0.005)


@cache
def _pad(midi: float, length_s: float) -> Signal:
    detuned = [harmonics(_steady(midi + cents, length_s), lambda n: 1 / n**1.6) for cents in (-0.06, 0.0, 0.07)]
    return np.sum(detuned, axis=0) * swelling(length_s, 0.4 * length_s)


@cache
def _bowed(midi: float, length_s: float) -> Signal:
    return harmonics(with_vibrato(hertz(midi), length_s), lambda n: 1 / n) * swelling(length_s, 0.08)


@cache
def _reed(midi: float, length_s: float) -> Signal:
    odd = harmonics(with_vibrato(hertz(midi), length_s, depth=0.006), lambda n: (n % 2) / n + 0.05)
    return odd * swelling(length_s, 0.04)


def _choir(vowel: str) -> Voice:
    @cache
    def voice(midi: float, length_s: float) -> Signal:
        singers = [
            sung(with_vibrato(hertz(midi + cents), length_s, depth=0.01, rate_hz=rate_hz), vowel)
            for cents, rate_hz in ((-0.08, 4.9), (0.0, 5.4), (0.09, 5.9))
        ]
        return np.sum(singers, axis=0) * swelling(length_s, 0.15 * length_s)

    return voice


def _melody(
    voice: Voice, *, scale: Sequence[float], seed: int, lengths: Sequence[float]
) -> Iterator[tuple[float, Signal]]:
    """A walk on a scale, bars repeated as tunes do."""
    random = np.random.default_rng(seed)
    start_s, place = 0.0, len(scale) // 2
    while True:
        bar = []
        for _ in range(6):
            place = int(np.clip(place + random.integers(-2, 3), 0, len(scale) - 1))
            bar.append((scale[place], float(random.choice(lengths))))
        for midi, beats in bar * 2:
            yield start_s, voice(midi, beats * BEAT_S * 1.05)
            start_s += beats * BEAT_S


def _chords(voice: Voice, *, beats: int, octave: int = 0) -> Iterator[tuple[float, Signal]]:
    for n in count():
        notes = [voice(midi + 12 * octave, beats * BEAT_S * 1.1) for midi in CHORDS[n % len(CHORDS)]]
        yield n * beats * BEAT_S, np.sum(notes, axis=0)


def _arpeggio(voice: Voice, *, length_s: float) -> Iterator[tuple[float, Signal]]:
    for n in count():
        chord = CHORDS[n // 16 % len(CHORDS)]
        notes = (*chord, chord[0] + 12)
        yield n * BEAT_S / 2, voice(notes[(0, 1, 2, 3, 2, 1)[n % 6]], length_s)


def _bass(voice: Voice) -> Iterator[tuple[float, Signal]]:
    for n in count():
        yield n * BEAT_S * 2, voice(CHORDS[n // 4 % len(CHORDS)][0] - 24, BEAT_S * 2)


def _drums() -> Iterator[tuple[float, Signal]]:
    for n in count():
        start_s = n * BEAT_S / 2
        hat = 0.3 * band(white(0.05, seed=n), 5000, 7800) * decaying(0.05, 0.008)
        yield start_s, hat
        if n % 4 == 0:
            time_s = time_axis(0.25)
            yield (
                start_s,
                2.0 * np.sin(2 * np.pi * (50 * time_s - 8 * np.exp(-12 * time_s))) * decaying(0.25, 0.06),
            )
        if n % 4 == 2:
            yield start_s, 0.8 * band(white(0.2, seed=1000 + n), 200, 4000) * decaying(0.2, 0.04)


def _erhu(duration_s: float) -> Signal:
    """One bowed voice that slides from note to note, never silent: the pitch of a voice without its syllables."""
    random = np.random.default_rng(21)
    steps = random.integers(-2, 3, int(duration_s / 0.25) + 2).cumsum() % len(PENTATONIC)
    holds = np.repeat(np.take(PENTATONIC, steps), 2)[: int(duration_s / 0.25) + 2]
    midi = np.interp(time_axis(duration_s), np.arange(len(holds)) * 0.25 + 0.12, holds)
    frequency_hz = 440 * 2 ** ((midi - 69) / 12) * (1 + 0.012 * np.sin(2 * np.pi * 5.8 * time_axis(duration_s)))
    bow = 0.75 + 0.25 * np.sin(2 * np.pi * 0.9 * time_axis(duration_s))
    return band(harmonics(frequency_hz, lambda n: 1 / n), 250, 5000) * bow


def _humming(duration_s: float) -> Signal:
    """A singer without words: vowels on a tune, one a note."""
    notes = _melody(lambda m, s: np.append(m, s), scale=range(48, 60, 2), seed=22, lengths=(0.5, 1, 1, 2))

    def vowels() -> Iterator[tuple[float, Signal]]:
        for n, (start_s, note) in enumerate(notes):
            midi, length_s = float(note[0]), float(note[1])
            yield start_s, sung(with_vibrato(hertz(midi), length_s), "aoiu"[n % 4]) * swelling(length_s, 0.05)

    return laid(duration_s, vowels())


def _piece(*parts: tuple[float, Callable[[], Iterator[tuple[float, Signal]]]]) -> Sound:
    """Parts of a piece, each at its own strength."""

    def sound(duration_s: float) -> Samples:
        tracks = []
        for strength, part in parts:
            track = laid(duration_s, part())
            tracks.append(strength * track / track.std())
        return at_level(np.sum(tracks, axis=0), LEVEL_DBFS)

    return sound


TUNE = (60, 62, 64, 65, 67, 69, 71, 72)

MUSIC: dict[str, Sound] = {
    "piano": _piece(
        (1.0, lambda: _melody(_piano, scale=TUNE, seed=1, lengths=(0.5, 1, 1, 2))),
        (0.5, lambda: _chords(_piano, beats=2, octave=-1)),
    ),
    "pads": _piece((1.0, lambda: _chords(_pad, beats=8))),
    "arpeggio and drums": _piece(
        (1.0, lambda: _arpeggio(_piano, length_s=0.4)), (0.7, _drums), (0.5, lambda: _bass(_reed))
    ),
    "music box": _piece(
        (1.0, lambda: _melody(_bell, scale=[m + 24 for m in TUNE], seed=2, lengths=(0.5, 0.5, 1)))
    ),
    "plucked strings": _piece((1.0, lambda: _arpeggio(_plucked, length_s=1.2)), (0.5, lambda: _bass(_plucked))),
    "zither": _piece((1.0, lambda: _melody(_plucked, scale=PENTATONIC, seed=3, lengths=(0.25, 0.5, 0.5, 1)))),
    "erhu": lambda duration_s: at_level(_erhu(duration_s), LEVEL_DBFS),
    "violin": _piece((1.0, lambda: _melody(_bowed, scale=TUNE, seed=4, lengths=(0.5, 1, 2)))),
    "saxophone": _piece(
        (1.0, lambda: _melody(_reed, scale=[m - 12 for m in TUNE], seed=5, lengths=(0.25, 0.5, 1))),
        (0.4, lambda: _chords(_pad, beats=4)),
        (0.3, _drums),
    ),
    "choir": _piece((1.0, lambda: _chords(_choir("a"), beats=4, octave=-1))),
    "choir and piano": _piece(
        (1.0, lambda: _melody(_choir("o"), scale=TUNE, seed=6, lengths=(1, 1, 2))),
        (0.6, lambda: _arpeggio(_piano, length_s=0.5)),
    ),
    "humming": lambda duration_s: at_level(_humming(duration_s), LEVEL_DBFS),
    "band": _piece(
        (0.8, lambda: _melody(_bowed, scale=TUNE, seed=7, lengths=(0.5, 0.5, 1))),
        (0.5, lambda: _chords(_pad, beats=4)),
        (0.6, lambda: _bass(_plucked)),
        (0.8, _drums),
    ),
}
