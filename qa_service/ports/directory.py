"""The directory: agents, their teams and vendors, as call metadata and people tell of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qa_service.domain.access import CallOwner, Scope


@dataclass(frozen=True, slots=True)
class Team:
    """``version`` counts the edits."""

    name: str
    vendor: str | None
    version: int

    @property
    def owner(self) -> CallOwner:
        return CallOwner(self.vendor, self.name)


@dataclass(frozen=True, slots=True)
class Agent:
    """``own_vendor`` goes before that of the team. ``first_call_at``: None: no call yet."""

    agent_id: str
    name: str | None
    team: str | None
    own_vendor: str | None
    team_vendor: str | None
    first_call_at: datetime | None
    version: int

    @property
    def vendor(self) -> str | None:
        return self.own_vendor or self.team_vendor

    @property
    def owner(self) -> CallOwner:
        return CallOwner(self.vendor, self.team, self.agent_id)


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """Of an agent's calls since a moment: how many, how many of them have a final score, and its mean."""

    since: datetime
    calls: int
    scored: int
    mean_final_score: float | None


@dataclass(frozen=True, slots=True)
class Vendor:
    """``teams``, ``agents``: how many, of those in scope."""

    name: str
    teams: int
    agents: int


class DirectoryRepository(Protocol):
    """What is outside ``scope`` is not there."""

    def teams(self, scope: Scope, *, after: str | None, limit: int, vendor: str | None = None) -> Sequence[Team]:
        """By name."""
        ...

    def agents(
        self,
        scope: Scope,
        *,
        after: str | None,
        limit: int,
        team: str | None = None,
        vendor: str | None = None,
    ) -> Sequence[Agent]:
        """By number."""
        ...

    def vendors(self, scope: Scope, *, after: str | None, limit: int) -> Sequence[Vendor]:
        """By name."""
        ...

    def team(self, name: str, scope: Scope, *, alone: bool = False) -> Team:
        """``alone``: nobody else changes it until the transaction ends.

        Raises NotFoundError ``team_not_found``.
        """
        ...

    def agent(self, agent_id: str, scope: Scope, *, alone: bool = False) -> Agent:
        """Raises NotFoundError ``agent_not_found``."""
        ...

    def owners(self, agent_ids: Collection[str], scope: Scope) -> Mapping[str, CallOwner]:
        """Whose those of the agents are that exist."""
        ...

    def figures(self, agent_id: str, scope: Scope, *, since: datetime) -> AgentFigures:
        """Of those of the agent's calls that are in scope."""
        ...

    def add_team(self, name: str, vendor: str | None) -> Team:
        """Raises ConflictError ``team_exists``."""
        ...

    def save_team(self, name: str, *, vendor: str | None) -> Team: ...

    def save_agent(self, agent_id: str, *, name: str | None, team: str | None, vendor: str | None) -> Agent: ...
