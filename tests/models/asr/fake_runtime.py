"""A Whisper runtime whose words are what the samples say: each half second of sound is one word.

What comes of a window depends on its samples alone, and memory runs out when a test says so.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from models.asr.runtime import Decoded, Decoding, Encoded, Features, Samples
from models.weights import LocatedModel
from qa_service.domain.conversation import Word

FRAMES_A_WORD = 50
SCALE = 1000


def saying(numbers: Sequence[int]) -> Samples:
    """Sound that this runtime hears as ``numbers`` (1 … 999), one each half second; 0 is silence."""
    return np.repeat(np.asarray(numbers, np.float32) / SCALE, FRAMES_A_WORD * 160)


class FakeRuntime:
    """Implements ``WhisperRuntime``."""

    engine = "fake"
    device = "cpu"
    compute_type = "float32"

    def __init__(self, *, room: int = 1000) -> None:
        """``room``: windows of 30 s that fit into memory together; more raise what CTranslate2 raises."""
        self.room = room
        self.model = LocatedModel("fake", Path("fake"), "1")
        self.languages: frozenset[str] | None = None
        self.encoded: list[tuple[int, int]] = []
        self.decoded: list[tuple[int, Decoding, str]] = []
        self.alters: Callable[[Decoded, Decoding], Decoded] = lambda decoded, _: decoded
        self.language = "zh"

    def features(self, samples: Samples) -> Features:
        return samples.reshape(-1, 160).mean(axis=1, dtype=np.float64)[None].astype(np.float32)

    def encode(self, features: Sequence[Features]) -> list[Encoded]:
        """Remembers ``(windows, frames)`` of each batch."""
        (frames,) = {window.shape[1] for window in features}
        if len(features) * frames > self.room * 3000:
            raise RuntimeError("CUDA failed with error out of memory")
        self.encoded.append((len(features), frames))
        return [window[0] for window in features]

    def language_probabilities(self, encoded: Sequence[Encoded]) -> list[Mapping[str, float]]:
        return [{self.language: 0.9, "cy": 0.1} for _ in encoded]

    def decode(
        self, encoded: Sequence[Encoded], *, language: str, prompt: str, decoding: Decoding, max_tokens: int
    ) -> list[Decoded]:
        self.decoded.append((len(encoded), decoding, language))
        assert len({len(window) for window in encoded}) == 1
        return [self.alters(_heard(window), decoding) for window in encoded]

    def align(
        self,
        encoded: Sequence[Encoded],
        tokens: Sequence[Sequence[int]],
        *,
        language: str,
        frames: Sequence[int],
    ) -> list[list[Word]]:
        return [_words(window)[: len(text)] for window, text in zip(encoded, tokens, strict=True)]


def _words(window: Encoded) -> list[Word]:
    words: list[Word] = []
    for index, level in enumerate(window.tolist()):
        number = round(level * SCALE)
        time_s = index / 100
        if not number:
            continue
        if words and words[-1].text == f" {number}" and time_s - words[-1].end < 0.015:
            words[-1] = Word(words[-1].text, words[-1].start, time_s + 0.01, 0.9)
        else:
            words.append(Word(f" {number}", time_s, time_s + 0.01, 0.9))
    return words


def _heard(window: Encoded) -> Decoded:
    text = "".join(word.text for word in _words(window)).strip()
    return Decoded(tuple(int(word) for word in text.split()), text, -0.2, 0.01)
