"""What people decide about findings, and what a score becomes by it.

Guarantee: pure. The machine's answer is never changed: people's decisions are laid over it, and the same scorecard
is filled again. Without decisions the final score is the machine's; rejecting never lowers it. A finding's states
follow one table, so that no step can be skipped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from qa_service.domain.results import Evidence, Outcome, RuleResult
from qa_service.domain.scoring import Evaluation, Scorecard, fill


class Decision(StrEnum):
    """What somebody says about a finding.

    ``correct``: it is a fault, and elsewhere in the call. ``add``: a fault that the machine missed.
    """

    CONFIRM = "confirm"
    REJECT = "reject"
    CORRECT = "correct"
    ADD = "add"

    @property
    def is_fault(self) -> bool:
        return self is not Decision.REJECT


class Cause(StrEnum):
    """On what occasion a decision was made, or a final score changed.

    ``carried``: decided for the same finding of an earlier evaluation. ``evaluation``: the machine's answer
    changed.
    """

    REVIEW = "review"
    DISPUTE = "dispute"
    APPEAL = "appeal"
    CARRIED = "carried"
    EVALUATION = "evaluation"


class Reason(StrEnum):
    """Why a finding is rejected. ``not_applicable``: the rule's situation did not arise in this call."""

    MISHEARD = "misheard"
    WRONG_SPEAKER = "wrong_speaker"
    SAID_OTHERWISE = "said_otherwise"
    NOT_APPLICABLE = "not_applicable"
    JUSTIFIED = "justified"
    RULE_WRONG = "rule_wrong"
    OTHER = "other"


class Origin(StrEnum):
    """Who opened a finding."""

    MACHINE = "machine"
    HUMAN = "human"


class FindingState(StrEnum):
    """Where a finding stands. ``overturned`` and ``appeal_…`` are final; nothing but a reviewer's rejection
    follows ``acknowledged`` and ``withdrawn``."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    ACKNOWLEDGED = "acknowledged"
    DISPUTED = "disputed"
    ADVISED = "advised"
    WITHDRAWN = "withdrawn"
    UPHELD = "upheld"
    OVERTURNED = "overturned"
    APPEALED = "appealed"
    APPEAL_UPHELD = "appeal_upheld"
    APPEAL_OVERTURNED = "appeal_overturned"

    @property
    def stands(self) -> bool:
        """Whether it counts as a fault or may yet."""
        return self not in CLEARED


CLEARED: Final = frozenset({FindingState.REJECTED, FindingState.OVERTURNED, FindingState.APPEAL_OVERTURNED})


class Step(StrEnum):
    """What takes a finding from one state to the next.

    The agent acknowledges, disputes, appeals, withdraws; the leader supports or does not, or lets the time for it
    lapse; inspector and manager uphold or overturn.
    """

    CONFIRM = "confirm"
    REJECT = "reject"
    ACKNOWLEDGE = "acknowledge"
    DISPUTE = "dispute"
    SUPPORT = "support"
    NOT_SUPPORT = "not_support"
    LAPSE = "lapse"
    WITHDRAW = "withdraw"
    UPHOLD = "uphold"
    OVERTURN = "overturn"
    APPEAL = "appeal"


_F, _S = FindingState, Step
STEPS: Final[Mapping[tuple[FindingState, Step], FindingState]] = {
    (_F.OPEN, _S.CONFIRM): _F.CONFIRMED,
    (_F.OPEN, _S.REJECT): _F.REJECTED,
    # Whoever reviews a call may think again.
    (_F.CONFIRMED, _S.CONFIRM): _F.CONFIRMED,
    (_F.CONFIRMED, _S.REJECT): _F.REJECTED,
    (_F.REJECTED, _S.CONFIRM): _F.CONFIRMED,
    (_F.REJECTED, _S.REJECT): _F.REJECTED,
    # A fault that the agent let stand may still turn out to be none.
    (_F.ACKNOWLEDGED, _S.REJECT): _F.REJECTED,
    (_F.WITHDRAWN, _S.REJECT): _F.REJECTED,
    (_F.OPEN, _S.ACKNOWLEDGE): _F.ACKNOWLEDGED,
    (_F.CONFIRMED, _S.ACKNOWLEDGE): _F.ACKNOWLEDGED,
    (_F.OPEN, _S.DISPUTE): _F.DISPUTED,
    (_F.CONFIRMED, _S.DISPUTE): _F.DISPUTED,
    (_F.DISPUTED, _S.SUPPORT): _F.ADVISED,
    (_F.DISPUTED, _S.NOT_SUPPORT): _F.ADVISED,
    (_F.DISPUTED, _S.LAPSE): _F.ADVISED,
    (_F.DISPUTED, _S.WITHDRAW): _F.WITHDRAWN,
    (_F.ADVISED, _S.WITHDRAW): _F.WITHDRAWN,
    (_F.ADVISED, _S.UPHOLD): _F.UPHELD,
    (_F.ADVISED, _S.OVERTURN): _F.OVERTURNED,
    (_F.UPHELD, _S.APPEAL): _F.APPEALED,
    (_F.APPEALED, _S.WITHDRAW): _F.WITHDRAWN,
    (_F.APPEALED, _S.UPHOLD): _F.APPEAL_UPHELD,
    (_F.APPEALED, _S.OVERTURN): _F.APPEAL_OVERTURNED,
}


def follow(state: FindingState, step: Step, *, outcome: Outcome) -> FindingState | None:
    """The state after ``step``; None: the step is not possible now.

    Args:
        outcome: the machine's; an open doubt accuses nobody, so there is nothing to acknowledge or dispute.
    """
    if state is FindingState.OPEN and step in (Step.ACKNOWLEDGE, Step.DISPUTE) and outcome is not Outcome.NOT_MET:
        return None
    return STEPS.get((state, step))


def may_follow(state: FindingState) -> tuple[Step, ...]:
    return tuple(step for (before, step) in STEPS if before is state)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision in force on one rule's result. ``start`` and ``end``: where the fault is, if a person said."""

    rule: str
    decision: Decision
    reason: str = ""
    start: float | None = None
    end: float | None = None


def ruling_fault(ruling: Ruling, duration_s: float) -> str | None:
    """What is wrong with a decision on a call of this length; None: nothing."""
    start, end = ruling.start, ruling.end
    if ruling.decision is Decision.REJECT:
        if start is not None or end is not None:
            return "what is rejected has no span"
        known = ruling.reason in set(Reason)
        return None if known else f"a rejection says why: give one of {', '.join(Reason)}"
    if start is None or end is None:
        if ruling.decision is Decision.CONFIRM and start is None and end is None:
            return None
        return "say where the fault is: give its start and its end"
    if not 0.0 <= start < end <= duration_s:  # false for NaN too
        return f"a span lies within the call, which is {duration_s:.1f} s long, and ends after its start"
    return None


def apply(results: Sequence[RuleResult], rulings: Iterable[Ruling]) -> tuple[RuleResult, ...]:
    """The machine's results with people's decisions laid over them."""
    by_rule = {ruling.rule: ruling for ruling in rulings}
    return tuple(_ruled(result, by_rule) for result in results)


def _ruled(result: RuleResult, by_rule: Mapping[str, Ruling]) -> RuleResult:
    ruling = by_rule.get(result.rule)
    if ruling is None:
        return result
    if not ruling.decision.is_fault:
        outcome = Outcome.NOT_APPLICABLE if ruling.reason == Reason.NOT_APPLICABLE else Outcome.MET
        return replace(result, outcome=outcome, reason=ruling.reason)
    # An event counts once: what another rule counts is a fault of its own only where that one was rejected.
    other = by_rule.get(result.same_event_as) if result.same_event_as is not None else None
    freed = other is not None and not other.decision.is_fault
    evidence = result.evidence
    if ruling.start is not None and ruling.end is not None:
        evidence = (Evidence(ruling.start, ruling.end),)
    return replace(
        result,
        outcome=Outcome.NOT_MET,
        reason="",
        evidence=evidence,
        same_event_as=None if freed else result.same_event_as,
    )


def final(scorecard: Scorecard, results: Sequence[RuleResult], rulings: Iterable[Ruling]) -> Evaluation:
    """The scorecard filled from what the machine found and people decided."""
    return fill(scorecard, apply(results, rulings))


def can_be_added(result: RuleResult, rulings: Iterable[Ruling]) -> bool:
    """Whether a fault that the machine did not report can be recorded on this result."""
    rejected = {ruling.rule for ruling in rulings if not ruling.decision.is_fault}
    return result.scored and (result.same_event_as is None or result.same_event_as in rejected)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision as it was made. ``carried_from``: the verdict on the same finding of an earlier evaluation."""

    id: int
    finding_id: int
    rule: str
    user_id: int
    user_name: str
    decision: Decision
    cause: Cause
    reason: str
    note: str
    start: float | None
    end: float | None
    carried_from: int | None
    at: datetime

    @property
    def ruling(self) -> Ruling:
        return Ruling(self.rule, self.decision, self.reason, self.start, self.end)
