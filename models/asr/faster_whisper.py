"""faster-whisper: Whisper on CTranslate2, int8 on a CPU and half precision on a GPU."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.asr.runtime import MAX_TOKENS, Decoded, Decoding, Encoded, Features, Samples
from models.numerics import add_on_one_thread
from models.weights import LocatedModel, locate
from qa_service.domain.conversation import Word
from qa_service.errors import EngineError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_COMPUTE_TYPES = {"cpu": "int8", "cuda": "float16"}


class FasterWhisper:
    """Implements ``WhisperRuntime``. An encoded window is an array (frame, dimension) in memory."""

    engine = "faster-whisper"

    def __init__(
        self,
        *,
        model: str,
        cache_dir: Path,
        device: str,
        compute_type: str,
        threads: int,
        download: bool = False,
    ) -> None:
        self.device = device
        self.compute_type = compute_type if compute_type != "default" else _COMPUTE_TYPES.get(device, "default")
        self._name = model
        self._cache_dir = cache_dir
        self._threads = threads
        self._download = download
        self._tokenizer = lru_cache(self._make_tokenizer)

    @cached_property
    def model(self) -> LocatedModel:
        return locate(self._name, cache_dir=self._cache_dir, download=self._download)

    @property
    def languages(self) -> frozenset[str] | None:
        return None if self._model.model.is_multilingual else frozenset(("en",))

    @cached_property
    def _model(self) -> "WhisperModel":
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise EngineError(
                "engine_missing", "faster-whisper is not installed: install the extra 'speech'"
            ) from error
        if self.model.path.is_file():
            raise EngineError(
                "model_unusable",
                f"faster-whisper cannot read {self.model.path}: set QA_ASR_ENGINE=openai-whisper for a .pt file, "
                "or give the folder of a CTranslate2 model",
            )
        add_on_one_thread()
        try:
            return WhisperModel(
                str(self.model.path),
                device=self.device,
                compute_type=self.compute_type,
                cpu_threads=self._threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                "engine_unavailable",
                f"Whisper {self.model.name} does not load on {self.device} ({error}): "
                "check QA_DEVICE, QA_ASR_COMPUTE_TYPE and the model folder",
            ) from error

    def features(self, samples: Samples) -> Features:
        made: Features = self._model.feature_extractor(samples, padding=0)
        return made

    def encode(self, features: Sequence[Features]) -> list[Encoded]:
        # In main memory, so that windows of several batches can be decoded together.
        return [
            window
            for some in self._batches(len(features))
            for window in np.asarray(
                self._model.model.encode(self._storage(np.stack(features[some])), to_cpu=True)
            )
        ]

    def language_probabilities(self, encoded: Sequence[Encoded]) -> list[Mapping[str, float]]:
        if not self._model.model.is_multilingual:
            return [{"en": 1.0} for _ in encoded]
        found = self._model.model.detect_language(self._storage(np.stack(encoded)))
        return [{token[2:-2]: probability for token, probability in row} for row in found]

    def decode(
        self, encoded: Sequence[Encoded], *, language: str, prompt: str, decoding: Decoding, max_tokens: int
    ) -> list[Decoded]:
        from faster_whisper.transcribe import get_suppressed_tokens

        tokenizer = self._tokenizer(language)
        start = self._model.get_prompt(
            tokenizer, tokenizer.encode(f" {prompt}") if prompt else [], without_timestamps=True
        )
        results = self._model.model.generate(
            self._storage(np.stack(encoded)),
            [start] * len(encoded),
            beam_size=decoding.beam_size,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            max_length=min(MAX_TOKENS, len(start) + max_tokens),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )
        return [self._decoded(result, tokenizer) for result in results]

    def _decoded(self, result: Any, tokenizer: Any) -> Decoded:
        found = result.sequences_ids[0]
        tokens = tuple(token for token in found if token < tokenizer.eot)
        return Decoded(
            tokens,
            tokenizer.decode(tokens).strip(),
            # CTranslate2 divides by the number of tokens, without the one that ends the text.
            round(result.scores[0] * len(found) / (len(found) + 1), 4),
            round(float(result.no_speech_prob), 4),
        )

    def align(
        self,
        encoded: Sequence[Encoded],
        tokens: Sequence[Sequence[int]],
        *,
        language: str,
        frames: Sequence[int],
    ) -> list[list[Word]]:
        return [
            [_word(timing) for timing in window if timing["word"]]
            for some in self._batches(len(encoded))
            for window in self._model.find_alignment(
                self._tokenizer(language),
                [list(text) for text in tokens[some]],
                self._storage(np.stack(encoded[some])),
                list(frames[some]),
            )
        ]

    def _batches(self, windows: int) -> Iterator[slice]:
        """On a processor one by one: without AVX-512 the last bits of sums depend on what else is in a batch, and
        words would begin a frame earlier beside one call than beside another. It takes a few per cent longer; the
        search for words, which would take twice as long, comes out the same either way."""
        size = 1 if self.device == "cpu" else max(1, windows)
        return (slice(first, first + size) for first in range(0, windows, size))

    def _make_tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        multilingual = self._model.model.is_multilingual
        return Tokenizer(self._model.hf_tokenizer, multilingual, task="transcribe", language=language)

    def _storage(self, array: Any) -> Any:
        import ctranslate2

        return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))


def _word(timing: Mapping[str, Any]) -> Word:
    start = float(timing["start"])
    return Word(timing["word"], start, max(start, float(timing["end"])), round(float(timing["probability"]), 4))
