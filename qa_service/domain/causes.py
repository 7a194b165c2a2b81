"""Who stands out and why: an agent's own cause, or one that everybody shares.

Guarantee: pure. What is said of a single agent is said against the others of the same team *and* of the site, for
having looked at all agents and rules; what all have alike is nobody's in particular.
"""

from dataclasses import dataclass
from enum import StrEnum

from qa_service.domain.proportions import LEVEL, Interval, Share


class Cause(StrEnum):
    """Of faults, or of a chart's alarm. SPECIAL: something that is not so for the others, or was not so before:
    look for it there. COMMON: part of how the work is set up: script, training of all, the rule itself. TOO_FEW:
    nobody can tell."""

    SPECIAL = "special"
    COMMON = "common"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class CausePolicy:
    """What it takes to name somebody.

    Args:
        alarm: how probable it may be that anybody is named by chance, over all agents and rules of one look
            (Holm). level: of intervals. min_calls: that an agent needs, with an answer of the rule; with fewer
            nothing is said. min_peers: how many others, each with as many calls, a comparison needs. min_team: how
            many of the team; with fewer an agent is compared with the site alone. min_faults: of an agent who is
            named. One fault is an event, not a habit. least_spread: how much agents differ at least who have no
            cause of their own, as a standard deviation of log
            odds; what few faults show of it may be less by chance.
        least_team_spread: the same of teams, beyond their agents.
        high_rate: of all calls, the share with a fault from which the rule is everybody's trouble.
        worthwhile: how much fewer (or more) faults matter, as a share of those before.
    """

    alarm: float = 0.05
    level: float = LEVEL
    min_calls: int = 30
    min_peers: int = 8
    min_team: int = 4
    min_faults: int = 3
    least_spread: float = 0.2
    least_team_spread: float = 0.1
    high_rate: float = 0.2
    worthwhile: float = 0.2


@dataclass(frozen=True, slots=True)
class AgentCause:
    """One rule of one agent.

    Args:
        agent: whose calls they are.
        team: they belonged to when they had most of these calls.
        rule: that was looked at.
        cause: SPECIAL only for more faults than the others', never for fewer.
        rate: with its interval.
        expected: the rate of the others of the site, or of the team where somebody stood out and that is higher.
            None without others.
        p: how probable so many faults are in calls of somebody like the others, for having looked at all agents
            and rules. None where the cause is TOO_FEW.
    """

    agent: str
    team: str | None
    rule: str
    cause: Cause
    rate: Share
    expected: float | None
    p: float | None


class Level(StrEnum):
    """How common a fault is. HIGH: everybody's trouble, and so nobody's in particular."""

    HIGH = "high"
    USUAL = "usual"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class CommonCause:
    """One rule over a team, or over the site where ``team`` is None.

    HIGH: of the site, when more calls have the fault than ``CausePolicy.high_rate`` allows; of a team, when its
    agents as a body have more faults than those of other teams. Then script, training of all, or the rule itself
    is what to look at.

    Args:
        team: None: all of the site.
        rule: that was looked at.
        level: of faults.
        rate: with an interval that knows that calls of one agent are alike.
        agents: with enough calls.
        expected: the rate of the other teams; None for the site.
        p: as in AgentCause, over all teams and rules; None for the site.
    """

    team: str | None
    rule: str
    level: Level
    rate: Share
    agents: int
    expected: float | None
    p: float | None


class Trend(StrEnum):
    """Of an agent or a team against the own past, less what happened to all others at the same time."""

    BETTER = "better"
    WORSE = "worse"
    NO_CHANGE = "no_change"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class AgentTrend:
    """One rule of one agent, lately and before.

    Args:
        agent: whose calls they are.
        rule: that was looked at.
        trend: BETTER and WORSE for having looked at all agents and rules (Holm); NO_CHANGE when a change that
            matters is excluded.
        before: the rate before.
        recent: the rate lately.
        change: of the rate, less what changed for the others, in shares (0.1: ten points); None if unknown.
        interval: of ``change``.
        p: how probable so much of a change is without a cause, adjusted; None if unknown.
    """

    agent: str
    rule: str
    trend: Trend
    before: Share
    recent: Share
    change: float | None
    interval: Interval | None
    p: float | None


@dataclass(frozen=True, slots=True)
class TeamTrend:
    """One rule of one team, in the later half of a window and in the earlier one. What changed for a single agent
    is no change of the team.

    Args:
        team: that its agents belonged to for most of their calls.
        rule: that was looked at.
        trend: BETTER and WORSE for having looked at all teams and rules (Holm), and only where the change is as
            large as ``CausePolicy.worthwhile``; NO_CHANGE when a change that matters is excluded.
        agents: with enough calls in both halves.
        before: the rate of all its agents in the earlier half.
        recent: the same in the later one.
        change: of the rate, less what changed for the other teams and without agents who changed far more than the
            team's middle, in shares; None if unknown.
        interval: of ``change``.
        p: as in AgentTrend.
    """

    team: str
    rule: str
    trend: Trend
    agents: int
    before: Share
    recent: Share
    change: float | None
    interval: Interval | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Causes:
    """``agents`` and ``common``: by rule, then team, then agent. ``teams``: what changed for teams meanwhile."""

    agents: tuple[AgentCause, ...]
    common: tuple[CommonCause, ...]
    teams: tuple[TeamTrend, ...] = ()

    def of(self, agent: str, rule: str) -> AgentCause | None:
        return next((one for one in self.agents if (one.agent, one.rule) == (agent, rule)), None)
