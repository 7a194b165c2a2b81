"""Who got better or worse: agents, and teams as a body.

Guarantee: the same totals give the same answer. A change is told beyond what happened to everybody else at the
same time, and only as seldom by chance as the policy says, over all that one look compares.

numpy and SciPy are loaded when something is measured, not when this is imported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from qa_service.domain.causes import AgentTrend, CausePolicy, TeamTrend, Trend
from qa_service.domain.figures import NO_FAULTS, FaultLine, FaultTotals
from qa_service.domain.proportions import Interval, holm, share
from qa_service.statistics.causes import mostly
from qa_service.statistics.changes import FAR, Contrast, Windows, contrast

_DEFAULT: Final = CausePolicy()
_FEWEST: Final = 3
"""Agents that a team needs at least, whatever the policy says."""

Told = TypeVar("Told", AgentTrend, TeamTrend)


def find_trends(
    before: Iterable[FaultLine], recent: Iterable[FaultLine], *, policy: CausePolicy = _DEFAULT
) -> tuple[AgentTrend, ...]:
    """Each agent against the own past, less what changed for all others of the site at the same time.

    Args:
        before: faults by (team, agent) of the past, periods of any length.
        recent: the same, of the window that is compared with it.
        policy: what it takes.
    """
    found: list[AgentTrend] = []
    for rule, own_past, own_late, able in _compared(before, recent, policy):
        for agent in sorted({*own_past, *own_late}):
            totals = own_past.get(agent, NO_FAULTS), own_late.get(agent, NO_FAULTS)
            shares = [share(one.faults, one.calls, level=policy.level) for one in totals]
            others = [other for other in able if other != agent]
            trend = AgentTrend(agent, rule, Trend.CANNOT_TELL, shares[0], shares[1], None, None, None)
            if agent in able and len(others) >= policy.min_peers and any(one.faults for one in totals):
                own = _windows([agent], own_past, own_late)
                peers = _windows(others, own_past, own_late).ordinary
                trend = _measured(trend, contrast(own, peers, min_clusters=len(others)), policy)
            found.append(trend)
    return tuple(_told(found, policy))


def find_team_trends(lines: Sequence[FaultLine], *, policy: CausePolicy = _DEFAULT) -> tuple[TeamTrend, ...]:
    """Each team in the later half of the periods against itself in the earlier half, less what changed for all
    other agents of the site meanwhile.

    Args:
        lines: faults by (team, agent), by week or by other periods.
        policy: what it takes.
    """
    starts = sorted({line.starts for line in lines})
    if len(starts) < 2:
        return ()
    later = starts[len(starts) // 2]
    past, late = ([line for line in lines if (line.starts >= later) == half] for half in (False, True))
    team = _teams(lines)
    found: list[TeamTrend] = []
    small: set[int] = set()
    for rule, own_past, own_late, able in _compared(past, late, policy):
        for name in sorted({team[agent] for agent in {*own_past, *own_late} if agent in team}):
            totals = [
                sum((one for agent, one in half.items() if team.get(agent) == name), NO_FAULTS)
                for half in (own_past, own_late)
            ]
            before, recent = (share(one.faults, one.calls, level=policy.level) for one in totals)
            own = [agent for agent in able if team.get(agent) == name]
            others = [agent for agent in able if team.get(agent) != name]
            trend = TeamTrend(name, rule, Trend.CANNOT_TELL, len(own), before, recent, None, None, None)
            many = len(own) >= max(_FEWEST, policy.min_team) and len(others) >= policy.min_peers
            if many and any(one.faults for one in totals):
                peers = _windows(others, own_past, own_late).ordinary
                mine = _as_a_body(_windows(own, own_past, own_late), peers)
                # How much agents differ in what they change, a team is too small to show: the site does.
                change = contrast(mine, peers, min_clusters=len(mine) + 1)
                trend = _measured(trend, change, policy)
                # A team has so many calls that a change may be sure and yet too small to look for its cause.
                if abs(change.relative(change.beta)) < policy.worthwhile:
                    small.add(len(found))
            found.append(trend)
    return tuple(_told(found, policy, small))


_Compared = tuple[str, Mapping[str, FaultTotals], Mapping[str, FaultTotals], list[str]]


def _compared(
    before: Iterable[FaultLine], recent: Iterable[FaultLine], policy: CausePolicy
) -> Iterator[_Compared]:
    """By rule: totals of agents in both windows, and who has enough calls in each to be compared."""
    past, late = _by_rule(before), _by_rule(recent)
    for rule in sorted({*past, *late}):
        own_past, own_late = past.get(rule, {}), late.get(rule, {})
        both = sorted({*own_past} & {*own_late})
        calls = {agent: min(own_past[agent].calls, own_late[agent].calls) for agent in both}
        yield rule, own_past, own_late, [agent for agent in both if calls[agent] >= policy.min_calls]


def _as_a_body(own: Windows, others: Windows) -> Windows:
    """A team without those, one in five at most, who changed far more than its middle: what changed for one agent
    is that agent's matter, and would otherwise be told of the team."""
    import numpy as np

    apart = np.abs(own.steps - np.median(own.steps)) / np.sqrt(own.chance + others.between)
    furthest = np.argsort(-apart, kind="stable")[: max(1, len(own) // 5)]
    kept = np.ones(len(own), dtype=bool)
    kept[furthest[apart[furthest] > FAR]] = False
    return own.only(kept)


def _measured(trend: Told, change: Contrast, policy: CausePolicy) -> Told:
    """With the change and its probability, not yet adjusted."""
    low, high = change.bounds(policy.level)
    # Whether a change that matters is excluded is told apart from whether there is one.
    steady = -policy.worthwhile < change.relative(low) and change.relative(high) < policy.worthwhile
    return replace(
        trend,
        trend=Trend.NO_CHANGE if steady else Trend.CANNOT_TELL,
        change=change.points(change.beta),
        interval=Interval(change.points(low), change.points(high)),
        p=change.p,
    )


def _told(found: Sequence[Told], policy: CausePolicy, small: Container[int] = ()) -> Iterator[Told]:
    """What each comes to for having looked at all of them; those at the places ``small`` are at most no change."""
    adjusted = holm({number: one.p for number, one in enumerate(found) if one.p is not None})
    for number, one in enumerate(found):
        if one.change is None or number not in adjusted:
            yield one
        elif adjusted[number] < policy.alarm and number not in small:
            yield replace(one, p=adjusted[number], trend=Trend.WORSE if one.change > 0 else Trend.BETTER)
        else:
            yield replace(one, p=adjusted[number])


def _teams(lines: Iterable[FaultLine]) -> Mapping[str, str]:
    """By agent, the team of most of the calls; agents without one are left out."""
    by_agent: dict[str, list[FaultLine]] = defaultdict(list)
    for line in lines:
        if line.keys[1] is not None and line.totals.calls:
            by_agent[line.keys[1]].append(line)
    teams = {agent: mostly(own) for agent, own in by_agent.items()}
    return {agent: team for agent, team in teams.items() if team is not None}


def _by_rule(lines: Iterable[FaultLine]) -> dict[str, dict[str, FaultTotals]]:
    totals: dict[str, dict[str, FaultTotals]] = defaultdict(lambda: defaultdict(FaultTotals))
    for line in lines:
        agent = line.keys[1]
        if agent is not None and line.totals.calls:
            totals[line.rule][agent] += line.totals
    return totals


def _windows(agents: Sequence[str], past: Mapping[str, FaultTotals], late: Mapping[str, FaultTotals]) -> Windows:
    import numpy as np

    table = np.array(
        [(past[one].calls, past[one].faults, late[one].calls, late[one].faults) for one in agents], dtype=float
    )
    return Windows(table[:, 0], table[:, 1], table[:, 2], table[:, 3])
