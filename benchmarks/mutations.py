"""Do the cases of the shipped packs notice when a rule is broken?

    python -m benchmarks.mutations [PACK…] [--rule RULE] [--list-survivors]

Every break that ``rules/mutations.py`` makes of a pack's trees is judged by the cases of the rules that it can
change. Breaks that mean the same, or that the loader refuses, are counted apart. Prints a line for each rule,
lexicon and named condition, and ends with a non-zero exit when fewer than 95 % of a pack's breaks are noticed.
"""

import argparse
import sys
import time

from rules.loader import find_pack, shipped_packs
from rules.mutation_check import Fate, MutationCheck, Tally, tallies

BAR = 0.95


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("packs", nargs="*", default=list(shipped_packs()), metavar="PACK")
    parser.add_argument("--rule", action="append", default=[], help="only breaks that can change this rule")
    parser.add_argument("--list-survivors", action="store_true", help="print each break that nothing noticed")
    given = parser.parse_args(arguments)
    held = [_pack(name, rules=given.rule, survivors=given.list_survivors) for name in given.packs]
    return 0 if all(held) else 1


def _pack(name: str, *, rules: list[str], survivors: bool) -> bool:
    check = MutationCheck(find_pack(name))
    for outcome in check.failing:
        print(f"not counted, it fails as it is: {outcome.message}")
    started = time.perf_counter()
    judged = [check.judge(mutant) for mutant in check.mutants(rules=rules)]
    took_s = time.perf_counter() - started
    if survivors:
        for one in judged:
            if one.fate is Fate.SURVIVED:
                print(one.mutant)
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


def _line(subject: str, tally: Tally) -> None:
    counts = tally.counts
    print(
        f"{subject:32} {counts[Fate.KILLED]:6} {tally.total:5} {tally.share:6.1%}"
        f" {counts[Fate.EQUIVALENT]:5} {counts[Fate.INVALID]:6}"
    )


if __name__ == "__main__":
    sys.exit(main())
