"""Scopes as conditions: the one place that says in SQL what ``Scope.covers`` says."""

from sqlalchemy import ColumnElement

from qa_service.db.rows import (
    AgentDayRow,
    BehaviourDayRow,
    CallRow,
    CoachingActionRow,
    ComplaintRow,
    PromiseRow,
    ReviewItemRow,
)
from qa_service.domain.access import Scope


def within(
    row: type[CallRow]
    | type[CoachingActionRow]
    | type[ReviewItemRow]
    | type[AgentDayRow]
    | type[BehaviourDayRow]
    | type[ComplaintRow]
    | type[PromiseRow],
    scope: Scope,
) -> list[ColumnElement[bool]]:
    """Conditions under which a row's call is in ``scope``; a column without a name is in no scope that asks."""
    conditions: list[ColumnElement[bool]] = []
    if scope.vendor is not None:
        conditions.append(row.vendor == scope.vendor)
    if scope.teams is not None:
        # One team reads the index in the queue's order; an IN of one would be sorted.
        teams = sorted(scope.teams)
        conditions.append(row.team == teams[0] if len(teams) == 1 else row.team.in_(teams))
    if scope.agent_id is not None:
        conditions.append(row.agent_id == scope.agent_id)
    return conditions
