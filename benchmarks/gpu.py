"""How many hours of calls a GPU hears in an hour: engines, models and batch sizes beside each engine's plain loop.

    python -m benchmarks.gpu [--device cuda] [--batches 1,8,32,64] [--models base,large-v3-turbo] [--smoke]

The calls are the Mandarin test calls of the repository, both channels. ``base`` has trained weights and an error
rate; ``large-v3-turbo`` has the shape of that model with made-up weights (``scripted_whisper.py``), so that
nothing has to be downloaded. Times leave out loading, decoding and voice activity, except for the plain loops,
which decode as they go. GPU figures are read from nvidia-smi while a row is measured. ``--smoke`` checks the
command itself on any machine: a tiny model, seconds of audio.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from rapidfuzz.distance import Levenshtein

from benchmarks.plain_loop import decode
from benchmarks.processes import ROOT
from benchmarks.scripted_whisper import SHAPES, scripted_model
from benchmarks.short_calls import mandarin_calls
from benchmarks.text import tokens
from models.weights import default_cache_dir, locate

ENGINES = {"faster-whisper": "faster_whisper", "openai-whisper": "whisper"}
SMI = "nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits --loop-ms=200"
SMOKE_S = 12.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the GPU: when (monotonic seconds), utilisation in %, memory in MiB."""

    at: float
    utilisation: float
    memory_mib: float


class GpuWatch:
    """Readings of the first GPU, five a second, while the context is open; none where there is no nvidia-smi."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []

    def __enter__(self) -> "GpuWatch":
        try:
            self._process: subprocess.Popen[str] | None = subprocess.Popen(
                SMI.split(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except FileNotFoundError:
            self._process = None
            return self
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):  # "[N/A]" where a device does not tell
                utilisation, memory = map(float, line.split(","))
                self.readings.append(Reading(time.monotonic(), utilisation, memory))

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._thread.join()


def gpu_cells(readings: Sequence[Reading], began: float, ended: float) -> list[str]:
    """Mean utilisation and peak memory while a row was measured."""
    inside = [reading for reading in readings if began <= reading.at <= ended]
    if not inside:
        return ["–", "–"]
    utilisation = sum(reading.utilisation for reading in inside) / len(inside)
    return [f"{utilisation:.0f}", f"{max(reading.memory_mib for reading in inside):.0f}"]


def measure(options: Mapping[str, Any], files: Sequence[Path]) -> tuple[Mapping[str, Any] | None, list[Reading]]:
    """What ``benchmarks.recognising`` says, None where it failed, and the GPU meanwhile."""
    command = [sys.executable, "-m", "benchmarks.recognising", json.dumps(options), *map(str, files)]
    with GpuWatch() as watch:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        print(f"{options}: {done.stderr.strip()[-600:]}", file=sys.stderr)
        return None, watch.readings
    return json.loads(done.stdout), watch.readings


def error_rate(texts: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> float:
    errors = length = 0
    for heard_call, said_call in zip(texts, said, strict=True):
        for heard, true in zip(heard_call, said_call, strict=True):
            errors += Levenshtein.distance(tokens(true, "zh"), tokens(heard, "zh"))
            length += len(tokens(true, "zh"))
    return errors / length


def calls_and_words(folder: Path, *, smoke: bool) -> tuple[list[Path], list[list[str]]]:
    """The recordings and what is said on each of their channels; for a smoke test two beginnings of calls."""
    calls = mandarin_calls()
    said = [
        ["".join(u["say"] for u in known["utterances"] if u["channel"] == channel) for channel in (0, 1)]
        for known, _ in calls
    ]
    if not smoke:
        return [path for _, path in calls], said
    files = []
    for _, path in calls[:2]:
        files.append(folder / f"{path.name.split('.')[0]}.flac")
        sf.write(files[-1], decode(path)[:, : round(SMOKE_S * 16000)].T.astype(np.float32), 16000)
    return files, said[:2]


def model_folder(name: str, weights: Path) -> str:
    base = locate("base", cache_dir=default_cache_dir()).path
    return str(base if name == "base" else scripted_model(name, folder=weights, base=base))


def compare(
    engine: str, model: str, files: Sequence[Path], said: Sequence[Sequence[str]], arguments: argparse.Namespace
) -> list[str]:
    """Print a row for the plain loop and for each batch size; those that failed."""
    failed, plain_speed = [], None
    folder = model_folder(model, arguments.weights)
    for batch_size in (0, *map(int, arguments.batches.split(","))):
        at_once = str(batch_size or "plain loop")
        options = {"engine": engine, "model": folder, "device": arguments.device, "batch_size": batch_size}
        times = arguments.repeat if batch_size else 1
        result, readings = measure({**options, "threads": arguments.threads}, [*files] * times)
        if result is None:
            failed.append(f"{engine} {model} {at_once}")
            cells = ["failed", *["–"] * 4]
        else:
            speed = result["audio_s"] / (result["ended"] - result["began"])
            plain_speed = plain_speed if batch_size else speed
            ratio = f"{speed / plain_speed:.1f}" if plain_speed else "–"
            cer = f"{error_rate(result['texts'], [*said] * times):.3f}" if model == "base" else "–"
            cells = [f"{speed:.3g}", ratio, *gpu_cells(readings, result["began"], result["ended"]), cer]
        print(f"| {engine} | {model} | {at_once} | " + " | ".join(cells) + " |", flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--models", default="base,large-v3-turbo", help=f"of base, {', '.join(SHAPES)}")
    parser.add_argument("--batches", default="1,8,32,64", help="windows decoded together")
    parser.add_argument(
        "--repeat", type=int, default=4, help="how often the product hears the calls, all together"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--weights", type=Path, default=default_cache_dir(), help="where made-up weights are kept")
    parser.add_argument("--smoke", action="store_true", help="check the command: tiny model, little audio")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.models, arguments.batches, arguments.repeat = "tiny", "2", 1
    failed: list[str] = []
    print("| engine | model | windows at once | audio hours per hour | × plain loop | GPU % | GPU MiB | CER |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="qa-gpu-") as work:
        files, said = calls_and_words(Path(work), smoke=arguments.smoke)
        for engine in arguments.engines.split(","):
            if importlib.util.find_spec(ENGINES[engine]) is None:
                failed.append(f"{engine} is not installed")
                continue
            for model in arguments.models.split(","):
                failed += compare(engine, model, files, said, arguments)
    print("\ngpu: " + (f"not measured: {', '.join(failed)}" if failed else "every row measured"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
