"""Words with the recogniser's own probabilities and what was said, for ``benchmarks/confidence.py``."""

import json
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from benchmarks import truth
from benchmarks.conditions import damaged
from benchmarks.confidence import Pair, pairs_of
from benchmarks.judging import CORPUS
from models.asr.decoding import WhisperOptions
from models.asr.recogniser import WhisperRecogniser
from models.audio.decoder import RecordingDecoder
from models.audio.limits import AudioLimits
from models.registry import whisper_runtime
from models.vad.silero import SileroVad
from qa_service.domain.conversation import EngineRun
from qa_service.ports import AudioSource, SpokenCall
from qa_service.settings import Settings

OWN = Path(__file__).resolve().parent.parent / "tests" / "data" / "calls"
SETS = (
    CORPUS / "mandarin_synth",
    CORPUS / "english_synth",
    *(OWN / n for n in ("ordinary", "apart", "misleading")),
)
REAL = CORPUS / "mandarin_real"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording with what was said on each of its channels."""

    name: str
    group: str
    path: Path
    said: tuple[str, ...]


def recordings() -> Iterator[Recorded]:
    """The corpus, the held-out calls, and the clips of real speakers."""
    for folder in SETS:
        for name in truth.call_names(folder):
            spoken = truth.read(folder, name, "truth")["utterances"]
            said = tuple(" ".join(u["say"] for u in spoken if u["role"] == role) for role in ("agent", "customer"))
            yield Recorded(name, folder.name, truth.recording(folder, name), said)
    for clip in json.loads((REAL / "manifest.json").read_text("utf-8"))["clips"]:
        if clip["text"]:
            path = REAL / clip["file"]
            yield Recorded(path.stem, "real", path, (clip["text"],))


def recognised(conditions: Sequence[str], *, half: bool) -> tuple[EngineRun, list[Pair]]:
    """Every word of every recording under each condition (of ``half`` of them: every second recording)."""
    settings = Settings()
    runtime = whisper_runtime(
        settings.asr_engine,
        model=settings.asr_model,
        cache_dir=settings.model_cache_dir,
        device=settings.device,
        compute_type=settings.asr_compute_type,
        threads=settings.asr_threads,
    )
    recogniser = WhisperRecogniser(runtime, options=WhisperOptions(scale_confidence=False))
    decoder, detector = RecordingDecoder(limits=AudioLimits(), channel_map=None), SileroVad()
    found: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="qa-confidence-") as scratch:
        for condition in conditions:
            for recorded in list(recordings())[:: 2 if half else 1]:
                path = Path(scratch) / "call.flac"
                samples, rate_hz = sf.read(recorded.path, dtype="float32", always_2d=True)
                seed = zlib.crc32(recorded.name.encode())
                clean = np.ascontiguousarray(samples.T)
                sf.write(path, damaged(clean, rate_hz=rate_hz, condition=condition, seed=seed).T, rate_hz)
                with decoder.decode(AudioSource((path,))) as audio:
                    speakers = detector.detect(audio)
                    (transcripts,) = recogniser.transcribe([SpokenCall(audio, speakers)])
                for transcript in transcripts:
                    found += pairs_of(
                        transcript,
                        recorded.said[transcript.channel],
                        call=recorded.name,
                        group=recorded.group,
                        condition=condition,
                    )
                print(condition, recorded.name, len(found), file=sys.stderr, flush=True)
    return recogniser.run, found
