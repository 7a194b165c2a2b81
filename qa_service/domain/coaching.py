"""Who needs coaching in what, and how a coaching action goes from its proposal to its end.

Guarantee: pure. An agent is named only for what stands out against team and site and is backed by findings that
stand; what everybody has in common is a need of the team or of the script, never of one agent. States follow one
table, so that no step can be skipped. Source of the steps: ``domain.md`` §6 (findings, coaching list, training,
assessment, record).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from qa_service.domain.access import CallOwner
from qa_service.domain.causes import Cause, Trend
from qa_service.domain.figures import NO_FAULTS, FaultTotals
from qa_service.domain.results import Severity
from qa_service.domain.review import FindingState


class ActionState(StrEnum):
    """Where a coaching action stands. ``held``: agent and trainer have talked, or the session took place."""

    PROPOSED = "proposed"
    ASSIGNED = "assigned"
    HELD = "held"
    ACKNOWLEDGED = "acknowledged"
    ASSESSED = "assessed"
    CLOSED = "closed"
    DISMISSED = "dismissed"

    @property
    def is_open(self) -> bool:
        return self not in (ActionState.CLOSED, ActionState.DISMISSED)


class ActionStep(StrEnum):
    """What takes an action from one state to the next.

    ``extend``: a later round found more of the same; ``fail``: the assessment was not passed, it begins again;
    ``withdraw``: what was proposed is no longer seen. ``note``: somebody wrote something down.
    """

    PROPOSE = "propose"
    EXTEND = "extend"
    ASSIGN = "assign"
    HOLD = "hold"
    ACKNOWLEDGE = "acknowledge"
    ASSESS = "assess"
    FAIL = "fail"
    CLOSE = "close"
    DISMISS = "dismiss"
    WITHDRAW = "withdraw"
    NOTE = "note"


_A, _S = ActionState, ActionStep
STEPS: Final[Mapping[tuple[ActionState, ActionStep], ActionState]] = {
    (_A.PROPOSED, _S.ASSIGN): _A.ASSIGNED,
    (_A.PROPOSED, _S.DISMISS): _A.DISMISSED,
    (_A.PROPOSED, _S.WITHDRAW): _A.DISMISSED,
    (_A.ASSIGNED, _S.ASSIGN): _A.ASSIGNED,
    (_A.ASSIGNED, _S.HOLD): _A.HELD,
    (_A.ASSIGNED, _S.DISMISS): _A.DISMISSED,
    (_A.HELD, _S.ACKNOWLEDGE): _A.ACKNOWLEDGED,
    # Whoever sat the assessment knows of the session; a click that is missing does not hold the record up.
    (_A.HELD, _S.ASSESS): _A.ASSESSED,
    (_A.HELD, _S.FAIL): _A.ASSIGNED,
    (_A.HELD, _S.DISMISS): _A.DISMISSED,
    (_A.ACKNOWLEDGED, _S.ASSESS): _A.ASSESSED,
    (_A.ACKNOWLEDGED, _S.FAIL): _A.ASSIGNED,
    (_A.ACKNOWLEDGED, _S.DISMISS): _A.DISMISSED,
    (_A.ASSESSED, _S.CLOSE): _A.CLOSED,
    **{(state, _S.EXTEND): state for state in _A if state.is_open},
    **{(state, _S.NOTE): state for state in _A},
}

SEEN_BY_AGENT: Final = frozenset(_A) - {_A.PROPOSED, _A.DISMISSED}
"""What an agent is shown of the own actions: a proposal that nobody has looked at accuses nobody."""

BY_HAND: Final = frozenset({_S.HOLD, _S.ASSESS, _S.FAIL, _S.CLOSE, _S.DISMISS, _S.NOTE})
"""Steps that say no more than that they were taken, and why."""


def follow(state: ActionState, step: ActionStep) -> ActionState | None:
    """The state after ``step``; None: the step is not possible now."""
    return STEPS.get((state, step))


def may_follow(state: ActionState) -> tuple[ActionStep, ...]:
    return tuple(step for (before, step) in STEPS if before is state and step in BY_HAND | {_S.ASSIGN})


CONFIRMED_EVIDENCE: Final = frozenset(
    {
        *(FindingState.CONFIRMED, FindingState.ACKNOWLEDGED, FindingState.WITHDRAWN),
        *(FindingState.UPHELD, FindingState.APPEAL_UPHELD),
    }
)
"""A person decided that it is a fault, or the agent let it stand. What is disputed or appealed is in no list."""


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What coaching knows of a rule. ``module``: of the training catalogue; None: there is nothing to train."""

    rule: str
    title: str
    severity: Severity
    module: str | None


@dataclass(frozen=True, slots=True)
class NeedPolicy:
    """When a need is one.

    Args:
        min_confirmed: so many confirmed faults make a need of an agent with too few calls to compare.
        weights: what a fault of each severity counts in the order of the list; those of the review queue.
        unreviewed_weight: what a fault that nobody reviewed counts, beside one that is confirmed.
    """

    min_confirmed: int = 2
    weights: Mapping[Severity, float] = field(
        default_factory=lambda: {Severity.MINOR: 1.0, Severity.MAJOR: 3.0, Severity.CRITICAL: 10.0}
    )
    unreviewed_weight: float = 0.5


@dataclass(frozen=True, slots=True)
class RoundPolicy:
    """Args:
    window_days: so many days of calls are looked at, today's included.
    past_days: so many days before them are an agent's own past.
    needs: when a need is one.
    most_faults: clips of each rule in one action.
    most_best: calls that did it right, of each rule.
    best_score: what such a call scored at least.
    """

    window_days: int = 28
    past_days: int = 84
    needs: NeedPolicy = field(default_factory=NeedPolicy)
    most_faults: int = 5
    most_best: int = 2
    best_score: float = 90.0


@dataclass(frozen=True, slots=True)
class Judged:
    """How often one agent broke one rule: in the window, before it, and the team's ``others`` in the window."""

    owner: CallOwner
    rule: str
    now: FaultTotals
    before: FaultTotals = NO_FAULTS
    peers: FaultTotals = NO_FAULTS
    cause: Cause = Cause.TOO_FEW
    trend: Trend = Trend.CANNOT_TELL
    others: int = 0


@dataclass(frozen=True, slots=True)
class Shared:
    """A rule that all of a team, or without one of the site, break too often. ``agents``: how many they are."""

    owner: CallOwner
    rule: str
    now: FaultTotals
    before: FaultTotals = NO_FAULTS
    peers: FaultTotals = NO_FAULTS
    agents: int = 1
    others: int = 0


@dataclass(frozen=True, slots=True)
class RuleNeed:
    """One rule in a need, with what it was judged by. ``others``: how many agents ``peers`` are together."""

    rule: str
    title: str
    severity: Severity
    cause: Cause
    trend: Trend
    now: FaultTotals
    before: FaultTotals
    peers: FaultTotals
    others: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """A module that somebody needs, and why. Without an agent it is the team's; without a team the site's.

    ``priority``: the larger, the more is won by coaching.
    """

    owner: CallOwner
    module: str
    rules: tuple[RuleNeed, ...]
    priority: float

    @property
    def key(self) -> tuple[str, str]:
        return subject_key(self.owner), self.module


def subject_key(owner: CallOwner) -> str:
    """Who needs it, as one text: open actions are unique by it."""
    if owner.agent_id is not None:
        return f"agent:{owner.agent_id}"
    return "site" if owner.team is None else f"team:{owner.team}"


def find_needs(
    judged: Iterable[Judged],
    shared: Iterable[Shared],
    rules: Mapping[str, RuleInfo],
    policy: NeedPolicy,
) -> tuple[Need, ...]:
    """The needs that these figures show, the most urgent first; each subject and module once.

    An agent needs a module when one of its rules stands out (special cause), or when there are too few calls to
    compare, it has the fault more often than the team's others, and people have confirmed ``policy.min_confirmed``
    faults, or one critical one.
    """
    found: dict[tuple[str, str], list[tuple[CallOwner, RuleNeed, int]]] = {}
    for each in judged:
        info = rules.get(each.rule)
        if info is not None and info.module is not None and _is_need(each, info, policy):
            need = _rule_need(each, info, each.cause, each.trend)
            found.setdefault((subject_key(each.owner), info.module), []).append((each.owner, need, 1))
    for common in shared:
        info = rules.get(common.rule)
        if info is not None and info.module is not None and common.now.faults:
            need = _rule_need(common, info, Cause.COMMON, Trend.CANNOT_TELL)
            owner = CallOwner(common.owner.vendor, common.owner.team)
            found.setdefault((subject_key(owner), info.module), []).append((owner, need, common.agents))
    needs = [_need(module, parts, policy) for (_, module), parts in found.items()]
    return tuple(sorted(needs, key=lambda need: (-need.priority, need.key)))


def narrowed(need: Need, backed: Iterable[str], policy: NeedPolicy) -> Need | None:
    """The need, with only those of its rules for which there is evidence; None: for none of them."""
    known = set(backed)
    rules = tuple(rule for rule in need.rules if rule.rule in known)
    if not rules:
        return None
    whole = sum(_weight(rule, policy) for rule in need.rules)
    share = sum(_weight(rule, policy) for rule in rules) / whole if whole else 1.0
    return Need(need.owner, need.module, rules, need.priority * share)


def _is_need(judged: Judged, info: RuleInfo, policy: NeedPolicy) -> bool:
    if not judged.now.faults or judged.cause is Cause.COMMON or judged.owner.agent_id is None:
        return False
    if judged.cause is Cause.SPECIAL:
        return True
    enough = 1 if info.severity is Severity.CRITICAL else policy.min_confirmed
    return judged.now.confirmed >= enough and _is_more(judged.now, judged.peers)


def _is_more(own: FaultTotals, peers: FaultTotals) -> bool:
    """Whether it is more often than the others do it; where there are no others nobody can say that it is not."""
    return not peers.calls or own.faults * peers.calls > peers.faults * own.calls


def _rule_need(figures: Judged | Shared, info: RuleInfo, cause: Cause, trend: Trend) -> RuleNeed:
    return RuleNeed(
        info.rule,
        info.title,
        info.severity,
        cause,
        trend,
        figures.now,
        figures.before,
        figures.peers,
        figures.others,
    )


def _need(module: str, parts: Sequence[tuple[CallOwner, RuleNeed, int]], policy: NeedPolicy) -> Need:
    owner = parts[0][0]
    rules = tuple(sorted((rule for _, rule, _ in parts), key=lambda rule: (-_weight(rule, policy), rule.rule)))
    # Of a team what one of its agents would gain, so that teams and agents stand in one order.
    return Need(owner, module, rules, sum(_weight(rule, policy) / agents for _, rule, agents in parts))


def _weight(rule: RuleNeed, policy: NeedPolicy) -> float:
    faults = rule.now.confirmed + policy.unreviewed_weight * rule.now.unreviewed
    return policy.weights[rule.severity] * faults
