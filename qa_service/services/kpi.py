"""KPIs of agents' months: as figures stand, and as they were when a month was closed.

Guarantee: a closed month is what it was when it was closed, whatever weights, targets, scores and figures become;
what is corrected later is closed again under a new number, and the old ones stay. An agent's KPI is of all of the
agent's calls, whoever asks; who may not reach the agent gets nothing of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import Any, Final

from qa_service.domain.access import EVERYTHING, Principal, Role, Scope
from qa_service.domain.figures import FigureFilter, Grouping, Period, ScoreTotals
from qa_service.domain.imported_figures import ImportedFigure
from qa_service.domain.imports import ImportKind
from qa_service.domain.kpi import (
    Appraiser,
    Given,
    KpiPolicy,
    MonthFigures,
    Part,
    Tier,
    TierShare,
    YearKpi,
    distribution,
    kpi,
    year,
)
from qa_service.domain.working_days import WorkCalendar
from qa_service.errors import ConflictError, InputError, PermissionDeniedError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.directory import Agent
from qa_service.ports.kpi import AgentKpi, Appraisal, Closing
from qa_service.ports.people import Origin

MONTHS_OF_A_YEAR: Final = 6
"""So many months need a KPI before their year has one."""

CUSTOMER_FIGURE: Final = "customer_appraisal"
MIN_SHIFT_S: Final = 1800.0
_AGENTS_AT_ONCE: Final = 1_000
_FIRST_YEAR, _LAST_YEAR = 1990, 2100


@dataclass(frozen=True, slots=True)
class KpiMonth:
    """A month. ``closing``: None: it is open, and changes with what comes in. ``waiting``: days of agents whose
    scores changed and are not counted again yet."""

    month: date
    closing: Closing | None
    results: tuple[AgentKpi, ...]
    tiers: tuple[TierShare, ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class AgentYear:
    agent_id: str
    months: tuple[tuple[AgentKpi, bool], ...]
    """Each with whether it is closed."""

    year: YearKpi


class Kpis:
    """
    Args:
        units: where all of it is stored.
        units_to_read: the same, for reading only.
        clock: which months are over.
        zone: the site's.
        calendar: days at work of agents whose shifts nobody tells.
        policy: weights, targets, tiers and bonuses, for months that are open.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        zone: tzinfo,
        calendar: WorkCalendar,
        policy: KpiPolicy,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._zone = zone
        self._calendar = calendar
        self.policy = policy

    def month(self, scope: Scope, month: date, *, team: str | None = None, number: int | None = None) -> KpiMonth:
        """A month as it was closed last, or as it stands; ``number``: as it was closed then.

        Raises:
            InputError: ``month_invalid``, ``kpi_closing_unknown``.
        """
        _check(month)
        with self._units_to_read() as unit:
            closing = _closing(unit.kpi.closings(month), number)
            if closing is not None:
                results = tuple(unit.kpi.results(closing.id, scope, team=team))
                aims: Mapping[Tier, float] = {
                    Tier(name): float(aim) for name, aim in closing.policy["distribution"].items()
                }
                waiting = 0
            else:
                agents = _agents(unit, scope, team)
                results = self._reckon(unit, month, agents)
                aims = self.policy.distribution
                waiting = unit.figures.waiting(month, next_month(month))
        return KpiMonth(month, closing, results, distribution((each.kpi for each in results), aims), waiting)

    def agent(self, scope: Scope, agent_id: str, of_year: int) -> AgentYear:
        """The months of an agent's year that have begun, and the year.

        Raises:
            NotFoundError: ``agent_not_found``.
        """
        today = self._clock.now().astimezone(self._zone).date()
        found: list[tuple[AgentKpi, bool]] = []
        with self._units_to_read() as unit:
            agent = unit.directory.agent(agent_id, scope)
            for number in range(1, 13):
                month = date(of_year, number, 1)
                if month > today:
                    break
                closing = _closing(unit.kpi.closings(month), None)
                if closing is not None:
                    # In scope as the agent is now: one who moved takes the past along.
                    kept = unit.kpi.results(closing.id, EVERYTHING, agent_id=agent_id)
                    found += [(each, True) for each in kept]
                else:
                    found += [(each, False) for each in self._reckon(unit, month, [agent])]
        return AgentYear(agent_id, tuple(found), year([each.kpi for each, _ in found], least=MONTHS_OF_A_YEAR))

    def closings(self, month: date) -> Sequence[Closing]:
        """The newest first. Raises InputError ``month_invalid``."""
        _check(month)
        with self._units_to_read() as unit:
            return unit.kpi.closings(month)

    def close(self, who: Principal, month: date, *, note: str, version: int | None, origin: Origin) -> Closing:
        """Freeze a month that is over. ``version``: how often it was closed before, as was seen.

        Raises:
            InputError: ``month_invalid``, ``period_not_over``, ``reason_missing``.
            ConflictError: ``stale_version``, ``figures_waiting``.
            PermissionDeniedError: ``outside_scope``.
        """
        _check(month)
        if not who.scope.is_everything:
            raise PermissionDeniedError(
                "outside_scope", "a month is closed for everybody: ask somebody whose account reaches all"
            )
        if next_month(month) > self._clock.now().astimezone(self._zone).date():
            raise InputError("period_not_over", "the month is not over: close it when it is")
        with self._units() as unit:
            before = unit.kpi.closings(month)
            number = before[0].number if before else 0
            if version is not None and version != number:
                raise ConflictError("stale_version", "somebody else closed this month meanwhile: read it again")
            if before and not note.strip():
                raise InputError("reason_missing", "a month that was closed before is corrected: say why")
            if waiting := unit.figures.waiting(month, next_month(month)):
                raise ConflictError(
                    "figures_waiting",
                    f"scores of {waiting} days of agents changed and are not counted yet: "
                    "wait for the workers, or run qa figures recount",
                )
            results = self._reckon(unit, month, _agents(unit, EVERYTHING, None))
            closing = unit.kpi.close(
                month,
                number + 1,
                results,
                note=note,
                policy=_document(self.policy),
                user_id=who.user_id,
                by=who.name,
            )
            detail = {"number": closing.number, "agents": len(results)}
            unit.audit.record(who, "kpi.close", "kpi_month", month.isoformat()[:7], detail, origin=origin)
            unit.commit()
        return closing

    def appraise(
        self,
        who: Principal,
        agent_id: str,
        month: date,
        appraiser: Appraiser,
        *,
        points: float,
        note: str,
        origin: Origin,
    ) -> Appraisal:
        """Agents appraise themselves, others those they reach; what was said before stays, and the last one holds.

        Raises:
            NotFoundError: ``agent_not_found``.
            InputError: ``month_invalid``.
            PermissionDeniedError: ``appraiser_invalid``.
            ConflictError: ``kpi_month_closed``.
        """
        _check(month)
        own = who.scope.agent_id is not None
        with self._units() as unit:
            unit.directory.agent(agent_id, who.scope, alone=True)
            if own is not (appraiser is Appraiser.SELF) or appraiser is Appraiser.CUSTOMER:
                raise PermissionDeniedError(
                    "appraiser_invalid",
                    "agents appraise themselves, superiors their agents, and customers by import: choose yours",
                )
            if not own and Role.AGENT in who.roles:
                raise PermissionDeniedError("appraiser_invalid", "an agent appraises nobody else: choose self")
            if unit.kpi.closings(month):
                raise ConflictError("kpi_month_closed", "the month is closed: ask who closes it again")
            made = unit.kpi.appraise(
                agent_id, month, appraiser, points=points, note=note, user_id=who.user_id, by=who.name
            )
            detail = {"month": month.isoformat()[:7], "appraiser": appraiser.value}
            unit.audit.record(who, "appraisal.give", "agent", agent_id, detail, origin=origin)
            unit.commit()
        return made

    def appraisals(self, who: Principal, agent_id: str, month: date) -> Sequence[Appraisal]:
        """All that were given. Raises NotFoundError ``agent_not_found``, InputError ``month_invalid``."""
        _check(month)
        with self._units_to_read() as unit:
            unit.directory.agent(agent_id, who.scope)
            return unit.kpi.appraisals(month, [agent_id])

    def _reckon(self, unit: UnitOfWork, month: date, agents: Sequence[Agent]) -> tuple[AgentKpi, ...]:
        """Of those who have calls or figures in the month."""
        names = frozenset(agent.agent_id for agent in agents)
        if not names:
            return ()
        until = next_month(month)
        scores = {
            line.keys[0]: line.totals
            for line in unit.figures.scores(
                FigureFilter(month, until, agents=names), EVERYTHING, by=(Grouping.AGENT,)
            )
        }
        imported: dict[str, list[ImportedFigure]] = defaultdict(list)
        for figure in unit.imported_figures.of(ImportKind.KPI_FIGURES, since=month, until=until, subjects=names):
            imported[figure.subject].append(figure)
        appraised: dict[str, dict[Appraiser, float]] = defaultdict(dict)
        for each in unit.kpi.appraisals(month, names):
            appraised[each.agent_id][each.appraiser] = each.points
        worked = self._worked(unit, month, until, names)
        usual = sum(self._calendar.works(month + timedelta(days=n)) for n in range((until - month).days))
        found = []
        for agent in agents:
            name = agent.agent_id
            if name not in scores and name not in imported:
                continue
            known = _known(
                scores.get(name, ScoreTotals()), imported[name], appraised[name], worked.get(name) or usual
            )
            found.append(AgentKpi(name, agent.owner, month, kpi(known, self.policy)))
        return tuple(found)

    def _worked(self, unit: UnitOfWork, since: date, until: date, names: frozenset[str]) -> Mapping[str, int]:
        """Days at work, of agents whose states are brought in: those with a shift, and those with calls that the
        states do not reach, where only a part of the month was brought in."""
        days: dict[str, int] = defaultdict(int)
        told: set[tuple[str, date]] = set()
        few = names if len(names) == 1 else None
        for line in unit.agent_states.times(since, until, EVERYTHING, agents=few):
            if line.agent_id not in names:
                continue
            told.add((line.agent_id, line.day))
            if line.times.shift_s >= MIN_SHIFT_S:
                days[line.agent_id] += 1
        if days:
            wanted = FigureFilter(since, until, agents=frozenset(days))
            for calls in unit.figures.scores(wanted, EVERYTHING, by=(Grouping.AGENT,), period=Period.DAY):
                (agent,) = calls.keys
                if agent is not None and (agent, calls.starts) not in told:
                    days[agent] += 1
        return days


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _check(month: date) -> None:
    if month.day != 1 or not _FIRST_YEAR <= month.year < _LAST_YEAR:
        raise InputError("month_invalid", "that is no month of our time: write 2026-10")


def _closing(closings: Sequence[Closing], number: int | None) -> Closing | None:
    if number is None:
        return closings[0] if closings else None
    found = next((each for each in closings if each.number == number), None)
    if found is None:
        raise InputError("kpi_closing_unknown", f"the month was not closed {number} times: list its closings")
    return found


def _agents(unit: UnitOfWork, scope: Scope, team: str | None) -> list[Agent]:
    found: list[Agent] = []
    while page := unit.directory.agents(
        scope, after=found[-1].agent_id if found else None, limit=_AGENTS_AT_ONCE, team=team
    ):
        found += page
    return found


def _known(
    scores: ScoreTotals,
    imported: Sequence[ImportedFigure],
    appraisals: Mapping[Appraiser, float],
    days: int,
) -> MonthFigures:
    parts = {part.value: part for part in Part}
    given = {parts[each.name]: Given(each.value, each.size) for each in imported if each.name in parts}
    customers = [(Appraiser.CUSTOMER, each.value) for each in imported if each.name == CUSTOMER_FIGURE]
    return MonthFigures(scores, given, {**appraisals, **dict(customers)}, days)


def _document(policy: KpiPolicy) -> dict[str, Any]:
    return {
        "weights": {part.value: weight for part, weight in policy.weights.items()},
        "targets": {part.value: target for part, target in policy.targets.items()},
        "appraisers": {who.value: weight for who, weight in policy.appraisers.items()},
        "min_calls": policy.min_calls,
        "min_coverage": policy.min_coverage,
        "certainty": policy.certainty,
        "distribution": {tier.value: wanted for tier, wanted in policy.distribution.items()},
        "bonuses": {tier.value: list(ends) for tier, ends in policy.bonuses.items()},
    }
