"""Whisper models of any size with made-up weights, which say the same text of known length to all they hear.

Guarantee: the same shape gives the same weights; a window's text is ``TOKENS`` tokens, prompt included, all
different and all certain, then the end. A model so made costs the time of a trained one of its shape: the layers
are full of (small, random) numbers, and no window is decoded twice for being improbable or repetitive.

Each decoder position carries the embedding of the token to say next, far louder than anything the layers add.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOKENS = 150
"""A window of 30 s of busy Mandarin has about that many, with prompt and task tokens."""
TEXT_CONTEXT, AUDIO_CONTEXT = 448, 1500
END_OF_TEXT = 50257
NEW_LANGUAGE = ("<|yue|>", 50358)
"""What a vocabulary of 51866 has more than one of 51865, and where: after the other languages."""
LOUD = 200.0
"""Length of a position's vector; the layers of the largest shape add about 64 to it."""
CERTAIN = 40.0
"""Logit of the token to say."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A Whisper without its weights; ``width`` over ``heads`` is 64 in all published ones."""

    mels: int
    encoder_layers: int
    decoder_layers: int
    width: int
    heads: int


SHAPES = {
    "large-v3-turbo": Shape(mels=128, encoder_layers=32, decoder_layers=4, width=1280, heads=20),
    "tiny": Shape(mels=80, encoder_layers=2, decoder_layers=2, width=128, heads=2),
}


def write_scripted(folder: Path, shape: Shape, *, base: Path) -> None:
    """Write a CTranslate2 folder in half precision, which both engines load.

    Args:
        folder: made by this; it must not exist.
        base: the CTranslate2 folder of a multilingual Whisper of 51865 tokens, for its tokenizer.
    """
    from ctranslate2.specs import WhisperSpec

    folder.mkdir(parents=True)
    vocabulary = extended_vocabulary(json.loads((base / "vocabulary.json").read_text("utf-8")))
    tokenizer = extended_tokenizer(json.loads((base / "tokenizer.json").read_text("utf-8")))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    _fill(spec, shape, len(vocabulary), script(folder / "tokenizer.json", base))
    known = json.loads((base / "config.json").read_text("utf-8"))
    spec.config.suppress_ids = [_moved(token) for token in known["suppress_ids"]]
    spec.config.suppress_ids_begin = sorted(set(known["suppress_ids_begin"]))
    spec.config.lang_ids = [*known["lang_ids"], NEW_LANGUAGE[1]]
    spec.config.alignment_heads = [(shape.decoder_layers - 1, head) for head in range(min(6, shape.heads))]
    spec.register_vocabulary(vocabulary)
    spec.validate()
    spec.optimize(quantization="float16")
    spec.save(str(folder))


def extended_vocabulary(tokens: list[str]) -> list[str]:
    """The tokens of large-v3, from those of the smaller models."""
    name, at = NEW_LANGUAGE
    return [*tokens[:at], name, *tokens[at:]]


def extended_tokenizer(document: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer of the extended vocabulary: whatever comes after the new language moves by one."""
    name, at = NEW_LANGUAGE
    added = [{**token, "id": _moved(token["id"])} for token in document["added_tokens"]]
    like = next(token for token in document["added_tokens"] if token["special"])
    added.append({**like, "id": at, "content": name})
    processor = document["post_processor"]
    special = {
        key: {**token, "ids": [_moved(number) for number in token["ids"]]}
        for key, token in processor["special_tokens"].items()
    }
    return {
        **document,
        "added_tokens": sorted(added, key=lambda token: int(token["id"])),
        "post_processor": {**processor, "special_tokens": special},
    }


def _moved(token: int) -> int:
    return token + (token >= NEW_LANGUAGE[1])


def script(tokenizer: Path, base: Path) -> list[int]:
    """The token to say at each position: Chinese characters, each once, and from ``TOKENS`` on the end of text."""
    from tokenizers import Tokenizer

    decode = Tokenizer.from_file(str(tokenizer)).decode
    unsaid = set(json.loads((base / "config.json").read_text("utf-8"))["suppress_ids"])
    characters = (token for token in range(END_OF_TEXT) if token not in unsaid and _is_chinese(decode([token])))
    spoken = [token for token, _ in zip(characters, range(TOKENS), strict=False)]
    return spoken + [END_OF_TEXT] * (TEXT_CONTEXT - len(spoken))


def _is_chinese(text: str) -> bool:
    return len(text) == 1 and "\u4e00" <= text <= "\u9fff"


def _fill(spec: Any, shape: Shape, vocabulary: int, said: list[int]) -> None:
    rng = np.random.default_rng(0)
    width = shape.width

    def drawn(*size: int) -> NDArray[np.float32]:
        return rng.standard_normal(size, np.float32) * np.float32(0.02)

    def linear(layer: Any, out: int, into: int) -> None:
        layer.weight, layer.bias = drawn(out, into), np.zeros(out, np.float32)

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    def attention(part: Any, sizes: tuple[int, ...]) -> None:
        norm(part.layer_norm)
        for layer, size in zip(part.linear, sizes, strict=True):
            linear(layer, size, width)

    def feed_forward(part: Any) -> None:
        norm(part.layer_norm)
        linear(part.linear_0, 4 * width, width)
        linear(part.linear_1, width, 4 * width)

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = drawn(width, shape.mels, 3), np.zeros(width, np.float32)
    encoder.conv2.weight, encoder.conv2.bias = drawn(width, width, 3), np.zeros(width, np.float32)
    encoder.position_encodings.encodings = drawn(AUDIO_CONTEXT, width)
    for layer in encoder.layer:
        attention(layer.self_attention, (3 * width, width))
        feed_forward(layer.ffn)
    for layer in decoder.layer:
        attention(layer.self_attention, (3 * width, width))
        attention(layer.attention, (width, 2 * width, width))
        feed_forward(layer.ffn)
    norm(encoder.layer_norm)
    norm(decoder.layer_norm)
    words = rng.standard_normal((vocabulary, width), np.float32)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    decoder.position_encodings.encodings = words[said] * np.float32(LOUD)
    # After the last norm a vector is sqrt(width) long: this makes the logit of the loudest token CERTAIN.
    decoder.embeddings.weight = words * np.float32(CERTAIN / np.sqrt(width))
    decoder.projection.weight = decoder.embeddings.weight


def scripted_model(name: str, *, folder: Path, base: Path) -> Path:
    """The folder of a scripted model, made at its first use."""
    target = folder / f"scripted-{name}"
    if not (target / "model.bin").is_file():
        shutil.rmtree(target, ignore_errors=True)
        write_scripted(target, SHAPES[name], base=base)
    return target
