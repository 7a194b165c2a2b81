"""What the headers of WAV and MP3 files promise about their length, where FFmpeg does not tell.

Guarantee: a promise is only made on the header's own word. An estimate, a placeholder or a header that
contradicts itself promises nothing, so that it cannot condemn a sound recording.
"""

import struct
from typing import BinaryIO, NamedTuple


class LengthPromise(NamedTuple):
    """What a header says about the length. FFmpeg's duration may be an estimate, which promises nothing."""

    kept_by_ffmpeg: bool = False
    duration_s: float | None = None


def read_promise(source: BinaryIO) -> LengthPromise:
    """Read the header by hand where FFmpeg hides it; leaves ``source`` at its start.

    FFmpeg trusts the size of a WAV file more than its header: one cut in half by a broken upload decodes
    without any error. And it estimates the duration of an MP3 that has no frame count.
    """
    try:
        head = source.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"WAVE":
            return LengthPromise(duration_s=_wav_duration_s(source))
        if head[:4] == b"fLaC":
            # STREAMINFO's 36-bit sample count (RFC 9639 section 8.2); 0 is "unknown".
            count = source.read(14)[9:14]
            return LengthPromise(kept_by_ffmpeg=len(count) == 5 and (count[0] & 0x0F, *count[1:]) != (0,) * 5)
        source.seek(0)
        return LengthPromise(kept_by_ffmpeg=_has_frame_count(source))
    finally:
        source.seek(0)


# PCM integer, PCM float, A-law, mu-law, extensible (mmreg.h): a fixed number of bytes a second.
_FIXED_RATE_TAGS = frozenset({1, 3, 6, 7, 0xFFFE})

_MAX_CHUNKS = 1000  # a hostile file could hold millions of empty ones


def _wav_duration_s(source: BinaryIO) -> float | None:
    bytes_per_s = 0
    for _ in range(_MAX_CHUNKS):
        if len(header := source.read(8)) < 8:
            break
        name, size = struct.unpack("<4sI", header)
        start = source.tell()
        if name == b"fmt " and len(form := source.read(14)) == 14:
            tag, _, rate_hz, said_bytes_per_s, frame_bytes = struct.unpack("<HHIIH", form)
            # Some recorders fill these fields carelessly; when they disagree, nothing is promised.
            if tag in _FIXED_RATE_TAGS and said_bytes_per_s == rate_hz * frame_bytes:
                bytes_per_s = said_bytes_per_s
        elif name == b"data":
            # Recorders that stream, or die, leave 0 or a huge placeholder: then the file's end is the end.
            return size / bytes_per_s if bytes_per_s and 0 < size < 0x7FFF0000 else None
        source.seek(start + size + size % 2)
    return None


def _has_frame_count(source: BinaryIO) -> bool:
    """Whether an MP3 starts with a Xing or Info header, which counts its frames."""
    head = source.read(10)
    if head[:3] == b"ID3" and len(head) == 10:  # ID3v2.4 section 3.1: four bytes of seven bits
        source.seek(10 + ((head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9]))
    else:
        source.seek(0)
    frame = source.read(64)
    synced = len(frame) == 64 and frame[0] == 0xFF and frame[1] & 0xE6 == 0xE2  # MPEG layer III
    tag = max(frame.find(b"Xing"), frame.find(b"Info"))
    return synced and 0 < tag <= 56 and bool(frame[tag + 7] & 1)
