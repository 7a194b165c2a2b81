"""Figures by whom and when, summed up from the days of agents.

Guarantee: no call outside the scope is in any sum, whatever is asked for.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Date, RowMapping, case, cast, func, select
from sqlalchemy.orm import Session

from qa_service.db.rows import AgentDayRow, BehaviourDayRow
from qa_service.db.scopes import within
from qa_service.domain.access import Scope
from qa_service.domain.figures import (
    DaySums,
    FaultLine,
    FaultTotals,
    FigureFilter,
    Grouping,
    Keys,
    Period,
    ScoreLine,
    ScoreTotals,
)

_Row = type[AgentDayRow] | type[BehaviourDayRow]
_COLUMN: Final = {
    Grouping.AGENT: "agent_id",
    Grouping.TEAM: "team",
    Grouping.VENDOR: "vendor",
    Grouping.QUEUE: "queue",
}
_STARTS: Final = "starts"


def scores(
    session: Session, wanted: FigureFilter, scope: Scope, *, by: Sequence[Grouping], period: Period
) -> Sequence[ScoreLine]:
    """See ``FigureRepository.scores``."""
    row = AgentDayRow
    groups = _groups(session, row, by, period)
    names = ("calls", "scored", "points", "squares", "fatal", "duration_s")
    # First by agent and day: these are what the interval of a mean is reckoned from.
    days = (
        select(*groups, *(func.sum(getattr(row, name)).label(name) for name in names))
        .where(*_where(row, wanted, scope))
        .group_by(*groups, row.agent_id, row.day)
        .subquery()
    )
    points, scored = days.c.points, days.c.scored
    keys = [days.c[group.name] for group in groups]
    lines = session.execute(
        select(
            *keys,
            *(func.sum(days.c[name]).label(name) for name in names),
            func.sum(case((scored > 0, 1), else_=0)).label("days"),
            func.sum(points * points).label("points_points"),
            func.sum(points * scored).label("points_scored"),
            func.sum(scored * scored).label("scored_scored"),
        ).group_by(*keys)
    ).mappings()
    found = [
        ScoreLine(
            _keys(line, by),
            line.get(_STARTS, wanted.since),
            ScoreTotals(
                calls=int(line["calls"]),
                scored=int(line["scored"]),
                points=float(line["points"]),
                squares=float(line["squares"]),
                fatal=int(line["fatal"]),
                duration_s=float(line["duration_s"]),
                by_day=DaySums(
                    int(line["days"]),
                    float(line["points_points"]),
                    float(line["points_scored"]),
                    int(line["scored_scored"]),
                ),
            ),
        )
        for line in lines
        if line["calls"]  # without groups there is always a line
    ]
    return sorted(found, key=lambda line: _order(line.keys, line.starts))


def faults(
    session: Session, wanted: FigureFilter, scope: Scope, *, by: Sequence[Grouping], period: Period
) -> Sequence[FaultLine]:
    """See ``FigureRepository.faults``."""
    row = BehaviourDayRow
    groups = _groups(session, row, by, period)
    names = ("calls", "faults", "confirmed")
    asked = (
        select(*groups, row.rule, *(func.sum(getattr(row, name)).label(name) for name in names))
        .where(*_where(row, wanted, scope))
        .group_by(*groups, row.rule)
    )
    if wanted.rules is not None:
        asked = asked.where(row.rule.in_(sorted(wanted.rules)))
    found = [
        FaultLine(
            _keys(line, by),
            line.get(_STARTS, wanted.since),
            line["rule"],
            FaultTotals(int(line["calls"]), int(line["faults"]), int(line["confirmed"])),
        )
        for line in session.execute(asked).mappings()
    ]
    return sorted(found, key=lambda line: (*_order(line.keys, line.starts), line.rule))


def _groups(session: Session, row: _Row, by: Sequence[Grouping], period: Period) -> list[Any]:
    groups: list[Any] = [getattr(row, _COLUMN[one]).label(f"by_{one}") for one in by]
    if period is not Period.WHOLE:
        on_postgresql = session.get_bind().dialect.name == "postgresql"
        groups.append((_trunc(row.day, period) if on_postgresql else _sqlite(row.day, period)).label(_STARTS))
    return groups


def _trunc(day: Any, period: Period) -> ColumnElement[date]:
    return day if period is Period.DAY else cast(func.date_trunc(period.value, day), Date)


def _sqlite(day: Any, period: Period) -> ColumnElement[date]:
    if period is Period.DAY:
        return day  # type: ignore[no-any-return]
    # The Sunday on which the week ends, and six days back.
    moves = ("start of month",) if period is Period.MONTH else ("weekday 0", "-6 days")
    return func.date(day, *moves, type_=Date)


def _where(row: _Row, wanted: FigureFilter, scope: Scope) -> list[ColumnElement[bool]]:
    conditions = [row.day >= wanted.since, row.day < wanted.until, *within(row, scope)]
    for name, values in (
        ("agent_id", wanted.agents),
        ("team", wanted.teams),
        ("vendor", wanted.vendors),
        ("queue", wanted.queues),
    ):
        if values is not None:
            conditions.append(getattr(row, name).in_(sorted(values)))
    return conditions


def _keys(line: RowMapping, by: Sequence[Grouping]) -> Keys:
    return tuple(line[f"by_{one}"] or None for one in by)


def _order(keys: Keys, starts: date) -> tuple[tuple[str, ...], date]:
    return tuple(key or "" for key in keys), starts
