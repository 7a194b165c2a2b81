"""How good the shipped rules and the speech under them are on recognised audio.

    python -m benchmarks.accuracy [--mono] [--data DATA] [FOLDER…]    # default: tests/data/calls, and the corpus

A folder holds stereo recordings with ``ID.truth.json`` and ``ID.expected.json`` beside them; ``--mono`` mixes them
to one channel first and says how roles came out. With ``--data`` what was heard is kept there: the next run only
judges it anew, in a minute. The judge of the rules is ``evaluate.py`` of the corpus
(``../shared/corpus``): without it only the speech is measured, on the calls in tests/data/calls.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import soundfile as sf

from benchmarks import truth
from benchmarks.by_rule import Findings, findings, table
from benchmarks.judging import CORPUS, JUDGE, Line, evaluate, own_folders, score
from benchmarks.speech import spoken_times, word_errors


def recordings(folder: Path, work: Path, *, mono: bool) -> list[Path]:
    """The folder's calls, or versions of them with one channel."""
    calls = [truth.recording(folder, name) for name in truth.call_names(folder)]
    if not mono:
        return calls
    mixed = work / folder.name
    mixed.mkdir()
    for call in calls:
        samples, rate_hz = sf.read(call, dtype="float32", always_2d=True)
        sf.write(mixed / f"{call.name.split('.')[0]}.mono.flac", samples.mean(axis=1), rate_hz)
    return sorted(mixed.iterdir())


def rules_row(folder: Path, lines: Sequence[Line], evaluation: Mapping[str, Any], *, mono: bool) -> str:
    overall = evaluation["overall"]
    applicable = [r for line in lines for r in line["results"] if r["outcome"] != "not_applicable"]
    undetermined = sum(r["outcome"] == "undetermined" for r in applicable)
    unknown = sum(line["conversation"]["role_source"] == "unknown" for line in lines)
    rates = ", ".join(f"{g} {rate['role_free']:.3f}" for g, rate in evaluation["speech"]["error_rate"].items())
    counts = [evaluation["scored"], *([unknown] if mono else []), overall["tp"], overall["fn"], overall["fp"]]
    cells = [folder.name, *map(str, counts), f"{undetermined} of {len(applicable)}", rates]
    return "| " + " | ".join(cells) + " |"


def speech_rows(folder: Path, lines: Sequence[Line]) -> list[str]:
    """A row for each language: its unit of text is another."""
    calls = [truth.read(folder, name, "truth") for name in truth.call_names(folder)]
    rows = []
    for language, unit in (("zh", "cpCER"), ("en", "cpWER")):
        pairs = [
            (call, line["conversation"]["utterances"])
            for call, line in zip(calls, lines, strict=True)
            if call["language"].startswith(language)
        ]
        if not pairs:
            continue
        words = reduce(add, (word_errors(*pair) for pair in pairs))
        times = reduce(add, (spoken_times(*pair) for pair in pairs))
        shares = (words.insertions, words.deletions, words.substitutions)
        parts = " / ".join(f"{share / words.said:.3f}" for share in shares)
        spans = " / ".join(f"{part / times.said:.3f}" for part in (times.missed, times.invented, times.confused))
        roles = "–" if times.role_accuracy is None else f"{times.role_accuracy:.3f}"
        rows.append(
            f"| {folder.name} {language} | {len(pairs)} | {unit} {words.rate:.3f} | {parts} "
            f"| {times.diarization_error:.3f} | {spans} | {roles} |"
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--mono", action="store_true", help="mix the calls to one channel first")
    parser.add_argument("--data", type=Path, help="keep what was heard in this data directory")
    arguments = parser.parse_args()
    judged = JUDGE.is_file()
    folders = arguments.folders or [
        *((CORPUS / "mandarin_synth", CORPUS / "english_synth") if judged else ()),
        *own_folders(),
    ]
    if judged:
        print(f"| calls | n |{' no role |' if arguments.mono else ''} faults found | missed ", end="")
        print("| false findings | undetermined | error rate |")
        print("|---|---|" + "---|" * (6 if arguments.mono else 5))
    else:
        print("accuracy: the corpus is not at hand, so the rules are not judged")
    speech: list[str] = []
    rules: dict[str, Findings] = {}
    for folder in folders:
        with tempfile.TemporaryDirectory(prefix="qa-accuracy-") as name:
            work = Path(name)
            lines = score(recordings(folder, work, mono=arguments.mono), data=arguments.data or work / "data")
            if judged:
                evaluation = evaluate(lines, output=work / "lines.jsonl", truths=folder)
                print(rules_row(folder, lines, evaluation, mono=arguments.mono), flush=True)
                for rule, counts in findings(evaluation, lines).items():
                    rules[rule] = rules.get(rule, Findings()) + counts
            speech += speech_rows(folder, lines)
    if judged:
        print("\n" + "\n".join(table(dict(sorted(rules.items())))))
    print(
        "\n| calls | n | error rate | inserted / deleted / substituted | DER | missed / false / confused ", end=""
    )
    print("| role right |\n|---|---|---|---|---|---|---|")
    print("\n".join(speech))
    return 0


if __name__ == "__main__":
    sys.exit(main())
