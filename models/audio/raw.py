"""Recordings without a header: only a declaration can say what their bytes are.

The rate and channels of the coded formats are fixed by their standards.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from qa_service.domain.call import RawFormat
from qa_service.errors import InputError


@dataclass(frozen=True, slots=True)
class _Encoding:
    demuxer: str
    fixed_rate_hz: int | None = None
    """None: any rate and number of channels, which FFmpeg has to be told. Otherwise this rate and one channel."""


ENCODINGS: Mapping[str, _Encoding] = {
    "mulaw": _Encoding("mulaw"),
    "alaw": _Encoding("alaw"),
    "s8": _Encoding("s8"),
    "u8": _Encoding("u8"),
    "s16le": _Encoding("s16le"),
    "s16be": _Encoding("s16be"),
    "s24le": _Encoding("s24le"),
    "s32le": _Encoding("s32le"),
    "f32le": _Encoding("f32le"),
    "g722": _Encoding("g722", 16_000),
    "g723_1": _Encoding("g723_1", 8_000),
    "g729": _Encoding("g729", 8_000),
    "gsm": _Encoding("gsm", 8_000),
    "amrnb": _Encoding("amrnb", 8_000),
    "amrwb": _Encoding("amrwb", 16_000),
    # Dialogic's .vox: FFmpeg knows the codec but no headerless file of it, so one gets a WAV header.
    "vox": _Encoding("wav"),
}
"""Every encoding that can be declared, with FFmpeg's name of the reader."""

_OKI_ADPCM = 0x17  # mmreg.h: WAVE_FORMAT_DIALOGIC_OKI_ADPCM
_UNTIL_THE_END = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class RawInput:
    """How FFmpeg is to read a headerless file: ``prefix`` stands before its bytes."""

    demuxer: str
    options: Mapping[str, str]
    prefix: bytes = b""


def raw_input(declared: RawFormat) -> RawInput:
    """Raises InputError ``raw_format_unknown``."""
    encoding = ENCODINGS.get(declared.encoding)
    if encoding is None:
        raise InputError(
            "raw_format_unknown",
            f"no raw format {declared.encoding!r}: use one of {', '.join(sorted(ENCODINGS))}",
        )
    if encoding.fixed_rate_hz is not None:
        if (declared.sample_rate_hz, declared.channels) != (encoding.fixed_rate_hz, 1):
            raise InputError(
                "raw_format_unknown",
                f"{declared.encoding} is always {encoding.fixed_rate_hz} Hz and one channel: "
                f"declare {declared.encoding}/{encoding.fixed_rate_hz}",
            )
        return RawInput(encoding.demuxer, {})
    if declared.channels < 1 or not 1 <= declared.sample_rate_hz < 1 << 31:
        raise InputError(
            "raw_format_unknown", "a raw format needs a rate and a channel: declare such as mulaw/8000/1"
        )
    if declared.encoding == "vox":
        return RawInput("wav", {}, _vox_header(declared))
    return RawInput(
        encoding.demuxer,
        {"sample_rate": str(declared.sample_rate_hz), "ch_layout": f"{declared.channels}C"},
    )


def _vox_header(declared: RawFormat) -> bytes:
    if declared.channels != 1:
        raise InputError("raw_format_unknown", f"vox has one channel: declare vox/{declared.sample_rate_hz}")
    rate_hz = declared.sample_rate_hz
    form = struct.pack("<HHIIHHH", _OKI_ADPCM, 1, rate_hz, rate_hz // 2, 1, 4, 0)
    return (
        b"RIFF" + struct.pack("<I", _UNTIL_THE_END) + b"WAVE"
        b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", _UNTIL_THE_END)
    )  # fmt: skip


class Prefixed:
    """A file with bytes put before it. As it has no name, only the content tells FFmpeg what it is."""

    def __init__(self, prefix: bytes, file: BinaryIO) -> None:
        self._prefix = prefix
        self._file = file
        self._end = len(prefix) + file.seek(0, 2)
        self._at = 0

    def read(self, size: int) -> bytes:
        if self._at < len(self._prefix):
            piece = self._prefix[self._at : self._at + size]
        elif self._at >= self._end:  # a lying header leads anywhere, also where the system knows no position
            return b""
        else:
            self._file.seek(self._at - len(self._prefix))
            piece = self._file.read(size)
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 1:
            offset += self._at
        elif whence == 2:
            offset += self._end
        self._at = max(offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at
