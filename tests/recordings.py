"""Recordings in every format that telephony writes, made from samples.

Guarantee: the same samples give the same bytes (no clock, no random serial numbers), and a two-channel call fits
every format: one that holds a single channel becomes two files, one a side.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from qa_service.domain.call import RawFormat
from qa_service.ports import AudioSource

Samples = NDArray[np.float32]
Write = Callable[[BinaryIO, Samples, int], None]

DATA = Path(__file__).resolve().parent / "data" / "formats"
"""AMR-WB has no encoder in the installed libraries: its recordings are kept, see the folder's README."""


@dataclass(frozen=True, slots=True)
class Format:
    """How one format is written.

    ``write``: takes float32 (channel, time) in [-1, 1] and the rate; None: it can only be read.
    ``rate_hz``: the only rate it is written with here; None: the caller's.
    ``encoding``: the decoder's name of the encoding, for a file without a header.
    ``lossless``: to 16 bits.
    """

    suffix: str
    write: Write | None
    rate_hz: int | None = None
    channels: int = 2
    encoding: str | None = None
    lossless: bool = False

    def raw_format(self, *, rate_hz: int, channels: int) -> RawFormat | None:
        return RawFormat(self.encoding, self.rate_hz or rate_hz, channels) if self.encoding else None


def sound(channels: int) -> Samples:
    """Float32 (channel, time) at 8 kHz: tones that rise and fall over line noise, another one each channel."""
    time_s = np.arange(round(1.5 * 8000)) / 8000
    noise = np.random.default_rng(11).standard_normal((channels, len(time_s)))
    tones = [np.sin(2 * np.pi * (220 + 180 * n) * time_s) * np.sin(np.pi * time_s) ** 2 for n in range(channels)]
    return (0.4 * np.array(tones) + 0.003 * noise).astype(np.float32)


def write_recording(path: Path, samples: Samples, *, rate_hz: int, format: str) -> None:
    """Write one file.

    Args:
        path: its name's suffix decides nothing.
        samples: float32 (channel, time) in [-1, 1].
        rate_hz: of ``samples``; a format of one rate is resampled.
        format: a name in ``FORMATS``.

    Raises:
        ValueError: the format holds fewer channels, or cannot be written.
    """
    known = FORMATS[format]
    if known.write is None:
        raise ValueError(f"{format} has no encoder here: read it from {DATA.name}/")
    if len(samples) > known.channels:
        raise ValueError(f"{format} holds {known.channels} channel: write each channel to a file of its own")
    if known.rate_hz is not None and known.rate_hz != rate_hz:
        samples, rate_hz = soxr.resample(samples.T, rate_hz, known.rate_hz).T, known.rate_hz
    file = BytesIO()
    known.write(file, np.ascontiguousarray(samples.clip(-1, 1), np.float32), rate_hz)
    path.write_bytes(file.getvalue())


def write_call(folder: Path, samples: Samples, *, rate_hz: int, format: str) -> AudioSource:
    """Write a call of one or two channels as ``call.<suffix>``, or one file a side; returns how to decode it."""
    known = FORMATS[format]
    if len(samples) <= known.channels:
        paths = {folder / f"call{known.suffix}": samples}
    else:
        names = ("agent", "customer")
        paths = {folder / f"{name}{known.suffix}": side[None] for name, side in zip(names, samples, strict=True)}
    for path, side in paths.items():
        write_recording(path, side, rate_hz=rate_hz, format=format)
    channels = min(len(samples), known.channels)
    return AudioSource(tuple(paths), raw_format=known.raw_format(rate_hz=rate_hz, channels=channels))


def _libsndfile(container: str, subtype: str) -> Write:
    def write(file: BinaryIO, samples: Samples, rate_hz: int) -> None:
        sf.write(file, samples.T, rate_hz, format=container, subtype=subtype)

    return write


def _vox(file: BinaryIO, samples: Samples, rate_hz: int) -> None:
    """Two samples are one byte, and libsndfile refuses half of one."""
    even = np.pad(samples, ((0, 0), (0, samples.shape[1] % 2)))
    sf.write(file, even.T, rate_hz, format="RAW", subtype="VOX_ADPCM")


def _ffmpeg(
    container: str,
    codec: str,
    sample_format: str,
    *,
    bit_rate: int | None = None,
    options: Mapping[str, str] | None = None,
) -> Write:
    def write(file: BinaryIO, samples: Samples, rate_hz: int) -> None:
        layout = "mono" if len(samples) == 1 else "stereo"
        # "bitexact" leaves out the muxer's version, random ids and the time of writing.
        with av.open(
            file, "w", format=container, options={"fflags": "+bitexact"}, container_options=dict(options or {})
        ) as out:
            stream: Any = out.add_stream(codec, rate=rate_hz, layout=layout, format=sample_format)
            stream.time_base = Fraction(1, rate_hz)
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
            if bit_rate is not None:
                stream.bit_rate = bit_rate
            stream.codec_context.open()
            step = stream.codec_context.frame_size or 1024
            for at in range(0, samples.shape[1], step):
                frame = _frame(samples[:, at : at + step], sample_format, layout)
                frame.sample_rate, frame.pts, frame.time_base = rate_hz, at, stream.time_base
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))

    return write


def _frame(samples: Samples, sample_format: str, layout: str) -> av.AudioFrame:
    """``samples`` in the sample format that an encoder takes: planar formats end in p."""
    kind = {"s16": np.int16, "s32": np.int32, "flt": np.float32, "dbl": np.float64}[
        sample_format.removesuffix("p")
    ]
    if np.issubdtype(kind, np.integer):
        scale = np.iinfo(kind).max + 1
        values = np.rint(samples.astype(np.float64) * scale).clip(-scale, scale - 1).astype(kind)
    else:
        values = samples.astype(kind)
    if not sample_format.endswith("p"):
        values = values.T.reshape(1, -1)
    return av.AudioFrame.from_ndarray(np.ascontiguousarray(values), format=sample_format, layout=layout)


def _vorbis(file: BinaryIO, samples: Samples, rate_hz: int) -> None:
    """Encoded by libsndfile and copied by FFmpeg, as libsndfile gives the stream a random serial number."""
    made = BytesIO()
    sf.write(made, samples.T, rate_hz, format="OGG", subtype="VORBIS")
    made.seek(0)
    with av.open(made) as source, av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)


FORMATS: Mapping[str, Format] = {
    "wav-u8": Format(".wav", _libsndfile("WAV", "PCM_U8")),
    "wav-s16": Format(".wav", _libsndfile("WAV", "PCM_16"), lossless=True),
    "wav-s24": Format(".wav", _libsndfile("WAV", "PCM_24"), lossless=True),
    "wav-s32": Format(".wav", _libsndfile("WAV", "PCM_32"), lossless=True),
    # Not by libsndfile, which writes the time of day beside the peak of a float file.
    "wav-f32": Format(".wav", _ffmpeg("wav", "pcm_f32le", "flt"), lossless=True),
    "wav-f64": Format(".wav", _ffmpeg("wav", "pcm_f64le", "dbl"), lossless=True),
    "wav-mulaw": Format(".wav", _libsndfile("WAV", "ULAW")),
    "wav-alaw": Format(".wav", _libsndfile("WAV", "ALAW")),
    "wav-ima-adpcm": Format(".wav", _libsndfile("WAV", "IMA_ADPCM")),
    "wav-ms-adpcm": Format(".wav", _libsndfile("WAV", "MS_ADPCM")),
    "wav-gsm": Format(".wav", _libsndfile("WAV", "GSM610"), rate_hz=8000, channels=1),
    "wav-g726": Format(".wav", _ffmpeg("wav", "g726", "s16", bit_rate=32_000), rate_hz=8000, channels=1),
    "wav-mp3": Format(".wav", _ffmpeg("wav", "libmp3lame", "s16p", bit_rate=32_000)),
    "rf64": Format(".wav", _libsndfile("RF64", "PCM_16"), lossless=True),
    "w64": Format(".w64", _libsndfile("W64", "PCM_16"), lossless=True),
    "aiff": Format(".aiff", _libsndfile("AIFF", "PCM_16"), lossless=True),
    "au-mulaw": Format(".au", _libsndfile("AU", "ULAW")),
    "caf": Format(".caf", _libsndfile("CAF", "PCM_16"), lossless=True),
    "flac": Format(".flac", _ffmpeg("flac", "flac", "s16"), lossless=True),
    "mp3": Format(".mp3", _ffmpeg("mp3", "libmp3lame", "s16p", bit_rate=32_000)),
    "ogg-opus": Format(".opus", _ffmpeg("ogg", "libopus", "s16", bit_rate=32_000), rate_hz=48_000),
    "ogg-vorbis": Format(".ogg", _vorbis),
    "m4a": Format(".m4a", _ffmpeg("ipod", "aac", "fltp", bit_rate=48_000)),
    "aac": Format(".aac", _ffmpeg("adts", "aac", "fltp", bit_rate=48_000)),
    "webm-opus": Format(".webm", _ffmpeg("webm", "libopus", "s16", bit_rate=32_000), rate_hz=48_000),
    "mka-opus": Format(".mka", _ffmpeg("matroska", "libopus", "s16", bit_rate=32_000), rate_hz=48_000),
    "wma": Format(".wma", _ffmpeg("asf", "wmav2", "fltp", bit_rate=32_000)),
    "amr-nb": Format(
        ".amr", _ffmpeg("amr", "libopencore_amrnb", "s16", bit_rate=12_200), rate_hz=8000, channels=1
    ),
    "amr-wb": Format(".awb", None, rate_hz=16_000, channels=1),
    "3gp-amr-nb": Format(
        ".3gp", _ffmpeg("3gp", "libopencore_amrnb", "s16", bit_rate=12_200), rate_hz=8000, channels=1
    ),
    "3gp-aac": Format(".3gp", _ffmpeg("3gp", "aac", "fltp", bit_rate=48_000)),
    "raw-mulaw": Format(".ul", _libsndfile("RAW", "ULAW"), encoding="mulaw"),
    "raw-alaw": Format(".al", _libsndfile("RAW", "ALAW"), encoding="alaw"),
    "raw-s16le": Format(".raw", _libsndfile("RAW", "PCM_16"), encoding="s16le", lossless=True),
    "raw-gsm": Format(".gsm", _libsndfile("RAW", "GSM610"), rate_hz=8000, channels=1, encoding="gsm"),
    "raw-vox": Format(".vox", _vox, rate_hz=8000, channels=1, encoding="vox"),
    "raw-g723": Format(
        ".g723", _ffmpeg("data", "g723_1", "s16", bit_rate=6300), rate_hz=8000, channels=1, encoding="g723_1"
    ),
    "raw-g722": Format(".g722", _ffmpeg("g722", "g722", "s16"), rate_hz=16_000, channels=1, encoding="g722"),
}
"""Name → how to write it. A format that no test may forget is added here and nowhere else."""
