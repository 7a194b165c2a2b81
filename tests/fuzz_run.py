"""A run of the decoder over the cases of ``tests.fuzzing``: each is audio, or refused with a documented reason.

    python -m tests.fuzz_run [--files N] [--first SEED]      # or: make fuzz

Ends with one line, and a non-zero exit when a file did anything else. The same judge serves the test suite.
"""

import argparse
import gc
import os
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import psutil

from models.audio.decoder import RecordingDecoder
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError
from qa_service.ports import AudioDecoder, AudioSource, DecodedAudio
from tests.fuzzing import Case, case_of, clips

ROOT = Path(__file__).resolve().parent.parent
CHUNK = 100
"""Cases that one process judges between two looks at what it holds."""

MAX_WALL_S = 30.0
SETTLE_S = 2.0
MAX_GROWTH_MIB = 32.0
"""By how much resident memory may differ after a chunk. A minute of stereo as float32 at 16 kHz takes 15 MiB."""

MAX_S_PER_BYTE = 0.06
"""Opus, the most that the smallest packet of any format stands for: 120 ms in one byte and its length byte."""

NEVER_TRUE = frozenset({"file_missing", "file_unreadable", "file_too_large", "file_changing", "too_long"})
"""Refusals that would send somebody to the disk, or to split a call: all cases can be read and are short."""

AUDIO = "audio"
MakeDecoder = Callable[[Path], AudioDecoder]


@dataclass(frozen=True, slots=True)
class Report:
    """How many cases came out as audio and how many as each code; what went wrong, a line each."""

    counts: Counter[str]
    faults: tuple[str, ...]
    slowest_s: float = 0.0

    def __add__(self, other: "Report") -> "Report":
        return Report(self.counts + other.counts, self.faults + other.faults, max(self.slowest_s, other.slowest_s))


class MisbehavedError(Exception):
    """What a decoder did that it may not do."""


def product_decoder(spool_dir: Path) -> AudioDecoder:
    """The decoder under test, as the product makes it."""
    return RecordingDecoder(spool_dir=spool_dir)


def documented_codes() -> frozenset[str]:
    """The codes that a recording may be refused with, of ``docs/errors.md``."""
    section = (ROOT / "docs" / "errors.md").read_text("utf-8").split("## A recording")[1].split("\n## ")[0]
    return frozenset(re.findall(r"^\| `([a-z_]+)`", section, re.MULTILINE))


def judge(decoder: AudioDecoder, source: AudioSource, *, codes: frozenset[str]) -> str:
    """``AUDIO`` or the code of the refusal. Raises MisbehavedError for everything else."""
    started = time.monotonic()
    try:
        with decoder.decode(source) as audio:
            _check_audio(audio, source)
        outcome = AUDIO
    except InputError as error:
        if error.code not in codes:
            raise MisbehavedError(f"refused with {error.code}, which docs/errors.md does not list") from error
        if error.code in NEVER_TRUE or (error.code == "file_empty" and _sizes(source)[0]):
            raise MisbehavedError(f"refused with {error.code}, which is not true: {error.message}") from error
        if not error.message or not error.message.isprintable() or len(error.message) > 300:
            raise MisbehavedError(f"{error.code} with no short line of text: {error.message[:300]!r}") from error
        outcome = error.code
    except MisbehavedError:
        raise
    except Exception as error:
        raise MisbehavedError(f"{type(error).__name__}: {error}") from error
    if (wall_s := time.monotonic() - started) > MAX_WALL_S:
        raise MisbehavedError(f"took {wall_s:.0f} s")
    return outcome


def _check_audio(audio: DecodedAudio, source: AudioSource) -> None:
    size = sum(_sizes(source))
    if audio.channels not in (1, 2):
        raise MisbehavedError(f"{audio.channels} channels")
    if not 0 < audio.duration_s <= 1 + MAX_S_PER_BYTE * size:
        raise MisbehavedError(f"{audio.duration_s} s of audio from {size} bytes")
    for channel in range(audio.channels):
        samples = 0
        while len(block := audio.read(channel, _minute(samples / audio.sample_rate_hz))):
            if not np.isfinite(block).all() or np.abs(block).max() > 1:
                raise MisbehavedError(f"samples outside [-1, 1] or not numbers on channel {channel}")
            samples += len(block)
        if samples != round(audio.duration_s * audio.sample_rate_hz):
            raise MisbehavedError(f"{samples} samples on channel {channel} of {audio.duration_s} s")


def _sizes(source: AudioSource) -> list[int]:
    """Bytes of each file, the smallest first."""
    return sorted(path.stat().st_size for path in source.paths)


def _minute(start_s: float) -> TimeSpan:
    return TimeSpan(start_s, start_s + 60)


def run_cases(
    seeds: Iterable[int],
    *,
    make_decoder: MakeDecoder = product_decoder,
    make_case: Callable[[int], Case] = case_of,
) -> Report:
    """Judge cases with one decoder, then look at what they left behind in this process."""
    codes = documented_codes()
    counts: Counter[str] = Counter()
    faults: list[str] = []
    slowest_s = 0.0
    with tempfile.TemporaryDirectory(prefix="qa-fuzz-") as work, _stderr() as written:
        files, spool = Path(work) / "files", Path(work) / "spool"
        files.mkdir()
        spool.mkdir()
        decoder = make_decoder(spool)
        _warm_up(decoder, files)
        before = _held()
        for seed in seeds:
            case = make_case(seed)
            source = case.write(files)
            started = time.monotonic()
            try:
                counts[judge(decoder, source, codes=codes)] += 1
            except MisbehavedError as fault:
                faults.append(f"{fault} - {case}")
            slowest_s = max(slowest_s, time.monotonic() - started)
            if left := [path.name for path in spool.iterdir()]:
                faults.append(f"left {left[:3]} in the spool folder - {case}")
                for name in left:
                    (spool / name).unlink()
            if text := written():
                faults.append(f"wrote {text!r} to stderr - {case}")
            for path in source.paths:
                path.unlink()
        faults += _grown(before, _settled(before))
    return Report(counts, tuple(faults), slowest_s)


@dataclass(frozen=True, slots=True)
class _Held:
    """What a process holds: resident MiB, open descriptors, children."""

    memory_mib: float
    descriptors: int
    children: frozenset[int]


def _held() -> _Held:
    gc.collect()
    process = psutil.Process()
    children = frozenset(child.pid for child in process.children(recursive=True))
    return _Held(process.memory_info().rss / 2**20, process.num_fds(), children)


def _settled(before: _Held) -> _Held:
    """What is held once children that have answered have had a moment to end."""
    deadline = time.monotonic() + SETTLE_S
    while not (held := _held()).children <= before.children and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def _grown(before: _Held, after: _Held) -> Iterator[str]:
    if after.memory_mib > before.memory_mib + MAX_GROWTH_MIB:
        yield f"memory grew from {before.memory_mib:.0f} to {after.memory_mib:.0f} MiB"
    if after.descriptors > before.descriptors:
        yield f"open descriptors grew from {before.descriptors} to {after.descriptors}"
    if left := after.children - before.children:
        yield f"{len(left)} child processes are left"


def _warm_up(decoder: AudioDecoder, folder: Path) -> None:
    """Decode something, so that what is only made once is no leak."""
    clip = clips()[0]
    path = folder / f"warm{clip.suffix}"
    path.write_bytes(clip.data)
    with decoder.decode(AudioSource((path,), raw_format=clip.raw_format)) as audio:
        audio.read(0, _minute(0.0))


@contextmanager
def _stderr() -> Iterator[Callable[[], str]]:
    """Collect what this process and its children write to stderr; gives the start of what came since last asked.

    Warnings are part of it: pytest, which records them, would hide them otherwise.
    """
    with tempfile.TemporaryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _show_warning
        sys.stderr.flush()
        original = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: _take(file)
        finally:
            os.dup2(original, 2)
            os.close(original)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    os.write(2, f"{category.__name__}: {message}\n".encode())


def _take(file: BinaryIO) -> str:
    sys.stderr.flush()
    if not os.fstat(file.fileno()).st_size:
        return ""
    file.seek(0)
    text = file.read(500).decode(errors="replace")
    file.seek(0)
    file.truncate()
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.files)
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    report, done = Report(Counter(), ()), 0
    started = time.monotonic()
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        sizes = {pool.submit(run_cases, chunk): len(chunk) for chunk in chunks}
        for future in as_completed(sizes):
            part = future.result()
            report += part
            done += sizes[future]
            print(f"[{done}/{len(seeds)}] {len(report.faults)} faults", file=sys.stderr)  # noqa: T201
            for fault in part.faults:
                print(fault, file=sys.stderr)  # noqa: T201
    print("| outcome | files |\n|---|---|")  # noqa: T201
    for outcome, count in report.counts.most_common():
        print(f"| {outcome} | {count} |")  # noqa: T201
    verdict = f"{len(report.faults)} faults" if report.faults else "every one decoded or refused with a reason"
    times = f"{time.monotonic() - started:.0f} s, slowest {report.slowest_s:.1f} s"
    print(f"\nfuzz: {len(seeds)} recordings in {times}: {verdict}")  # noqa: T201
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
