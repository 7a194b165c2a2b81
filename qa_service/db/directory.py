"""The directory of agents and teams.

Guarantee: every page is read in the order of a primary key, from where the last one ended.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select, union
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_or_get
from qa_service.db.rows import AgentRow, CallRow, TeamRow
from qa_service.domain.access import CallOwner, Scope
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports.directory import Agent, AgentFigures, Team, Vendor

_AT_ONCE: Final = 500


class SqlDirectory:
    """Implements ``DirectoryRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def teams(self, scope: Scope, *, after: str | None, limit: int, vendor: str | None = None) -> Sequence[Team]:
        wanted = select(TeamRow).where(*_teams_within(scope)).order_by(TeamRow.name).limit(limit)
        if after is not None:
            wanted = wanted.where(TeamRow.name > after)
        if vendor is not None:
            wanted = wanted.where(TeamRow.vendor == vendor)
        return [_team(row) for row in self._session.scalars(wanted)]

    def agents(
        self,
        scope: Scope,
        *,
        after: str | None,
        limit: int,
        team: str | None = None,
        vendor: str | None = None,
    ) -> Sequence[Agent]:
        wanted = _AGENTS.where(*agents_within(scope)).order_by(AgentRow.agent_id).limit(limit)
        if after is not None:
            wanted = wanted.where(AgentRow.agent_id > after)
        if team is not None:
            wanted = wanted.where(AgentRow.team == team)
        if vendor is not None:
            wanted = wanted.where(_is_of(vendor))
        return [_agent(row, vendor_of_team) for row, vendor_of_team in self._session.execute(wanted)]

    def vendors(self, scope: Scope, *, after: str | None, limit: int) -> Sequence[Vendor]:
        teams = select(TeamRow.vendor.label("vendor")).where(TeamRow.vendor.is_not(None), *_teams_within(scope))
        agents = select(AgentRow.vendor.label("vendor")).where(AgentRow.vendor.is_not(None), *agents_within(scope))
        if after is not None:
            teams, agents = teams.where(TeamRow.vendor > after), agents.where(AgentRow.vendor > after)
        named = union(teams.distinct(), agents.distinct()).subquery()
        names = self._session.scalars(select(named.c.vendor).order_by(named.c.vendor).limit(limit)).all()
        if not names:
            return []
        own = func.coalesce(AgentRow.vendor, TeamRow.vendor)
        of_teams = select(TeamRow.vendor, func.count()).where(TeamRow.vendor.in_(names), *_teams_within(scope))
        of_agents = (
            select(own, func.count())
            .select_from(AgentRow)
            .outerjoin(TeamRow, TeamRow.name == AgentRow.team)
            .where(own.in_(names), *agents_within(scope))
        )
        teams_of = dict(self._session.execute(of_teams.group_by(TeamRow.vendor)).all())
        agents_of = dict(self._session.execute(of_agents.group_by(own)).all())
        return [Vendor(name, teams_of.get(name, 0), agents_of.get(name, 0)) for name in names if name is not None]

    def team(self, name: str, scope: Scope, *, alone: bool = False) -> Team:
        row = self._session.get(TeamRow, name, with_for_update=alone or None, populate_existing=True)
        team = None if row is None else _team(row)
        if team is None or not (scope.covers(team.owner) or self._is_own_team(name, scope)):
            raise NotFoundError("team_not_found", "there is no such team: list the teams to see which exist")
        return team

    def agent(self, agent_id: str, scope: Scope, *, alone: bool = False) -> Agent:
        row = self._session.get(AgentRow, agent_id, with_for_update=alone or None, populate_existing=True)
        agent = None if row is None else _agent(row, self._vendor_of(row.team))
        if agent is None or not scope.covers(agent.owner):
            raise NotFoundError("agent_not_found", "there is no such agent: list the agents to see which exist")
        return agent

    def owners(self, agent_ids: Collection[str], scope: Scope) -> Mapping[str, CallOwner]:
        names = sorted(agent_ids)
        found: dict[str, CallOwner] = {}
        for begin in range(0, len(names), _AT_ONCE):
            wanted = _AGENTS.where(AgentRow.agent_id.in_(names[begin : begin + _AT_ONCE]), *agents_within(scope))
            found |= {row.agent_id: _agent(row, vendor).owner for row, vendor in self._session.execute(wanted)}
        return found

    def figures(self, agent_id: str, scope: Scope, *, since: datetime) -> AgentFigures:
        calls, scored, mean = self._session.execute(
            select(func.count(), func.count(CallRow.final_score), func.avg(CallRow.final_score)).where(
                CallRow.agent_id == agent_id, CallRow.at >= since, *_calls_within(scope)
            )
        ).one()
        return AgentFigures(since, calls, scored, mean)

    def add_team(self, name: str, vendor: str | None) -> Team:
        row, is_new = insert_or_get(
            self._session,
            lambda: self._session.get(TeamRow, name),
            lambda: TeamRow(name=name, vendor=vendor),
        )
        if not is_new:
            raise ConflictError("team_exists", f"there is a team {name} already: choose another name")
        return _team(row)

    def save_team(self, name: str, *, vendor: str | None) -> Team:
        row = self._session.get_one(TeamRow, name)
        row.vendor = vendor
        self._session.flush()
        return _team(row)

    def save_agent(self, agent_id: str, *, name: str | None, team: str | None, vendor: str | None) -> Agent:
        row = self._session.get_one(AgentRow, agent_id)
        row.name, row.team, row.vendor = name, team, vendor
        self._session.flush()
        return _agent(row, self._vendor_of(team))

    def _vendor_of(self, team: str | None) -> str | None:
        return None if team is None else self._session.scalar(select(TeamRow.vendor).where(TeamRow.name == team))

    def _is_own_team(self, name: str, scope: Scope) -> bool:
        """An agent's scope names no team, and the agent is in one."""
        if scope.agent_id is None:
            return False
        wanted = select(AgentRow.team).where(*agents_within(scope))
        return self._session.scalar(wanted) == name


_AGENTS = select(AgentRow, TeamRow.vendor).outerjoin(TeamRow, TeamRow.name == AgentRow.team)


def _is_of(vendor: str) -> ColumnElement[bool]:
    of_vendor = select(TeamRow.name).where(TeamRow.vendor == vendor)
    return or_(AgentRow.vendor == vendor, and_(AgentRow.vendor.is_(None), AgentRow.team.in_(of_vendor)))


def agents_within(scope: Scope) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if scope.vendor is not None:
        conditions.append(_is_of(scope.vendor))
    if scope.teams is not None:
        conditions.append(AgentRow.team.in_(sorted(scope.teams)))
    if scope.agent_id is not None:
        conditions.append(AgentRow.agent_id == scope.agent_id)
    return conditions


def _teams_within(scope: Scope) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if scope.vendor is not None:
        conditions.append(TeamRow.vendor == scope.vendor)
    if scope.teams is not None:
        conditions.append(TeamRow.name.in_(sorted(scope.teams)))
    if scope.agent_id is not None:
        conditions.append(TeamRow.name.in_(select(AgentRow.team).where(AgentRow.agent_id == scope.agent_id)))
    return conditions


def _calls_within(scope: Scope) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if scope.vendor is not None:
        conditions.append(CallRow.vendor == scope.vendor)
    if scope.teams is not None:
        conditions.append(CallRow.team.in_(sorted(scope.teams)))
    if scope.agent_id is not None:
        conditions.append(CallRow.agent_id == scope.agent_id)
    return conditions


def _team(row: TeamRow) -> Team:
    return Team(row.name, row.vendor, row.version)


def _agent(row: AgentRow, vendor_of_team: str | None) -> Agent:
    return Agent(row.agent_id, row.name, row.team, row.vendor, vendor_of_team, row.first_call_at, row.version)
