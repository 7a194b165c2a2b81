"""What telephony and rooms do to a call, as pure functions: a clean call in, the same call damaged out.

Guarantee: the same samples, condition and seed give the same samples; shape and times are kept (codecs: within
10 ms), except that a condition with a ``speed`` divides the call's length and every true time by it. Where
something random happens, it happens independently on each channel.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from tests.recordings import FORMATS, Samples

Noise = Callable[[Samples, int, np.random.Generator], NDArray[np.float64]]
"""(the clean call, rate in Hz, generator) → noise for one of its channels, of any level."""

FRAME_S = 0.02
ACTIVE_MARGIN_DB = 15.9
"""Frames this far below the active level are pauses: ITU-T P.56."""
TALKERS = 8
MEAN_BURST_FRAMES = 2.5
CONCEAL_FRAMES = 3
"""A lost frame repeats the last one, fading to zero over this many (ITU-T G.711 Appendix I fades over 60 ms)."""
CROSSTALK_DELAY_S = 0.03
CROSSTALK_BAND_HZ = (300.0, 2500.0)
CLIPPED_SHARE = 0.05
PEAK = 0.99


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of damaging a call.

    ``apply``: (float32 (channel, time) in [-1, 1], rate in Hz, seed) → the damaged call.
    ``speed``: 1.2 is a fifth faster.
    """

    apply: Callable[[Samples, int, int], Samples]
    speed: float = 1.0


def damaged(samples: Samples, *, rate_hz: int, condition: str, seed: int) -> Samples:
    """The call under a condition of ``CONDITIONS``; float32 (channel, time) in [-1, 1]."""
    return np.ascontiguousarray(CONDITIONS[condition].apply(samples, rate_hz, seed), np.float32)


def active_frames(channel: NDArray[np.floating], rate_hz: int) -> NDArray[np.bool_]:
    """Which whole 20 ms frames hold speech: less than 15.9 dB below the level of all such frames (after P.56)."""
    power = _frames(channel, rate_hz).mean(axis=1)
    active = power > 0
    while active.any():
        louder = active & (power > power[active].mean() * 10 ** (-ACTIVE_MARGIN_DB / 10))
        if louder.sum() == active.sum():
            break
        active = louder
    return active


def active_power(channel: NDArray[np.floating], rate_hz: int) -> float:
    """Mean power of the channel while somebody speaks on it; 0 when nobody does."""
    active = active_frames(channel, rate_hz)
    return float(_frames(channel, rate_hz)[active].mean()) if active.any() else 0.0


def _frames(channel: NDArray[np.floating], rate_hz: int) -> NDArray[np.float64]:
    """Squared samples, (frame, time)."""
    size = round(FRAME_S * rate_hz)
    whole = len(channel) // size
    return np.square(channel[: whole * size].astype(np.float64)).reshape(whole, size)


# Codecs


def through_format(name: str) -> Callable[[Samples, int, int], Samples]:
    """Encoded at 8 kHz in a format of ``tests/recordings.py``, a channel at a time, and decoded."""

    def apply(samples: Samples, rate_hz: int, seed: int) -> Samples:
        return np.stack([_round_trip(channel, rate_hz, name) for channel in samples])

    return apply


def _round_trip(channel: Samples, rate_hz: int, name: str) -> Samples:
    write = FORMATS[name].write
    assert write is not None, name
    narrow = soxr.resample(channel, rate_hz, 8000) if rate_hz != 8000 else channel
    file = BytesIO()
    write(file, np.ascontiguousarray(narrow[None].clip(-1, 1), np.float32), 8000)
    file.seek(0)
    with av.open(file) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=8000)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        decoded = np.concatenate([f.to_ndarray()[0] for f in frames])
    return _fitted(soxr.resample(decoded, 8000, rate_hz) if rate_hz != 8000 else decoded, len(channel))


def _fitted(channel: NDArray[np.floating], length: int) -> Samples:
    return np.pad(channel[:length], (0, max(0, length - len(channel)))).astype(np.float32)


# Noise


def noisy(kind: Noise, snr_db: float) -> Callable[[Samples, int, int], Samples]:
    """Noise at a ratio to each channel's active speech level; a call that would clip is turned down as a whole."""

    def apply(samples: Samples, rate_hz: int, seed: int) -> Samples:
        mixed = samples.astype(np.float64)
        for number, channel in enumerate(samples):
            noise = kind(samples, rate_hz, np.random.default_rng([seed, number]))
            wanted = active_power(channel, rate_hz) * 10 ** (-snr_db / 10)
            mixed[number] += noise * np.sqrt(wanted / np.mean(noise**2))
        return _unclipped(mixed)

    return apply


def babble(samples: Samples, rate_hz: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Eight talkers: the call's own voices backwards, without pauses, at other pitches: no word is understood."""
    size, length = round(FRAME_S * rate_hz), samples.shape[1]
    voices = []
    for voice in samples:
        active = active_frames(voice, rate_hz)
        if active.any():
            voices.append(voice[: len(active) * size].reshape(-1, size)[active].reshape(-1)[::-1])
    total = np.zeros(length)
    for _ in range(TALKERS if voices else 0):
        voice = voices[rng.integers(len(voices))]
        voice = soxr.resample(np.ascontiguousarray(voice), rate_hz, rate_hz * rng.uniform(0.85, 1.2))
        shifted = np.resize(np.roll(voice, rng.integers(len(voice))), length)
        total += shifted / (np.sqrt(np.mean(shifted**2)) + 1e-9)
    return total if voices else rng.standard_normal(length)


def office(samples: Samples, rate_hz: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Ventilation (falling 3 dB an octave), mains hum and keyboards: about four clicks a second."""
    length = samples.shape[1]
    time_s = np.arange(length) / rate_hz
    total = _coloured(rng, length, rate_hz, slope=0.5)
    total += sum(0.3 / n * np.sin(2 * np.pi * 100 * n * time_s + rng.uniform(0, 2 * np.pi)) for n in (1, 2, 3))
    decay = np.exp(-np.arange(round(0.04 * rate_hz)) / (0.006 * rate_hz))
    for at in rng.integers(0, length, size=round(4 * length / rate_hz)):
        click = decay[: length - at]
        total[at : at + len(click)] += rng.uniform(2, 6) * click * rng.standard_normal(len(click))
    return total


def street(samples: Samples, rate_hz: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Traffic (falling 6 dB an octave) with vehicles passing every few seconds, 14 dB above the rest."""
    length = samples.shape[1]
    time_s = np.arange(length) / rate_hz
    passing = np.zeros(length)
    for at_s in rng.uniform(0, length / rate_hz, size=max(1, round(length / rate_hz / 6))):
        passing += np.exp(-0.5 * ((time_s - at_s) / rng.uniform(0.6, 1.5)) ** 2)
    tyres = _coloured(rng, length, rate_hz, slope=0.3)
    return _coloured(rng, length, rate_hz, slope=1.0) * (1 + 2 * passing) + tyres * (0.2 + 3 * passing)


def _coloured(rng: np.random.Generator, length: int, rate_hz: int, *, slope: float) -> NDArray[np.float64]:
    """Noise of power 1 in the telephone's band (200–3400 Hz), falling by 6 dB × ``slope`` an octave."""
    noise = _filtered(rng.standard_normal(length), rate_hz, band_hz=(200, 3400), slope=slope)
    return noise / np.sqrt(np.mean(noise**2))


def _filtered(
    channel: NDArray[np.floating], rate_hz: int, *, band_hz: tuple[float, float], slope: float = 0.0
) -> NDArray[np.float64]:
    size = 1 << (len(channel) - 1).bit_length()  # a transform of any other length can take seconds
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    gain = np.where((hz >= band_hz[0]) & (hz <= band_hz[1]), np.maximum(hz, 1) ** -slope, 0)
    return np.fft.irfft(np.fft.rfft(channel, size) * gain, size)[: len(channel)]


def _unclipped(mixed: NDArray[np.float64]) -> Samples:
    """The call, turned down as a whole where it would exceed full scale."""
    return (mixed / max(1.0, np.abs(mixed).max() / PEAK)).astype(np.float32)


# The line


def packet_loss(share: float) -> Callable[[Samples, int, int], Samples]:
    """Packets of 20 ms lost in bursts (Gilbert's two states), the last one before repeated and faded."""

    def apply(samples: Samples, rate_hz: int, seed: int) -> Samples:
        heard = samples.copy()
        size = round(FRAME_S * rate_hz)
        for number, channel in enumerate(heard):
            lost = lost_packets(len(channel) // size, share, np.random.default_rng([seed, number]))
            run = 0
            for frame in range(len(lost)):
                run = run + 1 if lost[frame] else 0
                if run:
                    last = channel[(frame - run) * size : (frame - run + 1) * size]
                    gain = max(0.0, 1 - run / (CONCEAL_FRAMES + 1))
                    channel[frame * size : (frame + 1) * size] = last * gain
        return heard

    return apply


def lost_packets(count: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which packets are lost; never the first one."""
    recover = 1 / MEAN_BURST_FRAMES
    lose = recover * share / (1 - share)
    draws, lost, state = rng.random(count), np.zeros(count, bool), False
    for n in range(1, count):
        state = draws[n] >= recover if state else draws[n] < lose
        lost[n] = state
    return lost


def crosstalk(gain_db: float) -> Callable[[Samples, int, int], Samples]:
    """Each side leaks into the other's channel: 30 ms late, through 300–2500 Hz, ``gain_db`` from its level."""

    def apply(samples: Samples, rate_hz: int, seed: int) -> Samples:
        mixed = samples.astype(np.float64)
        for number, source in enumerate(samples[::-1]):
            leak = _leak(source, rate_hz)
            if wanted := active_power(source, rate_hz) * 10 ** (gain_db / 10):
                mixed[number] += leak * np.sqrt(wanted / active_power(leak, rate_hz))
        return _unclipped(mixed)

    return apply


def _leak(source: Samples, rate_hz: int) -> NDArray[np.float64]:
    filtered = _filtered(source, rate_hz, band_hz=CROSSTALK_BAND_HZ)
    return np.pad(filtered, (round(CROSSTALK_DELAY_S * rate_hz), 0))[: len(source)]


def louder(gain_db: float) -> Callable[[Samples, int, int], Samples]:
    def apply(samples: Samples, rate_hz: int, seed: int) -> Samples:
        return samples * np.float32(10 ** (gain_db / 20))

    return apply


def clipped(samples: Samples, rate_hz: int, seed: int) -> Samples:
    """Each channel turned up so far that the loudest twentieth of its speech samples is cut off at full scale."""
    cut = np.zeros_like(samples)
    for number, channel in enumerate(samples):
        size, active = round(FRAME_S * rate_hz), active_frames(channel, rate_hz)
        if active.any():
            speech = np.abs(channel[: len(active) * size].reshape(-1, size)[active])
            cut[number] = (channel / np.quantile(speech, 1 - CLIPPED_SHARE)).clip(-1, 1)
    return cut


# Speakers


def tempo(speed: float) -> Callable[[Samples, int, int], Samples]:
    """Faster or slower speech at the same pitch (FFmpeg's ``atempo``): people who hurry do not squeak."""

    def apply(samples: Samples, rate_hz: int, seed: int) -> Samples:
        layout = {1: "mono", 2: "stereo"}[len(samples)]
        graph = av.filter.Graph()
        steps = [
            graph.add_abuffer(sample_rate=rate_hz, format="fltp", layout=layout, time_base=Fraction(1, rate_hz)),
            graph.add("atempo", str(speed)),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*steps).configure()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        graph.push(frame)
        graph.push(None)
        heard = []
        while True:
            try:
                heard.append(graph.pull().to_ndarray().reshape(-1, len(samples)))  # atempo's samples are packed
            except (av.EOFError, av.BlockingIOError):
                break
        length = round(samples.shape[1] / speed)
        return np.stack([_fitted(channel, length) for channel in np.concatenate(heard).T])

    return apply


def _as_it_is(samples: Samples, rate_hz: int, seed: int) -> Samples:
    return samples


CONDITIONS: Mapping[str, Condition] = {
    "clean": Condition(_as_it_is),
    "mulaw": Condition(through_format("wav-mulaw")),
    "amr-nb": Condition(through_format("amr-nb")),
    "gsm": Condition(through_format("wav-gsm")),
    "babble-20": Condition(noisy(babble, 20)),
    "babble-10": Condition(noisy(babble, 10)),
    "babble-5": Condition(noisy(babble, 5)),
    "office-20": Condition(noisy(office, 20)),
    "office-10": Condition(noisy(office, 10)),
    "office-5": Condition(noisy(office, 5)),
    "street-20": Condition(noisy(street, 20)),
    "street-10": Condition(noisy(street, 10)),
    "street-5": Condition(noisy(street, 5)),
    "loss-3": Condition(packet_loss(0.03)),
    "loss-8": Condition(packet_loss(0.08)),
    "crosstalk-20": Condition(crosstalk(-20)),
    "crosstalk-10": Condition(crosstalk(-10)),
    "slow-20": Condition(tempo(0.8), speed=0.8),
    "fast-20": Condition(tempo(1.2), speed=1.2),
    "quiet-20": Condition(louder(-20)),
    "clipped": Condition(clipped),
}
"""Name → condition. The number: SNR in dB; % lost; dB below the leak's source; % of speed; dB of level."""
