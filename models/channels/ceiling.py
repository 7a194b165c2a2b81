"""Clipping: samples that pile up at a ceiling, at the recording's full scale or wherever an earlier stage had its
own.

Guarantee: blocks go in one after the other; what is kept is a histogram a second.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.channels.wiener import Signal
from qa_service.domain.timeline import TimeSpan

_LOWEST_DB: Final = -60
_EDGES = np.concatenate([[0.0], 10 ** (np.arange(_LOWEST_DB, 0) / 20), [np.inf]])  # 1 dB each, the last one open
_WIDTHS = np.diff(np.append(_EDGES[:-1], 1.0))


@dataclass(frozen=True, slots=True)
class CeilingOptions:
    """Amplitudes to full scale. ``loud``: what may clip at all; ``full``: the ceiling of the recording itself.

    ``lowest``: under it no ceiling is looked for. ``pile_up``: density of samples to that of quieter ones, up to
    ``reach_db`` below, from which they pile up: the louder, the rarer is what speech does (at most 0.98 above
    ``lowest`` on 57 recordings). ``least``: samples that a pile is made of.
    """

    loud: float = 0.01
    full: float = 0.95
    lowest: float = 0.18
    pile_up: float = 1.1
    reach_db: int = 4
    least: int = 100


class Ceiling:
    """Peak and clipping of one channel, block after block."""

    def __init__(self, options: CeilingOptions, sample_rate_hz: int) -> None:
        self._options = options
        self._rate_hz = sample_rate_hz
        self._seconds: list[NDArray[np.int32]] = []
        self._full: list[int] = []
        self._loud = 0
        self._peak = 0.0

    def follow(self, samples: Signal) -> None:
        """A block, a whole number of seconds but for the last one."""
        if not len(samples):
            return
        self._peak = max(self._peak, _peak(samples))
        for start in range(0, len(samples), self._rate_hz):
            amplitudes = np.abs(samples[start : start + self._rate_hz])
            self._seconds.append(np.histogram(amplitudes, _EDGES)[0].astype(np.int32))
            self._full.append(int((amplitudes >= self._options.full).sum()))
            self._loud += int((amplitudes >= self._options.loud).sum())

    @property
    def peak_dbfs(self) -> float | None:
        return 20 * float(np.log10(self._peak)) if self._peak > 0 else None

    def clipped(self) -> tuple[float, tuple[TimeSpan, ...]]:
        """The share of the loud samples that lie at the ceiling, and the seconds that hold any."""
        if not self._loud:
            return 0.0, ()
        counts = np.array(self._full)
        pile = self._pile()
        if pile is not None:
            counts = np.maximum(counts, np.stack(self._seconds)[:, pile:].sum(axis=1))
        share = float(counts.sum()) / self._loud
        return share, tuple(TimeSpan(float(second), second + 1.0) for second in np.flatnonzero(counts))

    def _pile(self) -> int | None:
        """The first bin of amplitudes from which samples pile up."""
        options = self._options
        counts = np.sum(self._seconds, axis=0)
        density = counts / _WIDTHS
        first = int(np.searchsorted(_EDGES, options.lowest))
        for index in range(first, len(density)):
            below = density[index - options.reach_db : index].min()
            if counts[index] >= options.least and density[index] > options.pile_up * below:
                return index - 1 if density[index - 1] > density[index - 2] else index
        return None


def _peak(samples: Signal) -> float:
    """The largest deviation from the direct current, a stretch of 32 ms at a time: an idle line card has one."""
    frames = np.pad(samples, (0, -len(samples) % 512), mode="edge").reshape(-1, 512)
    deviation = np.abs(frames - frames.mean(axis=1, keepdims=True)).max(axis=1)
    return float(np.sort(deviation)[-3:][0])  # two clicks, as a recorder starts and stops, are no signal
