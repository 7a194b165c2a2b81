"""Conditions that cannot be what was meant: those that never hold, always hold, or say a thing twice.

Guarantee: no false alarm where words decide. Only what follows from the condition itself is told: a condition
beside its own negation, bounds that exclude each other, outcomes that a rule cannot have.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from qa_service.domain.results import Outcome
from rules.building import GROUPS, USE, Builder, Holds, parts
from rules.checks import KINDS, Check
from rules.checks.facts import MetadataCheck, MetricCheck, RuleCheck
from rules.checks.logic import Not
from rules.schema import Rule
from rules.yaml_tree import Map, Place, Seq, place_of

LONGEST_S: Final = 6 * 3600.0  # a scope that is longer is the whole call
Trail = tuple[object, ...]
Warn = Callable[[str, Place, str, str], None]


@dataclass(frozen=True, slots=True)
class Known:
    """A condition and what follows from it alone: that it always holds, never, or (None) that it depends."""

    check: Check | None
    always: bool | None = None


class Logic:
    """Reads the conditions of one pack. ``warn`` gets code, place, what and fix of each finding."""

    def __init__(self, builder: Builder, conditions: Map, rules: Mapping[str, Rule], warn: Warn) -> None:
        self._builder, self._conditions, self._rules, self._warn = builder, conditions, rules, warn
        self._named: dict[str, Known] = {}
        for name in conditions:
            self._condition(name)

    def rule(self, node: Map, rule: Rule) -> None:
        """Warn about the conditions of ``rule``, which ``node`` writes down."""
        known: dict[str, Known] = {}
        for key, value in node.items():
            part = parts(Rule).get(key)
            if part is None or value is None:
                continue
            if part.holds is Holds.CHECK:
                known[key] = self.read(value, node, (key,))
            elif part.holds is Holds.NAMED_CHECKS and isinstance(value, Map):
                for name, child in value.items():
                    self.read(child, node, (key, name))
        self._constant(node, known)
        self._same(node, known)
        for other in rule.same_event_as:
            if other == rule.rule:
                where = place_of(node, ("same_event_as",), node.place)
                self._warn("event-loop", where, "shares its event with itself", "delete it")

    def read(self, value: Any, root: Any, trail: Trail) -> Known:
        """What is known of one condition; warns about what stands inside it."""
        kind, settings = next(iter(value.items()))
        inner = (*trail, kind)
        if kind == USE:
            return self._condition(settings)
        check = self._builder.check(value, root, trail)
        if kind in (*GROUPS, "at_least"):
            return self._group(kind, settings, check, root, inner)
        self._settings(KINDS[kind], settings, root, inner)
        always, why = self._leaf(check)
        if always is not None:
            self._tell(always, root, inner, why)
        return Known(check, always)

    def _condition(self, name: str) -> Known:
        if name not in self._named:
            self._named[name] = Known(None)  # conditions in a circle are faults, told elsewhere
            self._named[name] = self.read(self._conditions[name], self._conditions, (name,))
        return self._named[name]

    def _settings(self, model: type[BaseModel], settings: Any, root: Any, trail: Trail) -> None:
        """Conditions inside the settings of a check, and its scope."""
        if not isinstance(settings, Map):
            return
        for key, value in settings.items():
            part = parts(model).get(key)
            if part is not None and part.holds is Holds.CHECK:
                self.read(value, root, (*trail, key))
            elif part is not None and part.model is not None and isinstance(value, Map):
                self._settings(part.model, value, root, (*trail, key))
            elif (
                key.endswith("_s")
                and trail[-1] == "scope"
                and isinstance(value, int | float)
                and value > LONGEST_S
            ):
                self._tell(None, root, (*trail, key), f"{key} {value} is longer than any call", "drop it")

    def _group(self, kind: str, settings: Any, check: Check | None, root: Any, trail: Trail) -> Known:
        given = settings.get("of") if kind == "at_least" else settings
        at = (*trail, "of") if kind == "at_least" else trail
        steps: list[Trail] = [()]
        if isinstance(given, Seq):
            steps = [(i,) for i in range(len(given))]
        else:
            given = [given]
        children = [self.read(child, root, (*at, *step)) for child, step in zip(given, steps, strict=True)]
        if kind == "not":
            if next(iter(given[0])) == "not":
                self._tell(None, root, trail, "the negation of a negation", "drop both")
            always = children[0].always
            return Known(check, None if always is None else not always)
        always = self._combined(kind, settings, children)
        for i, child in enumerate(children):
            for earlier in children[:i]:
                if child.check is not None and child.check == earlier.check:
                    self._tell(
                        None, root, (*at, *steps[i]), f"stands in the same {kind} twice", "delete one of them"
                    )
                elif kind != "at_least" and always is None and _opposite(kind, child.check, earlier.check):
                    always = kind == "any"
                    self._tell(always, root, (*at, *steps[i]), "of it and another one exactly one can hold")
                elif kind == "all" and always is None and _exclude(child.check, earlier.check):
                    always = False
                    self._tell(always, root, (*at, *steps[i]), "it and another one exclude each other")
                elif kind == "any" and always is None and _cover(child.check, earlier.check):
                    always = True
                    self._tell(always, root, (*at, *steps[i]), "it and another one leave nothing out")
        if kind == "at_least" and settings.get("count", 0) > len(children):
            always = False
            self._tell(always, root, trail, f"counts to {settings['count']} of {len(children)} conditions")
        return Known(check, always)

    def _combined(self, kind: str, settings: Any, children: list[Known]) -> bool | None:
        answers = [child.always for child in children]
        needed = {"all": len(answers), "any": 1}.get(kind) or int(settings.get("count", 1))
        if answers.count(True) >= needed:
            return True
        return False if len(answers) - answers.count(False) < needed else None

    def _leaf(self, check: Check | None) -> tuple[bool | None, str]:
        if isinstance(check, MetricCheck) and _empty(check.above, check.below):
            return False, f"nothing is above {check.above:g} and below {check.below:g}"
        if isinstance(check, MetadataCheck) and check.at_least is not None and check.at_least <= 0:
            return True, f"{check.field} is always at least {check.at_least:g}"
        if isinstance(check, RuleCheck) and check.outcome is Outcome.NOT_APPLICABLE:
            other = self._rules.get(check.id)
            if other is not None and not (other.applies_when or other.for_each or other.unless):
                return False, f"rule {check.id} always applies"
        return None, ""

    def _constant(self, node: Map, known: Mapping[str, Known]) -> None:
        """What a rule's parts do to it when they do not depend on the call."""
        effects = {
            ("applies_when", True): "says nothing",
            ("applies_when", False): "the rule never applies",
            ("only_when", True): "says nothing",
            ("only_when", False): "no occurrence is ever judged",
            ("unless", True): "the rule never applies",
            ("unless", False): "says nothing",
            ("require", True): "the rule is always met",
            ("require", False): "the rule is never met",
            ("forbid", True): "the rule is never met",
            ("forbid", False): "the rule is always met",
        }
        for key, one in known.items():
            if one.always is not None and (key, one.always) in effects:
                holds = "always" if one.always else "never"
                what = f"{key} {holds} holds: {effects[key, one.always]}"
                self._warn("constant", node.places[key], what, "change the condition, or drop it")

    def _same(self, node: Map, known: Mapping[str, Known]) -> None:
        """Two parts of a rule that are the same condition, or opposite ones."""
        effects = {
            ("applies_when", "require"): ("the rule is always met", "the rule is never met"),
            ("applies_when", "forbid"): ("the rule is never met", "the rule is always met"),
            ("applies_when", "unless"): ("the rule never applies", "`unless` says nothing"),
            ("only_when", "unless"): ("no occurrence is ever judged", "`unless` says nothing"),
            ("only_when", "require"): ("the rule is always met", "the rule is never met"),
            ("only_when", "forbid"): ("the rule is never met", "the rule is always met"),
            ("unless", "require"): ("the rule is never met", "the rule is always met"),
            ("unless", "forbid"): ("the rule is always met", "the rule is never met"),
        }
        for (first, second), (same, opposite) in effects.items():
            if first not in known or second not in known:
                continue
            one, other = known[first].check, known[second].check
            if one is None or other is None:
                continue
            if one == other:
                what = f"{second} is the same condition as {first}: {same}"
            elif _negates(one, other):
                what = f"{second} is the opposite of {first}: {opposite}"
            else:
                continue
            self._warn("contradiction", node.places[second], what, "change one of them")

    def _tell(
        self, always: bool | None, root: Any, trail: Trail, what: str, fix: str = "change one of them"
    ) -> None:
        code = "redundant" if always is None else "always-true" if always else "never-true"
        place: Place = place_of(root, trail, root.place)
        said = {True: "always holds: ", False: "never holds: ", None: ""}[always]
        self._warn(code, place, said + what, fix)


def _negates(one: Check, other: Check) -> bool:
    return (isinstance(one, Not) and one.of[0] == other) or (isinstance(other, Not) and other.of[0] == one)


def _opposite(kind: str, one: Check | None, other: Check | None) -> bool:
    return kind in ("all", "any") and one is not None and other is not None and _negates(one, other)


def _exclude(one: Check | None, other: Check | None) -> bool:
    """Whether both cannot hold: bounds, or values of one field, that have nothing in common."""
    if isinstance(one, MetricCheck) and isinstance(other, MetricCheck):
        above = max((c.above for c in (one, other) if c.above is not None), default=None)
        below = min((c.below for c in (one, other) if c.below is not None), default=None)
        return (one.name, one.role) == (other.name, other.role) and _empty(above, below)
    if isinstance(one, MetadataCheck) and isinstance(other, MetadataCheck) and one.field == other.field:
        both_unknown = one.when_unknown == other.when_unknown == "true"
        mine, theirs = _values(one), _values(other)
        return not both_unknown and bool(mine) and bool(theirs) and not mine & theirs
    if isinstance(one, RuleCheck) and isinstance(other, RuleCheck) and one.id == other.id:
        return one.outcome is not other.outcome
    return False


def _empty(above: float | None, below: float | None) -> bool:
    return above is not None and below is not None and above >= below


def _values(check: MetadataCheck) -> set[object]:
    if check.equals is None:
        return set()
    return set(check.equals) if isinstance(check.equals, tuple) else {check.equals}


def _cover(one: Check | None, other: Check | None) -> bool:
    """Whether one of both must hold: above one bound, or below another that is higher."""
    if not (isinstance(one, MetricCheck) and isinstance(other, MetricCheck)):
        return False
    if (one.name, one.role) != (other.name, other.role):
        return False
    for first, second in ((one, other), (other, one)):
        if first.above is not None and first.below is None and second.below is not None and second.above is None:
            return first.above < second.below
    return False
