"""How good the shipped rules are on recognised audio: faults found, false findings, undetermined results, CER.

    python -m benchmarks.accuracy [FOLDER…]         # default: the calls in tests/data/calls, and the corpus

A folder holds recordings with ``ID.truth.json`` and ``ID.expected.json`` beside them. The judge is ``evaluate.py``
of the corpus (``../shared/corpus``); without it there is nothing to measure.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
OWN = ROOT / "tests" / "data" / "calls"


def judge(folder: Path, work: Path) -> tuple[dict[str, Any], int, int]:
    """The evaluation of one folder, and how many applicable results there are and are undetermined."""
    calls = sorted(
        path
        for truth in folder.glob("*.truth.json")
        for path in folder.glob(truth.name.split(".")[0] + ".stereo.*")
    )
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
    outcomes = [result["outcome"] for line in lines.splitlines() for result in json.loads(line)["results"]]
    applicable = [outcome for outcome in outcomes if outcome != "not_applicable"]
    return evaluation, len(applicable), applicable.count("undetermined")


def main() -> int:
    if not (CORPUS / "evaluate.py").is_file():
        print("accuracy: nothing measured, the corpus is not at hand")
        return 0
    folders = [Path(argument) for argument in sys.argv[1:]] or [
        CORPUS / "mandarin_synth",
        CORPUS / "english_synth",
        *sorted(path for path in OWN.iterdir() if path.is_dir()),
    ]
    print("| calls | n | faults found | missed | false findings | undetermined | error rate |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="qa-accuracy-") as work:
        for folder in folders:
            evaluation, applicable, undetermined = judge(folder, Path(work))
            overall = evaluation["overall"]
            rates = ", ".join(
                f"{group} {rate['role_free']:.3f}" for group, rate in evaluation["speech"]["error_rate"].items()
            )
            print(
                f"| {folder.name} | {evaluation['scored']} | {overall['tp']} | {overall['fn']} | {overall['fp']} "
                f"| {undetermined} of {applicable} | {rates} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
