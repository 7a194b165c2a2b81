"""How often the statistics find what was planted in simulated half-years, and how often they are wrong.

``python -m tests.simulation.measure [SEEDS]`` prints the figures of ``docs/figures/statistics.md`` at full size.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from qa_service.domain.causes import Cause, Level, Trend
from qa_service.domain.effects import DayFaults, Effect, Verdict
from qa_service.domain.figures import FaultLine, FaultTotals
from qa_service.statistics.causes import find_causes
from qa_service.statistics.effects import coaching_effect, module_effect
from qa_service.statistics.trends import find_team_trends, find_trends
from tests.simulation.half_year import DayTotals, Training, simulate_days

LOOK_DAYS = 56


def lines(totals: DayTotals, first: int, past: int, *, step: int = 7) -> list[FaultLine]:
    """Faults by team and agent, of the days ``[first, past)``, in periods of ``step`` days."""
    edges = list(range(first, past, step))
    faults = np.add.reduceat(totals.faults[:, :past], edges, axis=1)
    calls = np.add.reduceat(totals.answered[:, :past], edges, axis=1)
    found = []
    for who, period, at in zip(*np.nonzero(calls), strict=True):
        agent, rule = totals.agents[who], totals.rules[at].name
        counted = FaultTotals(int(calls[who, period, at]), int(faults[who, period, at]))
        found.append(FaultLine((agent.team, agent.agent_id), totals.day(edges[period]), rule, counted))
    return found


def days(totals: DayTotals, rules: Sequence[str], leave_out: Iterable[str] = ()) -> Iterator[DayFaults]:
    """Of ``rules`` together, without some agents."""
    out = set(leave_out)
    for row in totals.rows(*rules):
        if row.agent not in out:
            yield DayFaults(row.agent, row.day, row.calls, row.faults)


@dataclass
class Looks:
    """Who was named, in one look at the last weeks of each half-year."""

    looks: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    with_wrong_names: int = 0
    named_for_their_team: int = 0
    drifts_found: int = 0
    teams_wrong: int = 0
    drifts_told: int = 0
    changes_wrong: int = 0

    def add(self, totals: DayTotals) -> None:
        true = {(one.agent, one.rule) for one in totals.planted.special}
        drift = totals.planted.drift
        found = find_causes(lines(totals, totals.days - LOOK_DAYS, totals.days))
        named = {(one.agent, one.rule): one for one in found.agents if one.cause is Cause.SPECIAL}
        self.looks += 1
        self.planted.update(rule for _, rule in true)
        self.found.update(rule for agent, rule in true if (agent, rule) in named)
        wrong = [one for key, one in named.items() if key not in true]
        of_team = [one for one in wrong if (one.team, one.rule) == (drift.team, drift.rule)]
        self.with_wrong_names += len(wrong) > len(of_team)
        self.named_for_their_team += bool(of_team)
        high = {(one.team, one.rule) for one in found.common if one.team and one.level is Level.HIGH}
        self.drifts_found += (drift.team, drift.rule) in high
        self.teams_wrong += bool(high - {(drift.team, drift.rule)})
        self._add_teams(totals)

    def _add_teams(self, totals: DayTotals) -> None:
        """Over the half-year; what training does to the rates of teams by lot is not what is looked at here, nor
        that teams look better beside one that drifts."""
        drift, other = totals.planted.drift, {*totals.planted.helps.rules, totals.planted.drift.rule}
        told = {
            (one.team, one.rule): one.trend
            for one in find_team_trends(lines(totals, 0, totals.days))
            if one.trend in (Trend.BETTER, Trend.WORSE)
        }
        self.drifts_told += told.get((drift.team, drift.rule)) is Trend.WORSE
        self.changes_wrong += any(rule not in other for _, rule in told)


@dataclass
class Effects:
    """Verdicts by what was done, and how often intervals held the truth."""

    verdicts: dict[str, Counter[Verdict]] = field(default_factory=dict)
    intervals: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    naive_says_helped: Counter[str] = field(default_factory=Counter)

    def add(self, totals: DayTotals) -> None:
        planted = totals.planted
        for name, training in (("helps", planted.helps), ("idles", planted.idles), ("chance", planted.regression)):
            rule = training.rules[:1]
            effect = module_effect(days(totals, rule), training.sessions)
            self._count(name, effect, training)
            self.naive_says_helped[name] += effect.naive is not None and effect.naive < -0.1
            agent = min(training.sessions)
            others = set(training.sessions) - {agent}
            one = coaching_effect(days(totals, rule, others), agent, training.sessions[agent])
            self._count(f"{name}, one agent", one, training)

    def _count(self, name: str, effect: Effect, training: Training) -> None:
        self.verdicts.setdefault(name, Counter())[effect.verdict] += 1
        if effect.points is None or effect.relative is None or effect.relative_interval is None:
            return
        without = effect.points / effect.relative
        odds = without / (1 - without) * training.odds
        self.intervals[name] += 1
        self.held[name] += odds / (1 + odds) / without - 1 in effect.relative_interval


@dataclass
class Trends:
    """Who got better or worse, of agents for whom something changed and of the others."""

    looks: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    with_wrong_names: int = 0

    def add(self, totals: DayTotals) -> None:
        middle = totals.days // 2
        planted = totals.planted
        true = {(one.agent, one.rule) for one in planted.special if one.since > totals.starts}
        # What training and drifts did is not what is looked at here.
        other = {*planted.helps.rules, planted.drift.rule}
        before, after = (lines(totals, *span, step=56) for span in ((middle - 56, middle), (middle, middle + 56)))
        told = {
            (one.agent, one.rule)
            for one in find_trends(before, after)
            if one.trend in (Trend.BETTER, Trend.WORSE) and one.rule not in other
        }
        self.looks += 1
        self.changed.update(rule for _, rule in true)
        self.found.update(rule for _, rule in told & true)
        self.with_wrong_names += bool(told - true)


def margin(share: float, of: int) -> float:
    """Three standard deviations of a share of so many."""
    return 3 * math.sqrt(share * (1 - share) / of)


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    looks, effects, trends, quiet = Looks(), Effects(), Trends(), Looks()
    for seed in range(1000, 1000 + seeds):
        totals = simulate_days(seed)
        looks.add(totals)
        effects.add(totals)
        trends.add(totals)
        quiet.add(simulate_days(seed + 100_000, special=0, drift_odds=1.0))
    for figures in (looks, quiet, effects, trends):
        sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    main()
