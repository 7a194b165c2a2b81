"""Changes of script and rules on SQLAlchemy. Their steps are only ever added."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from qa_service.db.inserting import storable
from qa_service.db.rows import (
    CallRow,
    ScriptChangeRow,
    ScriptChangeStepRow,
    TrainingAssessmentRow,
    TrainingSessionRow,
)
from qa_service.db.scopes import within
from qa_service.domain.access import Scope
from qa_service.domain.training import AssessmentKind, ChangeState, ChangeStep, Passed
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock
from qa_service.ports.script_changes import ChangedRule, ChangeStepTaken, ChangeTerms, ScriptChange
from qa_service.ports.training import SessionState

_OPEN = sorted({state.value for state in ChangeState} - {ChangeState.LIVE.value, ChangeState.WITHDRAWN.value})


class SqlScriptChangeRepository:
    """Implements ``ScriptChangeRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(self, terms: ChangeTerms, *, by: int, name: str) -> ScriptChange:
        row = ScriptChangeRow(
            title=storable(terms.title),
            text=storable(terms.text),
            pack=terms.pack,
            rules=[{"rule": each.rule, "digest": each.digest} for each in terms.rules],
            vendor=terms.scope.vendor,
            teams=None if terms.scope.teams is None else sorted(terms.scope.teams),
            state=ChangeState.DRAFTED.value,
            created_by=by,
            created_at=self._clock.now(),
            version=1,
        )
        self._session.add(row)
        self._session.flush()
        self._record(row.id, ChangeStep.DRAFT, ChangeState.DRAFTED, ChangeState.DRAFTED, name, "")
        return _change(row)

    def get(self, change_id: int) -> ScriptChange:
        row = self._session.get(ScriptChangeRow, change_id, populate_existing=True)
        if row is None:
            raise NotFoundError(
                "script_change_not_found",
                f"no change has the number {change_id}: list them to see which exist",
                change_id=change_id,
            )
        return _change(row)

    def page(
        self, *, states: frozenset[ChangeState] | None, before: int | None, limit: int
    ) -> Sequence[ScriptChange]:
        query = select(ScriptChangeRow).order_by(ScriptChangeRow.id.desc()).limit(limit)
        if states is not None:
            query = query.where(ScriptChangeRow.state.in_(sorted(state.value for state in states)))
        if before is not None:
            query = query.where(ScriptChangeRow.id < before)
        return [_change(row) for row in self._session.scalars(query)]

    def of_pack(self, pack: str) -> Sequence[ScriptChange]:
        query = select(ScriptChangeRow).where(ScriptChangeRow.pack == pack, ScriptChangeRow.state.in_(_OPEN))
        return [_change(row) for row in self._session.scalars(query.order_by(ScriptChangeRow.id))]

    def move(
        self, change: ScriptChange, step: ChangeStep, to: ChangeState, *, name: str, note: str
    ) -> ScriptChange:
        moved = self._session.scalar(
            update(ScriptChangeRow)
            .where(ScriptChangeRow.id == change.id, ScriptChangeRow.version == change.version)
            .values(state=to.value, version=ScriptChangeRow.version + 1)
            .returning(ScriptChangeRow.id)
            .execution_options(synchronize_session=False)
        )
        if moved is None:
            raise ConflictError(
                "stale_version",
                f"change {change.id} has changed meanwhile: read it again, then go on",
                change_id=change.id,
            )
        self._record(change.id, step, change.state, to, name, note)
        return self.get(change.id)

    def steps(self, change_id: int) -> tuple[ChangeStepTaken, ...]:
        rows = self._session.scalars(
            select(ScriptChangeStepRow)
            .where(ScriptChangeStepRow.change_id == change_id)
            .order_by(ScriptChangeStepRow.number)
        )
        return tuple(
            ChangeStepTaken(
                number=row.number,
                step=ChangeStep(row.step),
                from_state=ChangeState(row.from_state),
                to_state=ChangeState(row.to_state),
                name=row.name,
                note=row.note,
                at=row.at,
            )
            for row in rows
        )

    def held_sessions(self, change_id: int) -> int:
        held = select(func.count()).where(
            TrainingSessionRow.change_id == change_id, TrainingSessionRow.state == SessionState.HELD.value
        )
        return self._session.scalar(held) or 0

    def passed(self, change: ScriptChange, *, since: datetime) -> Passed:
        concerned = (
            select(CallRow.agent_id)
            .where(CallRow.at >= since, CallRow.agent_id.is_not(None), *within(CallRow, change.terms.scope))
            .distinct()
            .subquery()
        )
        # The last word counts: who failed after a pass has to try again.
        last = (
            select(func.max(TrainingAssessmentRow.id))
            .where(
                TrainingAssessmentRow.change_id == change.id,
                TrainingAssessmentRow.kind == AssessmentKind.AFTER.value,
            )
            .group_by(TrainingAssessmentRow.agent_id)
        )
        passed = (
            select(func.count())
            .select_from(TrainingAssessmentRow)
            .join(concerned, concerned.c.agent_id == TrainingAssessmentRow.agent_id)
            .where(TrainingAssessmentRow.id.in_(last), TrainingAssessmentRow.passed.is_(True))
        )
        everybody = self._session.scalar(select(func.count()).select_from(concerned)) or 0
        return Passed(everybody, self._session.scalar(passed) or 0)

    def _record(
        self, change_id: int, step: ChangeStep, before: ChangeState, to: ChangeState, name: str, note: str
    ) -> None:
        last = self._session.scalar(
            select(func.max(ScriptChangeStepRow.number)).where(ScriptChangeStepRow.change_id == change_id)
        )
        self._session.add(
            ScriptChangeStepRow(
                change_id=change_id,
                number=(last or 0) + 1,
                step=step.value,
                from_state=before.value,
                to_state=to.value,
                name=storable(name),
                note=storable(note),
                at=self._clock.now(),
            )
        )
        self._session.flush()


def _change(row: ScriptChangeRow) -> ScriptChange:
    return ScriptChange(
        id=row.id,
        terms=ChangeTerms(
            title=row.title,
            text=row.text,
            pack=row.pack,
            rules=tuple(ChangedRule(each["rule"], each["digest"]) for each in row.rules),
            scope=Scope(row.vendor, None if row.teams is None else frozenset(row.teams)),
        ),
        state=ChangeState(row.state),
        created_by=row.created_by,
        created_at=row.created_at,
        version=row.version,
    )
