"""Diarization of one channel: pyannote.audio's segmentation, CAM++ voices.

Guarantee: the audio is never whole in memory; overlapping speech belongs to both of its speakers; the same audio,
weights and options give the same speakers.

The segmentation says when how many people speak, and who of those in a chunk; ``voices`` says whose voice it is.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.diarization import torchaudio_compat
from models.diarization.campplus import CampPlus
from models.diarization.turns import FrameTimes, continuity, speaker_spans
from models.diarization.voices import VoiceOptions, tell_apart
from models.loudness import Loudness, loudness
from models.numerics import add_on_one_thread
from models.weights import CAMPPLUS, SEGMENTATION, assemble
from qa_service.domain.conversation import EngineRun
from qa_service.domain.timeline import TimeSpan, union
from qa_service.errors import EngineError
from qa_service.ports import DecodedAudio, SpeechActivity

# Raised whenever this package would find other speakers in the same audio with the same weights and options.
PIPELINE_REVISION = 2

CHUNK_S = 10.0  # what the segmentation was trained on
_BATCH = {"cpu": 8, "cuda": 64}


@dataclass(frozen=True, slots=True)
class DiarizationOptions:
    """``step_s``: from chunk to chunk; ``min_speech_s``: what is shorter is no speech; ``bridge_s``: pauses that
    are closed; ``detector_reach_s``: how far from all detected speech nothing is speech."""

    step_s: float = 1.0
    min_speech_s: float = 0.12
    bridge_s: float = 0.1
    detector_reach_s: float = 1.0
    voices: VoiceOptions = field(default_factory=VoiceOptions)


class PyannoteDiarizer:
    """Takes one channel apart into its speakers."""

    def __init__(self, *, cache_dir: Path, device: str = "cpu", options: DiarizationOptions | None = None) -> None:
        self._cache_dir = cache_dir
        self._device = device
        self._options = options or DiarizationOptions()

    @property
    def run(self) -> EngineRun:
        flat = {**asdict(self._options), "pipeline": PIPELINE_REVISION}
        return EngineRun(
            "diarization",
            "pyannote.audio",
            f"{SEGMENTATION.name} + {CAMPPLUS.name}",
            f"{SEGMENTATION.revision}+{CAMPPLUS.revision}",
            self._device,
            tuple((name, str(value)) for name, value in sorted(flat.items())),
        )

    def take_apart(
        self, audio: DecodedAudio, activity: SpeechActivity, *, expected: int | None
    ) -> tuple[SpeechActivity, ...]:
        """The speakers of ``activity``'s channel, in order of appearance.

        What lies far from all that the detector takes for speech (hold music, noise) is nobody's speech.

        Raises:
            EngineError: ``engine_missing``, ``engine_unavailable``, ``model_missing``, ``model_corrupt``.
        """
        options = self._options
        chunks = self._segment(audio, activity.channel)
        count, frames = self._speaker_count(chunks)
        embeddings = self._embedding.windows(
            audio, activity.channel, window_s=options.voices.window_s, hop_s=options.voices.hop_s
        )
        hop_s = options.voices.hop_s
        middles = (np.arange(len(embeddings)) + 0.5) * hop_s
        speaking = count[frames.nearest(middles, len(count))]
        voices = tell_apart(
            embeddings,
            speaking == 1,
            continuity(chunks, middles, chunk_s=CHUNK_S, step_s=options.step_s),
            expected=expected,
            options=options.voices,
        )
        found = speaker_spans(
            count,
            voices,
            frames=frames,
            hop_s=hop_s,
            duration_s=audio.duration_s,
            min_speech_s=options.min_speech_s,
            bridge_s=options.bridge_s,
        )
        reach_s = options.detector_reach_s
        near = union(TimeSpan(max(0.0, s.start - reach_s), s.end + reach_s) for s in activity.spans)
        heard = [[s for s in spans if any(s.overlap_s(speech) for speech in near)] for spans in found]
        return tuple(
            SpeechActivity(activity.channel, tuple(spans), loud.mean_dbfs, speaker, loud.steps_dbfs)
            for speaker, spans in enumerate(spans for spans in heard if spans)
            for loud in [_loudness(audio, activity.channel, spans)]
        )

    def _segment(self, audio: DecodedAudio, channel: int) -> NDArray[np.uint8]:
        """Who of a chunk's speakers speaks when: (chunk, frame, speaker), 0 or 1."""
        infer = self._inference.infer  # before the first batch, which needs torch
        batches = self._batches(audio, channel)
        return np.concatenate([infer(batch).round().astype(np.uint8) for batch in batches])

    def _batches(self, audio: DecodedAudio, channel: int) -> Iterator[Any]:
        """Chunks every ``step_s``, each float32 (1, time), the last ones padded with silence."""
        import torch

        rate = audio.sample_rate_hz
        step_s = self._options.step_s
        length = round(CHUNK_S * rate)
        chunks = 1 + max(0, -int(-(audio.duration_s - CHUNK_S) // step_s))
        batch = _BATCH.get(self._device, 8)
        for first in range(0, chunks, batch):
            last = min(first + batch, chunks)
            samples = audio.read(channel, TimeSpan(first * step_s, (last - 1) * step_s + CHUNK_S))
            padded = np.zeros(round((last - 1 - first) * step_s * rate) + length, dtype=np.float32)
            padded[: len(samples)] = samples[: len(padded)]
            starts = [round(i * step_s * rate) for i in range(last - first)]
            yield torch.from_numpy(np.stack([padded[start : start + length] for start in starts]))[:, None]

    def _speaker_count(self, chunks: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], FrameTimes]:
        """How many people speak in each frame, uint8 (frame,)."""
        from pyannote.audio.pipelines.utils import SpeakerDiarizationMixin
        from pyannote.core import SlidingWindow, SlidingWindowFeature

        window = SlidingWindow(duration=CHUNK_S, step=self._options.step_s, start=0.0)
        field = self._inference.model.receptive_field
        in_chunk = chunks.sum(axis=2, keepdims=True, dtype=np.float32)
        counted = SpeakerDiarizationMixin.speaker_count(
            SlidingWindowFeature(in_chunk, window), field, warm_up=(0.0, 0.0)
        )
        return counted.data[:, 0], FrameTimes(field.start + (field.duration - field.step) / 2, field.step)

    @cached_property
    def _inference(self) -> Any:
        folder = assemble(SEGMENTATION, cache_dir=self._cache_dir).path
        pyannote, device = self._import(), self._torch_device()
        with _loading(folder):
            model = pyannote.Model.from_pretrained(folder / "pytorch_model.bin")
        return pyannote.Inference(
            model, duration=CHUNK_S, step=self._options.step_s, device=device, skip_aggregation=True
        )

    @cached_property
    def _embedding(self) -> CampPlus:
        folder = assemble(CAMPPLUS, cache_dir=self._cache_dir).path
        self._import()
        with _loading(folder):
            return CampPlus(folder, device=self._device)

    def _import(self) -> Any:
        try:
            import torch

            torchaudio_compat.install()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torchcodec, which only opens files; we hand over samples
                import pyannote.audio
        except (ImportError, OSError) as error:
            raise EngineError(
                "engine_missing",
                "a call on one channel needs pyannote.audio: install the extra 'diarization', "
                "or set QA_DIARIZATION_ENGINE=none to leave its roles open",
            ) from error
        add_on_one_thread()
        if self._device == "cpu":
            # Two threads on two busy cores are slower than one, measured for this network.
            torch.set_num_threads(1)
        return pyannote.audio

    def _torch_device(self) -> Any:
        import torch

        if self._device == "cuda" and not torch.cuda.is_available():
            raise EngineError(
                "engine_unavailable",
                "this torch sees no GPU: install its CUDA build, or set QA_DIARIZATION_DEVICE=cpu",
            )
        return torch.device(self._device)


@contextmanager
def _loading(folder: Path) -> Iterator[None]:
    """Weights were verified when they were put together; what has happened to them since shows here."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, SyntaxError, UnpicklingError) as error:
        raise EngineError(
            "model_corrupt", f"{folder} cannot be loaded: delete it, it is put together again on the next use"
        ) from error


def _loudness(audio: DecodedAudio, channel: int, spans: Sequence[TimeSpan]) -> Loudness:
    return loudness(spans, lambda span: np.square(audio.read(channel, span)), rate_hz=audio.sample_rate_hz)
