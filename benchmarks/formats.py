"""What a recording's format changes: one call in every format, scored as the product scores it, beside its WAV.

    python -m benchmarks.formats [FORMAT…]          # default: every format of tests/recordings.py

The call is ``zh04`` of the corpus (``../shared/corpus``), which has interruptions; without the corpus it is the
example call of that name, and its true text is not at hand. A format that holds one channel is given as two files,
one a side. Ends with one line, and a non-zero exit when a format is not scored or a rule comes out differently.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr
from rapidfuzz.distance import Levenshtein

from benchmarks.text import tokens
from qa_service.ports import AudioSource
from tests.recordings import DATA, FORMATS, Samples, write_call

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "mandarin_synth"
EXAMPLES = ROOT / "examples" / "calls"
CALL = "zh04"
RATE_HZ = 8000
REFERENCE = "wav-s16"

MAX_MORE_ERRORS = 0.06
"""Of the character error rate against the truth, above that of the WAV."""

Line = Mapping[str, Any]


def call_samples() -> Samples:
    """The call, float32 (channel, time) at 8 kHz."""
    flac = CORPUS / f"{CALL}.stereo.flac"
    samples, rate_hz = sf.read(
        flac if flac.is_file() else EXAMPLES / f"{CALL}.stereo.opus", dtype="float32", always_2d=True
    )
    return np.ascontiguousarray(soxr.resample(samples, rate_hz, RATE_HZ).T)


def true_words() -> list[str] | None:
    """What was said on each channel; None without the corpus."""
    path = CORPUS / f"{CALL}.truth.json"
    if not path.is_file():
        return None
    utterances = json.loads(path.read_text("utf-8"))["utterances"]
    return ["".join(u["say"] for u in utterances if u["channel"] == channel) for channel in (0, 1)]


def write_all(folder: Path, formats: Sequence[str], samples: Samples) -> dict[str, AudioSource]:
    """The call in each format, in a folder of the format's name, and the metadata beside them."""
    sources: dict[str, AudioSource] = {}
    for name in formats:
        if FORMATS[name].write is None:
            kept = (DATA / f"{CALL}.{side}{FORMATS[name].suffix}" for side in ("agent", "customer"))
            sources[name] = AudioSource(tuple(kept))
        else:
            (folder / name).mkdir()
            sources[name] = write_call(folder / name, samples, rate_hz=RATE_HZ, format=name)
    with (EXAMPLES / "call_metadata.csv").open(encoding="utf-8", newline="") as file:
        (known,) = (row for row in csv.DictReader(file) if row["file"].startswith(CALL))
    with (folder / "call_metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*known, "second_file", "raw_format"])
        writer.writeheader()
        for name, source in sources.items():
            raw = source.raw_format
            declared = f"{raw.encoding}/{raw.sample_rate_hz}/{raw.channels}" if raw else ""
            second = str(source.paths[1]) if len(source.paths) > 1 else ""
            row = {"file": str(source.paths[0]), "second_file": second, "raw_format": declared}
            writer.writerow({**known, **row, "call_id": name})
    return sources


def score(folder: Path, sources: Mapping[str, AudioSource]) -> dict[str, Line]:
    """The line of each format, from one run of ``qa score`` on a fresh data directory."""
    command = [sys.executable, "-m", "worker", "score", "--format", "json"]
    command += ["--metadata", str(folder / "call_metadata.csv")]
    command += [str(source.paths[0]) for source in sources.values()]
    environment = {**os.environ, "QA_DATA_DIR": str(folder / "data")}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(sources, lines, strict=True))


def words(line: Line) -> list[str]:
    utterances = line["conversation"]["utterances"]
    return ["".join(u["text"] for u in utterances if u["channel"] == channel) for channel in (0, 1)]


def error_rate(heard: Sequence[str], said: Sequence[str]) -> float:
    """Character error rate over both channels."""
    pairs = [(tokens(a, "zh"), tokens(b, "zh")) for a, b in zip(heard, said, strict=True)]
    return sum(Levenshtein.distance(a, b) for a, b in pairs) / sum(len(b) for _, b in pairs)


def changed(line: Line, reference: Line) -> tuple[list[str], list[str]]:
    """Rules that come out differently from the WAV's, and findings with another number of places."""
    outcomes, places = [], []
    others = {result["rule"]: result for result in reference["results"]}
    for result in line["results"]:
        rule, other = result["rule"], others[result["rule"]]
        if result["outcome"] != other["outcome"]:
            outcomes.append(f"{rule}: {other['outcome']} → {result['outcome']}")
        elif result["outcome"] == "not_met" and len(result["evidence"]) != len(other["evidence"]):
            places.append(f"{rule}: {len(other['evidence'])} → {len(result['evidence'])} places")
    return outcomes, places


def row(name: str, line: Line, reference: Line, truth: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The cells of a scored format, and the bars it misses."""
    outcomes, places = changed(line, reference)
    missed = [f"{name}: {outcome}" for outcome in outcomes]
    cer = "–"
    if truth is not None:
        rate = error_rate(words(line), truth)
        if rate > error_rate(words(reference), truth) + MAX_MORE_ERRORS:
            missed.append(f"{name}: {rate:.3f} of the words are wrong")
        cer = f"{rate:.3f}"
    longer_s = line["recording"]["duration_s"] - reference["recording"]["duration_s"]
    differs = f"{error_rate(words(line), words(reference)):.3f}"
    return [cer, differs, ", ".join(outcomes + places) or "none", f"{longer_s:+.3f}"], missed


def main() -> int:
    formats = [REFERENCE, *(name for name in sys.argv[1:] or FORMATS if name != REFERENCE)]
    truth, missed = true_words(), []
    with tempfile.TemporaryDirectory(prefix="qa-formats-") as work:
        samples = call_samples()
        sources = write_all(Path(work), formats, samples)
        lines = score(Path(work), sources)
        print(f"{CALL}, {samples.shape[1] / RATE_HZ:.1f} s, two channels\n")
        print("| format | files | kB | CER | words unlike the WAV's | findings unlike the WAV's | longer by s |")
        print("|---|---|---|---|---|---|---|")
        for name, line in lines.items():
            paths = sources[name].paths
            cells = [name, str(len(paths)), f"{sum(path.stat().st_size for path in paths) / 1000:.0f}"]
            if line["status"] == "scored":
                more, bars = row(name, line, lines[REFERENCE], truth)
            else:
                more, bars = ["–", "–", line["error"]["code"], "–"], [f"{name}: {line['error']['code']}"]
            missed += bars
            print("| " + " | ".join(cells + more) + " |")
    print("\nformats: " + ("; ".join(missed) if missed else f"{len(formats)} formats, each rule the same in all"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
