"""Disputes on SQLAlchemy. Steps are only ever added; a finding's row tells where it stands."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.orm import Session

from qa_service.db.calibration import blind_calls
from qa_service.db.inserting import storable
from qa_service.db.rows import (
    CallRow,
    DisputeStepRow,
    EvaluationRow,
    FindingRow,
    LatestEvaluationRow,
    RuleResultRow,
    UserRow,
)
from qa_service.db.scopes import within
from qa_service.db.verdicts import SqlVerdictRepository
from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.results import Outcome, Severity
from qa_service.domain.review import FindingState, Step
from qa_service.ports import Clock
from qa_service.ports.disputes import DisputeLine, DisputeStep
from qa_service.ports.review import StoredFinding


class SqlDisputeRepository:
    """Implements ``DisputeRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(
        self,
        finding: StoredFinding,
        step: Step,
        to: FindingState,
        *,
        user_id: int | None,
        reason: str,
        due_at: datetime | None,
    ) -> None:
        SqlVerdictRepository(self._session, self._clock).move(finding, to, due_at=due_at)
        last = self._session.scalar(
            select(func.max(DisputeStepRow.number)).where(DisputeStepRow.finding_id == finding.id)
        )
        self._session.add(
            DisputeStepRow(
                finding_id=finding.id,
                recording_id=finding.recording_id,
                number=(last or 0) + 1,
                step=step.value,
                from_state=finding.state.value,
                to_state=to.value,
                user_id=user_id,
                reason=storable(reason),
                due_at=due_at,
                at=self._clock.now(),
            )
        )
        self._session.flush()

    def history(self, finding: StoredFinding) -> tuple[DisputeStep, ...]:
        rows = self._session.execute(
            select(DisputeStepRow, UserRow.display_name)
            .outerjoin(UserRow, UserRow.id == DisputeStepRow.user_id)
            .where(DisputeStepRow.recording_id == finding.recording_id)
            .order_by(DisputeStepRow.id)
        ).all()
        chain = {finding.id}
        for row, _ in reversed(rows):  # what was carried over was carried from something older
            if row.finding_id in chain and row.carried_from is not None:
                chain.add(row.carried_from)
        return tuple(_step(row, name) for row, name in rows if row.finding_id in chain)

    def page(
        self,
        scope: Scope,
        states: Collection[FindingState],
        *,
        hidden_from: int,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> tuple[DisputeLine, ...]:
        query = (
            select(FindingRow, RuleResultRow, CallRow)
            .join(LatestEvaluationRow, LatestEvaluationRow.evaluation_id == FindingRow.evaluation_id)
            .join(EvaluationRow, EvaluationRow.id == FindingRow.evaluation_id)
            .join(RuleResultRow, RuleResultRow.id == FindingRow.rule_result_id)
            .join(CallRow, CallRow.recording_id == EvaluationRow.recording_id)
            .where(
                text("findings.due_at IS NOT NULL"),
                FindingRow.state.in_(sorted(state.value for state in states)),
                *within(CallRow, scope),
                CallRow.recording_id.not_in(blind_calls(hidden_from)),
            )
            .order_by(FindingRow.due_at, FindingRow.id)
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        if after is not None:
            query = query.where(tuple_(FindingRow.due_at, FindingRow.id) > after)
        return tuple(_line(*row) for row in self._session.execute(query))


def _step(row: DisputeStepRow, name: str | None) -> DisputeStep:
    return DisputeStep(
        finding_id=row.finding_id,
        number=row.number,
        step=row.step,
        from_state=FindingState(row.from_state),
        to_state=FindingState(row.to_state),
        user_id=row.user_id,
        user_name=name,
        reason=row.reason,
        due_at=row.due_at,
        carried_from=row.carried_from,
        at=row.at,
    )


def _line(finding: FindingRow, result: RuleResultRow, call: CallRow) -> DisputeLine:
    assert finding.due_at is not None
    return DisputeLine(
        finding_id=finding.id,
        recording_id=call.recording_id,
        rule=result.rule,
        title=result.title,
        outcome=Outcome(result.outcome),
        severity=Severity(result.severity),
        state=FindingState(finding.state),
        due_at=finding.due_at,
        version=finding.version,
        owner=CallOwner(call.vendor, call.team, call.agent_id),
        agent_name=call.agent_name,
        call_at=call.at,
    )
