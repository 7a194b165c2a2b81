"""Marks on calls of which something changed, on SQLAlchemy."""

from datetime import datetime

from sqlalchemy import Text, and_, cast, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from qa_service.db.rows import (
    CallMarkRow,
    CallRow,
    ComplaintRow,
    EvaluationRow,
    PromiseRow,
    RuleResultRow,
)
from qa_service.domain.promises import Standing

_LOOKING = 0x51_55_4D_4B
"""The advisory lock of whoever looks at marks."""


class SqlCallMarks:
    """Implements ``CallMarks``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def mark(self, recording_id: int) -> None:
        self._session.add(CallMarkRow(recording_id=recording_id))
        self._session.flush()

    def mark_missed(self, since: datetime) -> int:
        lately = (
            select(CallRow.recording_id)
            .join(EvaluationRow, EvaluationRow.id == CallRow.evaluation_id)
            .where(EvaluationRow.created_at >= since)
        )
        graded = (
            lately.join(RuleResultRow, RuleResultRow.evaluation_id == EvaluationRow.id)
            .outerjoin(ComplaintRow, ComplaintRow.recording_id == CallRow.recording_id)
            .outerjoin(PromiseRow, PromiseRow.recording_id == CallRow.recording_id)
            .where(
                RuleResultRow.scored,
                or_(
                    and_(RuleResultRow.grade.is_not(None), ComplaintRow.id.is_(None)),
                    and_(cast(RuleResultRow.opens, Text) != "[]", PromiseRow.id.is_(None)),
                ),
            )
        )
        waiting = lately.join(PromiseRow, PromiseRow.customer_ref == CallRow.customer_ref).where(
            PromiseRow.in_force.is_(True),
            PromiseRow.decided.is_(None),
            PromiseRow.standing == Standing.OPEN.value,
            CallRow.at > PromiseRow.promised_at,
        )
        missed = sorted({*self._session.scalars(graded), *self._session.scalars(waiting)})
        if missed:
            self._session.execute(insert(CallMarkRow), [{"recording_id": one} for one in missed])
        return len(missed)

    def any(self) -> bool:
        return self._session.scalar(select(CallMarkRow.id).limit(1)) is not None

    def forget(self, recording_id: int) -> None:
        self._session.execute(delete(CallMarkRow).where(CallMarkRow.recording_id == recording_id))

    def take(self, limit: int) -> tuple[int, ...] | None:
        if self._session.get_bind().dialect.name == "postgresql" and not self._session.scalar(
            select(func.pg_try_advisory_xact_lock(_LOOKING))
        ):
            return None
        oldest = select(CallMarkRow.id).order_by(CallMarkRow.id).limit(limit)
        taken = self._session.scalars(
            delete(CallMarkRow)
            .where(CallMarkRow.id.in_(oldest))
            .returning(CallMarkRow.recording_id)
            .execution_options(synchronize_session=False)
        )
        return tuple(dict.fromkeys(taken))
