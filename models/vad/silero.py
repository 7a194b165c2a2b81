"""Silero VAD v6 (ONNX, shipped inside faster-whisper), streamed.

Guarantee: memory does not grow with the recording; the network's state is carried from block to block, so the
result equals one pass over the whole channel. What keeps its pitch is taken out again: hold music and tones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.loudness import loudness
from models.rehearsal import Moment
from models.vad.afresh import AfreshOptions, believed, unheard
from models.vad.regions import RegionOptions, regions, without_leakage
from models.vad.steady import SteadyOptions, without_steady
from qa_service.domain.conversation import EngineRun
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import EngineError
from qa_service.ports import DecodedAudio, SpeechActivity

FRAME = 512  # samples at 16 kHz: what the network was trained on
CONTEXT = 64
BLOCK_FRAMES = 2048  # 65 s a block
QUIET_DB = -120.0
# The network was trained on speech with a room in it. Telephone speech at full level with digital silence between
# the words makes it hesitate: on a real call it saw 71 % of the customer's speech (threshold 0.4), and 81 % of it
# with the channel brought to TARGET_DB over a noise floor of DITHER, at no more false speech.
TARGET_DB = -35.0
SPEECH_FLOOR_DB = -50.0
# A channel on which nothing reaches the floor is brought up by its loudest frames, if it carries anything at all:
# of six calls, of which one with line noise, speech at −65 dBFS was found to 98 % as at −25. Noise stays noise.
FAINTEST_DB = -75.0
FAINT_RANGE_DB = 20.0
DITHER = 1e-3
SOUNDING_RANGE_DB = 15.0  # hold music is about as loud as speech, the noise of a line is not
REVISION = "silero_vad_v6:4cbf549b8326f60f"


def _zeros(*shape: int) -> Callable[[], NDArray[np.float32]]:
    return lambda: np.zeros(shape, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _State:
    """What the network remembers; nothing at first. ``tail``: the samples before the next frame."""

    h: NDArray[np.float32] = field(default_factory=_zeros(1, 1, 128))
    c: NDArray[np.float32] = field(default_factory=_zeros(1, 1, 128))
    tail: NDArray[np.float32] = field(default_factory=_zeros(CONTEXT))


class SileroVad:
    """Implements ``VoiceActivityDetector``."""

    def __init__(
        self,
        *,
        options: RegionOptions | None = None,
        steady: SteadyOptions | None = None,
        afresh: AfreshOptions | None = None,
    ) -> None:
        self._options = options or RegionOptions()
        self._steady = steady or SteadyOptions()
        self._afresh_options = afresh or AfreshOptions()

    @property
    def run(self) -> EngineRun:
        front_end = {
            "target_db": TARGET_DB,
            "speech_floor_db": SPEECH_FLOOR_DB,
            "dither": DITHER,
            "faintest_db": FAINTEST_DB,
            "faint_range_db": FAINT_RANGE_DB,
            "sounding_range_db": SOUNDING_RANGE_DB,
        }
        options = tuple(
            (n, str(v))
            for n, v in sorted(
                {
                    **asdict(self._options),
                    **asdict(self._steady),
                    **asdict(self._afresh_options),
                    **front_end,
                }.items()
            )
        )
        return EngineRun("vad", "silero", "silero-vad-v6", REVISION, "cpu", options)

    @cached_property
    def _session(self) -> Any:
        try:
            from faster_whisper.vad import get_vad_model
        except ImportError as error:
            raise EngineError(
                "engine_missing", "faster-whisper is not installed: install the extra 'speech'"
            ) from error
        return get_vad_model().session

    def detect(
        self, audio: DecodedAudio, *, leaked: Sequence[Sequence[TimeSpan]] = ()
    ) -> tuple[SpeechActivity, ...]:
        frame_s = FRAME / audio.sample_rate_hz
        read = [self._channel(audio, channel) for channel in range(audio.channels)]
        raw = np.stack([probabilities for probabilities, _ in read])
        levels = np.stack([level for _, level in read])
        cleaned = without_leakage(raw, levels, frame_s=frame_s, options=self._options)
        for channel, spans in enumerate(leaked):
            for span in spans:
                cleaned[channel, round(span.start / frame_s) : round(span.end / frame_s)] = 0.0
        activities = []
        for channel in range(audio.channels):
            found = regions(cleaned[channel], frame_s=frame_s, duration_s=audio.duration_s, options=self._options)
            spans = without_steady(
                found,
                probabilities=cleaned[channel],
                frame_s=frame_s,
                read=partial(audio.read, channel),
                rate_hz=audio.sample_rate_hz,
                duration_s=audio.duration_s,
                options=self._steady,
            )
            loud = loudness(spans, partial(_power, levels[channel], frame_s), rate_hz=1 / frame_s)
            activities.append(SpeechActivity(channel, spans, loud.mean_dbfs, levels=loud.steps_dbfs))
        return tuple(activities)

    def rehearse(self) -> None:
        self.detect(Moment())

    def _channel(self, audio: DecodedAudio, channel: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Frame probabilities and frame levels (dBFS) of one channel, each float32 (frame,)."""
        levels = [_frame_levels(frames) for frames in _blocks(audio, channel)]
        if not levels:
            return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
        levels_db = np.concatenate(levels)
        gain = _gain(levels_db)
        noise = np.random.default_rng(0)  # the same floor every time: the result is reproducible
        state = _State()
        found = []
        for block in _blocks(audio, channel):
            probabilities, state = self._run(_front_end(block, gain, noise), state)
            found.append(probabilities)
        return self._afresh(audio, channel, np.concatenate(found), levels_db, gain), levels_db

    def _afresh(
        self,
        audio: DecodedAudio,
        channel: int,
        probabilities: NDArray[np.float32],
        levels_db: NDArray[np.float32],
        gain: np.float32,
    ) -> NDArray[np.float32]:
        """What a network without a past hears where this one has long heard no speech."""
        frame_s = FRAME / audio.sample_rate_hz
        heard = np.zeros_like(probabilities)
        loud_db = max(SPEECH_FLOOR_DB, TARGET_DB - 20 * np.log10(gain) - SOUNDING_RANGE_DB)
        for first, last in unheard(
            probabilities, levels_db > loud_db, frame_s=frame_s, options=self._afresh_options
        ):
            span = TimeSpan(first * frame_s, min(last * frame_s, audio.duration_s))
            frames = _framed(audio.read(channel, span))
            again, _ = self._run(_front_end(frames, gain, np.random.default_rng(0)), _State())
            heard[first:last] = np.maximum(heard[first:last], again)
        return believed(probabilities, heard, frame_s=frame_s, options=self._afresh_options)

    def _run(self, frames: NDArray[np.float32], state: _State) -> tuple[NDArray[np.float32], _State]:
        """Probabilities of successive frames, and the network's state after them."""
        context = np.concatenate([state.tail[None], frames[:-1, -CONTEXT:]])
        output, h, c = self._session.run(
            None, {"input": np.concatenate([context, frames], axis=1), "h": state.h, "c": state.c}
        )
        return np.asarray(output, dtype=np.float32).reshape(-1), _State(h, c, frames[-1, -CONTEXT:])


def _blocks(audio: DecodedAudio, channel: int) -> Iterator[NDArray[np.float32]]:
    """The channel in blocks of frames, float32 (frame, FRAME), the last one padded with silence."""
    block_s = BLOCK_FRAMES * FRAME / audio.sample_rate_hz
    start = 0.0
    while start < audio.duration_s:
        samples = audio.read(channel, TimeSpan(start, min(start + block_s, audio.duration_s)))
        start += block_s
        if not len(samples):
            return
        yield _framed(samples)


def _framed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    padded: NDArray[np.float32] = np.pad(samples, (0, -len(samples) % FRAME))
    return padded.reshape(-1, FRAME)


def _front_end(frames: NDArray[np.float32], gain: np.float32, noise: np.random.Generator) -> NDArray[np.float32]:
    return frames * gain + np.float32(DITHER) * noise.standard_normal(frames.shape, dtype=np.float32)


def _frame_levels(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    power = np.mean(np.square(frames), axis=1)
    levels: NDArray[np.float32] = np.maximum(10 * np.log10(power + 1e-12), QUIET_DB).astype(np.float32)
    return levels


def _gain(levels_db: NDArray[np.float32]) -> np.float32:
    """Factor that brings the channel's sounding frames to TARGET_DB; 1 when nothing sounds."""
    sounding = levels_db[levels_db > SPEECH_FLOOR_DB]
    if not len(sounding):
        loudest_db = float(np.percentile(levels_db, 98))
        if loudest_db < FAINTEST_DB:
            return np.float32(1.0)
        sounding = levels_db[levels_db > loudest_db - FAINT_RANGE_DB]
    level_db = 10 * np.log10(np.mean(10 ** (sounding / 10)))
    return np.float32(10 ** ((TARGET_DB - level_db) / 20))


def _power(levels_db: NDArray[np.float32], frame_s: float, span: TimeSpan) -> NDArray[np.float64]:
    first = round(span.start / frame_s)
    inside = levels_db[first : max(round(span.end / frame_s), first + 1)]
    return np.asarray(10 ** (inside.astype(np.float64) / 10))
