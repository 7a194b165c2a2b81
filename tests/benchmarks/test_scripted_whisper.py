"""Made-up weights: a text of known length, at once, whatever is heard, and the same one in both engines."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scripted_whisper import (
    END_OF_TEXT,
    SHAPES,
    TOKENS,
    extended_tokenizer,
    extended_vocabulary,
    script,
    scripted_model,
)
from models.asr.runtime import Decoding
from models.registry import whisper_runtime
from models.weights import default_cache_dir, locate


@pytest.fixture(scope="module")
def base() -> Path:
    return locate("base", cache_dir=default_cache_dir()).path


@pytest.fixture(scope="module")
def model(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scripted_model("tiny", folder=tmp_path_factory.mktemp("weights"), base=base)


def test_the_large_model_has_the_published_shape() -> None:
    shape = SHAPES["large-v3-turbo"]
    assert (shape.mels, shape.encoder_layers, shape.decoder_layers, shape.width) == (128, 32, 4, 1280)
    assert shape.width // shape.heads == 64


def test_the_vocabulary_has_one_more_language(base: Path) -> None:
    tokens = extended_vocabulary(json.loads((base / "vocabulary.json").read_text("utf-8")))
    assert len(tokens) == 51866
    assert tokens[50357:50361] == ["<|su|>", "<|yue|>", "<|translate|>", "<|transcribe|>"]
    tokenizer = extended_tokenizer(json.loads((base / "tokenizer.json").read_text("utf-8")))
    assert all(tokens[token["id"]] == token["content"] for token in tokenizer["added_tokens"])
    for token in tokenizer["post_processor"]["special_tokens"].values():
        assert [tokens[number] for number in token["ids"]] == token["tokens"]


def test_the_script_says_different_characters_and_then_ends(model: Path, base: Path) -> None:
    said = script(model / "tokenizer.json", base)
    assert len(said) == 448
    assert len(set(said[:TOKENS])) == TOKENS
    assert END_OF_TEXT not in said[:TOKENS]
    assert set(said[TOKENS:]) == {END_OF_TEXT}


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["faster-whisper", "openai-whisper"])
def test_the_text_does_not_depend_on_the_sound(engine: str, model: Path, base: Path) -> None:
    runtime = whisper_runtime(
        engine, model=str(model), cache_dir=None, device="cpu", compute_type="float32", threads=1
    )
    rng = np.random.default_rng(1)
    sounds = [rng.standard_normal(16000 * 10).astype(np.float32) * level for level in (0.3, 0.003)]
    encoded = runtime.encode([runtime.features(samples) for samples in sounds])
    results = runtime.decode(encoded, language="zh", prompt="", decoding=Decoding(), max_tokens=400)
    said = script(model / "tokenizer.json", base)
    start = 4  # start, language, task, no timestamps; the last one's position says the first token
    for result in results:
        assert list(result.tokens) == said[start - 1 : TOKENS]
        assert result.average_log_probability > -0.1
