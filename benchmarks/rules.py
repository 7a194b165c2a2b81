"""What judging a stored call costs: the Mandarin service pack, with many more phrases, and a plain ``re`` loop.

    python -m benchmarks.rules [--rounds N] [--pool N] [--calls N]

One process. The calls are synthetic, 60 utterances of 15 characters; their indexes (text, sounds, hearing) are
made before: the line below the table says what that costs. *re loop*: one alternation for each phrase list of the
pack, searched in each turn of its role, and nothing else: no sound, no confidence, no verdict. ``--calls`` judges
so many in a row and compares the memory before and after. Ends with one line, and a non-zero exit when a bar is
missed.
"""

import argparse
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.stored_calls import SyntheticCall, synthetic_calls
from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.metrics import ConversationMetrics, measure
from qa_service.domain.text import fold, is_han
from rules.checks.phrases import PhraseCheck
from rules.engine import RuleSet
from rules.index import CallIndex
from rules.loader import load_pack, shipped_packs
from rules.matching import PLACEHOLDER

SEED = 20261122
MIN_CALLS_PER_S = 2000.0
MAX_SLOWER = {500: 1.3, 5000: 2.0}
MAX_GROWTH_MIB = 16.0

Prepared = tuple[CallIndex, ConversationMetrics, SyntheticCall]


def with_phrases(folder: Path, count: int) -> RuleSet:
    """``service-zh`` with a rule more, which forbids ``count`` made-up phrases of its own vocabulary."""
    base = shipped_packs()["service-zh"]
    letters = sorted({c for c in (base / "lexicons.yaml").read_text("utf-8") if is_han(c)})
    rng = random.Random(SEED)
    phrases = sorted({"".join(rng.choices(letters, k=rng.randint(2, 6))) for _ in range(count)})
    pack = folder / f"more-{count}"
    pack.mkdir()
    (pack / "pack.yaml").write_text(f"pack: more-{count}\ntitle: More\nextends: service-zh\n", "utf-8")
    (pack / "lexicons.yaml").write_text(f"more: [{', '.join(phrases)}]\n", "utf-8")
    (pack / "more.yaml").write_text(
        "rule: more\ntitle: More\nseverity: minor\nscored: false\nforbid: {phrase: {lexicon: more}}\n", "utf-8"
    )
    return load_pack(pack)


def prepared(calls: Sequence[SyntheticCall], rules: RuleSet) -> list[Prepared]:
    """Index and metrics of each call, complete: one evaluation has asked for all of it."""
    found = [
        (CallIndex(c.conversation), measure(c.conversation, c.metadata, rules.metric_options), c) for c in calls
    ]
    for index, metrics, call in found:
        rules.evaluate(index, metrics, call.metadata)
    return found


def engine(rules: RuleSet) -> Callable[[Sequence[Prepared]], None]:
    def judge(calls: Sequence[Prepared]) -> None:
        for index, metrics, call in calls:
            rules.evaluate(index, metrics, call.metadata)

    return judge


def plain_loop(rules: RuleSet) -> Callable[[Sequence[Prepared]], None]:
    """The same lists in the same turns, by ``re`` alone."""
    searches = [
        (check.role, _alternation(lexicon.phrases))
        for check in _phrase_checks(rules)
        for lexicon in check.lexicons
    ]

    def search(calls: Sequence[Prepared]) -> None:
        for index, _, _ in calls:
            for role, pattern in searches:
                for turn in index.turns:
                    if role == "any" or turn.role is SpeakerRole(role):
                        pattern.search(turn.text)

    return search


def _phrase_checks(rules: RuleSet) -> list[PhraseCheck]:
    waiting = [check for rule in rules.rules for check in rule.checks()]
    found = []
    while waiting:
        check = waiting.pop()
        if isinstance(check, PhraseCheck):
            found.append(check)
        waiting.extend(getattr(check, "of", ()))
        waiting.extend(step.check for step in getattr(check, "steps", ()))
    return found


def _alternation(phrases: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(_pattern, phrases)))


def _pattern(phrase: str) -> str:
    pieces = PLACEHOLDER.split(phrase)
    pattern = ""
    for literal, kind, low, high in zip(
        pieces[::4], [*pieces[1::4], ""], [*pieces[2::4], ""], [*pieces[3::4], ""], strict=True
    ):
        pattern += re.escape(fold(literal).text)
        if kind:
            pattern += f"{'[0-9零一二两三四五六七八九幺]' if kind == 'digits' else '.'}{{{low},{high}}}"
    return pattern


def per_second(run: Callable[[Sequence[Prepared]], None], calls: Sequence[Prepared]) -> float:
    started = time.perf_counter()
    run(calls)
    return len(calls) / (time.perf_counter() - started)


def making(calls: Sequence[SyntheticCall], rules: RuleSet) -> tuple[float, float]:
    """Milliseconds a call: metrics, and an evaluation that has to make the index."""
    started = time.perf_counter()
    metrics = [measure(c.conversation, c.metadata, rules.metric_options) for c in calls]
    measured_s = time.perf_counter() - started
    started = time.perf_counter()
    for call, found in zip(calls, metrics, strict=True):
        rules.evaluate(call.conversation, found, call.metadata)
    return 1e3 * measured_s / len(calls), 1e3 * (time.perf_counter() - started) / len(calls)


def growth_mib(rules: RuleSet, calls: Sequence[Prepared], count: int) -> float:
    """Memory after ``count`` evaluations over that after the first tenth of them."""
    process, judge = psutil.Process(), engine(rules)
    first = 0
    for number in range(0, count, len(calls)):
        judge(calls)
        if not first and number >= count // 10:
            first = process.memory_info().rss
    return (process.memory_info().rss - first) / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pool", type=int, default=500, help="different calls")
    parser.add_argument("--calls", type=int, default=100_000, help="judged in a row for the memory; 0: none")
    arguments = parser.parse_args()
    calls = list(synthetic_calls(arguments.pool))
    with tempfile.TemporaryDirectory(prefix="qa-rules-") as folder:
        sets = {"service-zh": load_pack(shipped_packs()["service-zh"])}
        sets |= {f"+ {count} phrases": with_phrases(Path(folder), count) for count in MAX_SLOWER}
    base = sets["service-zh"]
    ready = prepared(calls, base)
    contenders = {name: engine(rules) for name, rules in sets.items()} | {"re loop": plain_loop(base)}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(arguments.rounds):
        for name, run in contenders.items():
            print(f"round {number + 1}/{arguments.rounds}: {name}", file=sys.stderr)
            rates[name].append(per_second(run, ready))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    characters = statistics.mean(sum(len(u.text) for u in c.conversation.utterances) for c in calls)
    print(f"{len(calls)} calls of {characters:.0f} characters, median of {arguments.rounds} rounds\n")
    print("| | calls a second | time beside service-zh |\n|---|---|---|")
    for name, rate in medians.items():
        print(f"| {name} | {rate:.0f} | {medians['service-zh'] / rate:.2f} |")
    metrics_ms, first_ms = making(calls[:100], base)
    print(
        f"\nmetrics {metrics_ms:.2f} ms a call; an evaluation that makes the index {first_ms:.2f} ms", flush=True
    )
    bars = []
    if medians["service-zh"] < MIN_CALLS_PER_S:
        bars.append(f"{medians['service-zh']:.0f} calls a second < {MIN_CALLS_PER_S:.0f}")
    for count, most in MAX_SLOWER.items():
        slower = medians["service-zh"] / medians[f"+ {count} phrases"]
        if slower > most:
            bars.append(f"{count} phrases more: {slower:.2f} times the time > {most}")
    if arguments.calls:
        grown = growth_mib(base, ready, arguments.calls)
        print(f"{arguments.calls} calls in a row: memory {grown:+.1f} MiB")
        if grown > MAX_GROWTH_MIB:
            bars.append(f"memory grew by {grown:.1f} MiB")
    print("\nrules: " + ("; ".join(bars) if bars else "all bars held"))
    return 1 if bars else 0


if __name__ == "__main__":
    sys.exit(main())
