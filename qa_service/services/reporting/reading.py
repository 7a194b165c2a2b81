"""The figures that the reports of one span share: each is read once, whoever asks for it first.

Guarantee: a few queries, however many agents, teams and reports there are; everything within one scope.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Final, TypeVar

from qa_service.domain.access import EVERYTHING, Scope
from qa_service.domain.causes import CausePolicy, Causes
from qa_service.domain.figures import (
    NO_SCORES,
    FaultLine,
    FaultTotals,
    FigureFilter,
    Grouping,
    Keys,
    Period,
    ScoreLine,
    ScoreTotals,
)
from qa_service.domain.reporting.periods import Span, day_of, month_of, week_of
from qa_service.ports import UnitOfWork
from qa_service.statistics.causes import find_causes
from qa_service.statistics.trends import find_team_trends

BY: Final = (Grouping.AGENT, Grouping.TEAM, Grouping.VENDOR)
_CAUSES: Final = CausePolicy()
_NAMES_AT_ONCE: Final = 1_000
_DAYS_SHOWN: Final = 14
_WEEKS_SHOWN_DAYS: Final = 100


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose calls: of one agent, team or vendor; nothing set: all of the scope."""

    by: Grouping | None = None
    name: str = ""

    def has(self, keys: Sequence[str | None]) -> bool:
        return self.by is None or keys[BY.index(self.by)] == self.name


EVERYBODY: Final = Subject()


@dataclass(frozen=True, slots=True)
class Line:
    """Scores of one agent, team and vendor in a step of the time; ``days``: on how many days there were calls."""

    keys: Keys
    starts: date
    totals: ScoreTotals
    days: int


class Reading:
    """Figures of ``span`` and of what it is compared with.

    Args:
        unit: an open transaction.
        scope: outside of it nothing counts.
        queues: only calls of these; None: of all.
        causes: what it takes to name somebody.
    """

    def __init__(
        self,
        unit: UnitOfWork,
        scope: Scope,
        span: Span,
        *,
        queues: frozenset[str] | None = None,
        causes: CausePolicy = _CAUSES,
    ) -> None:
        self.unit, self.scope, self.span = unit, scope, span
        self._queues = queues
        self._causes = causes

    def scores(self, subject: Subject = EVERYBODY) -> Sequence[Line]:
        """In the steps of the span."""
        return _of(self._score_index, subject)

    def scores_before(self, subject: Subject = EVERYBODY) -> Sequence[Line]:
        return _of(self._before_index, subject)

    def months(self, subject: Subject = EVERYBODY) -> Sequence[Line]:
        """Over the history."""
        return _of(self._month_index, subject)

    def faults(self, subject: Subject = EVERYBODY) -> Mapping[str, FaultTotals]:
        """By rule."""
        return self._fault_totals if subject.by is None else by_rule(_of(self._fault_index, subject))

    def faults_before(self, subject: Subject = EVERYBODY) -> Mapping[str, FaultTotals]:
        return self._fault_totals_before if subject.by is None else by_rule(_of(self._fault_index_before, subject))

    def fault_lines(self, subject: Subject = EVERYBODY) -> Sequence[FaultLine]:
        """By agent, team, vendor and rule."""
        return _of(self._fault_index, subject)

    @cached_property
    def _score_index(self) -> "_Index[Line]":
        return _index(self._steps_of(self.span, steps(self.span)[1]))

    @cached_property
    def _before_index(self) -> "_Index[Line]":
        return _index(self._steps_of(self.span.before, lambda _: self.span.before.since))

    def _steps_of(self, span: Span, of: Callable[[date], date]) -> list[Line]:
        lines = self.unit.figures.scores(self._filter(span), self.scope, by=BY, period=Period.DAY)
        added: dict[tuple[Keys, date], list[ScoreLine]] = defaultdict(list)
        for line in lines:
            added[line.keys, of(line.starts)].append(line)
        return [
            Line(keys, starts, total(each), sum(1 for one in each if one.totals.calls))
            for (keys, starts), each in added.items()
        ]

    @cached_property
    def _month_index(self) -> "_Index[Line]":
        wanted = self._filter(self.span.history)
        lines = self.unit.figures.scores(wanted, self.scope, by=BY, period=Period.MONTH)
        return _index([Line(line.keys, line.starts, line.totals, 0) for line in lines])

    @cached_property
    def _fault_index(self) -> "_Index[FaultLine]":
        return _index(self.unit.figures.faults(self._filter(self.span), self.scope, by=BY))

    @cached_property
    def _fault_index_before(self) -> "_Index[FaultLine]":
        return _index(self.unit.figures.faults(self._filter(self.span.before), self.scope, by=BY))

    @cached_property
    def _fault_totals(self) -> Mapping[str, FaultTotals]:
        return by_rule(self.unit.figures.faults(self._filter(self.span), self.scope))

    @cached_property
    def _fault_totals_before(self) -> Mapping[str, FaultTotals]:
        return by_rule(self.unit.figures.faults(self._filter(self.span.before), self.scope))

    def _filter(self, span: Span) -> FigureFilter:
        return FigureFilter(span.since, span.until, queues=self._queues)

    def members(self, grouping: Grouping, within: Subject = EVERYBODY) -> tuple[str, ...]:
        """The agents, teams or vendors that had calls in the span, by name."""
        at = BY.index(grouping)
        return tuple(sorted({key for line in self.scores(within) if (key := line.keys[at]) is not None}))

    def team_of(self, agent_id: str) -> str | None:
        """The team of most of an agent's calls in the span; of none where nobody told one."""
        calls: dict[str, int] = defaultdict(int)
        for line in self.scores(Subject(Grouping.AGENT, agent_id)):
            if line.keys[1] is not None:
                calls[line.keys[1]] += line.totals.calls
        return max(sorted(calls), key=lambda team: calls[team], default=None)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Agents' names by number."""
        names: dict[str, str] = {}
        after: str | None = None
        while True:
            agents = self.unit.directory.agents(self.scope, after=after, limit=_NAMES_AT_ONCE)
            names.update((agent.agent_id, agent.name) for agent in agents if agent.name)
            if len(agents) < _NAMES_AT_ONCE:
                return names
            after = agents[-1].agent_id

    @cached_property
    def causes(self) -> Causes | None:
        """Who stands out and which teams changed, of all agents and rules of the site, whoever asks: against fewer
        others nobody can be judged. None where the statistics are not installed."""
        wanted = FigureFilter(self.span.since, self.span.until)
        by = (Grouping.TEAM, Grouping.AGENT)
        lines = self.unit.figures.faults(wanted, EVERYTHING, by=by, period=Period.WEEK)
        try:
            found = find_causes(lines, policy=self._causes)
            return replace(found, teams=find_team_trends(lines, policy=self._causes))
        except ModuleNotFoundError:  # NumPy and SciPy are of an extra
            return None

    @cached_property
    def waiting(self) -> int:
        """Days of agents that changed and are not counted yet."""
        return self.unit.figures.waiting(self.span.since, self.span.until)


L = TypeVar("L", Line, FaultLine)
_Index = Mapping[Subject, Sequence[L]]


def _index(lines: Sequence[L]) -> "_Index[L]":
    """Lines by whose they are: each stands under its agent, its team, its vendor and everybody."""
    index: dict[Subject, list[L]] = defaultdict(list)
    for line in lines:
        index[EVERYBODY].append(line)
        for by, name in zip(BY, line.keys, strict=True):
            if name is not None:
                index[Subject(by, name)].append(line)
    return index


def _of(index: "_Index[L]", subject: Subject) -> Sequence[L]:
    return index.get(subject, ())


def total(lines: Iterable[Line | ScoreLine]) -> ScoreTotals:
    return sum((line.totals for line in lines), NO_SCORES)


def by_rule(lines: Iterable[FaultLine]) -> Mapping[str, FaultTotals]:
    totals: dict[str, FaultTotals] = {}
    for line in lines:
        known = totals.get(line.rule)
        totals[line.rule] = line.totals if known is None else known + line.totals
    return totals


def agent_days(lines: Iterable[Line]) -> int:
    """On how many days agents had calls, added up over them."""
    return sum(line.days for line in lines)


def steps(span: Span) -> tuple[tuple[date, ...], Callable[[date], date]]:
    """What a trend within ``span`` goes by, as there is room: days, weeks or months, each by its first day; and
    the step that a day belongs to."""
    of = day_of if span.days <= _DAYS_SHOWN else week_of if span.days <= _WEEKS_SHOWN_DAYS else month_of
    starts, step = [], of(span.since)
    while step.since < span.until:
        starts.append(step.since)
        step = of(step.until)
    return tuple(starts), lambda day: of(day).since


def in_steps(lines: Iterable[Line], of: Callable[[date], date]) -> Mapping[date, ScoreTotals]:
    grouped: dict[date, ScoreTotals] = defaultdict(lambda: NO_SCORES)
    for line in lines:
        grouped[of(line.starts)] += line.totals
    return grouped
