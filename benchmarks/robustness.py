"""What bad lines and bad rooms do to the findings: the same calls under each condition of ``conditions.py``.

    python -m benchmarks.robustness [--conditions a,b] [--calls FOLDER…] [--keep FOLDER]

The calls are the corpus's eight Mandarin ones and its English ones (``../shared/corpus``), or those of the folders
given, which hold ``ID.truth.json`` and ``ID.expected.json`` beside ``ID.stereo.*``. ``--keep`` keeps the damaged
recordings, the scored lines and the evaluations, a folder a condition. Ends with one line, and a non-zero exit if
noise at 10 dB brings more false findings than there are on clean audio.

Under a change of speed the truth changes with the call; what it then no longer tells is not judged.
"""

import argparse
import json
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from benchmarks import truth
from benchmarks.conditions import CONDITIONS, damaged
from benchmarks.judging import CORPUS, JUDGE, Line, evaluate, score

RATE_HZ = 8000
DEFAULT = (
    *("clean", "mulaw", "amr-nb", "gsm", "babble-20", "babble-10", "babble-5", "office-10", "street-10"),
    *("loss-3", "loss-8", "crosstalk-20", "crosstalk-10", "slow-20", "fast-20", "quiet-20", "clipped"),
)
BARRED = ("babble-10", "office-10", "street-10")
Call = tuple[Path, str]
"""The folder and the name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One condition: faults found, missed and invented, and how well the words were heard."""

    found: int
    missed: int
    false: tuple[str, ...]
    undetermined: int
    decided: int
    error_rates: Mapping[str, float]

    @property
    def precision(self) -> float | None:
        return _share(self.found, self.found + len(self.false))

    @property
    def recall(self) -> float | None:
        return _share(self.found, self.found + self.missed)

    @property
    def f1(self) -> float | None:
        return _share(2 * self.found, 2 * self.found + self.missed + len(self.false))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def corpus_calls() -> list[Call]:
    """The clean calls of the corpus: those that have expectations of their own."""
    folders = (CORPUS / "mandarin_synth", CORPUS / "english_synth")
    return [call for folder in folders for call in calls_in(folder)]


def calls_in(folder: Path) -> list[Call]:
    return [(folder, name) for name in truth.call_names(folder) if (folder / f"{name}.expected.json").is_file()]


def write_call(call: Call, condition: str, folder: Path) -> frozenset[str]:
    """The call under the condition and what is true of it then, in ``folder``; the rules that are not judged."""
    source, name = call
    samples, rate_hz = sf.read(truth.recording(source, name), dtype="float32", always_2d=True)
    clean = np.ascontiguousarray(soxr.resample(samples, rate_hz, RATE_HZ).T)
    heard = damaged(clean, rate_hz=RATE_HZ, condition=condition, seed=zlib.crc32(name.encode()))
    sf.write(folder / f"{name}.stereo.flac", heard.T, RATE_HZ)
    speed = CONDITIONS[condition].speed
    for kind in ("truth", "expected"):
        document = truth.at_speed(truth.read(source, name, kind), speed)
        (folder / f"{name}.{kind}.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return truth.undecided_at(truth.read(source, name, "truth"), speed)


def judged(line: Line, unjudged: frozenset[str]) -> Line:
    return {**line, "results": [result for result in line["results"] if result["rule"] not in unjudged]}


def measure(calls: Sequence[Call], condition: str, folder: Path) -> tuple[Outcome, list[Line]]:
    """Everything about one condition, and the scored lines; ``folder`` keeps all of it."""
    folder.mkdir(parents=True)
    unjudged = {name: write_call((source, name), condition, folder) for source, name in calls}
    with tempfile.TemporaryDirectory(prefix="qa-robustness-data-") as data:
        lines = score([folder / f"{name}.stereo.flac" for name in unjudged], data=Path(data))
    left = [judged(line, rules) for line, rules in zip(lines, unjudged.values(), strict=True)]
    evaluation = evaluate(left, output=folder / "score.jsonl", truths=folder)
    (folder / "evaluation.json").write_text(json.dumps(evaluation, ensure_ascii=False, indent=1), encoding="utf-8")
    return outcome(evaluation, left), lines


def outcome(evaluation: Mapping[str, Any], lines: Sequence[Line]) -> Outcome:
    """The judge's evaluation in one row. What was taken out as not judged comes back as missing: not missed."""
    errors = [error.split(maxsplit=3) for error in evaluation["errors"]]
    applicable = [r for line in lines for r in line["results"] if r["outcome"] != "not_applicable"]
    return Outcome(
        found=evaluation["overall"]["tp"],
        missed=sum(error[0] == "fn" and error[3] != "(missing)" for error in errors),
        false=tuple(f"{error[1]} {error[2]}" for error in errors if error[0] == "fp"),
        undetermined=sum(result["outcome"] == "undetermined" for result in applicable),
        decided=len(applicable),
        error_rates={group: rate["role_free"] for group, rate in evaluation["speech"]["error_rate"].items()},
    )


def row(condition: str, it: Outcome) -> str:
    shares = (f"{share:.3f}" if share is not None else "–" for share in (it.precision, it.recall, it.f1))
    rates = ", ".join(f"{group} {rate:.3f}" for group, rate in it.error_rates.items())
    cells = (condition, it.found, it.missed, len(it.false), *shares, f"{it.undetermined} of {it.decided}", rates)
    return "| " + " | ".join(map(str, cells)) + " |"


def told(condition: str, false: str, lines: Sequence[Line]) -> str:
    """One false finding with what it was founded on."""
    rule, name = false.split()
    (line,) = (line for line in lines if Path(line["recording"]["path"]).name.startswith(f"{name}."))
    (result,) = (result for result in line["results"] if result["rule"] == rule)
    evidence = [f"{e['start']:.1f}–{e['end']:.1f} s {e.get('quote') or ''}".strip() for e in result["evidence"]]
    return f"{condition}: {rule} in {name}: {'; '.join(evidence) or 'nothing to show'}"


def verdict(outcomes: Mapping[str, Outcome]) -> list[str]:
    """The bars missed; without clean audio there are none."""
    if "clean" not in outcomes:
        return []
    most = len(outcomes["clean"].false)
    return [
        f"{name}: {len(outcomes[name].false)} false findings, {most} on clean audio"
        for name in BARRED
        if name in outcomes and len(outcomes[name].false) > most
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--conditions", default=",".join(DEFAULT), help=f"of {', '.join(CONDITIONS)}")
    parser.add_argument("--calls", type=Path, nargs="+", help="folders of calls with their truth")
    parser.add_argument("--keep", type=Path, help="keep recordings, lines and evaluations in this new folder")
    arguments = parser.parse_args()
    names = arguments.conditions.split(",")
    if unknown := [name for name in names if name not in CONDITIONS]:
        parser.error(f"no condition {', '.join(unknown)}: use {', '.join(CONDITIONS)}")
    if not JUDGE.is_file():
        print("robustness: nothing measured, the corpus is not at hand")
        return 0
    calls = (
        [call for folder in arguments.calls for call in calls_in(folder)] if arguments.calls else corpus_calls()
    )
    outcomes, false = {}, []
    print(f"{len(calls)} calls\n\n| condition | faults found | missed | false findings ", end="")
    print("| precision | recall | F1 | undetermined | error rate |\n|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="qa-robustness-") as work:
        for name in names:
            outcomes[name], lines = measure(calls, name, (arguments.keep or Path(work)) / name)
            false += [told(name, finding, lines) for finding in outcomes[name].false]
            print(row(name, outcomes[name]), flush=True)
    print("\nFalse findings:\n" + ("\n".join(f"- {line}" for line in false) or "none"))
    missed = verdict(outcomes)
    measured = "clean" in outcomes and all(name in outcomes for name in BARRED)
    held = "all bars held" if measured else "the bar was not measured: it needs clean and " + ", ".join(BARRED)
    print("\nrobustness: " + ("; ".join(missed) or held))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
