"""The engines a configuration may name: one explicit table, name → import path, imported on use."""

import os
from importlib import import_module
from pathlib import Path
from typing import Final

from models.diarization.call import CallDiarizer, ChannelDiarizer
from models.weights import default_cache_dir
from qa_service.errors import ConfigurationError, EngineError
from qa_service.ports import Transcriber

TRANSCRIBERS: Final[dict[str, str]] = {
    "faster-whisper": "models.asr.faster_whisper:FasterWhisper",
}

DIARIZERS: Final[dict[str, str]] = {
    "pyannote": "models.diarization.pyannote:PyannoteDiarizer",
    "none": "models.diarization.call:WholeChannel",
}


def transcriber(
    engine: str, *, model: str, cache_dir: Path | None, device: str, compute_type: str, threads: int
) -> Transcriber:
    """A recogniser by name; its weights are found and loaded at first use.

    Raises:
        ConfigurationError: ``engine_unknown``.
    """
    if engine not in TRANSCRIBERS:
        raise ConfigurationError("engine_unknown", f"no engine {engine!r}: use one of {', '.join(TRANSCRIBERS)}")
    module, name = TRANSCRIBERS[engine].split(":")
    built: Transcriber = getattr(import_module(module), name)(
        model=model,
        cache_dir=cache_dir or default_cache_dir(),
        device=resolve_device(device),
        compute_type=compute_type,
        threads=threads or os.cpu_count() or 1,
    )
    return built


def diarizer(engine: str, *, cache_dir: Path | None, device: str) -> CallDiarizer:
    """The speakers of a call, shared channels taken apart by the named engine.

    Raises:
        ConfigurationError: ``engine_unknown``.
    """
    if engine not in DIARIZERS:
        raise ConfigurationError("engine_unknown", f"no engine {engine!r}: use one of {', '.join(DIARIZERS)}")
    module, name = DIARIZERS[engine].split(":")
    channel: ChannelDiarizer = getattr(import_module(module), name)(
        cache_dir=cache_dir or default_cache_dir(), device=resolve_device(device)
    )
    return CallDiarizer(channel)


def resolve_device(device: str) -> str:
    """``auto`` is the GPU when the runtime sees one."""
    if device != "auto":
        return device
    try:
        import ctranslate2
    except ImportError as error:
        raise EngineError(
            "engine_missing", "faster-whisper is not installed: install the extra 'speech'"
        ) from error
    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
