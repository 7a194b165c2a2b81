"""Who stands out with faults of a rule, and which rules are everybody's trouble.

Guarantee: the same totals give the same answer. An agent is named only where others of the site *and* of the team,
with all that they differ from each other, would hardly ever have as many faults; and only as seldom by chance as
the policy says, over all agents and rules of one look.

numpy and SciPy are loaded when something is measured, not when this is imported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

from qa_service.domain.causes import (
    AgentCause,
    Cause,
    CausePolicy,
    Causes,
    CommonCause,
    Level,
)
from qa_service.domain.figures import NO_FAULTS, FaultLine, FaultTotals
from qa_service.domain.proportions import Share, holm, wilson
from qa_service.statistics.peers import Peers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

_DEFAULT: Final = CausePolicy()


def find_causes(lines: Iterable[FaultLine], *, policy: CausePolicy = _DEFAULT) -> Causes:
    """Look at all agents and rules of a window at once.

    Args:
        lines: faults by (team, agent). By week is best: how much an agent's weeks differ then makes intervals
            honest; over the whole window intervals take all calls for independent.
        policy: what it takes.
    """
    by_rule: dict[str, dict[str, list[FaultLine]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        agent = line.keys[1]
        if agent is not None and line.totals.calls:
            by_rule[line.rule][agent].append(line)
    rules = {rule: _Rule(rule, by_rule[rule], policy) for rule in sorted(by_rule)}
    agents = [one for rule in rules.values() for one in rule.agents()]
    common = [one for rule in rules.values() for one in rule.common()]
    return Causes(tuple(_name(agents, rules, policy)), tuple(_adjust_teams(common, policy)))


class _Rule:
    """Totals of one rule by agent."""

    def __init__(self, rule: str, lines: Mapping[str, Sequence[FaultLine]], policy: CausePolicy) -> None:
        import numpy as np

        self.rule, self.policy = rule, policy
        self.names = sorted(lines)
        self.totals = [sum((line.totals for line in lines[name]), NO_FAULTS) for name in self.names]
        self.teams = [mostly(lines[name]) for name in self.names]
        self.inflation = _inflation(lines)
        enough = [number for number, one in enumerate(self.totals) if one.calls >= policy.min_calls]
        self.at = {number: place for place, number in enumerate(enough)}
        self.team = np.array([self.teams[number] or "" for number in enough])
        self.peers = Peers(
            np.array([self.totals[number].calls for number in enough]) / self.inflation,
            np.array([self.totals[number].faults for number in enough]) / self.inflation,
            least_spread=policy.least_spread,
        )

    def rate(self, totals: FaultTotals, inflation: float | None = None) -> Share:
        """With an interval over as many calls as they are worth."""
        size = totals.calls / (inflation or self.inflation)
        value = totals.faults / totals.calls
        return Share(totals.faults, totals.calls, wilson(value, size, level=self.policy.level))

    def agents(self) -> Iterable[AgentCause]:
        """With the probability against the site, not yet adjusted."""
        able = len(self.peers) > self.policy.min_peers
        expected, p = self.peers.against(self.peers.site) if able else (None, None)
        for number, (name, totals) in enumerate(zip(self.names, self.totals, strict=True)):
            place = self.at.get(number)
            rate, team = self.rate(totals), self.teams[number]
            if place is None or expected is None or p is None:
                yield AgentCause(name, team, self.rule, Cause.TOO_FEW, rate, None, None)
            else:
                against = float(expected[place]), float(p[place])
                yield AgentCause(name, team, self.rule, Cause.COMMON, rate, *against)

    def in_team(self) -> Mapping[str, tuple[float, float]]:
        """By agent: the rate of the others of the team, and how probable as many faults are of one of them. Agents
        of teams too small to tell are left out. A team is too small to show how much agents differ: the site
        does."""
        import numpy as np

        site = self.peers.site
        team = site & (self.team[:, None] == self.team[None, :]) & (self.team != "")[:, None]
        able = team.sum(axis=1) >= self.policy.min_team
        if not able.any():
            return {}
        expected, p = self.peers.against(np.where(able[:, None], team, site), site)
        return {
            self.names[number]: (float(expected[place]), float(p[place]))
            for number, place in self.at.items()
            if able[place]
        }

    def common(self) -> Iterable[CommonCause]:
        """With the probabilities of teams not yet adjusted."""
        import numpy as np

        agents = len(self.peers)
        able = agents > self.policy.min_peers
        rate = self._group(self.totals, np.ones(agents, dtype=bool))
        level = Level.HIGH if rate.interval.low > self.policy.high_rate else Level.USUAL
        yield CommonCause(None, self.rule, level if able else Level.TOO_FEW, rate, agents, None, None)
        for team in sorted({team for team in self.teams if team}):
            own = [one for one, of in zip(self.totals, self.teams, strict=True) if of == team]
            mine = self.team == team
            count = int(mine.sum())
            expected = p = None
            if count >= max(3, self.policy.min_team) and agents - count >= self.policy.min_peers:
                expected, p = self.peers.group(mine, least_team_spread=self.policy.least_team_spread)
            level = Level.TOO_FEW if p is None else Level.USUAL
            yield CommonCause(team, self.rule, level, self._group(own, mine), count, expected, p)

    def _group(self, totals: Sequence[FaultTotals], mine: Mask) -> Share:
        """A rate whose interval knows that calls of one agent are alike."""
        return self.rate(sum(totals, NO_FAULTS), self.inflation * self.peers.design(mine))


def _name(found: Sequence[AgentCause], rules: Mapping[str, _Rule], policy: CausePolicy) -> Iterable[AgentCause]:
    """Name those who stand out from the site and, among these, those who stand out from their team too.

    Two gates, each by Holm: whom the first one lets through wrongly, the second one names no more often than it
    may.
    """
    p_site = holm({number: one.p for number, one in enumerate(found) if one.p is not None})
    passed = [
        number
        for number, p in p_site.items()
        if p < policy.alarm and found[number].rate.count >= policy.min_faults
    ]
    in_team = {rule: rules[rule].in_team() for rule in {found[number].rule for number in passed}}
    teams = {number: in_team[found[number].rule].get(found[number].agent) for number in passed}
    p_team = holm({number: against[1] for number, against in teams.items() if against is not None})
    for number, one in enumerate(found):
        against = teams.get(number)
        if one.p is None or one.expected is None:
            yield one
        elif number not in teams:
            yield replace(one, p=p_site[number])
        elif against is None:
            yield replace(one, p=p_site[number], cause=Cause.SPECIAL)
        else:
            p = max(p_site[number], p_team[number])
            cause = Cause.SPECIAL if p < policy.alarm else Cause.COMMON
            yield replace(one, p=p, expected=max(one.expected, against[0]), cause=cause)


def _adjust_teams(found: Sequence[CommonCause], policy: CausePolicy) -> Iterable[CommonCause]:
    adjusted = holm({number: one.p for number, one in enumerate(found) if one.p is not None})
    for number, one in enumerate(found):
        if one.p is None:
            yield one
            continue
        p = adjusted[number]
        yield replace(one, p=p, level=Level.HIGH if p < policy.alarm else Level.USUAL)


def mostly(lines: Sequence[FaultLine]) -> str | None:
    """The team of most of the calls."""
    calls: dict[str, int] = defaultdict(int)
    for line in lines:
        if line.keys[0]:
            calls[line.keys[0]] += line.totals.calls
    return max(sorted(calls), key=lambda team: calls[team]) if calls else None


def _inflation(lines: Mapping[str, Sequence[FaultLine]]) -> float:
    """By how much periods of an agent vary more than their calls: at least one.

    Pearson's statistic over its degrees of freedom (McCullagh, Nelder 1989, "Generalized linear models", 4.5), of
    periods around each agent's own rate.
    """
    statistic = freedom = 0.0
    for own in lines.values():
        by_period: dict[date, FaultTotals] = defaultdict(FaultTotals)
        for line in own:
            by_period[line.starts] += line.totals
        total = sum(by_period.values(), NO_FAULTS)
        if len(by_period) < 2 or not 0 < total.faults < total.calls:
            continue
        rate = total.faults / total.calls
        for one in by_period.values():
            statistic += (one.faults - one.calls * rate) ** 2 / (one.calls * rate * (1 - rate))
        freedom += len(by_period) - 1
    return max(1.0, statistic / freedom) if freedom else 1.0
