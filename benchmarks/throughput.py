"""Speed and memory of ``qa score`` beside a plain faster-whisper loop: same weights, threads and files, one run.

    python -m benchmarks.throughput [--rounds N] [--sets calls,short] [--hours N] [--layouts stereo,mono]

Two sets of Mandarin calls: the eight examples, whose true texts are in ``../shared/corpus`` (without it, no error
rate), and a hundred short ones cut from the test calls. Every figure is of a whole command, model load included;
memory is of all its processes. Ends with one line, and a non-zero exit when a bar is missed.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import av
import numpy as np
from rapidfuzz.distance import Levenshtein

from benchmarks import truth
from benchmarks.judging import CORPUS
from benchmarks.processes import ROOT, Measured, run
from benchmarks.short_calls import write_short_calls
from benchmarks.text import tokens
from models.weights import default_cache_dir, locate

CALLS = sorted((ROOT / "examples" / "calls").glob("zh*.stereo.opus"))
SHORT_CALLS = 100
MIN_RATIO = 1.5
MAX_MORE_ERRORS = 0.005
"""Of the character error rate, above that of the plain loop."""
MAX_LONG_MIB = {"stereo": 1536.0, "mono": 2048.0}

Said = Mapping[str, Sequence[str]]
"""File name → what is said on each channel."""


def qa_score(files: Sequence[Path], threads: int) -> Measured:
    """``qa score`` on a fresh data directory: a process a thread, as far as there are files."""
    processes = min(threads, len(files))
    settings = {"QA_PROCESSES": str(processes), "QA_ASR_THREADS": str(threads // processes), "QA_DEVICE": "cpu"}
    with tempfile.TemporaryDirectory(prefix="qa-bench-") as data:
        environment = {**os.environ, **settings, "QA_DATA_DIR": data}
        command = [sys.executable, "-m", "worker", "score", *map(str, files), "--format", "json"]
        return run(command, environment, may_end_with=(0, 1))  # 1: of some calls nothing was heard


def plain_loop(mode: str) -> Callable[[Sequence[Path], int], Measured]:
    def measure(files: Sequence[Path], threads: int) -> Measured:
        model = str(locate("base", cache_dir=default_cache_dir()).path)
        command = [sys.executable, "-m", "benchmarks.plain_loop", model, str(threads), mode, *map(str, files)]
        return run(command, os.environ)

    return measure


CONTENDERS = {
    "qa score": qa_score,
    "plain loop": plain_loop("plain"),
    "plain loop + VAD filter": plain_loop("vad"),
}


def duration_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base


def corpus_truth() -> Said:
    """What is said in the example calls; nothing without the corpus."""
    folder = CORPUS / "mandarin_synth"
    said: dict[str, Sequence[str]] = {}
    for call in CALLS if folder.is_dir() else ():
        utterances = truth.read(folder, call.name.split(".")[0], "truth")["utterances"]
        said[call.name] = ["".join(u["say"] for u in utterances if u["channel"] == c) for c in (0, 1)]
    return said


def error_rate(output: str, said: Said) -> float | None:
    """Character error rate over both channels of all calls; None without the true texts. Of a call that failed
    nothing was heard."""
    errors = length = 0
    for line in output.splitlines() if said else ():
        document = json.loads(line)
        name = document["file"] if "file" in document else Path(document["recording"]["path"]).name
        for channel, reference in enumerate(tokens(text, "zh") for text in said[name]):
            utterances = (document.get("conversation") or {}).get("utterances", ())
            heard = (
                document["text"][channel]
                if "text" in document
                else "".join(u["text"] for u in utterances if u["channel"] == channel)
            )
            errors += Levenshtein.distance(reference, tokens(heard, "zh"))
            length += len(reference)
    return errors / length if length else None


def compare(title: str, files: Sequence[Path], said: Said, *, rounds: int, threads: int) -> list[str]:
    """Print the table of one set of calls; the bars missed."""
    measured: dict[str, list[Measured]] = {name: [] for name in CONTENDERS}
    for number in range(rounds):  # interleaved: whatever else the machine does hits all alike
        for name, measure in CONTENDERS.items():
            print(f"{title}, round {number + 1}/{rounds}: {name}", file=sys.stderr)
            measured[name].append(measure(files, threads))
    walls = {name: statistics.median(m.wall_s for m in runs) for name, runs in measured.items()}
    rates = {name: error_rate(runs[0].output, said) for name, runs in measured.items()}
    audio_s = sum(map(duration_s, files))
    print(f"\n{title}: {len(files)} calls, {audio_s / 60:.1f} min of audio, {threads} threads, ", end="")
    print(f"median of {rounds} rounds, model load included\n")
    print("| | wall s | audio s per wall s | ratio | CER | peak MiB |\n|---|---|---|---|---|---|")
    for name, runs in measured.items():
        cer = "–" if rates[name] is None else f"{rates[name]:.3f}"
        peak_mib = max(m.peak_mib for m in runs)
        ratio = walls["plain loop"] / walls[name]
        print(
            f"| {name} | {walls[name]:.1f} | {audio_s / walls[name]:.1f} | {ratio:.2f} | {cer} | {peak_mib:.0f} |"
        )
    sys.stdout.flush()
    ratio = walls["plain loop"] / walls["qa score"]
    return missed(title, ratio, rates["qa score"], rates["plain loop"])


def missed(title: str, ratio: float, cer: float | None, plain_cer: float | None) -> list[str]:
    """The bars that a set of calls misses."""
    found = [f"{title}: {ratio:.2f} times the plain loop < {MIN_RATIO}"] if ratio < MIN_RATIO else []
    if cer is not None and plain_cer is not None and cer > plain_cer + MAX_MORE_ERRORS:
        found.append(f"{title}: CER {cer:.3f} > {plain_cer:.3f} + {MAX_MORE_ERRORS}")
    return found


def long_call(folder: Path, layout: str, hours: float) -> Path:
    """A long call at 8 kHz: the example calls one after another, in ``stereo`` or mixed to ``mono``."""
    target = folder / f"long.{layout}.flac"
    with av.open(str(target), "w") as out:
        stream = out.add_stream("flac", rate=8000, layout=layout, format="s16")
        channels = stream.codec_context.channels
        written, goal = 0, round(hours * 3600 * 8000)
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


def measure_long(layout: str, hours: float, threads: int) -> list[str]:
    """Print what one long call takes; the bars missed."""
    with tempfile.TemporaryDirectory(prefix="qa-bench-long-") as folder:
        long = qa_score([long_call(Path(folder), layout, hours)], threads)
    print(f"\n{layout} call of {hours:g} h: {long.wall_s:.0f} s, peak {long.peak_mib:.0f} MiB", flush=True)
    most_mib = MAX_LONG_MIB[layout]
    return [f"{layout}: peak {long.peak_mib:.0f} MiB > {most_mib:.0f}"] if long.peak_mib > most_mib else []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sets", default="calls,short", help="of calls, short; empty: none")
    parser.add_argument("--hours", type=float, default=1.0, help="length of the long call; 0 leaves it out")
    parser.add_argument("--layouts", default="stereo,mono", help="of the long call")
    arguments = parser.parse_args()
    sets, bars = arguments.sets.split(","), []
    options = {"rounds": arguments.rounds, "threads": arguments.threads}
    if "calls" in sets:
        bars += compare("Mandarin calls", CALLS, corpus_truth(), **options)
    if "short" in sets:
        with tempfile.TemporaryDirectory(prefix="qa-bench-short-") as folder:
            said = write_short_calls(Path(folder), SHORT_CALLS)
            bars += compare("short calls", [Path(folder) / name for name in said], said, **options)
    for layout in arguments.layouts.split(",") if arguments.hours else ():
        bars += measure_long(layout, arguments.hours, arguments.threads)
    print("\nthroughput: " + ("; ".join(bars) if bars else "all bars held"))
    return 1 if bars else 0


if __name__ == "__main__":
    sys.exit(main())
