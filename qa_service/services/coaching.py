"""Coaching actions: who works on them, and how far they are.

Guarantee: no state is skipped, and each step is a row with who took it and why. An agent sees the own actions from
when they are assigned on. Clips of calls that somebody is to score blind, or does not reach, are not shown then.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from qa_service.domain.access import Permission, Principal, permissions_of
from qa_service.domain.coaching import (
    BY_HAND,
    SEEN_BY_AGENT,
    ActionStep,
    Need,
    may_follow,
)
from qa_service.domain.working_days import WorkCalendar
from qa_service.errors import ConflictError, InputError, NotFoundError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.coaching import ActionFilter, Clip, CoachingAction, TakenStep
from qa_service.ports.people import Origin, User
from qa_service.services.coaching_rounds import CoachingRounds
from qa_service.services.coaching_steps import take
from qa_service.services.findings import checked_note
from qa_service.services.training import module_of

MAX_PAGE, MAX_DUE_DAYS = 200, 90
NEEDS_A_REASON = frozenset({ActionStep.DISMISS, ActionStep.NOTE, ActionStep.FAIL})


@dataclass(frozen=True, slots=True)
class CoachingDetails:
    """An action with what may be listened to, and its steps."""

    action: CoachingAction
    clips: tuple[Clip, ...]
    steps: tuple[TakenStep, ...]


class Coaching:
    """Args:
    units: where it is stored.
    units_to_read: the same, for reading only.
    clock: what deadlines are reckoned from.
    calendar: which days are worked.
    due_days: working days until an action is due where nobody says otherwise.
    rounds: what figures show of who is proposed by hand.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        calendar: WorkCalendar,
        due_days: int,
        rounds: CoachingRounds,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._calendar = calendar
        self._due_days = due_days
        self._rounds = rounds

    def page(
        self,
        who: Principal,
        wanted: ActionFilter,
        *,
        after: tuple[float, int] | None = None,
        limit: int = 50,
    ) -> Sequence[CoachingAction]:
        """Actions of ``who``'s scope, the most urgent first."""
        with self._units_to_read() as unit:
            return unit.coaching.page(wanted, who.scope, after=after, limit=min(max(limit, 1), MAX_PAGE + 1))

    def mine(self, who: Principal, *, after: tuple[float, int] | None, limit: int) -> Sequence[CoachingAction]:
        """The agent's own; nothing for who is no agent."""
        if who.scope.agent_id is None:
            return ()
        return self.page(
            who, ActionFilter(states=SEEN_BY_AGENT, agent_id=who.scope.agent_id), after=after, limit=limit
        )

    def get(self, who: Principal, action_id: int) -> CoachingDetails:
        """Raises NotFoundError ``coaching_not_found``."""
        with self._units_to_read() as unit:
            return self._details(unit, who, self._own(unit, who, action_id))

    def clips(self, who: Principal, action_ids: Collection[int]) -> dict[int, tuple[Clip, ...]]:
        """What ``who`` may hear of these actions."""
        with self._units_to_read() as unit:
            return _seen(unit, who, unit.coaching.clips(action_ids))

    def add(
        self,
        who: Principal,
        *,
        agent_id: str,
        module: str,
        note: str = "",
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> CoachingAction:
        """Propose a module for an agent by hand; what the figures show of it is kept with it.

        Raises:
            NotFoundError: ``agent_not_found``, ``training_module_not_found``.
            ConflictError: ``coaching_open``.
        """
        note = checked_note(note)
        with self._units_to_read() as unit:
            unit.directory.agent(agent_id, who.scope)
            module_of(unit, module)
        shown = self._rounds.needs_of(agent_id, module)
        window, _ = self._rounds.windows()
        with self._units() as unit:
            agent = unit.directory.agent(agent_id, who.scope)
            need = shown or Need(agent.owner, module, (), 0.0)
            action = unit.coaching.add(
                Need(agent.owner, module, need.rules, need.priority), window, (), by=who.user_id, note=note
            )
            if action is None:
                raise ConflictError(
                    "coaching_open", f"an action of this agent and module {module} is open: go on with that one"
                )
            unit.audit.record(who, "coaching.create", "coaching", action.id, {"module": module}, origin=origin)
            unit.commit()
        return action

    def assign(
        self,
        who: Principal,
        action_id: int,
        *,
        assigned_to: int,
        due_days: int | None = None,
        note: str = "",
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> CoachingDetails:
        """Give it to a leader or trainer, to be held within working days.

        Raises:
            InputError: ``assignee_invalid``.
            ConflictError: ``coaching_transition_refused``, ``stale_version``.
        """
        days = self._due_days if due_days is None else min(max(due_days, 1), MAX_DUE_DAYS)
        with self._units() as unit:
            action = self._held(unit, who, action_id, version)
            self._may_coach(_active_user(unit, assigned_to), action)
            due_at = self._calendar.deadline(self._clock.now(), days)
            moved = self._step(
                unit, who, action, ActionStep.ASSIGN, checked_note(note), origin, assigned_to, due_at
            )
            unit.commit()
            return self._details(unit, who, moved)

    def step(
        self,
        who: Principal,
        action_id: int,
        step: ActionStep,
        *,
        note: str = "",
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> CoachingDetails:
        """Take one of the steps that say no more than that they were taken.

        Raises:
            InputError: ``reason_missing``.
            ConflictError: ``coaching_transition_refused``, ``stale_version``.
        """
        assert step in BY_HAND
        note = checked_note(note)
        if step in NEEDS_A_REASON and not note:
            raise InputError("reason_missing", f"{step.value} says why: give a note")
        with self._units() as unit:
            action = self._held(unit, who, action_id, version)
            moved = self._step(unit, who, action, step, note, origin)
            unit.commit()
            return self._details(unit, who, moved)

    def acknowledge(
        self,
        who: Principal,
        action_id: int,
        *,
        note: str = "",
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> CoachingDetails:
        """The agent has understood what was said. Raises as ``step`` does."""
        with self._units() as unit:
            action = self._held(unit, who, action_id, version)
            if who.scope.agent_id is None or action.owner.agent_id != who.scope.agent_id:
                raise _unknown(action_id)
            moved = self._step(unit, who, action, ActionStep.ACKNOWLEDGE, checked_note(note), origin)
            unit.commit()
            return self._details(unit, who, moved)

    def _own(self, unit: UnitOfWork, who: Principal, action_id: int) -> CoachingAction:
        action = unit.coaching.get(action_id, who.scope)
        if who.scope.agent_id is not None and action.state not in SEEN_BY_AGENT:
            raise _unknown(action_id)
        return action

    def _held(self, unit: UnitOfWork, who: Principal, action_id: int, version: int | None) -> CoachingAction:
        action = self._own(unit, who, action_id)
        if version is not None and version != action.version:
            raise ConflictError(
                "stale_version",
                f"coaching action {action_id} has changed meanwhile: read it again, then change it",
                action_id=action_id,
            )
        return action

    def _step(
        self,
        unit: UnitOfWork,
        who: Principal,
        action: CoachingAction,
        step: ActionStep,
        note: str,
        origin: Origin,
        assigned_to: int | None = None,
        due_at: datetime | None = None,
    ) -> CoachingAction:
        moved = take(*(unit, who, action, step), note=note, origin=origin, assigned_to=assigned_to, due_at=due_at)
        if moved is None:
            may = ", ".join(may_follow(action.state)) or "nothing"
            raise ConflictError(
                "coaching_transition_refused",
                f"the action is {action.state.value}, which {step.value!r} cannot follow: "
                f"read it again (what may follow is {may})",
                action_id=action.id,
            )
        return moved

    def _may_coach(self, user: User, action: CoachingAction) -> None:
        """Raises InputError ``assignee_invalid``."""
        if Permission.COACHING_MANAGE not in permissions_of(user.roles) or not user.scope.covers(action.owner):
            raise InputError(
                "assignee_invalid",
                "whoever holds the coaching is a leader, trainer or manager of this agent: name another account",
            )

    def _details(self, unit: UnitOfWork, who: Principal, action: CoachingAction) -> CoachingDetails:
        clips = _seen(unit, who, unit.coaching.clips([action.id]))[action.id]
        return CoachingDetails(action, clips, unit.coaching.steps(action.id))


def _active_user(unit: UnitOfWork, user_id: int) -> User:
    """Raises InputError ``assignee_invalid``."""
    try:
        user = unit.users.get(user_id)
    except NotFoundError as error:
        raise InputError("assignee_invalid", f"no account has the number {user_id}: list the accounts") from error
    if not user.active:
        raise InputError("assignee_invalid", f"account {user_id} is switched off: name another one")
    return user


def _seen(unit: UnitOfWork, who: Principal, clips: dict[int, tuple[Clip, ...]]) -> dict[int, tuple[Clip, ...]]:
    """Those of calls that ``who`` reaches: an agent in scope may have had calls elsewhere too. Agents hear the
    colleagues who did it right."""
    calls = sorted({clip.recording_id for own in clips.values() for clip in own})
    blind = unit.calibration.hidden_from(who.user_id, calls)

    def is_shown(clip: Clip) -> bool:
        return clip.recording_id not in blind and (who.scope.agent_id is not None or who.scope.covers(clip.owner))

    return {key: tuple(filter(is_shown, own)) for key, own in clips.items()}


def _unknown(action_id: int) -> NotFoundError:
    return NotFoundError(
        "coaching_not_found",
        f"no coaching action has the number {action_id}: list them to see which exist",
        action_id=action_id,
    )
