"""One rule on one call: from the verdicts of its conditions to its result.

Guarantee: deterministic and free of side effects; unknown never becomes not met.
"""

from collections.abc import Iterable
from dataclasses import replace

from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult
from rules.context import Anchor, Context, Position
from rules.schema import Rule
from rules.verdict import TRUE, Verdict, conjunction, negation


class Judge:
    """Judges by one rule."""

    def __init__(self, rule: Rule) -> None:
        self.name = rule.rule
        self._rule = rule
        self._grades = sorted(rule.grades.items(), reverse=True)
        self._bare: dict[tuple[Outcome, str], RuleResult] = {}
        """Results without evidence: most are, and they are the same in every call."""

    def judge(self, context: Context) -> RuleResult:
        rule, trigger = self._rule, context.at(Position.TRIGGER)
        applies = trigger.ask(rule.applies_when) if rule.applies_when is not None else TRUE
        if applies.value is not False and rule.unless is not None and rule.for_each is None:
            excepted = trigger.ask(rule.unless)
            if excepted.value is True:
                return self._result(Outcome.NOT_APPLICABLE, "excepted", excepted.evidence)
            applies = conjunction([applies, negation(excepted)])
        if applies.value is False:
            return self._result(Outcome.NOT_APPLICABLE, "situation_absent")
        judged = self._once(context) if rule.for_each is None else self._each(context)
        if applies.value is None and judged.outcome in (Outcome.NOT_MET, Outcome.UNDETERMINED):
            judged = replace(
                judged, outcome=Outcome.UNDETERMINED, reason=applies.reason, evidence=applies.evidence
            )
        if rule.style:
            style = tuple((name, context.ask(check).value) for name, check in rule.style.items())
            judged = replace(judged, style=style)
        return self._graded(judged, trigger) if self._grades else judged

    def _result(
        self,
        outcome: Outcome,
        reason: str = "",
        evidence: tuple[Evidence, ...] = (),
        opens: tuple[OpenItem, ...] = (),
    ) -> RuleResult:
        rule, bare = self._rule, not (evidence or opens)
        if bare and (known := self._bare.get((outcome, reason))):
            return known
        result = RuleResult(
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
        if bare:
            self._bare[outcome, reason] = result
        return result

    def _graded(self, result: RuleResult, context: Context) -> RuleResult:
        """With its grade: the highest that surely holds."""
        if result.outcome is Outcome.NOT_APPLICABLE:
            return result
        held = (grade for grade, check in self._grades if context.ask(check).value)
        return replace(result, grade=next(held, None))

    def _opened(self, evidence: Iterable[Evidence]) -> tuple[OpenItem, ...]:
        opens = self._rule.opens
        if opens is None:
            return ()
        return tuple(OpenItem(opens.item, opens.within_days, place) for place in evidence)

    def _once(self, context: Context) -> RuleResult:
        rule, verdict = self._rule, self._answer(context)
        if verdict.value is None:
            return self._result(Outcome.UNDETERMINED, verdict.reason, verdict.evidence)
        opens: tuple[OpenItem, ...] = ()
        if rule.opens is not None and verdict.value is (rule.require is not None):
            opens = self._opened(verdict.evidence)
        if verdict.value:
            return self._result(Outcome.MET, "", verdict.evidence if rule.require is not None else (), opens)
        return self._result(Outcome.NOT_MET, "", verdict.evidence, opens)

    def _each(self, context: Context) -> RuleResult:
        """One verdict an occurrence; one violation is enough, one doubt keeps the rule from being met."""
        rule, trigger = self._rule, context.at(Position.TRIGGER)
        assert rule.for_each is not None
        anchors = trigger.anchors(rule.for_each)
        if anchors is None:
            return self._result(Outcome.UNDETERMINED, rule.for_each.unsure(trigger))
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
            verdict = self._answer(context, anchor)
            if rule.opens is not None and verdict.value is (rule.require is not None):
                opened.extend(verdict.evidence)
            if verdict.value is True:
                if sure:
                    kept.extend(self._of_occurrence(anchor, verdict))
            elif verdict.value is False and sure:
                broken.extend(self._of_occurrence(anchor, verdict))
            else:
                doubtful.extend(self._of_occurrence(anchor, verdict))
                reason = reason or verdict.reason or "situation_unsure"
        opens = self._opened(_sorted(opened))
        if broken:
            return self._result(Outcome.NOT_MET, "", _sorted(broken), opens)
        if doubtful:
            return self._result(Outcome.UNDETERMINED, reason, _sorted(doubtful), opens)
        if kept:
            return self._result(Outcome.MET, "", _sorted(kept) if rule.require is not None else (), opens)
        return self._result(Outcome.NOT_APPLICABLE, "situation_absent", (), opens)

    def _of_occurrence(self, anchor: Anchor, verdict: Verdict) -> tuple[Evidence, ...]:
        """For a forbidden thing its words, with what provoked them; for a missing one, the occurrence."""
        if self._rule.forbid is not None or verdict.value is True:
            return (*verdict.evidence, anchor.evidence)
        return (anchor.evidence,)

    def _answer(self, context: Context, anchor: Anchor | None = None) -> Verdict:
        """True when the rule is kept, with the evidence either way."""
        rule = self._rule
        if rule.require is not None:
            return context.at(Position.REQUIRE, anchor).ask(rule.require)
        assert rule.forbid is not None
        return negation(context.at(Position.FORBID, anchor).ask(rule.forbid))


def _sorted(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(dict.fromkeys(evidence), key=lambda e: (e.start, e.end)))
