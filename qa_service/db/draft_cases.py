"""Cases that people made of calls, on SQLAlchemy."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_or_get, storable
from qa_service.db.rows import CallRow, DraftCaseRow, EvaluationRow
from qa_service.db.scopes import within
from qa_service.domain.access import Scope
from qa_service.domain.results import Outcome
from qa_service.errors import ConflictError
from qa_service.ports import Clock
from qa_service.ports.draft_cases import DraftCase


class SqlDraftCaseRepository:
    """Implements ``DraftCaseRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(
        self,
        *,
        finding_id: int,
        recording_id: int,
        pack: str,
        rule: str,
        expect: Outcome,
        outcome: Outcome,
        document: Mapping[str, Any],
        why: str,
        by: int,
    ) -> DraftCase:
        row, is_new = insert_or_get(
            self._session,
            lambda: self._session.scalar(select(DraftCaseRow).where(DraftCaseRow.finding_id == finding_id)),
            lambda: DraftCaseRow(
                finding_id=finding_id,
                recording_id=recording_id,
                pack=pack,
                rule=rule,
                expect=expect.value,
                outcome=outcome.value,
                document=dict(document),
                why=storable(why),
                user_id=by,
                at=self._clock.now(),
            ),
        )
        if not is_new:
            raise ConflictError(
                "draft_case_exists",
                f"finding {finding_id} is a case already, number {row.id}: edit it where the cases are kept",
                finding_id=finding_id,
            )
        return _case(row)

    def conversation_of(self, evaluation_id: int) -> int:
        return self._session.get_one(EvaluationRow, evaluation_id).conversation_id

    def page(
        self, *, scope: Scope, pack: str | None, rule: str | None, after: int, limit: int
    ) -> tuple[DraftCase, ...]:
        wanted = (
            select(DraftCaseRow)
            .join(CallRow, CallRow.recording_id == DraftCaseRow.recording_id)
            .where(DraftCaseRow.id > after, *within(CallRow, scope))
            .order_by(DraftCaseRow.id)
            .limit(limit)
        )
        if pack is not None:
            wanted = wanted.where(DraftCaseRow.pack == pack)
        if rule is not None:
            wanted = wanted.where(DraftCaseRow.rule == rule)
        return tuple(_case(row) for row in self._session.scalars(wanted))


def _case(row: DraftCaseRow) -> DraftCase:
    return DraftCase(
        id=row.id,
        finding_id=row.finding_id,
        recording_id=row.recording_id,
        pack=row.pack,
        rule=row.rule,
        expect=Outcome(row.expect),
        outcome=Outcome(row.outcome),
        document=row.document,
        why=row.why,
        user_id=row.user_id,
        at=row.at,
    )
