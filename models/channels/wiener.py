"""The least-squares (Wiener) filter that makes one channel of another, and what it leaves unexplained.

Guarantee: pure array functions. Signals are float32 (time,) at half the recording's rate, a whole number of
``HOP`` samples; powers are float64 (frame,), a value a hop."""

import numpy as np
from numpy.typing import NDArray

FRAME = 512  # samples at 16 kHz: the voice detector's frame
HOP = FRAME // 2
SEGMENT = 4096
_SMOOTHING = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16  # before every second sample is dropped
TINY = 1e-14

Signal = NDArray[np.float32]
Powers = NDArray[np.float64]
Flags = NDArray[np.bool_]


def halved(samples: Signal) -> Signal:
    """At half the rate, without direct current, the last frame filled up with silence."""
    if not len(samples):
        return samples
    whole = np.pad(samples - samples.mean(dtype=np.float64).astype(np.float32), (0, -len(samples) % FRAME))
    return np.convolve(whole, _SMOOTHING, mode="same")[::2].astype(np.float32)


def whitened(signal: Signal, preemphasis: float) -> Signal:
    before = np.concatenate([signal[:1], signal[:-1]])
    return (signal - preemphasis * before).astype(np.float32)


def powers(signal: Signal) -> Powers:
    power: Powers = np.mean(np.square(signal.reshape(-1, HOP), dtype=np.float64), axis=1)
    return power


def smoothed(power: Powers, width: int) -> Powers:
    """Mean of ``width`` frames around each; never zero."""
    smooth: Powers = np.convolve(power, np.ones(width) / width)[(width - 1) // 2 :][: len(power)]
    return smooth + TINY


def correlations(source: Signal, receiver: Signal, taps: int) -> tuple[Powers, Powers]:
    """Of the source with itself and with the receiver 0, 1, … ``taps`` − 1 samples later: the normal equations."""
    earlier = np.fft.rfft(_segments(source, taps), axis=1).conj()
    spectra = (np.sum(earlier * np.fft.rfft(_alone(later, taps), axis=1), axis=0) for later in (source, receiver))
    own, cross = (np.fft.irfft(spectrum, SEGMENT)[:taps].astype(np.float64) for spectrum in spectra)
    return own, cross


def solved(own: Powers, cross: Powers, *, regularisation: float) -> Powers:
    """The filter of these normal equations, float64 (tap,); zeros when the source is silent."""
    if own[0] <= TINY:
        return np.zeros_like(own)
    lags = np.arange(len(own))
    matrix = own[np.abs(lags[:, None] - lags[None])]
    matrix[lags, lags] += regularisation * own[0]
    found: Powers = np.linalg.solve(matrix, cross)
    return found


def filtered(source: Signal, taps: Powers) -> Signal:
    """The source through the filter, as long as it was (overlap and save)."""
    response = np.fft.rfft(taps.astype(np.float32), SEGMENT)
    pieces = np.fft.irfft(np.fft.rfft(_segments(source, len(taps)), axis=1) * response, SEGMENT, axis=1)
    return pieces[:, len(taps) :].reshape(-1)[: len(source)].astype(np.float32)


def _segments(signal: Signal, history: int) -> Signal:
    """(segment, SEGMENT): each with the ``history`` samples before it."""
    step = SEGMENT - history
    padded = np.concatenate([np.zeros(history, np.float32), signal, np.zeros(-len(signal) % step, np.float32)])
    view: Signal = np.lib.stride_tricks.sliding_window_view(padded, SEGMENT)[::step]
    return view


def _alone(signal: Signal, history: int) -> Signal:
    """The same segments without what lies before them."""
    alone = _segments(signal, history).copy()
    alone[:, :history] = 0.0
    return alone
