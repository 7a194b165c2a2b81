"""Complaints on SQLAlchemy. Steps are only ever added; a complaint's row tells where it stands.

Guarantee: a recording has one complaint at most, however often and by however many it is scored: the unique
constraint decides.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, and_, func, literal_column, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from qa_service.db import documents
from qa_service.db.calibration import blind_calls
from qa_service.db.denials import denied_results
from qa_service.db.inserting import insert_new, storable
from qa_service.db.rows import (
    OPEN_COMPLAINTS,
    CallRow,
    ComplaintRow,
    ComplaintStepRow,
    LatestEvaluationRow,
    RuleResultRow,
    UserRow,
)
from qa_service.db.scopes import within
from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.complaints import OPEN, UNHANDLED, WORK, Clocks, ComplaintState, ComplaintStep
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock
from qa_service.ports.complaints import Complaint, ComplaintFilter, GradedCall, NewComplaint, StepTaken

_OWNER = aliased(UserRow)
_COMPLAINTS = select(ComplaintRow, _OWNER.display_name).outerjoin(_OWNER, _OWNER.id == ComplaintRow.owner_id)
_IS_OPEN = literal_column(f"complaints.{OPEN_COMPLAINTS}", Boolean())


class SqlComplaintRepository:
    """Implements ``ComplaintRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def graded(self, recording_ids: Collection[int]) -> Mapping[int, GradedCall]:
        calls = self._session.scalars(
            select(CallRow)
            .where(CallRow.recording_id.in_(recording_ids))
            .execution_options(populate_existing=True)
        )
        found = {call.recording_id: _ungraded(call) for call in calls}
        said = denied_results(self._session, recording_ids)
        rows = self._session.execute(
            select(LatestEvaluationRow.recording_id, RuleResultRow)
            .join(RuleResultRow, RuleResultRow.evaluation_id == LatestEvaluationRow.evaluation_id)
            .where(
                LatestEvaluationRow.recording_id.in_(recording_ids),
                RuleResultRow.grade.is_not(None),
                RuleResultRow.scored,
            )
            .order_by(RuleResultRow.position)
        )
        for recording_id, result in rows:
            call = found.get(recording_id)
            if call is None:
                continue
            denied = result.id in said
            # What stands goes before what was denied, then the gravest.
            if call.grade is None or (not denied, result.grade) > (not call.denied, call.grade):
                found[recording_id] = _graded(call, result, denied)
        return found

    def of_recordings(self, recording_ids: Collection[int]) -> Mapping[int, Complaint]:
        rows = self._read(ComplaintRow.recording_id.in_(recording_ids))
        return {one.recording_id: one for one in rows if one.recording_id is not None}

    def follow_calls(self, recording_ids: Collection[int]) -> None:
        told: dict[str, ColumnElement[Any]] = {
            name: select(getattr(CallRow, name))
            .where(CallRow.recording_id == ComplaintRow.recording_id)
            .scalar_subquery()
            for name in ("agent_id", "agent_name", "team", "vendor", "queue", "customer_ref")
        }
        # What somebody told of the customer stays where the call tells nothing.
        told["customer_ref"] = func.coalesce(told["customer_ref"], ComplaintRow.customer_ref)
        moved = or_(*(getattr(ComplaintRow, name).is_distinct_from(value) for name, value in told.items()))
        self._session.execute(
            update(ComplaintRow)
            .where(ComplaintRow.recording_id.in_(recording_ids), moved)
            .values(**told, version=ComplaintRow.version + 1)
            .execution_options(synchronize_session=False)
        )

    def add(self, new: NewComplaint) -> Complaint | None:
        if new.recording_id is not None and self.of_recordings([new.recording_id]):
            return None
        now = self._clock.now()
        values: dict[str, Any] = {
            "recording_id": new.recording_id,
            "rule": storable(new.rule),
            "level": new.level,
            "state": ComplaintState.RAISED.value,
            "what": storable(new.what),
            "customer_ref": new.customer_ref and storable(new.customer_ref),
            "agent_id": new.of.agent_id,
            "agent_name": new.agent_name,
            "team": new.of.team,
            "vendor": new.of.vendor,
            "queue": new.queue,
            "raised_at": now,
            "raised_by": new.raised_by,
            "owner_id": new.owner_id,
            "respond_by": new.respond_by,
            "due_at": new.due_at,
            "cause": "",
            "touched": False,
            "version": 1,
        }
        if new.recording_id is None:
            row = ComplaintRow(**values)
            self._session.add(row)
            self._session.flush()
            return self._one(ComplaintRow.id == row.id)
        made = insert_new(self._session, ComplaintRow, "recording_id", values)
        return None if made is None else self._one(ComplaintRow.id == made)

    def get(self, complaint_id: int, scope: Scope) -> Complaint:
        found = self._one(ComplaintRow.id == complaint_id, *within(ComplaintRow, scope))
        if found is None:
            raise NotFoundError(
                "complaint_not_found",
                f"no complaint has the number {complaint_id}: list the complaints to see which exist",
                complaint_id=complaint_id,
            )
        return found

    def hold(self, complaint_id: int, scope: Scope) -> Complaint:
        self._session.execute(
            select(ComplaintRow.id).where(ComplaintRow.id == complaint_id).with_for_update()
        ).all()
        return self.get(complaint_id, scope)

    def page(
        self,
        scope: Scope,
        wanted: ComplaintFilter,
        *,
        hidden_from: int,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> tuple[Complaint, ...]:
        where = [
            *within(ComplaintRow, scope),
            or_(
                ComplaintRow.recording_id.is_(None),
                ComplaintRow.owner_id == hidden_from,
                ComplaintRow.recording_id.not_in(blind_calls(hidden_from)),
            ),
            ComplaintRow.state.in_(sorted(state.value for state in wanted.states)),
        ]
        if set(wanted.states) <= OPEN:
            where.append(_IS_OPEN)
        for column, value in (
            (ComplaintRow.level, wanted.level),
            (ComplaintRow.team, wanted.team),
            (ComplaintRow.owner_id, wanted.owner_id),
        ):
            if value is not None:
                where.append(column == value)
        if wanted.overdue_at is not None:
            where.append(or_(_unanswered(wanted.overdue_at), _late(wanted.overdue_at)))
        if after is not None:
            where.append(tuple_(ComplaintRow.due_at, ComplaintRow.id) > after)
        return self._read(*where, limit=limit)

    def take(
        self,
        complaint: Complaint,
        step: ComplaintStep,
        to: ComplaintState,
        *,
        user_id: int | None,
        note: str = "",
        level: int | None = None,
        valid: bool | None = None,
        cause: str | None = None,
        owner_id: int | None = None,
        proposed_level: int | None = None,
        recording_id: int | None = None,
    ) -> None:
        now = self._clock.now()
        values: dict[str, Any] = {"state": to.value, "version": ComplaintRow.version + 1}
        if user_id is not None and step in WORK:
            values["touched"] = True
        if step is ComplaintStep.ACCEPT:
            values["responded_at"] = now
        if step is ComplaintStep.HANDLE:
            values["handled_at"] = now
        if step is ComplaintStep.VERIFY:
            values |= {"valid": valid, "cause": storable(cause or "")}
        if step in (ComplaintStep.ASSIGN, ComplaintStep.ACCEPT):
            values["owner_id"] = owner_id
        if step is ComplaintStep.REGRADE:
            values |= {"level": level, "proposed_level": None, "owner_id": owner_id}
        if step is ComplaintStep.PROPOSE:
            values["proposed_level"] = proposed_level
        if step in (ComplaintStep.DROP, ComplaintStep.REINSTATE):
            values["dropped_by_machine"] = step is ComplaintStep.DROP and user_id is None
        if step is ComplaintStep.ESCALATE:
            values["told_response" if note == Clocks.RESPONSE else "told_handling"] = True
        values["ended_at"] = None if to.is_open else now
        moved = self._session.execute(
            update(ComplaintRow)
            .where(ComplaintRow.id == complaint.id, ComplaintRow.version == complaint.version)
            .values(**values)
            .returning(ComplaintRow.id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if moved is None:
            raise ConflictError(
                "stale_version",
                f"complaint {complaint.id} has changed meanwhile: read it again, then decide",
                complaint_id=complaint.id,
            )
        last = self._session.scalar(
            select(func.max(ComplaintStepRow.number)).where(ComplaintStepRow.complaint_id == complaint.id)
        )
        self._session.add(
            ComplaintStepRow(
                complaint_id=complaint.id,
                number=(last or 0) + 1,
                step=step.value,
                from_state=complaint.state.value,
                to_state=to.value,
                user_id=user_id,
                note=storable(note),
                level=proposed_level if step is ComplaintStep.PROPOSE else level,
                recording_id=recording_id,
                at=now,
            )
        )
        self._session.flush()

    def steps(self, complaint_id: int) -> tuple[StepTaken, ...]:
        rows = self._session.execute(
            select(ComplaintStepRow, UserRow.display_name)
            .outerjoin(UserRow, UserRow.id == ComplaintStepRow.user_id)
            .where(ComplaintStepRow.complaint_id == complaint_id)
            .order_by(ComplaintStepRow.number)
        )
        return tuple(_step(row, name) for row, name in rows)

    def overdue(self, clock: Clocks, now: datetime, limit: int, *, hold: bool = False) -> tuple[Complaint, ...]:
        if clock is Clocks.RESPONSE:
            ran_out, told = _unanswered(now), ComplaintRow.told_response
        else:
            ran_out, told = _late(now), ComplaintRow.told_handling
        return self._read(_IS_OPEN, ran_out, told.is_(False), limit=limit, hold=hold)

    def raised_between(self, scope: Scope, since: datetime, until: datetime) -> tuple[Complaint, ...]:
        return self._read(
            *within(ComplaintRow, scope),
            ComplaintRow.raised_at >= since,
            ComplaintRow.raised_at < until,
            ComplaintRow.state != ComplaintState.NOT_RAISED.value,
        )

    def _one(self, *where: ColumnElement[bool]) -> Complaint | None:
        found = self._read(*where, limit=1)
        return found[0] if found else None

    def _read(
        self, *where: ColumnElement[bool], limit: int | None = None, hold: bool = False
    ) -> tuple[Complaint, ...]:
        wanted = (
            _COMPLAINTS.where(*where)
            .order_by(ComplaintRow.due_at, ComplaintRow.id)
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        if hold:
            wanted = wanted.with_for_update(of=ComplaintRow, skip_locked=True)
        return tuple(_complaint(row, name) for row, name in self._session.execute(wanted))


def _unanswered(now: datetime) -> ColumnElement[bool]:
    return and_(ComplaintRow.state == ComplaintState.RAISED.value, ComplaintRow.respond_by <= now)


def _late(now: datetime) -> ColumnElement[bool]:
    return and_(ComplaintRow.state.in_([state.value for state in UNHANDLED]), ComplaintRow.due_at <= now)


def _ungraded(call: CallRow) -> GradedCall:
    return GradedCall(
        recording_id=call.recording_id,
        at=call.at,
        of=CallOwner(call.vendor, call.team, call.agent_id),
        agent_name=call.agent_name,
        queue=call.queue,
        customer_ref=call.customer_ref,
        rule="",
        grade=None,
        denied=False,
        evidence=(),
    )


def _graded(call: GradedCall, result: RuleResultRow, denied: bool) -> GradedCall:
    return GradedCall(
        recording_id=call.recording_id,
        at=call.at,
        of=call.of,
        agent_name=call.agent_name,
        queue=call.queue,
        customer_ref=call.customer_ref,
        rule=result.rule,
        grade=result.grade,
        denied=denied,
        evidence=documents.load_evidence(result.evidence),
    )


def _complaint(row: ComplaintRow, owner_name: str | None) -> Complaint:
    return Complaint(
        id=row.id,
        recording_id=row.recording_id,
        rule=row.rule,
        level=row.level,
        state=ComplaintState(row.state),
        what=row.what,
        customer_ref=row.customer_ref,
        of=CallOwner(row.vendor, row.team, row.agent_id),
        agent_name=row.agent_name,
        queue=row.queue,
        raised_at=row.raised_at,
        raised_by=row.raised_by,
        owner_id=row.owner_id,
        owner_name=owner_name,
        respond_by=row.respond_by,
        due_at=row.due_at,
        responded_at=row.responded_at,
        handled_at=row.handled_at,
        ended_at=row.ended_at,
        valid=row.valid,
        cause=row.cause,
        proposed_level=row.proposed_level,
        touched=row.touched,
        dropped_by_machine=row.dropped_by_machine,
        version=row.version,
    )


def _step(row: ComplaintStepRow, name: str | None) -> StepTaken:
    return StepTaken(
        number=row.number,
        step=ComplaintStep(row.step),
        from_state=ComplaintState(row.from_state),
        to_state=ComplaintState(row.to_state),
        user_id=row.user_id,
        user_name=name,
        note=row.note,
        level=row.level,
        recording_id=row.recording_id,
        at=row.at,
    )
