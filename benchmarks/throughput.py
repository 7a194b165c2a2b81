"""Speed and memory of ``qa score`` beside a plain faster-whisper loop: same weights, threads and files, one run.

    make bench                                      # or: python -m benchmarks.throughput [--rounds N] [--no-hour]

Every figure is of a whole process, model load included. Character error rates are printed where the test calls'
true texts are at hand (``../shared/corpus``). Ends with one line, and a non-zero exit when a bar is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from opencc import OpenCC
from rapidfuzz.distance import Levenshtein

from models.weights import default_cache_dir, locate

ROOT = Path(__file__).resolve().parent.parent
CALLS = sorted((ROOT / "examples" / "calls").glob("zh*.stereo.opus"))
TRUTH = ROOT.parent / "shared" / "corpus" / "mandarin_synth"
MIN_RATIO = 0.95
MAX_HOUR_MIB = {"stereo": 1536.0, "mono": 2048.0}
DIGITS = str.maketrans("0123456789〇幺", "零一二三四五六七八九零一")


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: wall seconds, peak resident memory of it in MiB, its standard output."""

    wall_s: float
    peak_mib: float
    output: str


def run(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, env=dict(environment), cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command} ended with {process.returncode}")
        out.seek(0)
        return Measured(wall_s, usage.ru_maxrss / 1024, out.read())


def qa_score(files: Sequence[Path], threads: int) -> Measured:
    """``qa score`` on a fresh data directory."""
    with tempfile.TemporaryDirectory(prefix="qa-bench-") as data:
        environment = {**os.environ, "QA_DATA_DIR": data, "QA_ASR_THREADS": str(threads), "QA_DEVICE": "cpu"}
        command = [sys.executable, "-m", "worker.cli", "score", *map(str, files), "--format", "json"]
        return run(command, environment)


def plain_loop(mode: str) -> Callable[[Sequence[Path], int], Measured]:
    def measure(files: Sequence[Path], threads: int) -> Measured:
        model = str(locate("base", cache_dir=default_cache_dir()).path)
        command = [sys.executable, "-m", "benchmarks.plain_loop", model, str(threads), mode, *map(str, files)]
        return run(command, os.environ)

    return measure


def duration_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base


def normal(text: str, to_simplified: Callable[[str], str]) -> str:
    folded = to_simplified(unicodedata.normalize("NFKC", text)).lower().translate(DIGITS)
    return "".join(c for c in folded if c.isalnum())


def error_rate(output: str) -> float | None:
    """Character error rate over both channels of all calls; None without the true texts."""
    if not TRUTH.is_dir():
        return None
    to_simplified = OpenCC("t2s").convert
    errors = length = 0
    for line in output.splitlines():
        document = json.loads(line)
        name = document["file"] if "file" in document else Path(document["recording"]["path"]).name
        truth = json.loads((TRUTH / f"{name.split('.')[0]}.truth.json").read_text("utf-8"))
        for channel in (0, 1):
            said = "".join(u["say"] for u in truth["utterances"] if u["channel"] == channel)
            heard = (
                document["text"][channel]
                if "text" in document
                else "".join(u["text"] for u in document["conversation"]["utterances"] if u["channel"] == channel)
            )
            reference = normal(said, to_simplified)
            errors += Levenshtein.distance(reference, normal(heard, to_simplified))
            length += len(reference)
    return errors / length


def hour_long_call(folder: Path, layout: str) -> Path:
    """A one-hour call at 8 kHz: the example calls one after another, in ``stereo`` or mixed to ``mono``."""
    target = folder / f"hour.{layout}.flac"
    with av.open(str(target), "w") as out:
        stream = out.add_stream("flac", rate=8000, layout=layout, format="s16")
        channels = stream.codec_context.channels
        written, goal = 0, 3600 * 8000
        while written < goal:
            for call in CALLS:
                with av.open(str(call)) as source:
                    resampler = av.AudioResampler(format="s16", layout=layout, rate=8000)
                    frames = [f for frame in source.decode(audio=0) for f in resampler.resample(frame)]
                joined = np.concatenate([f.to_ndarray() for f in frames], axis=1)
                samples = joined[:, : channels * (goal - written)]
                if not samples.size:
                    break
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout=layout)
                frame.sample_rate, frame.pts = 8000, written
                written += samples.shape[1] // channels
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-hour", action="store_true", help="leave the one-hour call out")
    arguments = parser.parse_args()
    contenders = {
        "qa score": qa_score,
        "plain loop": plain_loop("plain"),
        "plain loop + VAD filter": plain_loop("vad"),
    }
    audio_s = sum(map(duration_s, CALLS))
    measured: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(arguments.rounds):  # interleaved: whatever else the machine does hits all alike
        for name, measure in contenders.items():
            print(f"round {number + 1}/{arguments.rounds}: {name}", file=sys.stderr)
            measured[name].append(measure(CALLS, arguments.threads))
    walls = {name: statistics.median(m.wall_s for m in rounds) for name, rounds in measured.items()}
    print(f"\n{len(CALLS)} calls, {audio_s / 60:.1f} min of audio, {arguments.threads} threads, ", end="")
    print(f"median of {arguments.rounds} rounds, model load included\n")
    print("| | wall s | audio s per wall s | ratio | CER | peak MiB |")
    print("|---|---|---|---|---|---|")
    for name, rounds in measured.items():
        rate = error_rate(rounds[0].output)
        cer = "–" if rate is None else f"{rate:.3f}"
        peak = max(m.peak_mib for m in rounds)
        ratio = walls["plain loop"] / walls[name]
        print(f"| {name} | {walls[name]:.1f} | {audio_s / walls[name]:.1f} | {ratio:.2f} | {cer} | {peak:.0f} |")
    missed = []
    if (ratio := walls["plain loop"] / walls["qa score"]) < MIN_RATIO:
        missed.append(f"throughput ratio {ratio:.2f} < {MIN_RATIO}")
    for layout, most_mib in MAX_HOUR_MIB.items() if not arguments.no_hour else ():
        with tempfile.TemporaryDirectory(prefix="qa-bench-hour-") as folder:
            hour = qa_score([hour_long_call(Path(folder), layout)], arguments.threads)
        print(f"\none-hour {layout} call: {hour.wall_s:.0f} s, peak {hour.peak_mib:.0f} MiB", flush=True)
        if hour.peak_mib > most_mib:
            missed.append(f"{layout}: peak {hour.peak_mib:.0f} MiB > {most_mib:.0f}")
    print("\nbench: " + ("; ".join(missed) if missed else "all bars held"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
