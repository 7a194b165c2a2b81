"""openai-whisper: the reference implementation, on torch.

It is two to six times slower than faster-whisper on a CPU. It is here because it is the reference: a site that
trains its own Whisper checks it without a conversion in between, and the two engines check each other.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.asr.ct2_weights import checkpoint
from models.asr.runtime import MAX_TOKENS, Decoded, Decoding, Encoded, Features, Samples
from models.weights import LocatedModel, locate
from qa_service.domain.conversation import Word
from qa_service.errors import ConfigurationError, EngineError

if TYPE_CHECKING:
    import torch

_COMPUTE_TYPES = {"cpu": "float32", "cuda": "float16"}
_MEDIAN_WIDTH = 7  # frames of 20 ms; both engines' own value


class OpenAIWhisper:
    """Implements ``WhisperRuntime``. An encoded window is a tensor (frame, dimension) on the device."""

    engine = "openai-whisper"

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
        """Raises ConfigurationError ``settings_invalid`` for a compute type that torch's Whisper has not."""
        self.device = device
        self.compute_type = compute_type if compute_type != "default" else _COMPUTE_TYPES.get(device, "float32")
        if self.compute_type not in ("float32", "float16"):
            raise ConfigurationError(
                "settings_invalid",
                f"QA_ASR_COMPUTE_TYPE: openai-whisper has no {self.compute_type}: use float32 or float16",
            )
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
        return None if self._model.is_multilingual else frozenset(("en",))

    @cached_property
    def _model(self) -> Any:
        try:
            import torch
            import whisper
        except ImportError as error:
            raise EngineError(
                "engine_missing", "openai-whisper is not installed: pip install --no-deps openai-whisper"
            ) from error
        torch.set_num_threads(self._threads)
        kept = (
            torch.load(self.model.path, map_location="cpu", weights_only=True)
            if self.model.path.is_file()
            else checkpoint(self.model.path)
        )
        try:
            model = whisper.model.Whisper(whisper.model.ModelDimensions(**kept["dims"]))
            model.load_state_dict(kept["model_state_dict"])
        except (RuntimeError, KeyError, TypeError) as error:
            raise EngineError(
                "model_unusable", f"{self.model.path} is not an openai-whisper model ({error}): choose another"
            ) from error
        if heads := kept.get("alignment_heads"):
            mask = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
            for layer, head in heads:
                mask[layer, head] = True
            model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)
        try:
            return self._placed(model)
        except RuntimeError as error:
            raise EngineError(
                "engine_unavailable",
                f"Whisper {self.model.name} does not load on {self.device} ({error}): check QA_DEVICE",
            ) from error

    def _placed(self, model: Any) -> Any:
        from torch import nn

        if self.compute_type == "float16":  # all but the norms, which compute in single precision always
            for module in model.modules():
                if isinstance(module, nn.Linear | nn.Conv1d | nn.Embedding):
                    module.half()
        return model.to(self.device).eval()

    @property
    def _dtype(self) -> "torch.dtype":
        import torch

        return torch.float16 if self.compute_type == "float16" else torch.float32

    def features(self, samples: Samples) -> Features:
        import torch
        import whisper

        made = whisper.log_mel_spectrogram(torch.from_numpy(samples), self._model.dims.n_mels, device=self.device)
        features: Features = made.cpu().numpy()
        return features

    def encode(self, features: Sequence[Features]) -> list[Encoded]:
        import torch
        from torch.nn import functional

        encoder = self._model.encoder
        with torch.no_grad():
            x = torch.from_numpy(np.stack(features)).to(device=self.device, dtype=self._dtype)
            # The encoder's own forward insists on 30 s.
            x = functional.gelu(encoder.conv1(x))
            x = functional.gelu(encoder.conv2(x)).permute(0, 2, 1)
            x = (x + encoder.positional_embedding[: x.shape[1]]).to(x.dtype)
            for block in encoder.blocks:
                x = block(x)
            return list(encoder.ln_post(x))

    def language_probabilities(self, encoded: Sequence[Encoded]) -> list[Mapping[str, float]]:
        import torch

        tokenizer = self._tokenizer("en")
        if not self._model.is_multilingual:
            return [{"en": 1.0} for _ in encoded]
        audio = torch.stack(list(encoded))
        with torch.no_grad():
            start = torch.full((len(audio), 1), tokenizer.sot, device=audio.device)
            logits = self._model.decoder(start, audio)[:, 0]
        tokens = list(tokenizer.all_language_tokens)
        shares = logits[:, tokens].float().softmax(dim=-1).cpu().tolist()
        return [dict(zip(tokenizer.all_language_codes, row, strict=True)) for row in shares]

    def decode(
        self, encoded: Sequence[Encoded], *, language: str, prompt: str, decoding: Decoding, max_tokens: int
    ) -> list[Decoded]:
        import torch
        from whisper.decoding import DecodingOptions

        options = DecodingOptions(
            language=language,
            beam_size=decoding.beam_size if decoding.beam_size > 1 else None,
            prompt=self._tokenizer(language).encode(f" {prompt}") if prompt else None,
            sample_len=min(max_tokens, MAX_TOKENS),
            without_timestamps=True,
            fp16=self.compute_type == "float16",
        )
        # Its beam search takes one window at a time: with more, the beams do not find their sound.
        batches = [[window] for window in encoded] if decoding.beam_size > 1 else [list(encoded)]
        return [
            Decoded(
                tuple(result.tokens),
                result.text.strip(),
                round(float(result.avg_logprob), 4),
                round(float(result.no_speech_prob), 4),
            )
            for batch in batches
            for result in _make_task(self._model, options, decoding.no_repeat_ngram_size).run(torch.stack(batch))
        ]

    def align(
        self,
        encoded: Sequence[Encoded],
        tokens: Sequence[Sequence[int]],
        *,
        language: str,
        frames: Sequence[int],
    ) -> list[list[Word]]:
        tokenizer = self._tokenizer(language)
        return [
            _words(self._model, tokenizer, audio, list(text), length // 2)
            for audio, text, length in zip(encoded, tokens, frames, strict=True)
        ]

    def _make_tokenizer(self, language: str) -> Any:
        from whisper.tokenizer import get_tokenizer

        model = self._model
        return get_tokenizer(
            model.is_multilingual, num_languages=model.num_languages, language=language, task="transcribe"
        )


def _make_task(model: Any, options: Any, no_repeat_ngram_size: int) -> Any:
    """openai-whisper's decoding of windows that are encoded already."""
    from whisper.decoding import DecodingTask

    task = DecodingTask(model, options)
    task._get_audio_features = lambda encoded: encoded
    if no_repeat_ngram_size:
        task.logit_filters.append(NoRepeat(no_repeat_ngram_size, task.sample_begin))
    return task


class NoRepeat:
    """A logit filter: no run of ``size`` tokens is said twice. CTranslate2 has the same as an option."""

    def __init__(self, size: int, begin: int) -> None:
        """``begin``: where the text starts after the prompt."""
        self._size = size
        self._begin = begin

    def apply(self, logits: "torch.Tensor", tokens: "torch.Tensor") -> None:
        """Rules out, in place, the tokens that would end a second such run.

        Args:
            logits: (window, vocabulary).
            tokens: (window, token), what was said until now.
        """
        for row, said in enumerate(tokens[:, self._begin :].tolist()):
            tail = said[len(said) - self._size + 1 :]
            for end in range(self._size - 1, len(said)):
                if said[end - self._size + 1 : end] == tail:
                    logits[row, said[end]] = -np.inf


def _words(model: Any, tokenizer: Any, audio: "torch.Tensor", text: list[int], frames: int) -> list[Word]:
    """Words of one window by dynamic time warping over cross-attention, as openai-whisper does it.

    Args:
        audio: the encoded window, (frame, dimension).
        frames: how many of them are not padding.
    """
    import torch
    from whisper.model import disable_sdpa
    from whisper.timing import TOKENS_PER_SECOND, dtw, median_filter

    start = tokenizer.sot_sequence
    said = torch.tensor([[*start, tokenizer.no_timestamps, *text, tokenizer.eot]], device=audio.device)
    attention: dict[int, torch.Tensor] = {}
    hooks = [
        block.cross_attn.register_forward_hook(
            lambda _module, _inputs, outputs, layer=layer: attention.update({layer: outputs[-1][0]})
        )
        for layer, block in enumerate(model.decoder.blocks)
    ]
    try:
        with torch.no_grad(), disable_sdpa():
            logits = model.decoder(said, audio[None])[0]
    finally:
        for hook in hooks:
            hook.remove()
    shares = logits[len(start) :, : tokenizer.eot].float().softmax(dim=-1)
    probabilities = shares[np.arange(len(text)), text].cpu().numpy()
    heads = model.alignment_heads.indices().T.tolist()
    weights = torch.stack([attention[layer][head] for layer, head in heads]).float()[:, :, :frames].softmax(dim=-1)
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    weights = median_filter((weights - mean) / deviation, _MEDIAN_WIDTH).mean(dim=0)
    text_indices, time_indices = dtw(-weights[len(start) : -1])
    jumps = np.pad(np.diff(text_indices), (1, 0), constant_values=1).astype(bool)
    times_s = time_indices[jumps] / TOKENS_PER_SECOND
    words, tokens = tokenizer.split_to_word_tokens([*text, tokenizer.eot])
    edges = np.cumsum([0, *(len(run) for run in tokens[:-1])])
    return [
        Word(
            word,
            float(times_s[first]),
            float(max(times_s[first], times_s[last])),
            round(float(probabilities[first:last].mean()), 4),
        )
        for word, first, last in zip(words[:-1], edges[:-1], edges[1:], strict=True)
        if word
    ]
