"""Sampling plans on SQLAlchemy.

Guarantee: a period is drawn once, whoever asks and how often: the draw's row comes first, under a unique key.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from qa_service.db.inserting import insert_missing, insert_or_get
from qa_service.db.rows import (
    AgentRow,
    CallRow,
    EvaluationRow,
    ReviewItemRow,
    SampledCallRow,
    SamplingDrawRow,
    SamplingPlanRow,
    UserRow,
)
from qa_service.db.scopes import within
from qa_service.domain.access import CallOwner, Role, Scope
from qa_service.domain.queueing import QueueKind, ReviewPolicy
from qa_service.domain.sampling import Candidate, Drawn, Inspector, Period, PlanTerms, Stratum
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock
from qa_service.ports.review import ItemState
from qa_service.ports.sampling import SampledCall, SamplingDraw, SamplingPlan

_AT_ONCE = 500


class SqlSamplingRepository:
    """Implements ``SamplingRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(self, terms: PlanTerms, *, by: int) -> SamplingPlan:
        now = self._clock.now()
        row = SamplingPlanRow(created_by=by, created_at=now)
        self._tell(row, terms)
        try:
            with self._session.begin_nested():
                self._session.add(row)
                self._session.flush()
        except IntegrityError as error:
            raise _exists(terms.name) from error
        return _plan(row)

    def change(self, plan_id: int, terms: PlanTerms, *, version: int | None) -> SamplingPlan:
        row = self._row(plan_id)
        if version is not None and row.version != version:
            raise _stale(plan_id)
        self._tell(row, terms)
        try:
            with self._session.begin_nested():
                self._session.flush()
        except StaleDataError as error:
            raise _stale(plan_id) from error
        except IntegrityError as error:
            raise _exists(terms.name) from error
        return _plan(row)

    def get(self, plan_id: int) -> SamplingPlan:
        return _plan(self._row(plan_id))

    def plans(self) -> tuple[SamplingPlan, ...]:
        return tuple(map(_plan, self._session.scalars(select(SamplingPlanRow).order_by(SamplingPlanRow.id))))

    def is_drawn(self, plan_id: int, start: date) -> bool:
        return self._drawn(plan_id, start) is not None

    def begin(self, plan_id: int, start: date) -> SamplingDraw | None:
        row, is_new = insert_or_get(
            self._session,
            lambda: self._drawn(plan_id, start),
            lambda: SamplingDrawRow(
                plan_id=plan_id, period_start=start.isoformat(), candidates=0, drawn=0, at=self._clock.now()
            ),
        )
        return _draw(row) if is_new else None

    def candidates(self, terms: PlanTerms, since: datetime, until: datetime) -> Sequence[Candidate]:
        rows = self._session.execute(
            select(
                *(CallRow.recording_id, CallRow.vendor, CallRow.team, CallRow.agent_id, CallRow.at),
                *(CallRow.queue, CallRow.worst, AgentRow.first_call_at),
            )
            .join(EvaluationRow, EvaluationRow.id == CallRow.evaluation_id)
            .outerjoin(AgentRow, AgentRow.agent_id == CallRow.agent_id)
            .where(
                CallRow.at >= since,
                CallRow.at < until,
                CallRow.agent_id.is_not(None),
                EvaluationRow.scorecard_digest.is_not(None),
                *within(CallRow, terms.scope),
            )
            .order_by(CallRow.recording_id)
        )
        return [
            Candidate(
                recording_id=row.recording_id,
                owner=CallOwner(row.vendor, row.team, row.agent_id),
                at=row.at,
                queue=row.queue,
                worst=row.worst,
                since=row.first_call_at,
            )
            for row in rows
        ]

    def inspectors(self) -> Sequence[Inspector]:
        rows = self._session.scalars(select(UserRow).where(UserRow.active).order_by(UserRow.id))
        found = [
            Inspector(
                row.id,
                frozenset(map(Role, row.roles)),
                Scope(row.vendor, None if row.teams is None else frozenset(row.teams), row.agent_id),
            )
            for row in rows
        ]
        return [who for who in found if Role.INSPECTOR in who.roles]

    def finish(
        self,
        draw: SamplingDraw,
        drawn: Sequence[Drawn],
        assigned: Mapping[int, int],
        *,
        candidates: int,
        policy: ReviewPolicy,
    ) -> SamplingDraw:
        # In one order, so that two draws at once never wait for each other in a circle.
        ordered = sorted(drawn, key=lambda each: each.call.recording_id)
        for begin in range(0, len(ordered), _AT_ONCE):
            self._store(draw, ordered[begin : begin + _AT_ONCE], assigned, policy)
        row = self._session.get_one(SamplingDrawRow, draw.id)
        row.candidates, row.drawn = candidates, len(drawn)
        self._session.flush()
        return _draw(row)

    def _store(
        self, draw: SamplingDraw, drawn: Sequence[Drawn], assigned: Mapping[int, int], policy: ReviewPolicy
    ) -> None:
        now = self._clock.now()
        due = policy.due(now, None)
        rank = policy.rank(policy.random_value, due, head=False)
        numbers = [each.call.recording_id for each in drawn]
        found = self._session.execute(
            select(CallRow.recording_id, CallRow.evaluation_id).where(
                CallRow.recording_id.in_(numbers), CallRow.evaluation_id.is_not(None)
            )
        )
        evaluations = {row.recording_id: row.evaluation_id for row in found}
        insert_missing(
            self._session,
            ReviewItemRow,
            "recording_id",
            [
                {
                    "recording_id": each.call.recording_id,
                    "evaluation_id": evaluations[each.call.recording_id],
                    "kind": QueueKind.SAMPLED.value,
                    "state": ItemState.WAITING.value,
                    "rank": rank,
                    "value": policy.random_value,
                    "due_at": due,
                    "grade": None,
                    "inclusion_probability": each.inclusion_probability,
                    "team": each.call.owner.team,
                    "vendor": each.call.owner.vendor,
                    "agent_id": each.call.owner.agent_id,
                    "version": 1,
                    "ranked_at": now,
                    "created_at": now,
                }
                for each in drawn
            ],
        )
        by_inspector: dict[int, list[int]] = {}
        for number in numbers:
            if number in assigned:
                by_inspector.setdefault(assigned[number], []).append(number)
        for user_id, mine in sorted(by_inspector.items()):
            # Those that are in the queue for another reason too, unless somebody has them.
            self._session.execute(
                update(ReviewItemRow)
                .where(
                    ReviewItemRow.recording_id.in_(mine),
                    ReviewItemRow.state == ItemState.WAITING.value,
                    ReviewItemRow.assigned_to.is_(None),
                )
                .values(assigned_to=user_id, version=ReviewItemRow.version + 1)
                .execution_options(synchronize_session=False)
            )
        insert_missing(
            self._session,
            SampledCallRow,
            "draw_id,recording_id",
            [
                {
                    "draw_id": draw.id,
                    "recording_id": each.call.recording_id,
                    "agent_id": each.call.agent_id,
                    "stratum": each.stratum.value,
                    "inclusion_probability": each.inclusion_probability,
                    "assigned_to": assigned.get(each.call.recording_id),
                }
                for each in drawn
            ],
        )

    def draws(self, plan_id: int, *, before: date | None, limit: int) -> tuple[SamplingDraw, ...]:
        query = (
            select(SamplingDrawRow)
            .where(SamplingDrawRow.plan_id == plan_id)
            .order_by(SamplingDrawRow.period_start.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(SamplingDrawRow.period_start < before.isoformat())
        return tuple(map(_draw, self._session.scalars(query)))

    def draw(self, draw_id: int) -> SamplingDraw:
        row = self._session.get(SamplingDrawRow, draw_id)
        if row is None:
            raise NotFoundError(
                "sampling_draw_not_found",
                f"no draw has the number {draw_id}: list the plan's draws",
                draw_id=draw_id,
            )
        return _draw(row)

    def calls(self, draw_id: int, *, after: int, limit: int) -> tuple[SampledCall, ...]:
        done = func.coalesce(ReviewItemRow.state == ItemState.DONE.value, False)
        rows = self._session.execute(
            select(SampledCallRow, done)
            .outerjoin(ReviewItemRow, ReviewItemRow.recording_id == SampledCallRow.recording_id)
            .where(SampledCallRow.draw_id == draw_id, SampledCallRow.recording_id > after)
            .order_by(SampledCallRow.recording_id)
            .limit(limit)
        )
        return tuple(
            SampledCall(
                id=row.id,
                recording_id=row.recording_id,
                agent_id=row.agent_id,
                stratum=Stratum(row.stratum),
                inclusion_probability=row.inclusion_probability,
                assigned_to=row.assigned_to,
                done=bool(is_done),
            )
            for row, is_done in rows
        )

    def _tell(self, row: SamplingPlanRow, terms: PlanTerms) -> None:
        row.name, row.per_agent, row.period = terms.name, terms.per_agent, terms.period.value
        row.new_agent_days, row.new_agent_factor = terms.new_agent_days, terms.new_agent_factor
        row.risk_share, row.active = terms.risk_share, terms.active
        row.vendor = terms.scope.vendor
        row.teams = None if terms.scope.teams is None else sorted(terms.scope.teams)
        row.updated_at = self._clock.now()

    def _row(self, plan_id: int) -> SamplingPlanRow:
        row = self._session.get(SamplingPlanRow, plan_id)
        if row is None:
            raise NotFoundError(
                "sampling_plan_not_found", f"no plan has the number {plan_id}: list the plans", plan_id=plan_id
            )
        return row

    def _drawn(self, plan_id: int, start: date) -> SamplingDrawRow | None:
        return self._session.scalar(
            select(SamplingDrawRow).where(
                SamplingDrawRow.plan_id == plan_id, SamplingDrawRow.period_start == start.isoformat()
            )
        )


def _plan(row: SamplingPlanRow) -> SamplingPlan:
    return SamplingPlan(
        id=row.id,
        terms=PlanTerms(
            name=row.name,
            per_agent=row.per_agent,
            period=Period(row.period),
            new_agent_days=row.new_agent_days,
            new_agent_factor=row.new_agent_factor,
            risk_share=row.risk_share,
            scope=Scope(row.vendor, None if row.teams is None else frozenset(row.teams)),
            active=row.active,
        ),
        created_by=row.created_by,
        created_at=row.created_at,
        version=row.version,
    )


def _draw(row: SamplingDrawRow) -> SamplingDraw:
    start = date.fromisoformat(row.period_start)
    return SamplingDraw(row.id, row.plan_id, start, row.candidates, row.drawn, row.at)


def _exists(name: str) -> ConflictError:
    return ConflictError("sampling_plan_exists", f"there is a plan named {name!r}: choose another name")


def _stale(plan_id: int) -> ConflictError:
    return ConflictError(
        "stale_version", f"plan {plan_id} has changed meanwhile: read it again, then change it", plan_id=plan_id
    )
