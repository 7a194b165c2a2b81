"""Precision and recall of each rule, with Wilson intervals, from the judge's counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

from benchmarks.judging import Line

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Findings:
    """What became of a rule's faults: ``found``, ``missed`` (undetermined ones too), ``false`` accusations.

    Of its ``applicable`` results, judged or not, so many were ``undetermined``.
    """

    found: int = 0
    missed: int = 0
    false: int = 0
    applicable: int = 0
    undetermined: int = 0

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(
            self.found + other.found,
            self.missed + other.missed,
            self.false + other.false,
            self.applicable + other.applicable,
            self.undetermined + other.undetermined,
        )


def findings(evaluation: Mapping[str, Any], lines: Iterable[Line]) -> dict[str, Findings]:
    """By rule, from an evaluation of ``evaluate.py`` and the lines that it judged."""
    results = [result for line in lines for result in line["results"] if result["outcome"] != "not_applicable"]
    applicable = Counter(result["rule"] for result in results)
    undetermined = Counter(result["rule"] for result in results if result["outcome"] == "undetermined")
    judged = evaluation["rules"]
    return {
        rule: Findings(
            *(judged.get(rule, {}).get(count, 0) for count in ("tp", "fn", "fp")),
            applicable[rule],
            undetermined[rule],
        )
        for rule in sorted(applicable.keys() | judged.keys())
    }


def interval(hits: int, of: int) -> str:
    """``hits / of`` with its Wilson score interval; a dash of nothing."""
    if not of:
        return "–"
    bounds = binomtest(hits, of).proportion_ci(CONFIDENCE, method="wilson")
    return f"{hits / of:.3f} ({bounds.low:.3f}–{bounds.high:.3f})"


def table(rules: Mapping[str, Findings]) -> list[str]:
    """Markdown: a row for each rule that was broken, or said to be, in some call, and one for all rules."""
    rows = [
        "| rule | found | missed | false | precision | recall | undetermined |",
        "|---|---|---|---|---|---|---|",
    ]
    named = [(rule, of) for rule, of in rules.items() if of.found or of.missed or of.false]
    for rule, of in [*named, ("all", sum(rules.values(), Findings()))]:
        cells = [
            rule,
            *map(str, (of.found, of.missed, of.false)),
            interval(of.found, of.found + of.false),
            interval(of.found, of.found + of.missed),
            f"{of.undetermined} of {of.applicable}",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return rows
