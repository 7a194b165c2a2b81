"""Recordings that take a decoder long and the disk nothing."""

import struct
from pathlib import Path


def long_silence(path: Path, *, duration_s: int, rate_hz: int = 8000) -> Path:
    """Zeros as mono 16-bit WAV; the file system stores none of them."""
    size = duration_s * rate_hz * 2
    form = struct.pack("<HHIIHH", 1, 1, rate_hz, rate_hz * 2, 2, 16)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", 16) + form)
        file.write(b"data" + struct.pack("<I", size))
        file.truncate(file.tell() + size)
    return path
