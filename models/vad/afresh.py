"""Where a voice activity network must listen again without its past.

The network is recurrent, and what is long no speech makes it deaf: with half a minute of hold music in its past it
hears 0 to 57 % of the next four seconds of speech, the agent who comes back; with two seconds of music 78 to 90 %.
After a minute of digital silence it hears 13 % of two seconds of a soft voice, after a second 72 % (2026-11-22).

Guarantee: pure array functions; what is quiet, or speech already, is never listened to again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class AfreshOptions:
    """Seconds. ``heard_probability``: below it nothing was heard as speech. Where that lasts ``unheard_s``, what
    sounds is listened to again in pieces of ``piece_s`` that begin every ``step_s``, and ``after_s`` beyond it, as
    the network comes round word by word. What is heard then, pauses up to ``pause_s`` included, counts where the
    probability above ``doubt`` adds up to ``evidence_s``: coded music sounds like speech for a moment.
    With 3 s instead of 10, 1 % more of all speech is found, and half as much again that is none.
    """

    heard_probability: float = 0.25
    unheard_s: float = 10.0
    piece_s: float = 2.0
    step_s: float = 1.0
    after_s: float = 4.0
    pause_s: float = 0.6
    doubt: float = 0.35
    evidence_s: float = 0.4


def unheard(
    probabilities: NDArray[np.float32], sounding: NDArray[np.bool_], *, frame_s: float, options: AfreshOptions
) -> Iterator[tuple[int, int]]:
    """Frames ``[first, last)`` of each piece to listen to again.

    Args:
        probabilities: of speech, float32 (frame,).
        sounding: whether the frame is louder than a line on which nobody speaks, (frame,).
    """
    quiet = np.concatenate([[False], probabilities < options.heard_probability, [False]])
    edges = np.flatnonzero(quiet[1:] != quiet[:-1])
    step, length = round(options.step_s / frame_s), round(options.piece_s / frame_s)
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if (last - first) * frame_s < options.unheard_s:
            continue
        through = min(last + round(options.after_s / frame_s), len(probabilities))
        for start in range(first, through, step):
            end = min(start + length, through)
            if sounding[start:end].any():
                yield start, end


def believed(
    probabilities: NDArray[np.float32], again: NDArray[np.float32], *, frame_s: float, options: AfreshOptions
) -> NDArray[np.float32]:
    """``probabilities``, and where it is to be believed, what was heard ``again``; each float32 (frame,)."""
    found = probabilities.copy()
    heard = np.flatnonzero(again >= options.heard_probability)
    pauses = np.flatnonzero(np.diff(heard) * frame_s > options.pause_s)
    for run in np.split(heard, pauses + 1):
        if (again[run] - options.doubt).sum() * frame_s >= options.evidence_s:
            found[run] = np.maximum(found[run], again[run])
    return found
