"""The header of a WAV file with 16-bit samples."""

import struct
from typing import Final

HEADER_BYTES: Final = 44
SAMPLE_BYTES: Final = 2
_PCM = 1
_MOST_BYTES = 0xFFFFFFFF - HEADER_BYTES


def header(frames: int, *, channels: int, rate_hz: int) -> bytes:
    """Of ``frames`` samples a channel. Past 4 GiB its lengths say what they can: players read on to the end."""
    frame_bytes = channels * SAMPLE_BYTES
    data_bytes = min(frames * frame_bytes, _MOST_BYTES)
    form = struct.pack("<HHIIHH", _PCM, channels, rate_hz, rate_hz * frame_bytes, frame_bytes, 8 * SAMPLE_BYTES)
    return struct.pack(
        "<4sI4s4sI16s4sI", b"RIFF", data_bytes + 36, b"WAVE", b"fmt ", 16, form, b"data", data_bytes
    )
