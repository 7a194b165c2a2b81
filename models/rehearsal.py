"""A moment of sound to try engines on."""

import numpy as np
from numpy.typing import NDArray

from qa_service.domain.timeline import TimeSpan

LEVEL_DBFS = -30.0


class Moment:
    """Implements ``DecodedAudio``: one second of noise, the same every time."""

    channels = 1
    duration_s = 1.0
    sample_rate_hz = 16_000

    def __init__(self) -> None:
        noise = np.random.default_rng(0).standard_normal(self.sample_rate_hz)
        self._samples = (noise * 10 ** (LEVEL_DBFS / 20)).astype(np.float32)

    def read(self, channel: int, span: TimeSpan) -> NDArray[np.float32]:  # noqa: ARG002 - there is one
        first, last = (round(time_s * self.sample_rate_hz) for time_s in (span.start, span.end))
        return self._samples[max(0, first) : last]
