"""Audio in memory for tests of the speech engines: sounds that are no speech, and pieces of real calls."""

from collections.abc import Callable

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from qa_service.domain.timeline import TimeSpan
from tests.corpus import example_call

RATE_HZ = 16_000
Samples = NDArray[np.float32]


class ArrayAudio:
    """Implements ``DecodedAudio`` over float32 (channel, time) at 16 kHz."""

    sample_rate_hz = RATE_HZ

    def __init__(self, samples: Samples) -> None:
        self._samples = np.atleast_2d(samples)
        self.channels, count = self._samples.shape
        self.duration_s = count / RATE_HZ

    def read(self, channel: int, span: TimeSpan) -> Samples:
        return self._samples[channel, round(span.start * RATE_HZ) : round(span.end * RATE_HZ)]


def clip_of(name: str, start_s: float, end_s: float) -> Samples:
    """Seconds ``[start_s, end_s)`` of an example call, float32 (channel, time) at 16 kHz."""
    path = example_call(name)
    rate_hz = sf.info(path).samplerate
    samples, _ = sf.read(
        path, start=round(start_s * rate_hz), stop=round(end_s * rate_hz), dtype="float32", always_2d=True
    )
    return np.ascontiguousarray(soxr.resample(samples, rate_hz, RATE_HZ).T)


def _time_s(duration_s: float) -> NDArray[np.float64]:
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def silence(duration_s: float) -> Samples:
    return np.zeros(round(duration_s * RATE_HZ), np.float32)


def noise(duration_s: float, *, rms: float = 0.1) -> Samples:
    """White noise, the same on every call."""
    return (rms * np.random.default_rng(7).standard_normal(round(duration_s * RATE_HZ))).astype(np.float32)


def line_noise(duration_s: float) -> Samples:
    """A telephone line on which nobody speaks: noise at −50 dBFS."""
    return noise(duration_s, rms=10 ** (-50 / 20))


def tone(duration_s: float) -> Samples:
    """440 Hz."""
    return (0.3 * np.sin(2 * np.pi * 440 * _time_s(duration_s))).astype(np.float32)


def ringing(duration_s: float) -> Samples:
    """The ringing tone of a Chinese exchange: 450 Hz, one second in five."""
    time_s = _time_s(duration_s)
    return np.where(time_s % 5 < 1, 0.2 * np.sin(2 * np.pi * 450 * time_s), 0.0).astype(np.float32)


def keypad(duration_s: float) -> Samples:
    """Dual tones of pressed keys (ITU-T Q.23), a quarter second every half."""
    time_s = _time_s(duration_s)
    keys = [(697, 1209), (770, 1336), (852, 1477), (941, 1336)]
    samples = np.zeros(len(time_s))
    for n, (low, high) in enumerate(keys):
        pressed = (time_s % 0.5 < 0.25) & ((time_s // 0.5).astype(int) % len(keys) == n)
        both = 0.25 * (np.sin(2 * np.pi * low * time_s) + np.sin(2 * np.pi * high * time_s))
        samples[pressed] = both[pressed]
    return samples.astype(np.float32)


NOT_SPEECH: dict[str, Callable[[float], Samples]] = {
    "silence": silence,
    "white noise": noise,
    "line noise": line_noise,
    "440 Hz": tone,
    "ringing": ringing,
    "keypad": keypad,
}
