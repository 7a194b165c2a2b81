"""Floor control: figures of shifts by agent, team, vendor and day, charts of them, and what calls for somebody.

Guarantee: an alert says whether a special cause is at work, or how the work is set up, and what to do; nothing is
told of too few days, agents or points. What is outside the scope of who asks is not there.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from qa_service.domain.access import Scope
from qa_service.domain.causes import Cause
from qa_service.domain.control_charts import Advice, Alarm, Chart, ChartPolicy, RunTest
from qa_service.domain.floor import (
    MEASURES,
    FloorFigure,
    FloorMeasure,
    FloorPolicy,
    Spread,
    Standing,
    figure,
    parts,
    spread,
    value_of,
)
from qa_service.domain.proportions import Interval
from qa_service.domain.state_times import NO_TIMES, StateTimes
from qa_service.errors import InputError
from qa_service.ports import Clock, UnitOfWorkFactory
from qa_service.ports.imports import StateLine
from qa_service.statistics.control_charts import individuals, proportions, rates

USUAL_DAYS: Final = 28
CHART_DAYS: Final = 60
RECENT_DAYS: Final = 7
MOST_DAYS: Final = 366
MIN_TEAMS: Final = 3
"""Under so many nothing is said of how teams differ."""

CHARTED: Final = (
    FloorMeasure.AHT,
    FloorMeasure.UTILISATION,
    FloorMeasure.BREAK_RATE,
    FloorMeasure.CALLS_PER_HOUR,
)


class FloorGrouping(StrEnum):
    AGENT = "agent"
    TEAM = "team"
    VENDOR = "vendor"
    SITE = "site"


class FloorPeriod(StrEnum):
    DAY = "day"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class FloorFilter:
    """Shifts of the days ``[since, until)`` for which all that is set holds; ``peak``: in peak hours alone."""

    since: date
    until: date
    team: str | None = None
    vendor: str | None = None
    agent_id: str | None = None
    peak: bool = False


@dataclass(frozen=True, slots=True)
class FloorLine:
    """What shifts of ``key`` add up to; ``starts``: the day, or the first one. ``team``: of an agent."""

    key: str | None
    team: str | None
    starts: date
    times: StateTimes
    figures: tuple[FloorFigure, ...]


@dataclass(frozen=True, slots=True)
class TeamSpread:
    """How the agents of a team differ."""

    team: str | None
    breaks: Spread
    handling: Spread


@dataclass(frozen=True, slots=True)
class Teams:
    """Teams beside each other; ``between``: how their handling times differ, each over all of its agents."""

    teams: tuple[TeamSpread, ...]
    between: Spread


@dataclass(frozen=True, slots=True)
class FloorChart:
    """A chart, a point a day."""

    measure: FloorMeasure
    team: str | None
    days: tuple[date, ...]
    chart: Chart


@dataclass(frozen=True, slots=True)
class FloorAlert:
    """Something that calls for somebody. ``test``: of a run test its name, else ``target`` or ``spread``."""

    team: str | None
    measure: FloorMeasure
    cause: Cause
    advice: Advice
    test: str
    since: date
    until: date
    above: bool | None
    value: float | None
    target: Interval | None


class Floor:
    """
    Args:
        units_to_read: where shifts are stored.
        clock: what day it is.
        zone: the site's.
        policy: targets and peaks.
    """

    def __init__(
        self, *, units_to_read: UnitOfWorkFactory, clock: Clock, zone: tzinfo, policy: FloorPolicy
    ) -> None:
        self._units_to_read = units_to_read
        self._clock = clock
        self._zone = zone
        self.policy = policy

    def span(self, since: date | None, until: date | None, *, days: int = USUAL_DAYS) -> tuple[date, date]:
        """What is asked for: without ``until`` up to and with yesterday, whose shifts are over.

        Raises:
            InputError: ``date_invalid``.
        """
        until = until or self._clock.now().astimezone(self._zone).date()
        if since is None:
            since = until - timedelta(days=min(days, (until - date.min).days))
        if not 0 < (until - since).days <= MOST_DAYS:
            raise InputError(
                "date_invalid", f"no day, or more than {MOST_DAYS}, lie between `since` and `until`: correct them"
            )
        return since, until

    def lines(
        self, scope: Scope, wanted: FloorFilter, *, by: FloorGrouping, period: FloorPeriod = FloorPeriod.WHOLE
    ) -> tuple[FloorLine, ...]:
        """By key and day."""
        groups: dict[tuple[str | None, str | None, date], list[StateTimes]] = {}
        for line in self._read(scope, wanted):
            key, team = _key(line, by)
            starts = line.day if period is FloorPeriod.DAY else wanted.since
            groups.setdefault((key, team, starts), []).append(line.times)
        return tuple(
            FloorLine(
                *key,
                sum(days, NO_TIMES),
                tuple(figure(measure, days, self.policy) for measure in MEASURES),
            )
            for key, days in sorted(
                groups.items(), key=lambda item: (item[0][0] or "", item[0][1] or "", item[0][2])
            )
        )

    def teams(self, scope: Scope, wanted: FloorFilter) -> Teams:
        """How agents differ in each team, and how teams do."""
        lines = self._read(scope, wanted)
        by_team: dict[str | None, list[StateTimes]] = {}
        for line in lines:
            by_team.setdefault(line.team, []).append(line.times)
        fewer = replace(self.policy, min_agents=MIN_TEAMS)
        return Teams(self._spreads(lines), spread(FloorMeasure.AHT, list(by_team.values()), fewer))

    def _spreads(self, lines: Collection[StateLine]) -> tuple[TeamSpread, ...]:
        teams: dict[str | None, dict[str, list[StateTimes]]] = {}
        for line in lines:
            teams.setdefault(line.team, {}).setdefault(line.agent_id, []).append(line.times)
        return tuple(
            TeamSpread(
                team,
                spread(FloorMeasure.BREAK_RATE, list(agents.values()), self.policy),
                spread(FloorMeasure.AHT, list(agents.values()), self.policy),
            )
            for team, agents in sorted(teams.items(), key=lambda item: item[0] or "")
        )

    def chart(self, scope: Scope, wanted: FloorFilter, measure: FloorMeasure) -> FloorChart:
        """Of everybody who is asked for, a point a day."""
        return self._chart(self._read(scope, wanted), wanted, measure, wanted.team)

    def _chart(
        self, lines: Collection[StateLine], wanted: FloorFilter, measure: FloorMeasure, team: str | None
    ) -> FloorChart:
        days = tuple(wanted.since + timedelta(days=n) for n in range((wanted.until - wanted.since).days))
        sums = dict.fromkeys(days, NO_TIMES)
        for line in lines:
            if line.times.shift_s >= self.policy.min_shift_s:
                sums[line.day] += line.times
        times = [sums[day] for day in days]
        policy = ChartPolicy(target=self.policy.target(measure))
        if measure is FloorMeasure.BREAK_RATE:
            minutes = [tuple(round(part / 60) for part in parts(measure, each)) for each in times]
            chart = proportions([n for n, _ in minutes], [of for _, of in minutes], policy=policy)
        elif measure is FloorMeasure.CALLS_PER_HOUR:
            chart = rates([each.calls for each in times], [each.shift_s / 3600 for each in times], policy=policy)
        else:
            chart = individuals([value_of(measure, each) for each in times], policy=policy)
        return FloorChart(measure, team, days, chart)

    def alerts(self, scope: Scope, *, until: date | None = None, peak: bool = False) -> tuple[FloorAlert, ...]:
        """What of the last week calls for somebody, by team: alarms of charts, and figures off their targets."""
        since, until = self.span(None, until, days=CHART_DAYS)
        wanted = FloorFilter(since, until, peak=peak)
        lines = self._read(scope, wanted)
        recent = max(since, until - timedelta(days=min(RECENT_DAYS, (until - date.min).days)))
        found: list[FloorAlert] = []
        for team in sorted({line.team for line in lines}, key=lambda team: team or ""):
            of_team = [line for line in lines if line.team == team]
            named = replace(wanted, team=team)
            for measure in CHARTED:
                drawn = self._chart(of_team, named, measure, team)
                found += [
                    self._alarm(drawn, alarm)
                    for alarm in drawn.chart.alarms
                    if drawn.days[alarm.points[-1]] >= recent and _calls_for_somebody(alarm)
                ]
            of_week = [line for line in of_team if line.day >= recent]
            found += self._off_target(team, of_week, recent, until, found)
        return tuple(found)

    def _alarm(self, drawn: FloorChart, alarm: Alarm) -> FloorAlert:
        first, last = drawn.days[alarm.points[0]], drawn.days[alarm.points[-1]]
        return FloorAlert(
            drawn.team,
            drawn.measure,
            alarm.cause,
            alarm.advice,
            alarm.test.value,
            first,
            last + timedelta(days=1),
            alarm.above,
            drawn.chart.points[alarm.points[-1]].value,
            self.policy.target(drawn.measure),
        )

    def _off_target(
        self,
        team: str | None,
        lines: Sequence[StateLine],
        since: date,
        until: date,
        known: Sequence[FloorAlert],
    ) -> list[FloorAlert]:
        """What no chart told: a figure of the week that is off, and agents who differ too much."""
        told = {alert.measure for alert in known if alert.team == team}
        found = []
        for measure in (FloorMeasure.UTILISATION, FloorMeasure.BREAK_RATE, FloorMeasure.OFF_CALLS):
            now = figure(measure, [line.times for line in lines], self.policy)
            if measure not in told and now.standing in (Standing.BELOW, Standing.ABOVE):
                found.append(self._common(team, measure, "target", since, until, now.standing, now.value))
        for each in self._spreads(lines):
            if each.breaks.standing is Standing.ABOVE:
                above = each.breaks.standing
                found.append(
                    self._common(team, FloorMeasure.BREAK_RATE, "spread", since, until, above, each.breaks.cv)
                )
        return found

    def _common(
        self,
        team: str | None,
        measure: FloorMeasure,
        test: str,
        since: date,
        until: date,
        standing: Standing,
        value: float | None,
    ) -> FloorAlert:
        target = Interval(0.0, self.policy.break_cv) if test == "spread" else self.policy.target(measure)
        return FloorAlert(
            team,
            measure,
            Cause.COMMON,
            Advice.CHANGE_SYSTEM,
            test,
            since,
            until,
            standing is Standing.ABOVE,
            value,
            target,
        )

    def _read(self, scope: Scope, wanted: FloorFilter) -> Sequence[StateLine]:
        with self._units_to_read() as unit:
            return unit.agent_states.times(
                wanted.since,
                wanted.until,
                scope,
                teams=_one(wanted.team),
                vendors=_one(wanted.vendor),
                agents=_one(wanted.agent_id),
                half_hours=self.policy.peak_half_hours() if wanted.peak else None,
            )


def _calls_for_somebody(alarm: Alarm) -> bool:
    """A run that chance makes often is on the chart alone. So is a centre off its target: chance puts it there
    where the work is near the edge, and ``_off_target`` asks for the interval."""
    return alarm.advice is not Advice.WATCH and alarm.test is not RunTest.OFF_TARGET


def _one(name: str | None) -> tuple[str, ...] | None:
    return None if name is None else (name,)


def _key(line: StateLine, by: FloorGrouping) -> tuple[str | None, str | None]:
    if by is FloorGrouping.AGENT:
        return line.agent_id, line.team
    if by is FloorGrouping.TEAM:
        return line.team, line.team
    return (line.vendor if by is FloorGrouping.VENDOR else None), None
