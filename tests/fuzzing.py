"""Damaged and lying recordings, each made of nothing but its seed number.

    python -m tests.fuzzing SEED FOLDER       # write the files of one case and say what was done to them

Guarantee: the same seed gives the same bytes on every machine with the pinned encoders, so a failing seed is a
bug report.
"""

import argparse
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from models.audio.raw import ENCODINGS
from qa_service.domain.call import RawFormat
from qa_service.ports import AudioSource
from tests.fuzz_fields import overwrite_field, repair_ogg_checksums
from tests.recordings import DATA, FORMATS, sound, write_recording

MAX_BYTES = 400_000
"""No case is larger: what is tested is what a header claims, not how fast bytes are read."""

_RAW_ENCODINGS = (*sorted(ENCODINGS), "opus")
_RAW_RATES_HZ = (8000, 16_000, 8000, 16_000, 48_000, 6000, 192_000, 1, 0, -8000, 2**31)


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound recording to start from."""

    format: str
    suffix: str
    data: bytes
    raw_format: RawFormat | None


@dataclass(frozen=True, slots=True)
class Case:
    """One or two files, given as a recording. ``steps``: what was done, for the message of a failure."""

    seed: int
    files: tuple[tuple[str, bytes], ...]
    channel_map: tuple[int, ...] | None
    raw_format: RawFormat | None
    steps: tuple[str, ...]

    def write(self, folder: Path) -> AudioSource:
        for name, data in self.files:
            (folder / name).write_bytes(data)
        paths = tuple(folder / name for name, _ in self.files)
        return AudioSource(paths, channel_map=self.channel_map, raw_format=self.raw_format)

    def __str__(self) -> str:
        return f"seed {self.seed} ({'; '.join(self.steps)}): python -m tests.fuzzing {self.seed} FOLDER writes it"


@lru_cache(maxsize=1)
def clips() -> tuple[Clip, ...]:
    """A short recording of every format, with one channel and with two where it holds two."""
    made = []
    with tempfile.TemporaryDirectory(prefix="qa-fuzz-") as folder:
        for name, known in FORMATS.items():
            for channels in range(1, known.channels + 1):
                path = Path(folder) / f"clip{known.suffix}"
                if known.write is None:
                    path = DATA / f"clip{known.suffix}"
                else:
                    write_recording(path, sound(channels), rate_hz=8000, format=name)
                raw_format = known.raw_format(rate_hz=8000, channels=channels)
                made.append(Clip(name, known.suffix, path.read_bytes(), raw_format))
    return tuple(made)


def case_of(seed: int) -> Case:
    """The case of a seed: a clip, one to three mutations, and sometimes a wrong declaration or a second file."""
    rng = random.Random(seed)
    clip = rng.choice(clips())
    data, steps = bytearray(clip.data), [clip.format]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        mutate = rng.choice(MUTATIONS)
        steps.append(mutate(rng, data))
        del data[MAX_BYTES:]
    if data.startswith(b"OggS") and rng.random() < 0.7:  # else the demuxer drops the page before anything reads it
        repair_ogg_checksums(data)
        steps.append("checksums repaired")
    suffix, raw_format, channel_map = clip.suffix, clip.raw_format, None
    if rng.random() < 0.15:
        suffix = rng.choice((*sorted({known.suffix for known in FORMATS.values()}), "", ".txt", ".m3u8"))
        steps.append(f"named {suffix or 'without suffix'}")
    if rng.random() < (0.3 if raw_format else 0.03):
        raw_format = RawFormat(rng.choice(_RAW_ENCODINGS), rng.choice(_RAW_RATES_HZ), rng.choice((1, 2, 3)))
        steps.append(f"declared as {raw_format.encoding}/{raw_format.sample_rate_hz}/{raw_format.channels}")
    if rng.random() < 0.08:
        channel_map = rng.choice(((0,), (1,), (0, 1), (1, 0), (0, 3), (7,)))
        steps.append(f"tracks {channel_map}")
    files = [(f"call{suffix}", bytes(data))]
    if rng.random() < 0.08:
        other = rng.choice(clips())
        files.insert(rng.randrange(2), (f"other{other.suffix}", other.data))
        steps.append(f"one side, the other is {other.format}")
    return Case(seed, tuple(files), channel_map, raw_format, tuple(steps))


# --- mutations: each changes the data in place and says what it did -----------------------------------------


def _place(rng: random.Random, data: bytearray) -> int:
    """A position in the file; in every second case in its head, where the headers are."""
    return rng.randrange(min(len(data), 256) if rng.random() < 0.5 else len(data)) if data else 0


def _flip_bits(rng: random.Random, data: bytearray) -> str:
    count = rng.choice((1, 1, 4, 32))
    for _ in range(count if data else 0):
        data[_place(rng, data)] ^= 1 << rng.randrange(8)
    return f"{count} bits flipped"


def _run(rng: random.Random, data: bytearray) -> str:
    at, length = _place(rng, data), rng.choice((1, 4, 16, 200, 3000))
    length = min(length, len(data) - at)
    value = rng.choice((b"\x00", b"\xff", None))
    data[at : at + length] = value * length if value else rng.randbytes(length)
    return f"{length} {'random bytes' if value is None else f'bytes {value.hex()}'} at {at}"


def _truncate(rng: random.Random, data: bytearray) -> str:
    at = rng.choice((_place(rng, data), max(0, len(data) - rng.randrange(1, 64))))
    del data[at:]
    return f"cut at {at}"


def _behead(rng: random.Random, data: bytearray) -> str:
    at = _place(rng, data)
    del data[:at]
    return f"first {at} bytes lost"


def _lose(rng: random.Random, data: bytearray) -> str:
    at, length = _place(rng, data), rng.choice((1, 2, 7, 100, 2000))
    del data[at : at + length]
    return f"{length} bytes lost at {at}"


def _insert(rng: random.Random, data: bytearray) -> str:
    at, length = _place(rng, data), rng.choice((1, 2, 7, 100, 5000))
    data[at:at] = rng.randbytes(length)
    return f"{length} random bytes put in at {at}"


def _duplicate(rng: random.Random, data: bytearray) -> str:
    at, length, times = _place(rng, data), rng.choice((8, 64, 1000, len(data))), rng.choice((1, 1, 5, 200))
    length = max(1, min(length, len(data) - at, MAX_BYTES // times))
    data[at:at] = data[at : at + length] * times
    return f"{length} bytes at {at} repeated {times} times"


def _swap(rng: random.Random, data: bytearray) -> str:
    length = rng.choice((16, 200, 1000))
    first, second = sorted((_place(rng, data), _place(rng, data)))
    length = min(length, second - first, len(data) - second)
    data[first : first + length], data[second : second + length] = (
        data[second : second + length],
        data[first : first + length],
    )
    return f"{length} bytes at {first} and {second} swapped"


def _splice(rng: random.Random, data: bytearray) -> str:
    other = rng.choice(clips())
    at, start = _place(rng, data), rng.randrange(len(other.data))
    data[at:] = other.data[start:]
    return f"from {at} on {other.format} from its {start}"


def _concatenate(rng: random.Random, data: bytearray) -> str:
    other = rng.choice(clips())
    if rng.random() < 0.5:
        data += other.data
        return f"followed by {other.format}"
    data[:0] = other.data
    return f"after {other.format}"


def _many_chunks(rng: random.Random, data: bytearray) -> str:
    """Thousands of empty chunks or boxes, at a place where one may stand in RIFF or MP4."""
    chunk = rng.choice((b"junk" + bytes(4), b"\x00\x00\x00\x08free", b"LIST\x04\x00\x00\x00INFO"))
    at, count = rng.choice((0, 12, len(data))), rng.choice((50, 3000, 30_000))
    data[at:at] = chunk * min(count, MAX_BYTES // len(chunk))
    return f"{count} empty chunks at {at}"


MUTATIONS: tuple[Callable[[random.Random, bytearray], str], ...] = (
    *(overwrite_field,) * 8,
    *(_flip_bits, _run) * 3,
    *(_truncate, _lose, _insert, _duplicate, _splice) * 2,
    *(_behead, _swap, _concatenate, _many_chunks),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seed", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    case = case_of(arguments.seed)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    print(case)  # noqa: T201 - what the command is for
    print(case.write(arguments.folder))  # noqa: T201


if __name__ == "__main__":
    main()
