"""The diarization error rate, as NIST's md-eval counts it: without a collar, overlapping speech included."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from qa_service.domain.timeline import TimeSpan

FRAME_S = 0.01

Speakers = Sequence[Sequence[TimeSpan]]


def error_rate(truth: Speakers, found: Speakers, duration_s: float) -> float:
    """Missed, false and confused speech over the truth's speech, with the best match of one's speakers to the
    other's."""
    said, heard = _frames(truth, duration_s), _frames(found, duration_s)
    people, voices = said.sum(axis=0), heard.sum(axis=0)
    count = max(len(said), len(heard))
    together = np.zeros((count, count))
    together[: len(said), : len(heard)] = said @ heard.T
    right = max(together[range(count), order].sum() for order in permutations(range(count)))
    return float((np.maximum(people, voices).sum() - right) / people.sum())


def _frames(speakers: Speakers, duration_s: float) -> NDArray[np.int64]:
    middles_s = (np.arange(round(duration_s / FRAME_S)) + 0.5) * FRAME_S
    rows = np.zeros((len(speakers), len(middles_s)), dtype=np.int64)
    for row, spans in zip(rows, speakers, strict=True):
        for span in spans:
            row[(span.start <= middles_s) & (middles_s < span.end)] = 1
    return rows
