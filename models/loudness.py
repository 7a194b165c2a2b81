"""How loud speech is: its mean level, and its level half second by half second.

Guarantee: what is not speech counts nowhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qa_service.domain.conversation import LEVEL_STEP_S
from qa_service.domain.timeline import TimeSpan

QUIET_DB = -120.0
_LEAST_S = 0.2  # of speech in a step: of less its level says nothing


@dataclass(frozen=True, slots=True)
class Loudness:
    """``mean_dbfs``: mean power of the speech, None without speech. ``steps_dbfs``: of each ``LEVEL_STEP_S``, None
    where there is too little speech."""

    mean_dbfs: float | None
    steps_dbfs: tuple[float | None, ...]


def loudness(
    spans: Sequence[TimeSpan], power: Callable[[TimeSpan], NDArray[np.floating[Any]]], *, rate_hz: float
) -> Loudness:
    """Loudness of the speech in ``spans`` (disjoint). ``power``: of each sample or frame of a span, ``rate_hz`` a
    second."""
    steps = 1 + int(max((span.end for span in spans), default=0.0) / LEVEL_STEP_S)
    energy, counts = np.zeros(steps), np.zeros(steps)
    for span in spans:
        values = power(span).astype(np.float64)
        at = np.minimum(((span.start + np.arange(len(values)) / rate_hz) / LEVEL_STEP_S).astype(int), steps - 1)
        energy += np.bincount(at, weights=values, minlength=steps)
        counts += np.bincount(at, minlength=steps)
    if not counts.any():
        return Loudness(None, ())
    levels = 10 * np.log10(np.maximum(energy / np.maximum(counts, 1), 10 ** (QUIET_DB / 10)))
    mean = energy.sum() / counts.sum()
    return Loudness(
        float(10 * np.log10(mean + 1e-12)),
        tuple(
            round(float(level), 1) if count >= _LEAST_S * rate_hz else None
            for level, count in zip(levels, counts, strict=True)
        ),
    )
