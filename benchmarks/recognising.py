"""One recogniser over a set of calls, timed without its loading: what ``benchmarks.gpu`` starts for each row.

    python -m benchmarks.recognising '{"engine": …, "model": …, "device": …, "batch_size": …, "threads": …}' FILE…

``batch_size`` 0 is the plain loop of that engine: its own ``transcribe``, a channel of a file after the other,
decoding as it goes; else it is the product's recogniser over all calls together, decoded and their voice
activity found before. One JSON object on stdout: when it began and ended (system-wide monotonic seconds), the
seconds of the calls, and the text of each channel of each file.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.plain_loop import PROMPT, decode, recognise
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import SpokenCall

RATE_HZ = 16000
Texts = list[list[str]]


@dataclass(frozen=True, slots=True)
class Held:
    """Implements ``DecodedAudio`` in memory."""

    samples: NDArray[np.float32]
    sample_rate_hz: int = RATE_HZ

    @property
    def channels(self) -> int:
        return len(self.samples)

    @property
    def duration_s(self) -> float:
        return self.samples.shape[1] / RATE_HZ

    def read(self, channel: int, span: TimeSpan) -> NDArray[np.float32]:
        return self.samples[channel, max(0, round(span.start * RATE_HZ)) : round(span.end * RATE_HZ)]


def product(files: Sequence[Path], options: Mapping[str, Any]) -> Callable[[int], Texts]:
    """Recognises the first ``count`` calls."""
    from models.registry import transcriber
    from models.vad.silero import SileroVad

    engine = transcriber(
        options["engine"],
        model=options["model"],
        cache_dir=None,
        device=options["device"],
        compute_type="default",
        threads=options["threads"],
        batch_size=options["batch_size"],
    )
    detector = SileroVad()
    held = {file: Held(decode(file)) for file in dict.fromkeys(files)}
    spoken = {file: SpokenCall(audio, detector.detect(audio), "zh") for file, audio in held.items()}

    def texts(count: int) -> Texts:
        heard = engine.transcribe([spoken[file] for file in files[:count]])
        return [
            [
                "".join(w.text for t in call if t.channel == channel for s in t.segments for w in s.words)
                for channel in (0, 1)
            ]
            for call in heard
        ]

    return texts


def plain(files: Sequence[Path], options: Mapping[str, Any]) -> Callable[[int], Texts]:
    """Recognises the first ``count`` files, one after another."""
    if options["engine"] == "faster-whisper":
        from faster_whisper import WhisperModel

        kind = "float16" if options["device"] == "cuda" else "int8"
        model = WhisperModel(
            options["model"], device=options["device"], compute_type=kind, cpu_threads=options["threads"]
        )
        return lambda count: [recognise(model, file, vad=False) for file in files[:count]]
    reference = _openai_whisper(Path(options["model"]), options["device"], options["threads"])

    def transcribed(channel: NDArray[np.float32]) -> str:
        result = reference.transcribe(
            channel,
            language="zh",
            condition_on_previous_text=False,
            word_timestamps=True,
            initial_prompt=PROMPT,
            fp16=options["device"] == "cuda",
        )
        return str(result["text"])

    return lambda count: [[transcribed(channel) for channel in decode(file)] for file in files[:count]]


def _openai_whisper(folder: Path, device: str, threads: int) -> Any:
    """The same weights, loaded as openai-whisper loads a checkpoint."""
    import torch
    import whisper

    from models.asr.ct2_weights import checkpoint

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory(prefix="qa-checkpoint-") as work:
        path = Path(work) / "model.pt"
        made = checkpoint(folder)
        torch.save({name: made[name] for name in ("dims", "model_state_dict")}, path)
        return whisper.load_model(str(path), device=device)


def main() -> None:
    options, files = json.loads(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    recogniser = (product if options["batch_size"] else plain)(files, options)
    recogniser(1)  # loads the model
    began = time.monotonic()
    texts = recogniser(len(files))
    ended = time.monotonic()
    audio_s = sum(decode(file).shape[1] / RATE_HZ for file in files)
    print(json.dumps({"began": began, "ended": ended, "audio_s": audio_s, "texts": texts}, ensure_ascii=False))


if __name__ == "__main__":
    main()
