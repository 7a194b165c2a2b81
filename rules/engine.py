"""Evaluating a rule set: pure, from a conversation, its metrics and its metadata to rule results.

Guarantee: deterministic and free of side effects; unknown never becomes not met.
"""

import copy
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from qa_service.domain.call import CallMetadata
from qa_service.domain.coaching import RuleInfo
from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import ConversationMetrics, MetricOptions
from qa_service.domain.results import Outcome, RuleResult
from qa_service.domain.scoring import Scorecard
from rules.checks import Check
from rules.context import CallFacts, Context, Position
from rules.index import CallIndex
from rules.judging import Judge
from rules.phrase_book import PhraseBook
from rules.schema import Pack, Rule, ScorecardModel
from rules.versions import rule_versions

# Raised whenever the same pack would judge the same conversation differently.
ENGINE_REVISION = "7"


class RuleSet:
    """A compiled pack with its scorecard. Implements ``RuleEvaluator``."""

    def __init__(self, pack: Pack, rules: Sequence[Rule], scorecard: ScorecardModel) -> None:
        self._settings = pack
        self._take(in_order(rules))
        self._book = PhraseBook(self._phrase_lists(), self._by_sound())
        self.pack = pack.pack
        self.language: str = pack.language
        self.scorecard: Scorecard = scorecard.scorecard_of()
        self.metric_options: MetricOptions = pack.metrics.options()
        self.digest = _digest(pack, self._rules, scorecard)
        self.versions = rule_versions(pack, self._rules, scorecard)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self._rules

    @property
    def training(self) -> tuple[RuleInfo, ...]:
        """What coaching has to know of the rules, by name."""
        return tuple(RuleInfo(rule.rule, rule.title, rule.severity, rule.training) for rule in self._by_name)

    def with_rules(self, rules: Sequence[Rule]) -> "RuleSet":
        """The same set with these rules, which look for no phrase that its own do not: for trying changes cheaply.

        Digest and versions stay those of the set as it was loaded. Raises CycleError.
        """
        new = copy.copy(self)
        new._take(in_order(rules))
        new._book = self._book.with_lists(new._phrase_lists(), new._by_sound())
        return new

    def _take(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._by_name = sorted(rules, key=lambda rule: rule.rule)
        self._judges = [Judge(rule) for rule in rules]
        self._forms = _forms(rules)

    def _phrase_lists(self) -> Iterator[tuple[str, ...]]:
        return (phrases for rule in self._rules for check in rule.checks() for phrases in check.phrase_lists())

    def _by_sound(self) -> Iterator[tuple[tuple[str, ...], int]]:
        return (one for rule in self._rules for check in rule.checks() for one in check.by_sound())

    def only(self, name: str) -> "RuleSet":
        """The rule ``name`` with all that its result depends on."""
        rules = {rule.rule: rule for rule in self._rules}
        wanted: dict[str, Rule] = {}
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one not in wanted:
                wanted[one] = rules[one]
                waiting += (r for check in rules[one].checks() for r in check.rules())
                waiting += rules[one].same_event_as if one == name else ()
        return self.with_rules(list(wanted.values()))

    def evaluate(
        self,
        conversation: Conversation | CallIndex,
        metrics: ConversationMetrics,
        metadata: CallMetadata,
        *,
        not_live: Collection[str] = (),
    ) -> tuple[RuleResult, ...]:
        """See ``RuleEvaluator.evaluate``. An index serves several rule sets."""
        results, context = self.judge(conversation, metrics, metadata, not_live=not_live)
        context.call.forget()
        return results

    def judge(
        self,
        conversation: Conversation | CallIndex,
        metrics: ConversationMetrics,
        metadata: CallMetadata,
        *,
        not_live: Collection[str] = (),
    ) -> tuple[tuple[RuleResult, ...], Context]:
        """``evaluate``, and the context in which the rules were judged: conditions can be asked again in it."""
        index = conversation if isinstance(conversation, CallIndex) else CallIndex(conversation)
        outcomes: dict[str, Outcome] = {}
        hits = self._book.search(index)
        facts = CallFacts(index, metrics, metadata, self._settings.recognition, hits, outcomes, self._forms)
        context = Context(facts, Position.REQUIRE)
        results: dict[str, RuleResult] = {}
        for judge in self._judges:
            name, result = judge.name, judge.judge(context)
            if result.scored and name in not_live:
                result = replace(result, scored=False, unscored="not_live")
            results[name] = result
            outcomes[name] = result.outcome
        return tuple([_shared_event(rule, results) for rule in self._by_name]), context


def _shared_event(rule: Rule, results: dict[str, RuleResult]) -> RuleResult:
    """Mark a violation whose every piece of evidence another rule already counts: one event costs once.

    A result that is not scored counts nothing.
    """
    result = results[rule.rule]
    if result.outcome is not Outcome.NOT_MET:
        return result
    for other in rule.same_event_as:
        counted = results.get(other)
        if (
            counted is not None
            and counted.outcome is Outcome.NOT_MET
            and (counted.scored or not result.scored)
            and result.evidence
            and all(
                any(mine.span.overlap_s(theirs.span) > 0 for theirs in counted.evidence)
                for mine in result.evidence
            )
        ):
            return replace(result, same_event_as=other)
    return result


def _forms(rules: Iterable[Rule]) -> dict[int, int]:
    """By the id of each check a number, the same for equal ones: named conditions are written out in each rule."""
    numbers: dict[Check, int] = {}
    forms: dict[int, int] = {}
    waiting = [check for rule in rules for check in rule.checks()]
    while waiting:
        check = waiting.pop()
        forms[id(check)] = numbers.setdefault(check, len(numbers))
        waiting += check.inside()
    return forms


def in_order(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Rules after those whose outcome they read. Raises CycleError."""
    by_id = {rule.rule: rule for rule in rules}
    graph = {
        rule.rule: sorted({r for check in rule.checks() for r in check.rules()})
        for rule in sorted(rules, key=lambda r: r.rule)
    }
    return tuple(by_id[name] for name in TopologicalSorter(graph).static_order() if name in by_id)


def _digest(pack: Pack, rules: Sequence[Rule], scorecard: ScorecardModel) -> str:
    content = {
        "engine": ENGINE_REVISION,
        "pack": pack.model_dump(mode="json"),
        "rules": [rule.model_dump(mode="json") for rule in sorted(rules, key=lambda r: r.rule)],
        "scorecard": scorecard.model_dump(mode="json"),
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


__all__ = ["ENGINE_REVISION", "CycleError", "RuleSet", "in_order"]
