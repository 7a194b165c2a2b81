"""Do the cases notice? Each break of a pack is judged by the cases of the rules that it can change.

Guarantee: a break counts as killed only when a case that passes for the pack as it is goes red for the broken one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from qa_service.domain.text import fold
from rules.building import USE, Builder
from rules.cases import CaseCall, CaseOutcome, call_of, read_cases
from rules.documents import Faults
from rules.engine import RuleSet
from rules.loader import compile_pack, invalid
from rules.mutations import Mutant, mutants
from rules.schema import Rule
from rules.sources import PackSource, read_pack
from rules.yaml_tree import Map


class Fate(StrEnum):
    """What became of a break. ``equivalent``: it changes nothing. ``invalid``: the loader refuses it."""

    KILLED = "killed"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Judged:
    """A break and its fate. ``by``: the case that went red, or why nothing could."""

    mutant: Mutant
    fate: Fate
    by: str = ""


@dataclass(slots=True)
class Tally:
    """Of one rule, lexicon or condition."""

    counts: Counter[Fate] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.counts[Fate.KILLED] + self.counts[Fate.SURVIVED]

    @property
    def share(self) -> float:
        """Of the breaks that something could notice, those that a case does."""
        return self.counts[Fate.KILLED] / self.total if self.total else 1.0


def tallies(judged: Iterable[Judged]) -> Mapping[str, Tally]:
    """Tallies by subject."""
    found: dict[str, Tally] = {}
    for one in judged:
        found.setdefault(one.mutant.subject, Tally()).counts[one.fate] += 1
    return found


class MutationCheck:
    """Judges the breaks of the pack in ``path``. Raises RulePackError ``pack_invalid``."""

    def __init__(self, path: Path) -> None:
        faults = Faults()
        source = read_pack(path, faults)
        rule_set = compile_pack(source, faults) if source is not None else None
        cases = read_cases(source, faults) if source is not None else ()
        if source is None or rule_set is None or len(faults):
            raise invalid(path, faults.found)
        self.source = source
        self._rule_set = rule_set
        self._rules = {rule.rule: rule for rule in rule_set.rules}
        self._builder = Builder(source.lexicons, source.conditions, Faults())
        calls = [call_of(at, language=rule_set.language, options=rule_set.metric_options) for at in cases]
        self.failing: list[CaseOutcome] = []
        self._calls: dict[str, list[CaseCall]] = {}
        for call in calls:
            outcome = call.outcome(rule_set)
            if outcome.passed:
                self._calls.setdefault(call.at.rule, []).append(call)
            else:
                self.failing.append(outcome)
        self._texts = {id(call): fold(call.at.case.dialogue).text for call in calls}
        self._kills: Counter[int] = Counter()
        self._users = {name: _users(source, name) for name in (*source.lexicons, *source.conditions)}

    def mutants(self, *, rules: Iterable[str] = ()) -> Iterator[Mutant]:
        """All breaks of the pack's own files, or those of them that can change one of ``rules``.

        What a pack takes from the one that it extends is judged there.
        """
        wanted = set(rules)
        for mutant in mutants(self.source):
            if mutant.place.file.parent == self.source.path and (
                not wanted or wanted & set(self._affected(mutant))
            ):
                yield mutant

    def judge(self, mutant: Mutant) -> Judged:
        """Run the cases until one goes red."""
        if mutant.edit.equivalent:
            return Judged(mutant, Fate.EQUIVALENT, mutant.edit.equivalent)
        broken = self._broken(mutant)
        if broken is None:
            return Judged(mutant, Fate.INVALID)
        if all(self._rules[name] == rule for name, rule in broken.items()):
            return Judged(mutant, Fate.EQUIVALENT, "means the same")
        readers = [n for n, rule in self._rules.items() if n not in broken and self._reads(rule) & broken.keys()]
        for name in (*broken, *readers):
            rule_set = self._variant(name, broken)
            for call in self._ordered(name, mutant):
                outcome = call.outcome(rule_set)
                if not outcome.passed:
                    self._kills[id(call)] += 1
                    return Judged(mutant, Fate.KILLED, f"{outcome.place}: {call.at.case.case}")
        return Judged(mutant, Fate.SURVIVED)

    def _affected(self, mutant: Mutant) -> tuple[str, ...]:
        return (mutant.name,) if mutant.kind == "rule" else self._users[mutant.name]

    def _broken(self, mutant: Mutant) -> dict[str, Rule] | None:
        """The rules that the break changes, as they are then; None when they cannot be built."""
        faults = Faults()
        builder = self._builder.variant(
            faults,
            lexicons={mutant.name: mutant.node} if mutant.kind == "lexicon" else {},
            conditions={mutant.name: mutant.node} if mutant.kind == "condition" else {},
        )
        found: dict[str, Rule] = {}
        for name in self._affected(mutant):
            rule = builder.rule(mutant.node if mutant.kind == "rule" else self.source.rules[name])
            if rule is None:
                return None
            found[name] = rule
        return None if len(faults) else found

    def _variant(self, name: str, broken: Mapping[str, Rule]) -> RuleSet:
        return self._rule_set.with_rules([*{**self._rules, **broken}.values()]).only(name)

    @staticmethod
    def _reads(rule: Rule) -> set[str]:
        return {name for check in rule.checks() for name in check.rules()}

    def _ordered(self, rule: str, mutant: Mutant) -> list[CaseCall]:
        """Cases that are likely to notice first."""
        dropped = fold(mutant.edit.dropped).text
        calls = self._calls.get(rule, [])
        return sorted(
            calls,
            key=lambda call: (not (dropped and dropped in self._texts[id(call)]), -self._kills[id(call)]),
        )


def _users(source: PackSource, name: str) -> tuple[str, ...]:
    """The rules that use a lexicon or a condition, themselves or through a condition."""

    def uses(node: Any, seen: frozenset[str]) -> bool:
        if isinstance(node, Map):
            for key, value in node.items():
                if key == "lexicon" and (value == name or (isinstance(value, list) and name in value)):
                    return True
                if key == USE and isinstance(value, str) and value not in seen:
                    value = source.conditions.get(value) if value != name else Map(node.place)
                    if not value or uses(value, seen | {node[key]}):
                        return True
                elif uses(value, seen):
                    return True
        return isinstance(node, list) and any(uses(item, seen) for item in node)

    return tuple(rule for rule, node in source.rules.items() if uses(node, frozenset()))


__all__ = ["Fate", "Judged", "MutationCheck", "Tally", "tallies"]
