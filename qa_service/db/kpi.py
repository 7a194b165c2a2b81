"""KPIs and appraisals on SQLAlchemy.

Guarantee: rows are only ever added; a month is closed once under each number.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_or_get
from qa_service.db.rows import AppraisalRow, KpiClosingRow, KpiResultRow
from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.kpi import Appraiser, Kpi
from qa_service.errors import ConflictError
from qa_service.ports import Clock
from qa_service.ports.kpi import AgentKpi, Appraisal, Closing

_AT_ONCE: Final = 500


class SqlKpiRepository:
    """Implements ``KpiRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def appraise(
        self,
        agent_id: str,
        month: date,
        appraiser: Appraiser,
        *,
        points: float,
        note: str,
        user_id: int,
        by: str,
    ) -> Appraisal:
        row = AppraisalRow(
            agent_id=agent_id,
            month=month.isoformat(),
            appraiser=appraiser.value,
            points=points,
            note=note,
            user_id=user_id,
            by_name=by,
            at=self._clock.now(),
        )
        self._session.add(row)
        self._session.flush()
        return _appraisal(row)

    def appraisals(self, month: date, agents: Collection[str]) -> Sequence[Appraisal]:
        names = sorted(agents)
        found: list[Appraisal] = []
        for begin in range(0, len(names), _AT_ONCE):
            wanted = select(AppraisalRow).where(
                AppraisalRow.month == month.isoformat(),
                AppraisalRow.agent_id.in_(names[begin : begin + _AT_ONCE]),
            )
            found += map(_appraisal, self._session.scalars(wanted))
        return sorted(found, key=lambda each: each.id)

    def close(
        self,
        month: date,
        number: int,
        results: Sequence[AgentKpi],
        *,
        note: str,
        policy: Mapping[str, Any],
        user_id: int,
        by: str,
    ) -> Closing:
        row, is_new = insert_or_get(
            self._session,
            lambda: self._session.scalar(
                select(KpiClosingRow).where(
                    KpiClosingRow.month == month.isoformat(), KpiClosingRow.number == number
                )
            ),
            lambda: KpiClosingRow(
                month=month.isoformat(),
                number=number,
                note=note,
                policy=dict(policy),
                user_id=user_id,
                by_name=by,
                at=self._clock.now(),
            ),
        )
        if not is_new:
            raise ConflictError("stale_version", "somebody else closed this month meanwhile: read it again")
        values = [
            {
                "closing_id": row.id,
                "agent_id": each.agent_id,
                "team": each.owner.team,
                "vendor": each.owner.vendor,
                "kpi": msgspec.to_builtins(each.kpi),
            }
            for each in results
        ]
        if values:
            self._session.execute(insert(KpiResultRow), values)
        return _closing(row)

    def closings(self, month: date) -> Sequence[Closing]:
        wanted = (
            select(KpiClosingRow)
            .where(KpiClosingRow.month == month.isoformat())
            .order_by(KpiClosingRow.number.desc())
        )
        return [_closing(row) for row in self._session.scalars(wanted)]

    def results(
        self, closing_id: int, scope: Scope, *, team: str | None = None, agent_id: str | None = None
    ) -> Sequence[AgentKpi]:
        row = KpiResultRow
        wanted = (
            select(row, KpiClosingRow.month)
            .join(KpiClosingRow, KpiClosingRow.id == row.closing_id)
            .where(row.closing_id == closing_id)
            .order_by(row.agent_id)
        )
        if scope.teams is not None:
            wanted = wanted.where(row.team.in_(sorted(scope.teams)))
        for column, only in (
            (row.vendor, scope.vendor),
            (row.agent_id, scope.agent_id),
            (row.team, team),
            (row.agent_id, agent_id),
        ):
            if only is not None:
                wanted = wanted.where(column == only)
        return [
            AgentKpi(
                found.agent_id,
                CallOwner(found.vendor, found.team, found.agent_id),
                date.fromisoformat(month),
                msgspec.convert(found.kpi, Kpi),
            )
            for found, month in self._session.execute(wanted)
        ]


def _appraisal(row: AppraisalRow) -> Appraisal:
    return Appraisal(
        id=row.id,
        agent_id=row.agent_id,
        month=date.fromisoformat(row.month),
        appraiser=Appraiser(row.appraiser),
        points=row.points,
        note=row.note,
        user_id=row.user_id,
        by=row.by_name,
        at=row.at,
    )


def _closing(row: KpiClosingRow) -> Closing:
    return Closing(
        id=row.id,
        month=date.fromisoformat(row.month),
        number=row.number,
        note=row.note,
        policy=row.policy,
        user_id=row.user_id,
        by=row.by_name,
        at=row.at,
    )
