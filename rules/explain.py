"""Why a rule says what it says: its conditions as a tree, each with its value, its reason and its evidence.

Guarantee: pure; the conditions are asked again in the context in which the rule was judged, one by one, those
too that the verdict could do without.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import ConversationMetrics
from qa_service.domain.results import Evidence, RuleResult
from qa_service.errors import RulePackError
from rules.checks import KINDS, Check
from rules.context import Anchor, Context, Position
from rules.engine import RuleSet
from rules.schema import Rule
from rules.wording import hint

_NAMES = {kind: name for name, kind in KINDS.items()}
_LONG = 3


@dataclass(frozen=True, slots=True)
class Explained:
    """One condition, or a part of the rule that holds several.

    ``part``: what it is here (``require``, a step's name …); ``kind`` and ``settings``: the condition as a pack
    writes it, long lists shortened; ``value`` None is unknown, ``reason`` says why. An occurrence has no condition
    of its own: its ``kind`` is empty, its ``reason`` says why it may be none.
    """

    part: str
    kind: str
    settings: str
    value: bool | None
    reason: str
    evidence: tuple[Evidence, ...]
    inside: tuple["Explained", ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule's result and the conditions that led to it, in the order in which they are asked."""

    rule: Rule
    result: RuleResult
    conditions: tuple[Explained, ...]


def explain(
    rules: RuleSet, name: str, conversation: Conversation, metrics: ConversationMetrics, metadata: CallMetadata
) -> Explanation:
    """Why rule ``name`` says what it says of the call.

    Raises:
        RulePackError: ``rule_unknown``: the pack has no such rule.
    """
    by_name = {rule.rule: rule for rule in rules.rules}
    if name not in by_name:
        raise RulePackError("rule_unknown", f"pack {rules.pack} has no rule {name!r}: {hint(name, by_name)}")
    results, context = rules.judge(conversation, metrics, metadata)
    (result,) = (result for result in results if result.rule == name)
    return Explanation(by_name[name], result, tuple(_conditions(by_name[name], context)))


def _conditions(rule: Rule, context: Context) -> Iterator[Explained]:
    trigger = context.at(Position.TRIGGER)
    if rule.applies_when is not None:
        yield explained(rule.applies_when, trigger, "applies_when")
    if rule.for_each is not None:
        yield explained(rule.for_each, trigger, "for_each")
        for number, anchor in enumerate(rule.for_each.anchors(trigger) or (), start=1):
            inside = tuple(_judged(rule, context, anchor))
            doubt = "" if anchor.sure else "situation_unsure"
            yield Explained(f"occurrence {number}", "", "", None, doubt, (anchor.evidence,), inside)
    else:
        yield from _judged(rule, context, None)
    for title, check in rule.style.items():
        yield explained(check, context, f"style {title}")
    for grade in sorted(rule.grades, reverse=True):
        yield explained(rule.grades[grade], trigger, f"grade {grade}")


def _judged(rule: Rule, context: Context, anchor: Anchor | None) -> Iterator[Explained]:
    """What is asked of each occurrence, or of the whole call."""
    if rule.only_when is not None:
        yield explained(rule.only_when, context.at(Position.TRIGGER, anchor), "only_when")
    if rule.unless is not None:
        yield explained(rule.unless, context.at(Position.TRIGGER, anchor), "unless")
    if rule.require is not None:
        yield explained(rule.require, context.at(Position.REQUIRE, anchor), "require")
    if rule.forbid is not None:
        yield explained(rule.forbid, context.at(Position.FORBID, anchor), "forbid")


def explained(check: Check, context: Context, part: str = "") -> Explained:
    """The condition with all conditions inside it."""
    verdict = check.evaluate(context)
    inside = tuple(explained(child, at, name) for name, child, at in check.parts(context))
    return Explained(
        part,
        _NAMES[type(check)],
        _settings(check),
        verdict.value,
        verdict.reason if verdict.value is None else "",
        verdict.evidence,
        inside,
    )


def _settings(check: Check) -> str:
    """The settings that differ from their defaults, on one line."""
    given = check.model_dump(mode="json", exclude_defaults=True)
    return ", ".join(
        f"{key}: {_short(value)}" for key, value in given.items() if key not in ("kind", "of", "steps")
    )


def _short(value: Any) -> str:
    if isinstance(value, dict):
        shown = (f"{k}: {_short(v)}" for k, v in value.items() if k not in ("kind", "anchor"))
        return "{" + ", ".join(shown) + "}"
    if isinstance(value, list):
        more = [f"… {len(value) - _LONG} more"] if len(value) > _LONG else []
        return "[" + ", ".join([*map(_short, value[:_LONG]), *more]) + "]"
    return str(value)
