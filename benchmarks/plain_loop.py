"""The yardstick: a plain loop over files with faster-whisper, as anybody would write it first.

Each channel of each file goes through ``WhisperModel.transcribe`` once, greedy, with word times. One JSON object
a file on stdout: ``{"file", "text": [one string a channel]}``.

    python -m benchmarks.plain_loop MODEL_FOLDER THREADS {plain|vad} FILE…
"""

import json
import sys
from pathlib import Path

import av
import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

PROMPT = "以下是普通话的句子。"


def decode(path: Path) -> NDArray[np.float32]:
    """float32 (channel, time), 16 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=16000)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).astype(np.float32)


def recognise(model: WhisperModel, file: Path, *, vad: bool) -> list[str]:
    """The text of each channel."""
    texts = []
    for channel in decode(file):
        segments, _ = model.transcribe(
            channel,
            language="zh",
            beam_size=1,
            condition_on_previous_text=False,
            word_timestamps=True,
            initial_prompt=PROMPT,
            vad_filter=vad,
        )
        texts.append("".join(segment.text for segment in segments))
    return texts


def main() -> None:
    model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[2]))
    for file in map(Path, sys.argv[4:]):
        texts = recognise(model, file, vad=sys.argv[3] == "vad")
        print(json.dumps({"file": file.name, "text": texts}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
