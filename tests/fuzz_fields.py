"""Header fields of the containers, for mutations that lie rather than damage."""

import random
import struct
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields at fixed distances from a marker: (bytes from the marker's start, bytes wide).

    ``start``: how files begin in which so short a marker means anything.
    """

    marker: bytes
    order: Literal["little", "big"]
    places: tuple[tuple[int, int], ...]
    start: bytes = b""


EBML = b"\x1a\x45\xdf\xa3"
_WAVEFORMAT = ((0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2), (16, 2), (18, 2), (20, 2))


def _shifted(places: tuple[tuple[int, int], ...], by: int) -> tuple[tuple[int, int], ...]:
    return tuple((at + by, width) for at, width in places)


FIELDS = (
    # RIFF, RF64 (EBU Tech 3306) and Wave64: sizes, WAVEFORMATEX, the count of samples.
    Fields(b"RIFF", "little", ((4, 4),)),
    Fields(b"RF64", "little", ((4, 4),)),
    Fields(b"ds64", "little", ((4, 4), (8, 8), (16, 8), (24, 8), (32, 4))),
    Fields(b"fmt ", "little", ((4, 4), *_shifted(_WAVEFORMAT, 8))),
    Fields(b"fmt \xf3\xac\xd3\x11", "little", ((16, 8), *_shifted(_WAVEFORMAT, 24))),
    Fields(b"fact", "little", ((4, 4), (8, 4))),
    Fields(b"data", "little", ((4, 4),)),
    Fields(b"data\xf3\xac\xd3\x11", "little", ((16, 8),)),
    # AIFF, AU, CAF.
    Fields(b"FORM", "big", ((4, 4),)),
    Fields(b"COMM", "big", ((4, 4), (8, 2), (10, 4), (14, 2), (16, 2), (18, 4))),
    Fields(b"SSND", "big", ((4, 4), (8, 4), (12, 4))),
    Fields(b".snd", "big", ((4, 4), (8, 4), (12, 4), (16, 4), (20, 4))),
    Fields(b"desc", "big", ((4, 8), (12, 8), (20, 4), (24, 4), (28, 4), (32, 4), (36, 4), (40, 4))),
    Fields(b"caff", "big", ((4, 2), (6, 2))),
    # FLAC's STREAMINFO (RFC 9639): block and frame sizes; rate, channels and bits; total samples.
    Fields(b"fLaC", "big", ((4, 4), (8, 2), (10, 2), (12, 3), (15, 3), (18, 4), (21, 5))),
    # Ogg pages (RFC 3533), Opus' and Vorbis' identification.
    Fields(b"OggS", "little", ((4, 1), (5, 1), (6, 8), (14, 4), (18, 4), (22, 4), (26, 1), (27, 1))),
    Fields(b"OpusHead", "little", ((8, 1), (9, 1), (10, 2), (12, 4), (16, 2), (18, 1))),
    Fields(b"\x01vorbis", "little", ((7, 4), (11, 1), (12, 4), (16, 4), (28, 1))),
    # MP4 and 3GP boxes (ISO/IEC 14496-12): sizes stand before the name.
    *(Fields(name, "big", ((-4, 4),)) for name in (b"ftyp", b"moov", b"trak", b"mdia", b"stbl", b"mdat", b"stsd")),
    Fields(b"mvhd", "big", ((-4, 4), (16, 4), (20, 4))),
    Fields(b"mdhd", "big", ((-4, 4), (16, 4), (20, 4))),
    Fields(b"elst", "big", ((-4, 4), (8, 4), (12, 4), (16, 4), (20, 4))),
    *(Fields(name, "big", ((-4, 4), (8, 4), (12, 4), (16, 4))) for name in (b"stts", b"stsc", b"stsz", b"stco")),
    *(Fields(name, "big", ((-4, 4), (20, 2), (22, 2), (28, 4))) for name in (b"mp4a", b"samr")),
    Fields(b"esds", "big", ((-4, 4), (8, 2), (13, 2), (16, 2), (30, 2), (33, 2))),
    # Matroska and WebM (RFC 9559): element ids, then their size and value.
    Fields(b"\x1a\x45\xdf\xa3", "big", ((4, 1),), EBML),
    Fields(b"\x18\x53\x80\x67", "big", ((4, 8),), EBML),
    Fields(b"\x2a\xd7\xb1", "big", ((3, 1), (4, 3)), EBML),
    Fields(b"\x44\x89", "big", ((2, 1), (3, 8)), EBML),
    Fields(b"\xb5\x88", "big", ((1, 1), (2, 8)), EBML),
    Fields(b"\x9f\x81", "big", ((1, 1), (2, 1)), EBML),
    Fields(b"\x1f\x43\xb6\x75", "big", ((4, 1), (4, 8)), EBML),
    Fields(b"\xa3", "big", ((1, 1), (1, 2), (2, 2), (4, 2)), EBML),
    # ASF: object sizes; the file's packets, duration and packet sizes; the stream's WAVEFORMATEX.
    Fields(bytes.fromhex("3026b2758e66cf11"), "little", ((16, 8), (24, 4))),
    Fields(
        bytes.fromhex("a1dcab8c47a9cf11"),
        "little",
        ((16, 8), (40, 8), (56, 8), (64, 8), (80, 8), (92, 4), (96, 4)),
    ),
    Fields(bytes.fromhex("9107dcb7b7a9cf11"), "little", ((16, 8), (64, 4), (68, 4), *_shifted(_WAVEFORMAT, 78))),
    Fields(bytes.fromhex("3626b2758e66cf11"), "little", ((16, 8), (40, 8))),
    # Frames that stand alone: MP3 and its Xing tag, ADTS, AMR.
    Fields(b"\xff\xe3", "big", ((1, 1), (2, 1), (3, 1)), b"ID3"),
    Fields(b"\xff\xe3", "big", ((1, 1), (2, 1), (3, 1)), b"\xff"),
    Fields(b"\xff\xf1", "big", ((1, 1), (2, 2), (3, 3), (6, 1)), b"\xff"),
    Fields(b"Info", "big", ((4, 4), (8, 4), (12, 4))),
    Fields(b"LAME", "big", ((9, 1), (21, 3))),
    Fields(b"#!AMR", "big", ((5, 1), (6, 1), (9, 1))),
)

_NUMBERS = (0, 1, 2, 3, 4, 8, 255, 1000, 5999, 6000, 8000, 44_100, 48_000, 192_000, 192_001, 10**6, 10**9)


def overwrite_field(rng: random.Random, data: bytearray) -> str:
    """Give one field of a header another value; random bytes in the head where no marker is found."""
    known = [fields for fields in FIELDS if fields.marker in data and data.startswith(fields.start)]
    if not known:
        at = rng.randrange(max(1, min(len(data), 64)))
        data[at : at + 1] = rng.randbytes(1)
        return f"random byte at {at}"
    fields = rng.choice(known)
    starts = [data.find(fields.marker)]
    while len(starts) < 20 and (found := data.find(fields.marker, starts[-1] + 1)) >= 0:
        starts.append(found)
    distance, width = rng.choice(fields.places)
    at = max(0, rng.choice(starts) + distance)
    old = int.from_bytes(data[at : at + width], fields.order)
    top = (1 << 8 * width) - 1
    new = rng.choice(
        (
            rng.choice(_NUMBERS),
            rng.randint(0, top),
            top,
            top >> 1,
            (top >> 1) + 1,
            old + 1,
            old - 1,
            old * 2,
            old // 2,
        )
    )
    data[at : at + width] = (new & top).to_bytes(width, fields.order)
    return f"{old} became {new & top} in {width} bytes at {at} ({fields.marker!r})"


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_CRC = _crc_table()


def repair_ogg_checksums(data: bytearray) -> None:
    """Make every page's checksum right again (RFC 3533 section 6: polynomial 0x04C11DB7, no reflection)."""
    at = data.find(b"OggS")
    while at >= 0 and at + 27 <= len(data):
        body = at + 27 + data[at + 26]
        end = min(len(data), body + sum(data[at + 27 : body]))
        data[at + 22 : at + 26] = bytes(4)
        crc = 0
        for byte in data[at:end]:
            crc = ((crc << 8) & 0xFFFFFFFF) ^ _CRC[(crc >> 24) ^ byte]
        data[at + 22 : at + 26] = struct.pack("<I", crc)
        at = data.find(b"OggS", at + 4)
