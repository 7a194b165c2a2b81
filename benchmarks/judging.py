"""Recordings through ``qa score``, and its lines before the corpus's judge (``../shared/corpus/evaluate.py``)."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
JUDGE = CORPUS / "evaluate.py"
OWN = ROOT / "tests" / "data" / "calls"

Line = dict[str, Any]


def own_folders() -> list[Path]:
    return sorted(path for path in OWN.iterdir() if path.is_dir())


def score(calls: Sequence[Path], *, data: Path) -> list[Line]:
    """The line of each call, in their order, from one run of ``qa score``.

    Raises:
        SystemExit: a call was not scored.
    """
    command = [sys.executable, "-m", "worker", "score", *map(str, calls), "--format", "json"]
    environment = {**os.environ, "QA_DATA_DIR": str(data)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    if done.returncode:
        raise SystemExit(f"qa score ended with {done.returncode}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def evaluate(lines: Sequence[Line], *, output: Path, truths: Path) -> Mapping[str, Any]:
    """The judge's evaluation of ``lines``, which are kept in ``output``; ``truths`` holds what is true of them."""
    output.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    command = [sys.executable, str(JUDGE), "--json", "--partial", str(output), "--corpus", str(truths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    evaluation: Mapping[str, Any] = json.loads(done.stdout)
    return evaluation
