"""A folder of short calls, made from the test calls: pieces of 10 to 40 s, each through a line of its own.

Guarantee: the same count gives the same audio; a piece is cut where nobody speaks: what was said in it is known.
Only recordings of the repository are needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from benchmarks import truth
from benchmarks.conditions import babble, noisy, office, street, tempo, through_format
from benchmarks.judging import own_folders
from tests.corpus import UNLEARNT
from tests.recordings import Samples

RATE_HZ = 8000
SEED = 20261122
SHORTEST_S, LONGEST_S = 10.0, 40.0
EDGE_S = 0.1
"""Silence that stays on either side of a cut, at least."""
CODECS = (None, "wav-mulaw", "wav-alaw", "amr-nb", "wav-gsm")
NOISES = (None, babble, office, street)


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a call, and what is said in it on each channel."""

    start: float
    end: float
    said: tuple[str, ...]


def pieces(call: truth.Document) -> list[Piece]:
    """Every part of the call of the right length between two moments at which nobody speaks, in order."""
    quiet = quiet_moments(call)
    found = []
    for number, start in enumerate(quiet):
        for end in quiet[number + 1 :]:
            if SHORTEST_S <= end - start <= LONGEST_S:
                inside = [u for u in call["utterances"] if start < u["start"] and u["end"] < end]
                said = ("".join(u["say"] for u in inside if u["channel"] == channel) for channel in (0, 1))
                found.append(Piece(start, end, tuple(said)))
    return found


def quiet_moments(call: truth.Document) -> list[float]:
    """The middle of each pause in which a cut leaves silence on both sides; the call's ends are not among them."""
    moments, ended = [], None
    for start, end in sorted((u["start"], u["end"]) for u in call["utterances"]):
        if ended is not None and start - ended >= 2 * EDGE_S:
            moments.append((ended + start) / 2)
        ended = end if ended is None else max(ended, end)
    return moments


def through_a_line(samples: Samples, rng: np.random.Generator) -> Samples:
    """Another tempo (±5 %), mild noise (20 to 30 dB), a codec and a level (−12 to +3 dB), drawn from ``rng``."""
    seed = int(rng.integers(1 << 31))
    heard = tempo(float(rng.uniform(0.95, 1.05)))(samples, RATE_HZ, seed)
    if (noise := NOISES[rng.integers(len(NOISES))]) is not None:
        heard = noisy(noise, float(rng.uniform(20, 30)))(heard, RATE_HZ, seed)
    if (codec := CODECS[rng.integers(len(CODECS))]) is not None:
        heard = through_format(codec)(heard, RATE_HZ, seed)
    heard = heard * 10 ** (float(rng.uniform(-12, 3)) / 20)
    return np.asarray(heard / max(1.0, np.abs(heard).max() / 0.99), np.float32)


def mandarin_calls() -> list[tuple[truth.Document, Path]]:
    """The truth and the recording of each Mandarin test call, of the calls that the published figures are of."""
    folders = [folder for folder in own_folders() if folder.name != UNLEARNT]
    every = [(folder, name) for folder in folders for name in truth.call_names(folder)]
    calls = [(truth.read(*call, "truth"), truth.recording(*call)) for call in every]
    return [(known, path) for known, path in calls if known["language"].startswith("zh")]


def write_short_calls(folder: Path, count: int) -> dict[str, Sequence[str]]:
    """Write ``count`` calls as stereo FLAC; file name → what is said on each channel."""
    calls = mandarin_calls()
    said: dict[str, Sequence[str]] = {}
    for first, (known, recording) in enumerate(calls[:count]):
        samples, rate_hz = sf.read(recording, dtype="float32", always_2d=True)
        call = np.ascontiguousarray(soxr.resample(samples, rate_hz, RATE_HZ).T)
        choices = pieces(known)
        for number in range(first, count, len(calls)):
            rng = np.random.default_rng([SEED, number])
            piece = choices[rng.integers(len(choices))]
            part = call[:, round(piece.start * RATE_HZ) : round(piece.end * RATE_HZ)]
            path = folder / f"short{number:03}.flac"
            sf.write(path, through_a_line(part, rng).T, RATE_HZ, subtype="PCM_16")
            said[path.name] = piece.said
    return dict(sorted(said.items()))
