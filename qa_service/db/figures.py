"""What calls add up to, on SQLAlchemy: counted in bulk, some days of agents at a time.

Guarantee: one counts at a time, and what changes while it counts is counted again: a change's mark is committed
with it, and is taken before what it tells of is read. A count is a function of the calls alone, so that counting
again at any time changes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from sqlalchemy import CTE, Date, Text, column, delete, func, insert, select, text, tuple_, values
from sqlalchemy.orm import Session

from qa_service.db import figure_counts, figure_reading
from qa_service.db.calls import mark_changed
from qa_service.db.rows import AgentDayRow, BehaviourDayRow, CallRow, ChangedCallRow, UTCDateTime
from qa_service.domain.access import Scope
from qa_service.domain.figures import FaultLine, FigureFilter, Grouping, Period, ScoreLine

_COUNTING: Final = 0x46_49_47_55
"""The advisory lock of whoever counts days."""

_MARKS_EACH: Final = 20
"""Marks that are looked at for each day that may be counted: a call leaves a few, and a day has many calls."""

_AGENT: Final = func.coalesce(CallRow.agent_id, "")
_MOST_WAITING: Final = 10_000
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class SqlFigureRepository:
    """Implements ``FigureRepository``. ``zone``: the site's."""

    def __init__(self, session: Session, zone: tzinfo) -> None:
        self._session = session
        self._zone = zone

    def last_change(self) -> int:
        """See ``FigureRepository.last_change``. SQLite begins at 1 again once everything is counted; its few
        writers cannot keep who counts busy for long."""
        return self._session.scalar(select(func.max(ChangedCallRow.id))) or 0

    def recount(self, *, limit: int, upto: int | None = None) -> int:
        """See ``FigureRepository.recount``. Nothing while another is at it."""
        if not self._alone():
            return 0
        changes = select(ChangedCallRow.agent_id, ChangedCallRow.at).order_by(ChangedCallRow.id)
        if upto is not None:
            changes = changes.where(ChangedCallRow.id <= upto)
        marks = self._session.execute(changes.limit(limit * _MARKS_EACH))
        days = list(dict.fromkeys((agent_id, self._day(at)) for agent_id, at in marks))[:limit]
        if not days:
            return 0
        self._follow_indexes()
        wanted = self._spans(days)
        marked = select(ChangedCallRow.id).join(
            wanted,
            (ChangedCallRow.agent_id == wanted.c.agent_id)
            & (ChangedCallRow.at >= wanted.c.since)
            & (ChangedCallRow.at < wanted.c.until),
        )
        self._run(delete(ChangedCallRow).where(ChangedCallRow.id.in_(marked)))
        for row in (AgentDayRow, BehaviourDayRow):
            self._run(delete(row).where(tuple_(row.agent_id, row.day).in_(days)))
        calls = figure_counts.calls_in(wanted)
        self._run(insert(AgentDayRow).from_select(*figure_counts.score_days(calls)))
        self._run(insert(BehaviourDayRow).from_select(*figure_counts.behaviour_days(calls)))
        return len(days)

    def mark_all(self) -> None:
        self._run(
            insert(ChangedCallRow).from_select(
                ["agent_id", "at"],
                select(_AGENT, CallRow.at).distinct().order_by(CallRow.at.desc()),
            )
        )
        # Of a day without a call nothing is left to be found by.
        counted = self._session.execute(select(AgentDayRow.agent_id, AgentDayRow.day).distinct())
        self._mark((agent_id, self._begin(day)) for agent_id, day in counted.all())

    def mark_wrong(self, since: date) -> int:
        """See ``FigureRepository.mark_wrong``."""
        begin = self._begin(since)
        sums = (func.count(), func.count(CallRow.final_score), func.sum(CallRow.final_score))
        calls = self._session.execute(select(_AGENT, *sums).where(CallRow.at >= begin).group_by(_AGENT))
        day = AgentDayRow
        kept = self._session.execute(
            select(day.agent_id, func.sum(day.calls), func.sum(day.scored), func.sum(day.points))
            .where(day.day >= since)
            .group_by(day.agent_id)
        )
        # Points are added up in another order there.
        now = {agent: (count, scored, round(points or 0.0, 3)) for agent, count, scored, points in calls}
        then = {agent: (int(count), int(scored), round(points, 3)) for agent, count, scored, points in kept}
        wrong = [agent for agent in sorted(now.keys() | then.keys()) if now.get(agent) != then.get(agent)]
        if not wrong:
            return 0
        theirs = self._session.execute(
            select(_AGENT, CallRow.at).where(CallRow.at >= begin, _AGENT.in_(wrong)).distinct()
        ).all()
        days = self._session.execute(
            select(day.agent_id, day.day).where(day.day >= since, day.agent_id.in_(wrong)).distinct()
        ).all()
        marks = {(agent, self._begin(self._day(at))) for agent, at in theirs}
        self._mark(marks | {(agent, self._begin(on)) for agent, on in days})
        return len(wrong)

    def waiting(self, since: date, until: date) -> int:
        marks = self._session.execute(
            select(ChangedCallRow.agent_id, ChangedCallRow.at)
            .where(ChangedCallRow.at >= self._begin(since), ChangedCallRow.at < self._begin(until))
            .limit(_MOST_WAITING)
        )
        return len({(agent_id, self._day(at)) for agent_id, at in marks})

    def scores(
        self, wanted: FigureFilter, scope: Scope, *, by: Sequence[Grouping] = (), period: Period = Period.WHOLE
    ) -> Sequence[ScoreLine]:
        return figure_reading.scores(self._session, wanted, scope, by=by, period=period)

    def faults(
        self, wanted: FigureFilter, scope: Scope, *, by: Sequence[Grouping] = (), period: Period = Period.WHOLE
    ) -> Sequence[FaultLine]:
        return figure_reading.faults(self._session, wanted, scope, by=by, period=period)

    def _mark(self, calls: Iterable[tuple[str, datetime]]) -> None:
        if marks := list(calls):
            mark_changed(self._session, marks)

    def _alone(self) -> bool:
        """Two that count the same day at once would write it twice. SQLite has one writer at a time anyway."""
        if self._session.get_bind().dialect.name != "postgresql":
            return True
        return bool(self._session.scalar(select(func.pg_try_advisory_xact_lock(_COUNTING))))

    def _follow_indexes(self) -> None:
        """For the rest of the transaction. PostgreSQL takes the calls of some days for eight times as many as they
        are, and then reads all rule results there are, however few days are counted: ten times as long on a
        half-year, and longer with every day (measured with ``benchmarks.half_year``)."""
        if self._session.get_bind().dialect.name == "postgresql":
            for way in ("hashjoin", "mergejoin", "seqscan"):
                self._session.execute(text(f"SET LOCAL enable_{way} = off"))

    def _spans(self, days: Iterable[tuple[str, date]]) -> CTE:
        """When each of these days begins and ends, as a table."""
        columns = (
            column("agent_id", Text),
            column("day", Date),
            column("since", UTCDateTime),
            column("until", UTCDateTime),
        )
        rows = [(agent_id, day, self._begin(day), self._begin(day, days=1)) for agent_id, day in days]
        return values(*columns, name="wanted").data(rows).cte("wanted")

    def _day(self, at: datetime) -> date:
        try:
            return at.astimezone(self._zone).date()
        except OverflowError:  # recorders tell of the year 9999
            return at.date()

    def _begin(self, day: date, *, days: int = 0) -> datetime:
        try:
            return datetime.combine(day + timedelta(days), time(), self._zone).astimezone(UTC)
        except OverflowError:
            return _LAST if day.year > 1 else _FIRST

    def _run(self, statement: Any) -> None:
        self._session.execute(statement, execution_options={"synchronize_session": False})
