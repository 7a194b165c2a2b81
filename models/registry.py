"""The engines a configuration may name: one explicit table, name → import path, imported on use."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from models.asr.recogniser import WhisperRecogniser
from models.asr.runtime import WhisperRuntime
from models.devices import resolve_device
from models.diarization.call import CallDiarizer, ChannelDiarizer
from models.weights import default_cache_dir
from qa_service.errors import ConfigurationError
from qa_service.ports import Transcriber

WHISPERS: Final[dict[str, str]] = {
    "faster-whisper": "models.asr.faster_whisper:FasterWhisper",
    "openai-whisper": "models.asr.whisper:OpenAIWhisper",
}
"""Recognisers that are a Whisper: a runtime each."""

DIARIZERS: Final[dict[str, str]] = {
    "pyannote": "models.diarization.pyannote:PyannoteDiarizer",
    "none": "models.diarization.call:WholeChannel",
}


def transcriber(
    engine: str,
    *,
    model: str,
    cache_dir: Path | None,
    device: str,
    compute_type: str,
    threads: int,
    batch_size: int = 0,
    download: bool = False,
) -> Transcriber:
    """A recogniser by name; its weights are found and loaded at first use.

    ``threads`` 0: one a core. ``batch_size`` 0: what suits the device. ``download``: whether a model that is not
    here may be fetched.

    Raises:
        ConfigurationError: ``engine_unknown``.
    """
    runtime = whisper_runtime(
        engine,
        model=model,
        cache_dir=cache_dir,
        device=device,
        compute_type=compute_type,
        threads=threads,
        download=download,
    )
    return WhisperRecogniser(runtime, batch_size=batch_size)


def whisper_runtime(
    engine: str,
    *,
    model: str,
    cache_dir: Path | None,
    device: str,
    compute_type: str,
    threads: int,
    download: bool = False,
) -> WhisperRuntime:
    """A Whisper by the name of its engine.

    Raises:
        ConfigurationError: ``engine_unknown``.
    """
    built: WhisperRuntime = _named(WHISPERS, engine)(
        model=model,
        cache_dir=cache_dir or default_cache_dir(),
        device=resolve_device(device),
        compute_type=compute_type,
        threads=threads or os.cpu_count() or 1,
        download=download,
    )
    return built


def diarizer(engine: str, *, cache_dir: Path | None, device: str) -> CallDiarizer:
    """The speakers of a call, shared channels taken apart by the named engine.

    Raises:
        ConfigurationError: ``engine_unknown``.
    """
    channel: ChannelDiarizer = _named(DIARIZERS, engine)(
        cache_dir=cache_dir or default_cache_dir(), device=resolve_device(device)
    )
    return CallDiarizer(channel)


def _named(engines: Mapping[str, str], name: str) -> Any:
    if name not in engines:
        raise ConfigurationError("engine_unknown", f"no engine {name!r}: use one of {', '.join(engines)}")
    module, attribute = engines[name].split(":")
    return getattr(import_module(module), attribute)
