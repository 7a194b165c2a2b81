"""Keys of stages: the same inputs, engines and options have the same key, anything else another."""

import hashlib
import json
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any


def stage_key(stage: str, **inputs: Any) -> str:
    """Hex sha256 over the stage's name and inputs (frozen dataclasses, strings, numbers, None)."""
    text = json.dumps(
        {"stage": stage, **inputs}, default=_plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime | PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a stage key")
