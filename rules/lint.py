"""What is wrong with a pack, and what probably is: all of it at once, each with its place and a fix.

Faults are what the loader refuses. Warnings are what loads and cannot be what was meant: what nobody uses, what
never or always holds, phrases that nobody misses, rules without enough cases. Only the pack's own files are
judged, not those of a pack that it extends.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

from qa_service.domain.results import Outcome
from qa_service.domain.text import fold, is_han
from rules.building import USE, Builder
from rules.cases import CaseAt, read_cases
from rules.documents import Fault, Faults
from rules.engine import RuleSet
from rules.lint_logic import Logic
from rules.loader import compile_pack
from rules.matching import PLACEHOLDER
from rules.mutations import Mutant, mutants
from rules.sources import PackSource, read_pack
from rules.yaml_tree import Map, Place, Seq

ENOUGH: Final = {"violating": 3, "clean": 3, "undetermined": 1}
_KINDS: Final = {
    Outcome.NOT_MET: "violating",
    Outcome.MET: "clean",
    Outcome.NOT_APPLICABLE: "clean",
    Outcome.UNDETERMINED: "undetermined",
}
_LISTS: Final = ("phrases", "except_in")
_RARE_IN_BIG5: Final = frozenset((b"", *(bytes([lead]) for lead in range(0xC7, 0x100))))


class Level(StrEnum):
    """``fault``: the pack cannot be loaded. ``warning``: it loads, and somebody should look."""

    FAULT = "fault"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. ``code`` names its kind."""

    fault: Fault
    level: Level
    code: str

    def __str__(self) -> str:
        return f"{self.fault} [{self.code}]"


class _Linter:
    def __init__(self, source: PackSource, rule_set: RuleSet, cases: tuple[CaseAt, ...]) -> None:
        self._source, self._rule_set, self._cases = source, rule_set, cases
        self._rules = {rule.rule: rule for rule in rule_set.rules}
        self.found: dict[Finding, None] = {}

    def warn(self, code: str, place: Place, what: str, fix: str) -> None:
        if place.file.parent == self._source.path:
            self.found[Finding(Fault(place, what, fix), Level.WARNING, code)] = None

    def run(self) -> None:
        source = self._source
        builder = Builder(source.lexicons, source.conditions, Faults())
        logic = Logic(builder, source.conditions, self._rules, self.warn)
        for name, node in source.rules.items():
            logic.rule(node, self._rules[name])
        self._unused()
        self._lexicons()
        self._few_cases()
        self._unscored()
        self._loops()

    def _unused(self) -> None:
        used = _names(self._source)
        for what, tree in (("lexicon", self._source.lexicons), ("condition", self._source.conditions)):
            for name in tree:
                if (what, name) not in used:
                    self.warn(f"unused-{what}", tree.places[name], f"no rule uses {what} {name}", "delete it")

    def _lexicons(self) -> None:
        """Phrases that are never missed, never count, are written twice, or that no transcript can hold."""
        zh = self._rule_set.language == "zh"
        for lists in _phrase_lists(self._source):
            seen: dict[str, str] = {}
            phrases, exceptions = lists.get("phrases", Seq(lists.place)), lists.get("except_in", ())
            for phrase, place in zip(phrases, phrases.places, strict=True):
                text = phrase if PLACEHOLDER.search(phrase) else fold(phrase).text
                if text in seen:
                    self.warn(
                        "duplicate-phrase", place, f"{phrase} is the same phrase as {seen[text]}", "delete one"
                    )
                seen.setdefault(text, phrase)
                if swallowing := next(
                    (e for e in exceptions if not PLACEHOLDER.search(e) and fold(e).text in text), None
                ):
                    what = f"{phrase} never counts: it holds the exception {swallowing}"
                    self.warn("dead-phrase", place, what, "delete one of them")
            for key in _LISTS if zh else ():
                entries = lists.get(key, Seq(lists.place))
                for phrase, place in zip(entries, entries.places, strict=True):
                    if other := next((c for c in phrase if _traditional(c)), None):
                        what = (
                            f"{phrase} holds {other}, which is no simplified character; transcripts are simplified"
                        )
                        self.warn("traditional-script", place, what, "write it in simplified characters")
        for mutant in mutants(self._source):
            if mutant.edit.equivalent and mutant.kind == "lexicon":
                self._never_noticed(mutant)

    def _never_noticed(self, mutant: Mutant) -> None:
        dropped, why = mutant.edit.dropped, mutant.edit.equivalent
        if fold(why.removeprefix("found by ")).text == fold(dropped).text:
            return  # the same phrase twice, told already
        if why.startswith("found by "):
            self.warn("redundant-phrase", mutant.place, f"{dropped} is always {why} too", "delete it")
        else:
            self.warn("redundant-exception", mutant.place, f"{dropped} {why} of its lexicon", "delete it")

    def _few_cases(self) -> None:
        counts: dict[str, Counter[str]] = {}
        for at in self._cases:
            if not at.case.known_miss:
                counts.setdefault(at.rule, Counter())[_KINDS[at.case.expect]] += 1
        for name, file in self._source.files.items():
            has = counts.get(name)
            if has is None:
                fix = f"write {name}.cases.yaml"
                self.warn("no-cases", Place(file), f"rule {name} has no cases", fix)
                continue
            few = [f"{has[kind]} {kind} (of {least})" for kind, least in ENOUGH.items() if has[kind] < least]
            if few:
                what = f"rule {name} has too few cases: {', '.join(few)}"
                self.warn("few-cases", Place(file), what, "add them to its cases")

    def _unscored(self) -> None:
        on_card = {item.rule for section in self._rule_set.scorecard.sections for item in section.items}
        for name, rule in self._rules.items():
            place = Place(self._source.files[name])
            if rule.counts and name not in on_card:
                what = f"rule {name} is scored, but not on scorecard {self._rule_set.scorecard.name}"
                self.warn("not-on-scorecard", place, what, "give it points there, or write `scored: false`")
            elif not rule.scored and name in on_card:
                what = f"rule {name} has points on scorecard {self._rule_set.scorecard.name}, but `scored: false`"
                self.warn("scored-for-nothing", place, what, "take it off the scorecard, or drop `scored: false`")

    def _loops(self) -> None:
        """Rules that each leave the event to the other: nobody counts it."""
        graph = {name: [o for o in r.same_event_as if o != name] for name, r in self._rules.items()}
        try:
            tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = error.args[1]
            node = self._source.rules[circle[0]]
            place = node.places.get("same_event_as", node.place)
            what = f"rules leave one event to each other: {' → '.join(circle)}"
            self.warn("event-loop", place, what, "let one of them count it")


def lint(path: Path) -> tuple[Finding, ...]:
    """All findings about the pack in ``path``, by file and line; warnings when it has no faults."""
    faults = Faults()
    source = read_pack(path, faults)
    rule_set = compile_pack(source, faults) if source is not None else None
    cases = read_cases(source, faults) if source is not None else ()
    if source is None or rule_set is None or len(faults):
        return tuple(Finding(fault, Level.FAULT, "fault") for fault in faults.found)
    linter = _Linter(source, rule_set, cases)
    linter.run()
    return tuple(sorted(linter.found))


def _names(source: PackSource) -> set[tuple[str, str]]:
    """Lexicons and conditions that rules use, themselves or through a condition."""
    used: set[tuple[str, str]] = set()
    waiting: list[Any] = list(source.rules.values())
    while waiting:
        node = waiting.pop()
        if isinstance(node, Map):
            for key, value in node.items():
                if key == "lexicon":
                    used.update(("lexicon", name) for name in (value if isinstance(value, list) else [value]))
                elif key == USE and ("condition", value) not in used:
                    used.add(("condition", value))
                    waiting.append(source.conditions.get(value))
                else:
                    waiting.append(value)
        elif isinstance(node, Seq):
            waiting += node
    return used


def _phrase_lists(source: PackSource) -> Iterator[Map]:
    """The lists of every lexicon, and of phrases that are written into a rule."""
    for node in source.lexicons.values():
        yield node if isinstance(node, Map) else _named(node)
    waiting: list[Any] = [*source.rules.values(), *source.conditions.values()]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Map):
            phrases = node.get("any")
            if isinstance(phrases, Seq) and all(isinstance(phrase, str) for phrase in phrases):
                yield _named(phrases)
            waiting += node.values()
        elif isinstance(node, Seq):
            waiting += node


def _named(phrases: Seq) -> Map:
    lists = Map(phrases.place)
    lists.put("phrases", phrases, phrases.place)
    return lists


def _traditional(character: str) -> bool:
    """A common character of the traditional script's standard that the simplified one lacks.

    Rare ones (冇, 佢) are what dialects are written with in either script.
    """
    written = character.encode("big5", "ignore")
    return is_han(character) and not character.encode("gb2312", "ignore") and written[:1] not in _RARE_IN_BIG5
