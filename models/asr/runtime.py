"""What an engine does for the recogniser: encode, decode and align windows, several at once.

Guarantee asked of every runtime: what comes of a window does not depend on the other windows of the batch, and the
same weights give the same greedy text in each of them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.weights import LocatedModel
from qa_service.domain.conversation import Word
from qa_service.errors import EngineError

FRAME_S: Final = 0.01
"""Seconds a feature frame, in every Whisper."""

MAX_FRAMES: Final = 3000
"""What the model was trained on: 30 s."""

MAX_TOKENS: Final = 448
"""Prompt and text together."""

Features = NDArray[np.float32]
Samples = NDArray[np.float32]
Encoded = Any
"""One window as its runtime encodes it. Windows of equal length can be decoded together."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """One way to decode: greedy with a single beam. ``no_repeat_ngram_size`` 0 forbids no repetition."""

    beam_size: int = 1
    no_repeat_ngram_size: int = 0


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of one window. ``average_log_probability`` is per token, the end-of-text token included."""

    tokens: tuple[int, ...]
    text: str
    average_log_probability: float
    no_speech_probability: float


class WhisperRuntime(Protocol):
    engine: str
    device: str
    compute_type: str

    @property
    def model(self) -> LocatedModel: ...

    @property
    def languages(self) -> frozenset[str] | None:
        """Language codes the model knows; None: all of Whisper's."""
        ...

    def features(self, samples: Samples) -> Features:
        """Log-mel features, float32 (mel, frame), of 16 kHz samples: a frame each 10 ms."""
        ...

    def encode(self, features: Sequence[Features]) -> list[Encoded]:
        """Of windows of one length, at most ``MAX_FRAMES``; shorter ones cost less."""
        ...

    def language_probabilities(self, encoded: Sequence[Encoded]) -> list[Mapping[str, float]]: ...

    def decode(
        self, encoded: Sequence[Encoded], *, language: str, prompt: str, decoding: Decoding, max_tokens: int
    ) -> list[Decoded]:
        """Text without timestamps, at temperature 0."""
        ...

    def align(
        self,
        encoded: Sequence[Encoded],
        tokens: Sequence[Sequence[int]],
        *,
        language: str,
        frames: Sequence[int],
    ) -> list[list[Word]]:
        """Words with their times in the window and the mean probability of their tokens.

        Args:
            frames: of each window, how many frames are not padding.
        """
        ...


class OutOfMemory(Exception):  # noqa: N818 - caught and answered with a smaller batch, never shown
    """The device has no room for a batch."""


@contextmanager
def memory_told() -> Iterator[None]:
    """Turns the engines' ways to say that memory ran out into OutOfMemory.

    CUDA's allocators raise a RuntimeError that only its text tells apart, C++ on the CPU a MemoryError.
    """
    try:
        yield
    except MemoryError as error:
        raise OutOfMemory from error
    except RuntimeError as error:
        if "out of memory" in str(error).lower():
            raise OutOfMemory from error
        raise


def alignment_heads(folder: Path) -> list[tuple[int, int]]:
    """``(layer, head)`` pairs of a CTranslate2 folder whose attention follows the sound.

    Raises:
        EngineError: ``model_unusable``.
    """
    try:
        heads = json.loads((folder / "config.json").read_text("utf-8"))["alignment_heads"]
        return [(int(layer), int(head)) for layer, head in heads]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            "model_unusable",
            f"{folder}/config.json names no alignment_heads: convert the model again with word timestamps",
        ) from error
