"""Evaluating a rule set: pure, from a conversation, its metrics and its metadata to rule results.

Guarantee: deterministic and free of side effects; unknown never becomes not met.
"""

import copy
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import ConversationMetrics, MetricOptions
from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult
from qa_service.domain.scoring import Scorecard
from rules.context import Anchor, CallFacts, Context, Position
from rules.index import CallIndex
from rules.phrase_book import PhraseBook
from rules.schema import Pack, Rule, ScorecardModel
from rules.verdict import TRUE, Verdict, conjunction, negation
from rules.versions import rule_versions

# Raised whenever the same pack would judge the same conversation differently.
ENGINE_REVISION = "6"


class RuleSet:
    """A compiled pack with its scorecard. Implements ``RuleEvaluator``."""

    def __init__(self, pack: Pack, rules: Sequence[Rule], scorecard: ScorecardModel) -> None:
        self._settings = pack
        self._rules = in_order(rules)
        self._book = PhraseBook(
            phrases for rule in self._rules for check in rule.checks() for phrases in check.phrase_lists()
        )
        self.pack = pack.pack
        self.language: str = pack.language
        self.scorecard: Scorecard = scorecard.scorecard_of()
        self.metric_options: MetricOptions = pack.metrics.options()
        self.digest = _digest(pack, self._rules, scorecard)
        self.versions = rule_versions(pack, self._rules, scorecard)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self._rules

    def with_rules(self, rules: Sequence[Rule]) -> "RuleSet":
        """The same set with these rules, which look for no phrase that its own do not: for trying changes cheaply.

        Digest and versions stay those of the set as it was loaded. Raises CycleError.
        """
        new = copy.copy(self)
        new._rules = in_order(rules)
        new._book = self._book.with_lists(
            phrases for rule in rules for check in rule.checks() for phrases in check.phrase_lists()
        )
        return new

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
        return self.judge(conversation, metrics, metadata, not_live=not_live)[0]

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
        facts = CallFacts(index, metrics, metadata, self._settings.recognition, hits, outcomes)
        context = Context(facts, Position.REQUIRE)
        results: dict[str, RuleResult] = {}
        for rule in self._rules:
            result = _judge(rule, context)
            if result.scored and rule.rule in not_live:
                result = replace(result, scored=False, unscored="not_live")
            results[rule.rule] = result
            outcomes[rule.rule] = result.outcome
        ordered = sorted(self._rules, key=lambda r: r.rule)
        return tuple(_shared_event(rule, results) for rule in ordered), context


def _judge(rule: Rule, context: Context) -> RuleResult:
    trigger = context.at(Position.TRIGGER)
    applies = rule.applies_when.evaluate(trigger) if rule.applies_when is not None else TRUE
    if applies.value is not False and rule.unless is not None and rule.for_each is None:
        excepted = rule.unless.evaluate(trigger)
        if excepted.value is True:
            return _result(rule, Outcome.NOT_APPLICABLE, "excepted", excepted.evidence)
        applies = conjunction([applies, negation(excepted)])
    if applies.value is False:
        return _result(rule, Outcome.NOT_APPLICABLE, "situation_absent")
    style = tuple((name, check.evaluate(context).value) for name, check in rule.style.items())
    judged = _judge_once(rule, context) if rule.for_each is None else _judge_each(rule, context)
    if applies.value is None and judged.outcome in (Outcome.NOT_MET, Outcome.UNDETERMINED):
        judged = replace(judged, outcome=Outcome.UNDETERMINED, reason=applies.reason, evidence=applies.evidence)
    if style:
        judged = replace(judged, style=style)
    return _graded(rule, judged, trigger) if rule.grades else judged


def _result(
    rule: Rule,
    outcome: Outcome,
    reason: str = "",
    evidence: tuple[Evidence, ...] = (),
    opens: tuple[OpenItem, ...] = (),
) -> RuleResult:
    return RuleResult(
        rule.rule,
        rule.title,
        outcome,
        rule.severity,
        evidence,
        reason,
        scored=rule.counts,
        unscored=rule.unscored,
        review=rule.unknown == "review",
        opens=opens,
    )


def _graded(rule: Rule, result: RuleResult, context: Context) -> RuleResult:
    """With its grade: the highest that surely holds."""
    if result.outcome is Outcome.NOT_APPLICABLE:
        return result
    held = (grade for grade in sorted(rule.grades, reverse=True) if rule.grades[grade].evaluate(context).value)
    return replace(result, grade=next(held, None))


def _opened(rule: Rule, evidence: Iterable[Evidence]) -> tuple[OpenItem, ...]:
    if rule.opens is None:
        return ()
    return tuple(OpenItem(rule.opens.item, rule.opens.within_days, place) for place in evidence)


def _judge_once(rule: Rule, context: Context) -> RuleResult:
    verdict = _answer(rule, context)
    if verdict.value is None:
        return _result(rule, Outcome.UNDETERMINED, verdict.reason, verdict.evidence)
    opens = _opened(rule, verdict.evidence) if verdict.value is (rule.require is not None) else ()
    if verdict.value:
        return _result(rule, Outcome.MET, "", verdict.evidence if rule.require is not None else (), opens)
    return _result(rule, Outcome.NOT_MET, "", verdict.evidence, opens)


def _judge_each(rule: Rule, context: Context) -> RuleResult:
    """One verdict an occurrence; one violation is enough, one doubt keeps the rule from being met."""
    assert rule.for_each is not None
    anchors = rule.for_each.anchors(context.at(Position.TRIGGER))
    if anchors is None:
        return _result(rule, Outcome.UNDETERMINED, rule.for_each.unsure(context.at(Position.TRIGGER)))
    broken: list[Evidence] = []
    doubtful: list[Evidence] = []
    kept: list[Evidence] = []
    opened: list[Evidence] = []
    reason = ""
    for anchor in anchors:
        sure = anchor.sure
        if rule.only_when is not None:
            selected = context.at(Position.TRIGGER, anchor).ask(rule.only_when)
            if selected.value is False:
                continue
            sure = sure and selected.value is True
        if rule.unless is not None:
            excepted = context.at(Position.TRIGGER, anchor).ask(rule.unless)
            if excepted.value is True:
                continue
            sure = sure and excepted.value is False
        verdict = _answer(rule, context, anchor)
        if verdict.value is (rule.require is not None):
            opened.extend(verdict.evidence)
        if verdict.value is True:
            if sure:
                kept.extend(_of_occurrence(rule, anchor, verdict))
        elif verdict.value is False and sure:
            broken.extend(_of_occurrence(rule, anchor, verdict))
        else:
            doubtful.extend(_of_occurrence(rule, anchor, verdict))
            reason = reason or verdict.reason or "situation_unsure"
    opens = _opened(rule, _sorted(opened))
    if broken:
        return _result(rule, Outcome.NOT_MET, "", _sorted(broken), opens)
    if doubtful:
        return _result(rule, Outcome.UNDETERMINED, reason, _sorted(doubtful), opens)
    if kept:
        return _result(rule, Outcome.MET, "", _sorted(kept) if rule.require is not None else (), opens)
    return _result(rule, Outcome.NOT_APPLICABLE, "situation_absent", (), opens)


def _of_occurrence(rule: Rule, anchor: Anchor, verdict: Verdict) -> tuple[Evidence, ...]:
    """For a forbidden thing the words themselves, with what provoked them; for a missing one, the occurrence."""
    if rule.forbid is not None or verdict.value is True:
        return (*verdict.evidence, anchor.evidence)
    return (anchor.evidence,)


def _answer(rule: Rule, context: Context, anchor: Anchor | None = None) -> Verdict:
    """True when the rule is kept, with the evidence either way."""
    if rule.require is not None:
        return context.at(Position.REQUIRE, anchor).ask(rule.require)
    assert rule.forbid is not None
    return negation(context.at(Position.FORBID, anchor).ask(rule.forbid))


def _sorted(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(dict.fromkeys(evidence), key=lambda e: (e.start, e.end)))


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
