"""What the headers of recordings promise about their length, where FFmpeg does not tell or does not check.

Guarantee: a promise is only made on the header's own word. An estimate, a placeholder or a header that
contradicts itself promises nothing, so that it cannot condemn a sound recording.

FFmpeg trusts the size of a file more than its header: one cut in half by a broken upload decodes without any
error. And it stops where the header says: what a recorder wrote before it died without correcting its header would
be lost without a word.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class LengthPromise:
    """What a header says about the length; its defaults say nothing.

    ``duration_s`` is the header's own. ``kept_by_ffmpeg``: the duration that FFmpeg tells is the header's and no
    estimate; ``rough``: it is about the header's. ``slack_s``: so much may be missing, as vague as the codecs are.

    ``promised_bytes`` of audio are announced, ``held_bytes`` of them are in the file; ``unclaimed_bytes`` follow
    that belong to nothing.
    """

    duration_s: float | None = None
    kept_by_ffmpeg: bool = False
    rough: bool = False
    slack_s: float = 0.1
    promised_bytes: int = 0
    held_bytes: int = 0
    unclaimed_bytes: int = 0


def read_promise(source: BinaryIO) -> LengthPromise:
    """Read the header by hand; leaves ``source`` at its start."""
    try:
        end = source.seek(0, 2)
        source.seek(0)
        head = source.read(16)
        source.seek(0)
        if (layout := _LAYOUTS.get((head[:4], head[8:12]))) or (layout := _LAYOUTS.get((head[:4], b""))):
            return _chunked(source, layout, end)
        if head[:4] == b".snd":
            return _au(source, end)
        if head[:4] == b"fLaC":
            # STREAMINFO's 36-bit sample count (RFC 9639 section 8.2); 0 is "unknown".
            count = source.read(26)[21:26]
            return LengthPromise(kept_by_ffmpeg=len(count) == 5 and (count[0] & 0x0F, *count[1:]) != (0,) * 5)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):  # QuickTime files may lack the first
            return _mp4(source, end)
        if head == _ASF_HEADER:
            return _asf(source)
        if head[:4] == _EBML_HEADER:
            return _matroska(source, end)
        return LengthPromise(kept_by_ffmpeg=_has_frame_count(source))
    finally:
        source.seek(0)


# --- chunks: WAV, RF64, W64, AIFF, CAF ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a container writes chunks. ``lead``: bytes of the data chunk's body that are no audio."""

    first: int
    header: str
    data: bytes
    alignment: int = 2
    size_includes_header: bool = False
    lead: int = 0
    kept_by_ffmpeg: bool = False
    rough: bool = True


_RIFF = _Layout(first=12, header="<4sI", data=b"data")
_W64_SUFFIX = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of all its chunks' GUIDs
_LAYOUTS: Mapping[tuple[bytes, bytes], _Layout] = {
    (b"RIFF", b"WAVE"): _RIFF,
    (b"RF64", b"WAVE"): _RIFF,  # EBU Tech 3306
    (b"BW64", b"WAVE"): _RIFF,  # ITU-R BS.2088
    (b"FORM", b"AIFF"): _Layout(first=12, header=">4sI", data=b"SSND", lead=8, kept_by_ffmpeg=True),
    # FFmpeg misreads the frame count of some of its codecs.
    (b"FORM", b"AIFC"): _Layout(first=12, header=">4sI", data=b"SSND", lead=8, rough=False),
    (b"caff", b""): _Layout(first=8, header=">4sq", data=b"data", alignment=1, lead=4),
    (b"riff", b""): _Layout(
        first=40, header="<16sQ", data=b"data" + _W64_SUFFIX, alignment=8, size_includes_header=True
    ),
}

_MAX_CHUNKS = 1000  # a hostile file could hold millions of empty ones
# Recorders that stream, or die, leave 0 or a huge placeholder: then the file's end is the end.
_PLACEHOLDER = 0x7FFF0000


def _chunked(source: BinaryIO, layout: _Layout, end: int) -> LengthPromise:
    head_size = struct.calcsize(layout.header)
    size64 = 0
    promised = held = unclaimed = 0
    at = layout.first
    for _ in range(_MAX_CHUNKS):
        source.seek(at)
        if len(header := source.read(head_size)) < head_size:
            break
        name, size = struct.unpack(layout.header, header)
        start = at + head_size
        if layout.size_includes_header:
            size -= head_size
        if name == b"ds64" and len(sizes := source.read(16)) == 16:
            size64 = struct.unpack("<QQ", sizes)[1]
        elif name == layout.data:
            if size == 0xFFFFFFFF and size64:
                size = size64
            elif size <= 0 or _PLACEHOLDER <= size <= 0xFFFFFFFF or size >= 1 << 62:
                return LengthPromise()
            promised += max(size - layout.lead, 0)
            held += max(min(size, end - start) - layout.lead, 0)
        elif promised and not (_is_name(name) and 0 <= size <= end - start):
            unclaimed = 0 if _is_padding(source, at, end) else end - at
            break
        at = start + size + -size % layout.alignment
        if size < 0 or at >= end:
            break
    if not promised:
        return LengthPromise()
    return LengthPromise(
        kept_by_ffmpeg=layout.kept_by_ffmpeg,
        rough=layout.rough,
        promised_bytes=promised,
        held_bytes=held,
        unclaimed_bytes=unclaimed,
    )


def _is_name(name: bytes) -> bool:
    return all(32 <= byte < 127 for byte in name[:4]) and name[4:] in (b"", _W64_SUFFIX)


def _is_padding(source: BinaryIO, at: int, end: int) -> bool:
    """Whether one byte value fills ``[at, end)``: space that was set aside, not sound."""
    source.seek(at)
    fill = source.read(1)
    at += 1
    while at < end:
        block = source.read(min(1 << 20, end - at))
        if not block or block.strip(fill):
            return False
        at += len(block)
    return True


def _au(source: BinaryIO, end: int) -> LengthPromise:
    start, size = struct.unpack(">II", source.read(12)[4:].ljust(8, b"\0"))
    if size == 0 or size >= _PLACEHOLDER:
        return LengthPromise()
    held = max(min(size, end - start), 0)
    beyond = start + size
    unclaimed = end - beyond if beyond < end and not _is_padding(source, beyond, end) else 0
    return LengthPromise(rough=True, promised_bytes=size, held_bytes=held, unclaimed_bytes=unclaimed)


# --- MP4, ASF, Matroska -------------------------------------------------------------------------------------

_VAGUE_S = 0.5  # encoder delay, time stamps in milliseconds, packets of up to a quarter second
_MAX_HEADER_BYTES = 1 << 20


def _mp4(source: BinaryIO, end: int) -> LengthPromise:
    """A movie without fragments has all of its samples in tables, and FFmpeg tells their duration."""
    at = media = 0
    table = b""
    for _ in range(_MAX_CHUNKS):
        if at >= end:  # the system may know no such position
            break
        source.seek(at)
        if len(header := source.read(16)) < 8:
            break
        size, name = struct.unpack(">I4s", header[:8])
        if size == 1 and len(header) == 16:
            (size,) = struct.unpack(">Q", header[8:])
        elif size == 0:
            size = end - at
        if size < 8:
            break
        if name == b"moov":
            source.seek(at + 8)
            table = source.read(min(size, 64 * _MAX_HEADER_BYTES))
        elif name == b"mdat":
            media += min(size, end - at) - 8
        at += size
    if not table or b"mvex" in table:
        return LengthPromise()
    listed = _listed_bytes(table)
    return LengthPromise(
        kept_by_ffmpeg=True,
        slack_s=_VAGUE_S,
        promised_bytes=listed,
        held_bytes=listed,
        unclaimed_bytes=max(media - listed, 0) if listed else 0,
    )


def _listed_bytes(table: bytes) -> int:
    """What the sample tables of all tracks add up to; 0 when they do not say."""
    listed = 0
    at = -1
    while (at := table.find(b"stsz", at + 1)) >= 0:
        size, count = struct.unpack(">II", table[at + 8 : at + 16].ljust(8, b"\0"))
        if size:
            # QuickTime counts uncompressed samples by a nominal size.
            listed = listed + size * count if size > 8 else 0
        else:
            sizes = table[at + 16 : at + 16 + 4 * count]
            listed += sum(size for (size,) in struct.iter_unpack(">I", sizes[: len(sizes) // 4 * 4]))
    return listed


_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _asf(source: BinaryIO) -> LengthPromise:
    """ASF specification 3.2: play duration in 100 ns, which counts the preroll (ms)."""
    head = source.read(_MAX_HEADER_BYTES)
    at = head.find(_ASF_FILE_PROPERTIES)
    if at < 0 or len(fields := head[at + 64 : at + 92]) < 28:
        return LengthPromise()
    play, _, preroll, flags = struct.unpack("<QQQI", fields)
    if flags & 1 or play <= preroll * 10_000:  # a broadcast knows no end
        return LengthPromise()
    return LengthPromise(duration_s=play / 1e7 - preroll / 1e3, slack_s=_VAGUE_S)


_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_SEGMENT, _INFO, _SCALE, _DURATION = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489


def _matroska(source: BinaryIO, end: int) -> LengthPromise:
    """RFC 9559: Segment → Info → Duration, in units of TimestampScale (default 1 ms)."""
    scale, duration = 1_000_000, math.nan
    at = 0
    for _ in range(_MAX_CHUNKS):
        source.seek(at)
        if (element := _element(source.read(12))) is None:
            break
        name, head, size = element
        body = at + head
        if name in (_SEGMENT, _INFO):
            at = body  # look inside
            continue
        if name in (_SCALE, _DURATION) and size in (1, 2, 3, 4, 8):
            source.seek(body)
            value = source.read(size)
            if name == _SCALE:
                scale = int.from_bytes(value, "big")
            elif len(value) == size and size in (4, 8):
                (duration,) = struct.unpack(">f" if size == 4 else ">d", value)
        at = body + size
        if at >= end:
            break
    duration_s = duration * scale / 1e9
    if not (math.isfinite(duration_s) and duration_s > 0):
        return LengthPromise()
    return LengthPromise(duration_s=duration_s, slack_s=_VAGUE_S)


def _element(head: bytes) -> tuple[int, int, int] | None:
    """An EBML element's id, the length of its head, and its size (RFC 8794 section 4)."""
    if not head or not head[0] >> 4:
        return None
    id_length = 9 - head[0].bit_length()
    if len(head) <= id_length or not head[id_length]:
        return None
    size_length = 9 - head[id_length].bit_length()
    size_bytes = head[id_length : id_length + size_length]
    if len(size_bytes) < size_length:
        return None
    size = int.from_bytes(size_bytes, "big") & ((1 << 7 * size_length) - 1)
    return int.from_bytes(head[:id_length], "big"), id_length + size_length, size


# --- MP3 ----------------------------------------------------------------------------------------------------


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
