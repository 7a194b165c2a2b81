"""Do the cases of the shipped packs notice when a rule is broken?

    python -m benchmarks.mutations [PACK…] [--rule RULE] [--list-survivors] [--each]

Every break that ``rules/mutations.py`` makes of a pack's trees is judged by the cases of the rules that it can
change. Breaks that mean the same, or that the loader refuses, are counted apart. Prints a line for each rule,
lexicon and named condition, and ends with a non-zero exit when fewer than 95 % of a pack's breaks are noticed.
"""

import argparse
import json
import sys
import time

from rules.loader import find_pack, shipped_packs
from rules.mutation_check import Fate, MutationCheck, Tally, tallies
from rules.mutations import Mutant

BAR = 0.95


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("packs", nargs="*", default=list(shipped_packs()), metavar="PACK")
    parser.add_argument("--rule", action="append", default=[], help="only breaks that can change this rule")
    parser.add_argument("--list-survivors", action="store_true", help="print each break that nothing noticed")
    parser.add_argument(
        "--each", action="store_true", help="print the phrases that no case misses, as `each` lists"
    )
    given = parser.parse_args(arguments)
    held = [_pack(name, given) for name in given.packs]
    return 0 if all(held) else 1


def _pack(name: str, given: argparse.Namespace) -> bool:
    check = MutationCheck(find_pack(name))
    for outcome in check.failing:
        print(f"not counted, it fails as it is: {outcome.message}")
    started = time.perf_counter()
    judged = [check.judge(mutant) for mutant in check.mutants(rules=given.rule)]
    took_s = time.perf_counter() - started
    survivors = [one.mutant for one in judged if one.fate is Fate.SURVIVED]
    if given.list_survivors:
        print("\n".join(map(str, survivors)))
    if given.each:
        _lists(survivors)
    print(f"\n{name:32} killed  of   share  same  refused")
    found = tallies(judged)
    for subject, tally in sorted(found.items()):
        _line(subject, tally)
    whole = Tally()
    for tally in found.values():
        whole.counts.update(tally.counts)
    _line("all", whole)
    print(f"{len(judged)} breaks in {took_s:.1f} s")
    held = whole.share >= BAR
    print(f"mutations: {name}: {whole.share:.1%} noticed, the bar is {BAR:.0%}: {'held' if held else 'missed'}")
    return held


def _lists(survivors: list[Mutant]) -> None:
    """Phrases and exceptions of each list that could be dropped without a case noticing, as YAML."""
    found: dict[tuple[str, str], list[str]] = {}
    for mutant in survivors:
        if mutant.edit.dropped:
            found.setdefault((mutant.subject, mutant.what.rpartition(" from ")[2]), []).append(mutant.edit.dropped)
    for (subject, key), phrases in found.items():
        print(f"# {subject}: {key}\neach: {json.dumps(phrases, ensure_ascii=False)}")


def _line(subject: str, tally: Tally) -> None:
    counts = tally.counts
    print(
        f"{subject:32} {counts[Fate.KILLED]:6} {tally.total:5} {tally.share:6.1%}"
        f" {counts[Fate.EQUIVALENT]:5} {counts[Fate.INVALID]:6}"
    )


if __name__ == "__main__":
    sys.exit(main())
