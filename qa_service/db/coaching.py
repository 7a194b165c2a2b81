"""Coaching actions on SQLAlchemy.

Guarantee: of each subject and module one action is open at most, whoever proposes; the unique index decides.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select, text, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qa_service.db import coaching_clips, documents
from qa_service.db.inserting import insert_missing, insert_or_get, storable
from qa_service.db.rows import (
    OPEN_ACTIONS,
    AgentRow,
    CallRow,
    CoachingActionRow,
    CoachingClipRow,
    CoachingRoundRow,
    CoachingStepRow,
    UserRow,
)
from qa_service.db.scopes import within
from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.coaching import ActionState, ActionStep, Need, subject_key
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock
from qa_service.ports.coaching import ActionFilter, Clip, CoachingAction, TakenStep, Window


class SqlCoachingRepository:
    """Implements ``CoachingRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def faults(
        self, agents: Collection[str], rules: Collection[str], window: Window, *, most: int
    ) -> Sequence[Clip]:
        return coaching_clips.faults(self._session, CallRow.agent_id, agents, rules, window, most)

    def faults_of_teams(
        self, teams: Collection[str], rules: Collection[str], window: Window, *, most: int
    ) -> Sequence[Clip]:
        return coaching_clips.faults(self._session, CallRow.team, teams, rules, window, most)

    def best(
        self, team: str, rules: Collection[str], window: Window, *, min_score: float, most: int
    ) -> Sequence[Clip]:
        return coaching_clips.best(self._session, team, rules, window, min_score=min_score, most=most)

    def open_actions(self, scope: Scope) -> Sequence[CoachingAction]:
        query = _actions().where(text(f"coaching_actions.{OPEN_ACTIONS}"), *within(CoachingActionRow, scope))
        return [_action(*row) for row in self._session.execute(query.order_by(CoachingActionRow.id))]

    def add(
        self, need: Need, window: Window, clips: Sequence[Clip], *, by: int | None, note: str
    ) -> CoachingAction | None:
        row = CoachingActionRow(
            subject=subject_key(need.owner),
            agent_id=need.owner.agent_id,
            team=need.owner.team,
            vendor=need.owner.vendor,
            module=need.module,
            state=ActionState.PROPOSED.value,
            rules=documents.dump_rule_needs(need.rules),
            priority=need.priority,
            since=window.first.isoformat(),
            until=window.last.isoformat(),
            selected_until=window.last.isoformat(),
            by_hand=by is not None,
            proposed_at=self._clock.now(),
            version=1,
        )
        try:
            with self._session.begin_nested():
                self._session.add(row)
                self._session.flush()
        except IntegrityError:
            if self._open(need) is None:
                raise
            return None
        self._keep(row.id, clips)
        self._record(row.id, ActionStep.PROPOSE, ActionState.PROPOSED, ActionState.PROPOSED, by, note)
        return self.get(row.id, Scope())

    def extend(self, action: CoachingAction, need: Need, window: Window, clips: Sequence[Clip]) -> bool:
        known = {(row.kind, row.rule_result_id) for row in self._kept(action.id)}
        new = [clip for clip in clips if (clip.kind.value, clip.rule_result_id) not in known]
        self._keep(action.id, new)
        # Whoever works on it goes on reaching it, wherever the agent has most calls now.
        moves = and_(CoachingActionRow.state == ActionState.PROPOSED.value, CoachingActionRow.by_hand.is_(False))
        self._session.execute(
            update(CoachingActionRow)
            .where(CoachingActionRow.id == action.id)
            .values(
                team=case((moves, need.owner.team), else_=CoachingActionRow.team),
                vendor=case((moves, need.owner.vendor), else_=CoachingActionRow.vendor),
                rules=documents.dump_rule_needs(need.rules),
                priority=need.priority,
                until=window.last.isoformat(),
                version=CoachingActionRow.version + int(bool(new)),
            )
            .execution_options(synchronize_session=False)
        )
        if new:
            note = ", ".join(sorted({clip.rule for clip in new}))
            self._record(action.id, ActionStep.EXTEND, action.state, action.state, None, note)
        return bool(new)

    def move(
        self,
        action: CoachingAction,
        step: ActionStep,
        to: ActionState,
        *,
        by: int | None,
        note: str,
        assigned_to: int | None = None,
        due_at: datetime | None = None,
    ) -> CoachingAction:
        values: dict[str, Any] = {"state": to.value, "version": CoachingActionRow.version + 1}
        if step is ActionStep.ASSIGN:
            values |= {"assigned_to": assigned_to, "due_at": due_at}
        if to is ActionState.HELD:
            values["held_at"] = self._clock.now()
        moved = self._session.scalar(
            update(CoachingActionRow)
            .where(CoachingActionRow.id == action.id, CoachingActionRow.version == action.version)
            .values(**values)
            .returning(CoachingActionRow.id)
            .execution_options(synchronize_session=False)
        )
        if moved is None:
            raise ConflictError(
                "stale_version",
                f"coaching action {action.id} has changed meanwhile: read it again, then change it",
                action_id=action.id,
            )
        self._record(action.id, step, action.state, to, by, note)
        return self.get(action.id, Scope())

    def get(self, action_id: int, scope: Scope) -> CoachingAction:
        query = _actions().where(CoachingActionRow.id == action_id, *within(CoachingActionRow, scope))
        row = self._session.execute(query).one_or_none()
        if row is None:
            raise NotFoundError(
                "coaching_not_found",
                f"no coaching action has the number {action_id}: list them to see which exist",
                action_id=action_id,
            )
        return _action(*row)

    def page(
        self, wanted: ActionFilter, scope: Scope, *, after: tuple[float, int] | None, limit: int
    ) -> Sequence[CoachingAction]:
        conditions: list[ColumnElement[bool]] = within(CoachingActionRow, scope)
        for column, value in (
            (CoachingActionRow.agent_id, wanted.agent_id),
            (CoachingActionRow.team, wanted.team),
            (CoachingActionRow.module, wanted.module),
            (CoachingActionRow.assigned_to, wanted.assigned_to),
        ):
            if value is not None:
                conditions.append(column == value)
        if wanted.states is not None:
            conditions.append(CoachingActionRow.state.in_(sorted(state.value for state in wanted.states)))
        if wanted.shared is not None:
            of_one = CoachingActionRow.agent_id.is_not(None)
            conditions.append(~of_one if wanted.shared else of_one)
        if after is not None:
            place = tuple_(-CoachingActionRow.priority, CoachingActionRow.id)
            conditions.append(place > (-after[0], after[1]))
        query = _actions().where(*conditions)
        ordered = query.order_by(CoachingActionRow.priority.desc(), CoachingActionRow.id).limit(limit)
        return [_action(*row) for row in self._session.execute(ordered)]

    def clips(self, action_ids: Collection[int]) -> dict[int, tuple[Clip, ...]]:
        return coaching_clips.of_actions(self._session, action_ids)

    def steps(self, action_id: int) -> tuple[TakenStep, ...]:
        rows = self._session.execute(
            select(CoachingStepRow, UserRow.display_name)
            .outerjoin(UserRow, UserRow.id == CoachingStepRow.user_id)
            .where(CoachingStepRow.action_id == action_id)
            .order_by(CoachingStepRow.number)
        )
        return tuple(
            TakenStep(
                number=row.number,
                step=ActionStep(row.step),
                from_state=ActionState(row.from_state),
                to_state=ActionState(row.to_state),
                user_id=row.user_id,
                user_name=name,
                note=row.note,
                at=row.at,
            )
            for row, name in rows
        )

    def coached(self, module: str, *, since: datetime) -> Collection[str]:
        held = select(CoachingActionRow.agent_id).where(
            CoachingActionRow.module == module, CoachingActionRow.held_at >= since
        )
        return {agent for agent in self._session.scalars(held) if agent is not None}

    def round_done(self, day: date) -> bool:
        return self._session.get(CoachingRoundRow, day.isoformat()) is not None

    def begin_round(self, day: date) -> bool:
        _, is_new = insert_or_get(
            self._session,
            lambda: self._session.get(CoachingRoundRow, day.isoformat()),
            lambda: CoachingRoundRow(day=day.isoformat(), at=self._clock.now()),
        )
        return is_new

    def _open(self, need: Need) -> CoachingActionRow | None:
        return self._session.scalar(
            select(CoachingActionRow).where(
                CoachingActionRow.subject == subject_key(need.owner),
                CoachingActionRow.module == need.module,
                text(f"coaching_actions.{OPEN_ACTIONS}"),
            )
        )

    def _kept(self, action_id: int) -> Sequence[CoachingClipRow]:
        return self._session.scalars(select(CoachingClipRow).where(CoachingClipRow.action_id == action_id)).all()

    def _keep(self, action_id: int, clips: Sequence[Clip]) -> None:
        insert_missing(
            self._session,
            CoachingClipRow,
            "action_id,kind,rule_result_id",
            [
                {
                    "action_id": action_id,
                    "kind": clip.kind.value,
                    "rule_result_id": clip.rule_result_id,
                    "start_s": None if clip.evidence is None else clip.evidence.start,
                    "end_s": None if clip.evidence is None else clip.evidence.end,
                }
                for clip in clips
            ],
        )

    def _record(
        self, action_id: int, step: ActionStep, before: ActionState, to: ActionState, by: int | None, note: str
    ) -> None:
        last = self._session.scalar(
            select(func.max(CoachingStepRow.number)).where(CoachingStepRow.action_id == action_id)
        )
        self._session.add(
            CoachingStepRow(
                action_id=action_id,
                number=(last or 0) + 1,
                step=step.value,
                from_state=before.value,
                to_state=to.value,
                user_id=by,
                note=storable(note),
                at=self._clock.now(),
            )
        )
        self._session.flush()


def _actions() -> Select[*tuple[Any, ...]]:
    told: Select[*tuple[Any, ...]] = (
        select(CoachingActionRow, AgentRow.name, UserRow.display_name)
        .outerjoin(AgentRow, AgentRow.agent_id == CoachingActionRow.agent_id)
        .outerjoin(UserRow, UserRow.id == CoachingActionRow.assigned_to)
        .execution_options(populate_existing=True)
    )
    return told


def _action(row: CoachingActionRow, agent_name: str | None, assigned_name: str | None) -> CoachingAction:
    return CoachingAction(
        id=row.id,
        owner=CallOwner(row.vendor, row.team, row.agent_id),
        agent_name=agent_name,
        module=row.module,
        state=ActionState(row.state),
        rules=documents.load_rule_needs(row.rules),
        priority=row.priority,
        since=date.fromisoformat(row.since),
        until=date.fromisoformat(row.until),
        selected_until=date.fromisoformat(row.selected_until),
        by_hand=row.by_hand,
        assigned_to=row.assigned_to,
        assigned_name=assigned_name,
        due_at=row.due_at,
        proposed_at=row.proposed_at,
        held_at=row.held_at,
        version=row.version,
    )
