"""What is said of one agent: scores of the last months, and faults by rule beside the own past and the team.

Guarantee: of calls within the scope of who asks. An agent sees of the others only what they do together, and only
where they are so many that no single colleague can be made out.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from qa_service.domain.access import EVERYTHING, Permission, Principal, Scope
from qa_service.domain.coaching import SEEN_BY_AGENT, ActionState
from qa_service.domain.figures import (
    NO_FAULTS,
    NO_SCORES,
    FaultTotals,
    FigureFilter,
    Grouping,
    Period,
    ScoreTotals,
)
from qa_service.ports import UnitOfWork, UnitOfWorkFactory
from qa_service.ports.coaching import ActionFilter, CoachingAction
from qa_service.ports.directory import Agent
from qa_service.ports.figures import FigureRepository
from qa_service.services.figures import Figures

LATELY: Final = timedelta(weeks=4)
MOST_ACTIONS: Final = 20
BEFORE: Final = timedelta(weeks=12)
"""The own past that the last weeks are held against: the weeks before them."""


@dataclass(frozen=True, slots=True)
class MonthOfScores:
    """``team``: the others of the team together; None where they are too few to be shown."""

    starts: date
    own: ScoreTotals
    team: ScoreTotals | None


@dataclass(frozen=True, slots=True)
class RuleFaults:
    """``team``: as for scores, in the same weeks as ``lately``."""

    rule: str
    lately: FaultTotals
    before: FaultTotals
    team: FaultTotals | None


@dataclass(frozen=True, slots=True)
class AgentPage:
    """``peers``: others of the team with calls lately. ``waiting``: days of agents yet to be counted.
    ``coaching``: that is open, of what who asks may see."""

    agent: Agent
    today: date
    months: tuple[MonthOfScores, ...]
    before_since: date
    lately_since: date
    rules: tuple[RuleFaults, ...]
    peers: int
    min_calls: int
    waiting: int
    coaching: tuple[CoachingAction, ...] = ()


class AgentPages:
    """Args:
    units: for transactions that write nothing.
    figures: by which a day is today, and calls are enough.
    min_peers: so many others make a team that an agent sees.
    """

    def __init__(self, *, units: UnitOfWorkFactory, figures: Figures, min_peers: int = 3) -> None:
        self._units = units
        self._figures = figures
        self._min_peers = min_peers

    def page(self, who: Principal, agent_id: str, *, months: int) -> AgentPage:
        """Raises NotFoundError ``agent_not_found``."""
        today = self._figures.today()
        until, starts = today + timedelta(days=1), _months(today, months)
        lately, before = today - LATELY, today - LATELY - BEFORE
        with self._units() as unit:
            agent = unit.directory.agent(agent_id, who.scope)
            figures, own = unit.figures, FigureFilter(starts[0], until, agents=frozenset({agent_id}))
            by_month = figures.scores(own, who.scope, period=Period.MONTH)
            recent = figures.faults(replace(own, since=lately), who.scope)
            past = figures.faults(replace(own, since=before, until=lately), who.scope)
            others = _Others(figures, agent, self._min_peers, who.scope)
            team_months = others.scores(starts, until)
            peers, team_rules = others.faults(lately, until)
            waiting = figures.waiting(min(starts[0], before), until)
            coaching = _open_coaching(unit, who, agent_id)
        mine = {line.starts: line.totals for line in by_month}
        return AgentPage(
            agent=agent,
            today=today,
            months=tuple(
                MonthOfScores(start, mine.get(start, NO_SCORES), team_months.get(start)) for start in starts
            ),
            before_since=before,
            lately_since=lately,
            rules=_rules(
                {line.rule: line.totals for line in recent},
                {line.rule: line.totals for line in past},
                team_rules,
            ),
            peers=peers,
            min_calls=self._figures.min_calls,
            waiting=waiting,
            coaching=coaching,
        )


def _open_coaching(unit: UnitOfWork, who: Principal, agent_id: str) -> tuple[CoachingAction, ...]:
    own = who.scope.agent_id is not None
    if not who.may(Permission.COACHING_OWN if own else Permission.COACHING_READ):
        return ()
    states = frozenset(state for state in ActionState if state.is_open and (not own or state in SEEN_BY_AGENT))
    wanted = ActionFilter(states=states, agent_id=agent_id)
    return tuple(unit.coaching.page(wanted, who.scope, after=None, limit=MOST_ACTIONS))


class _Others:
    """The rest of an agent's team, as far as who asks may see it."""

    def __init__(self, figures: FigureRepository, agent: Agent, min_peers: int, scope: Scope) -> None:
        self._figures = figures
        self._agent = agent
        # Who reaches no call of others may know what they do together.
        self._scope = EVERYTHING if scope.agent_id is not None else scope
        self._least = min_peers if scope.agent_id is not None else 1

    def scores(self, starts: Sequence[date], until: date) -> dict[date, ScoreTotals]:
        if self._agent.team is None:
            return {}
        found: dict[date, ScoreTotals] = {}
        lines = self._figures.scores(
            self._wanted(starts[0], until), self._scope, by=(Grouping.AGENT,), period=Period.MONTH
        )
        others = [line for line in lines if self._is_other(line.keys[0]) and line.totals.scored]
        for start in starts:
            then = [line.totals for line in others if line.starts == start]
            if len(then) >= self._least:
                found[start] = sum(then, NO_SCORES)
        return found

    def faults(self, since: date, until: date) -> tuple[int, dict[str, FaultTotals] | None]:
        """How many others there are, and what each rule found in their calls."""
        if self._agent.team is None:
            return 0, None
        lines = self._figures.faults(self._wanted(since, until), self._scope, by=(Grouping.AGENT,))
        others = [line for line in lines if self._is_other(line.keys[0])]
        by_rule: dict[str, list[FaultTotals]] = {}
        for line in others:
            by_rule.setdefault(line.rule, []).append(line.totals)
        # Of each rule so many: one that applies to a single colleague's calls tells of that one.
        told = {rule: sum(totals, NO_FAULTS) for rule, totals in by_rule.items() if len(totals) >= self._least}
        return len({line.keys[0] for line in others}), told

    def _wanted(self, since: date, until: date) -> FigureFilter:
        return FigureFilter(since, until, teams=frozenset({self._agent.team or ""}))

    def _is_other(self, agent_id: str | None) -> bool:
        return agent_id is not None and agent_id != self._agent.agent_id


def _rules(
    lately: dict[str, FaultTotals], before: dict[str, FaultTotals], team: dict[str, FaultTotals] | None
) -> tuple[RuleFaults, ...]:
    known: Collection[str] = lately.keys() | before.keys()
    rules: Iterable[RuleFaults] = (
        RuleFaults(
            rule,
            lately.get(rule, NO_FAULTS),
            before.get(rule, NO_FAULTS),
            None if team is None else team.get(rule),
        )
        for rule in known
    )
    return tuple(sorted(rules, key=lambda each: (-each.lately.faults, -each.before.faults, each.rule)))


def _months(today: date, count: int) -> list[date]:
    """First days of the last months, this one included; the oldest first."""
    last = today.year * 12 + today.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(last - count + 1, last + 1)]
