"""Bad recordings of every kind that reaches a call centre, each with the answer it deserves."""

import math
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from tests.models.audio.recordings import long_silence
from tests.recordings import FORMATS, sound, write_recording

RATE_HZ = 8000
SCORED = "scored"
Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file to make, and the code it gets; ``says``: words that its message must hold."""

    name: str
    make: Callable[[Path], object]
    code: str
    says: str = ""


def _sound(format: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        write_recording(path, sound(FORMATS[format].channels), rate_hz=RATE_HZ, format=format)
        return path.read_bytes()


def bytes_of(content: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content())


def cut(format: str, share: float) -> Callable[[Path], object]:
    """The start of a recording, as a transfer leaves it that broke off."""
    return bytes_of(lambda: (whole := _sound(format))[: round(len(whole) * share)])


def flipped(format: str) -> Callable[[Path], object]:
    """One bit in ten thousand turned over, behind the headers."""

    def flip() -> bytes:
        data = bytearray(_sound(format))
        places = np.random.default_rng(5).choice(
            len(data) * 8, size=max(len(data) * 8 // 10_000, 8), replace=False
        )
        for bit in places[places > 2000]:
            data[bit // 8] ^= 1 << (bit % 8)
        return bytes(data)

    return bytes_of(flip)


def samples_of(
    samples: Callable[[], Samples], *, rate_hz: int = RATE_HZ, subtype: str = "PCM_16"
) -> Callable[[Path], object]:
    """A WAV of float32 (channel, time)."""
    return lambda path: sf.write(path, samples().T, rate_hz, format="WAV", subtype=subtype)


def not_numbers(value: float) -> Callable[[Path], object]:
    def broken() -> Samples:
        samples = sound(2)
        samples[1, 4000:4010] = value
        return samples

    return samples_of(broken, subtype="FLOAT")


def zeros(channels: int, duration_s: float, *, rate_hz: int = RATE_HZ) -> Callable[[], Samples]:
    return lambda: np.zeros((channels, round(duration_s * rate_hz)), np.float32)


def tone(duration_s: float) -> Samples:
    """440 Hz, as a line test leaves it."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)[None]


def music(duration_s: float) -> Samples:
    """Waiting music: plucked chords under a melody, with overtones; nobody sings."""
    steps = 220 * 2 ** (np.arange(25) / 12)
    chords = [(0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)]
    melody = [0, 4, 7, 12, 7, 4, 0, 5, 9, 12, 9, 5]
    beats = math.ceil(duration_s / 0.4)
    played = []
    for beat in range(beats):
        time_s = np.arange(round(0.4 * RATE_HZ)) / RATE_HZ
        notes = [*chords[beat // 3 % 4], melody[beat % 12] + 12]
        waves = [np.sin(2 * np.pi * steps[n % 25] * k * time_s) / k for n in notes for k in range(1, 6)]
        played.append(np.minimum(time_s / 0.02, 1) * np.exp(-3 * time_s) * np.sum(waves, axis=0))
    samples = np.concatenate(played)
    return (0.3 * samples / np.abs(samples).max()).astype(np.float32)[None]


def humming(notes: int) -> Samples:
    """A scale on one vowel (pulses through the formants of i): a voice to every measure, and nothing said."""
    sung = []
    for n in range(notes):
        time_s = np.arange(round(0.8 * RATE_HZ)) / RATE_HZ
        pitch_hz = 220 * 2 ** ((0, 2, 4, 5, 7, 9, 11, 12)[n % 8] / 12) * (1 + 0.02 * np.sin(11 * np.pi * time_s))
        wave = np.diff(np.floor(np.cumsum(pitch_hz) / RATE_HZ), prepend=0)
        for formant_hz in (300, 2300, 3000):
            wave = _resonant(wave, formant_hz)
        sung.append(wave / np.abs(wave).max() * np.minimum(1, np.minimum(time_s / 0.03, (0.8 - time_s) / 0.05)))
    return (0.3 * np.concatenate(sung)).astype(np.float32)[None]


def _resonant(wave: NDArray[np.float64], centre_hz: float, *, width_hz: float = 90) -> NDArray[np.float64]:
    """Through a two-pole resonator."""
    radius, angle = math.exp(-math.pi * width_hz / RATE_HZ), 2 * math.pi * centre_hz / RATE_HZ
    rung = np.zeros(len(wave) + 2)
    for n, value in enumerate(wave):
        rung[n + 2] = value + 2 * radius * math.cos(angle) * rung[n + 1] - radius**2 * rung[n]
    return rung[2:]


def many_hours(path: Path) -> None:
    """Five hours of nothing."""
    path.write_bytes(flac_of_zeros(5 * 3600 * RATE_HZ, rate_hz=RATE_HZ, channels=1, declared=5 * 3600 * RATE_HZ))


def bomb(path: Path) -> None:
    """A gigabyte of zeros in 60 kB, and a header that does not say how long it is."""
    path.write_bytes(flac_of_zeros(2**28, rate_hz=48_000, channels=2, declared=0))


def flac_of_zeros(samples: int, *, rate_hz: int, channels: int, declared: int) -> bytes:
    """FLAC in the longest blocks that there are, each of constant subframes (RFC 9639, sections 8.2 and 9).

    Args:
        samples: per channel.
        rate_hz: their rate.
        channels: one or two.
        declared: what STREAMINFO calls the number of samples; 0 is unknown.
    """
    longest = 65_535
    about = (rate_hz << 44) | ((channels - 1) << 41) | (15 << 36) | declared
    stream_info = struct.pack(">HH6xQ16x", longest, longest, about)
    frames = [b"fLaC" + struct.pack(">B3s", 0x80, len(stream_info).to_bytes(3, "big")) + stream_info]
    for number, first in enumerate(range(0, samples, longest)):
        length = min(longest, samples - first)
        # Block size in 16 bits, STREAMINFO's rate, independent channels of 16 bits; the number as in UTF-8.
        head = bytes((0xFF, 0xF8, 0x70, (channels - 1) << 4 | 0x08)) + chr(number).encode()
        head += struct.pack(">H", length - 1)
        frame = head + bytes((_crc(head, 8, 0x07),)) + bytes(3 * channels)
        frames.append(frame + struct.pack(">H", _crc(frame, 16, 0x8005)))
    return b"".join(frames)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    value, top = 0, 1 << bits
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value <<= 1
            if value & top:
                value ^= top | polynomial
    return value


def lying_size(path: Path) -> None:
    """A WAV header that promises twenty minutes; ten seconds follow."""
    long_silence(path, duration_s=20 * 60)
    with path.open("r+b") as file:
        file.truncate(44 + 10 * RATE_HZ * 2)


def lying_rate(path: Path, samples: Samples, *, rate_hz: int) -> None:
    """A WAV whose bytes a second and bytes a sample contradict the rest of its header; players do not care."""
    file = BytesIO()
    sf.write(file, samples.T, rate_hz, format="WAV", subtype="PCM_16")
    data = bytearray(file.getvalue())
    struct.pack_into("<IH", data, 28, 7, 3)
    path.write_bytes(data)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


HOSTILE = (
    Hostile("empty.wav", Path.touch, "file_empty", "export it again"),
    Hostile("text.wav", lambda path: path.write_text("Dear colleague,\n"), "not_audio", "export it as"),
    Hostile("page.mp3", lambda path: path.write_text("<html>404"), "not_audio"),
    Hostile("zip.wav", lambda path: path.write_bytes(b"PK\x03\x04" + bytes(2000)), "not_audio"),
    Hostile("cut.wav", cut("wav-s16", 0.6), "audio_corrupt", "header says"),
    Hostile("cut.flac", cut("flac", 0.6), "audio_corrupt"),
    Hostile("cut.m4a.wav", cut("m4a", 0.6), "not_audio"),
    Hostile("head.wav", cut("wav-s16", 0.001), "audio_corrupt"),
    Hostile("flipped.flac", flipped("flac"), "audio_corrupt"),
    Hostile("no-samples.wav", samples_of(zeros(2, 0)), "audio_empty"),
    Hostile("silence.wav", samples_of(zeros(2, 8)), "silent_audio"),
    Hostile("tone.wav", samples_of(lambda: tone(8)), "silent_audio"),
    Hostile("music.wav", samples_of(lambda: music(12)), "silent_audio"),
    Hostile("humming.wav", samples_of(lambda: humming(24)), "no_words", "listen to it"),
    Hostile("three.wav", samples_of(lambda: sound(3)), "too_many_channels", "channel_map"),
    Hostile("eight.wav", samples_of(lambda: sound(8)), "too_many_channels", "channel_map"),
    Hostile("slow.wav", samples_of(zeros(1, 5, rate_hz=1000), rate_hz=1000), "sample_rate_unsupported"),
    Hostile("nan.wav", not_numbers(math.nan), "audio_corrupt", "not numbers at 0.5 s"),
    Hostile("inf.wav", not_numbers(-math.inf), "audio_corrupt", "not numbers"),
    Hostile("hours.flac", many_hours, "too_long", "split it"),
    Hostile("bomb.flac", bomb, "too_long", "split it"),
    Hostile("lying-size.wav", lying_size, "audio_corrupt", "header says"),
    Hostile("dangling.wav", lambda path: path.symlink_to("nowhere"), "file_missing", "check the path"),
    Hostile("loop.wav", loop, "file_unreadable", "check"),
)
"""What fails in a folder that is scanned. Names sort as they are read."""
