"""Steps of coaching actions, whoever takes them.

Guarantee: each step is on the audit trail, in the transaction that takes it; the service's own as the machine's.
"""

from datetime import datetime
from typing import Final

from qa_service.domain.access import Principal
from qa_service.domain.coaching import ActionState, ActionStep, follow
from qa_service.ports import UnitOfWork
from qa_service.ports.coaching import CoachingAction
from qa_service.ports.people import Origin

MACHINE: Final = "machine"


def take(
    unit: UnitOfWork,
    who: Principal | None,
    action: CoachingAction,
    step: ActionStep,
    *,
    note: str = "",
    origin: Origin = Origin(),  # noqa: B008 - frozen
    assigned_to: int | None = None,
    due_at: datetime | None = None,
) -> CoachingAction | None:
    """Take a step; None: it cannot follow. ``who`` None: the service itself."""
    to = follow(action.state, step)
    if to is None:
        return None
    by = None if who is None else who.user_id
    moved = unit.coaching.move(action, step, to, by=by, note=note, assigned_to=assigned_to, due_at=due_at)
    told(unit, who, action.id, step, to, origin=origin)
    return moved


def told(
    unit: UnitOfWork,
    who: Principal | None,
    action_id: int,
    step: ActionStep,
    to: ActionState,
    *,
    origin: Origin = Origin(),  # noqa: B008 - frozen
) -> None:
    """Put a step that was taken on the audit trail."""
    unit.audit.record(
        who or MACHINE, f"coaching.{step.value}", "coaching", action_id, {"state": to.value}, origin=origin
    )
