"""How good the shipped rules are on recognised audio: faults found, false findings, undetermined results, CER.

    python -m benchmarks.accuracy [--mono] [FOLDER…]    # default: the calls in tests/data/calls, and the corpus

A folder holds stereo recordings with ``ID.truth.json`` and ``ID.expected.json`` beside them; ``--mono`` mixes them
to one channel first and says how roles came out. The judge is ``evaluate.py`` of the corpus
(``../shared/corpus``); without it there is nothing to measure.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import soundfile as sf

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
OWN = ROOT / "tests" / "data" / "calls"


def recordings(folder: Path, work: Path, *, mono: bool) -> list[Path]:
    """The folder's calls, or versions of them with one channel."""
    names = sorted(truth.name.split(".")[0] for truth in folder.glob("*.truth.json"))
    calls = [path for name in names for path in folder.glob(f"{name}.stereo.*")]
    if not mono:
        return calls
    mixed = work / folder.name
    mixed.mkdir()
    for call in calls:
        samples, rate_hz = sf.read(call, dtype="float32", always_2d=True)
        sf.write(mixed / f"{call.name.split('.')[0]}.mono.flac", samples.mean(axis=1), rate_hz)
    return sorted(mixed.iterdir())


def judge(folder: Path, work: Path, *, mono: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The evaluation of one folder, and the scored lines."""
    calls = recordings(folder, work, mono=mono)
    environment = {**os.environ, "QA_DATA_DIR": str(work / "data")}
    command = [sys.executable, "-m", "worker.cli", "score", *map(str, calls), "--format", "json"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout
    output = work / f"{folder.name}.jsonl"
    output.write_text(lines, encoding="utf-8")
    command = [
        sys.executable,
        str(CORPUS / "evaluate.py"),
        "--json",
        "--partial",
        str(output),
        "--corpus",
        str(folder),
    ]
    evaluation = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return evaluation, [json.loads(line) for line in lines.splitlines()]


def main() -> int:
    if not (CORPUS / "evaluate.py").is_file():
        print("accuracy: nothing measured, the corpus is not at hand")
        return 0
    arguments = sys.argv[1:]
    mono = "--mono" in arguments
    folders = [Path(argument) for argument in arguments if argument != "--mono"] or [
        CORPUS / "mandarin_synth",
        CORPUS / "english_synth",
        *sorted(path for path in OWN.iterdir() if path.is_dir()),
    ]
    roles = " no role | role right |" if mono else ""
    print(f"| calls | n |{roles} faults found | missed | false findings | undetermined | error rate |")
    print("|---|---|" + "---|" * (7 if mono else 5))
    with tempfile.TemporaryDirectory(prefix="qa-accuracy-") as work:
        for folder in folders:
            evaluation, lines = judge(folder, Path(work), mono=mono)
            overall, speech = evaluation["overall"], evaluation["speech"]
            applicable = [r for line in lines for r in line["results"] if r["outcome"] != "not_applicable"]
            undetermined = sum(r["outcome"] == "undetermined" for r in applicable)
            unknown = sum(line["conversation"]["role_source"] == "unknown" for line in lines)
            accuracy = speech["role"]["accuracy"]
            roles = f" {unknown} | {'–' if accuracy is None else format(accuracy, '.3f')} |" if mono else ""
            rates = ", ".join(f"{group} {rate['role_free']:.3f}" for group, rate in speech["error_rate"].items())
            print(
                f"| {folder.name} | {evaluation['scored']} |{roles} {overall['tp']} | {overall['fn']} "
                f"| {overall['fp']} | {undetermined} of {len(applicable)} | {rates} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
