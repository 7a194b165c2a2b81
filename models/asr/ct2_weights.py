"""CTranslate2's Whisper files as openai-whisper weights, so that one set of weights serves both engines.

Layout of ``model.bin`` (CTranslate2, binary version 6): version, specification name, revision, the variables
(name, shape, type, bytes), then names that stand for another variable. Little endian.
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from models.asr.runtime import alignment_heads
from qa_service.errors import EngineError

if TYPE_CHECKING:
    import torch

_SPECIFICATION = "WhisperSpec"
_FLOATS = ("<f4", "<f2")
_TYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}

Variables = Mapping[str, NDArray[Any]]


def checkpoint(folder: Path) -> dict[str, Any]:
    """``dims``, ``model_state_dict`` (float32) and ``alignment_heads`` of the model in a CTranslate2 folder.

    Raises:
        EngineError: ``model_unusable``, for quantised weights and for what is no Whisper.
    """
    try:
        with (folder / "model.bin").open("rb") as file:
            variables = dict(_variables(file))
        state = _state(variables)
        heads = variables["encoder/num_heads"].item(), variables["decoder/num_heads"].item()
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise EngineError(
            "model_unusable",
            f"{folder}/model.bin is not a Whisper with float weights ({error}): convert the model without "
            "quantization, or set QA_ASR_ENGINE=faster-whisper",
        ) from error
    return {
        "dims": _dimensions(state, *map(int, heads)),
        "model_state_dict": state,
        "alignment_heads": alignment_heads(folder),
    }


def _variables(file: BinaryIO) -> Iterator[tuple[str, NDArray[Any]]]:
    def number(form: str) -> int:
        return int(struct.unpack(f"<{form}", file.read(struct.calcsize(form)))[0])

    def name() -> str:
        return file.read(number("H"))[:-1].decode()  # ends with a zero byte

    version, specification, _ = number("I"), name(), number("I")
    if version < 5 or specification != _SPECIFICATION:
        raise ValueError(f"{specification or 'no specification'}, version {version}")
    found: dict[str, NDArray[Any]] = {}
    for _ in range(number("I")):
        key = name()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = number("B"), number("I")
        if kind not in _TYPES:
            raise ValueError(f"{key} has the unknown type {kind}")
        if key.endswith("/weight_scale"):
            raise ValueError("its weights are quantised")
        found[key] = np.frombuffer(file.read(size), np.dtype(_TYPES[kind])).reshape(shape)
    for _ in range(number("I")):
        alias = name()
        found[alias] = found[name()]
    yield from found.items()


def _state(variables: Variables) -> "dict[str, torch.Tensor]":
    """The network's tensors under openai-whisper's names."""
    state = {
        "encoder.positional_embedding": _tensor(variables, "encoder/position_encodings/encodings"),
        "decoder.positional_embedding": _tensor(variables, "decoder/position_encodings/encodings"),
        "decoder.token_embedding.weight": _tensor(variables, "decoder/embeddings/weight"),
    }
    for layer in ("conv1", "conv2"):
        state |= _linear(variables, f"encoder.{layer}", f"encoder/{layer}")
    state |= _norm(variables, "encoder.ln_post", "encoder/layer_norm")
    state |= _norm(variables, "decoder.ln", "decoder/layer_norm")
    for side in ("encoder", "decoder"):
        for number in range(_layers(variables, side)):
            state |= _block(
                variables, f"{side}.blocks.{number}", f"{side}/layer_{number}", cross=side == "decoder"
            )
    return state


def _block(variables: Variables, target: str, source: str, *, cross: bool) -> "dict[str, torch.Tensor]":
    attention = f"{source}/self_attention"
    state = _norm(variables, f"{target}.attn_ln", f"{attention}/layer_norm")
    state |= _split(variables, f"{target}.attn", ("query", "key", "value"), f"{attention}/linear_0")
    state |= _linear(variables, f"{target}.attn.out", f"{attention}/linear_1")
    if cross:
        attention = f"{source}/attention"
        state |= _norm(variables, f"{target}.cross_attn_ln", f"{attention}/layer_norm")
        state |= _linear(variables, f"{target}.cross_attn.query", f"{attention}/linear_0")
        state |= _split(variables, f"{target}.cross_attn", ("key", "value"), f"{attention}/linear_1")
        state |= _linear(variables, f"{target}.cross_attn.out", f"{attention}/linear_2")
    state |= _norm(variables, f"{target}.mlp_ln", f"{source}/ffn/layer_norm")
    state |= _linear(variables, f"{target}.mlp.0", f"{source}/ffn/linear_0")
    state |= _linear(variables, f"{target}.mlp.2", f"{source}/ffn/linear_1")
    return state


def _linear(variables: Variables, target: str, source: str) -> "dict[str, torch.Tensor]":
    return {f"{target}.{kind}": _tensor(variables, f"{source}/{kind}") for kind in ("weight", "bias")}


def _norm(variables: Variables, target: str, source: str) -> "dict[str, torch.Tensor]":
    return {
        f"{target}.weight": _tensor(variables, f"{source}/gamma"),
        f"{target}.bias": _tensor(variables, f"{source}/beta"),
    }


def _split(variables: Variables, target: str, names: tuple[str, ...], source: str) -> "dict[str, torch.Tensor]":
    """CTranslate2 keeps the projections of one input in one matrix. openai-whisper's key has no bias."""
    state = {}
    weights = _tensor(variables, f"{source}/weight").chunk(len(names))
    biases = _tensor(variables, f"{source}/bias").chunk(len(names))
    for name, weight, bias in zip(names, weights, biases, strict=True):
        state[f"{target}.{name}.weight"] = weight.clone()
        if name != "key":
            state[f"{target}.{name}.bias"] = bias.clone()
        elif bias.any():
            raise ValueError(f"{source} has a key bias")
    return state


def _tensor(variables: Variables, name: str) -> "torch.Tensor":
    import torch

    if variables[name].dtype not in [np.dtype(kind) for kind in _FLOATS]:
        raise ValueError(f"{name} is not of floats")
    return torch.from_numpy(variables[name].astype(np.float32))


def _layers(variables: Variables, side: str) -> int:
    numbers = {name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")}
    return sum(number.removeprefix("layer_").isdecimal() for number in numbers)


def _dimensions(state: "Mapping[str, torch.Tensor]", encoder_heads: int, decoder_heads: int) -> dict[str, int]:
    vocabulary, width = state["decoder.token_embedding.weight"].shape
    context, audio_width = state["encoder.positional_embedding"].shape
    return {
        "n_mels": state["encoder.conv1.weight"].shape[1],
        "n_audio_ctx": context,
        "n_audio_state": audio_width,
        "n_audio_head": encoder_heads,
        "n_audio_layer": _blocks(state, "encoder"),
        "n_vocab": vocabulary,
        "n_text_ctx": state["decoder.positional_embedding"].shape[0],
        "n_text_state": width,
        "n_text_head": decoder_heads,
        "n_text_layer": _blocks(state, "decoder"),
    }


def _blocks(state: "Mapping[str, torch.Tensor]", side: str) -> int:
    return len({name.split(".")[2] for name in state if name.startswith(f"{side}.blocks.")})
