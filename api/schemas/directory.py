"""Teams, agents and vendors."""

from typing import Annotated

from fastapi import Path
from pydantic import ConfigDict

from api.schemas.base import Name, Sent, Shown, ShownTime
from qa_service.ports.directory import Agent, AgentFigures, Team, Vendor

Key = Annotated[str, Path(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]
"""A name in a path, as call metadata told it: it may hold a slash, sent as it is or as ``%2F``."""


class NewTeam(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "A", "vendor": "V"}})

    name: Name
    vendor: Name | None = None


class TeamChange(Sent):
    """``vendor``: null for a team of the own house."""

    model_config = ConfigDict(json_schema_extra={"example": {"vendor": "V"}})

    vendor: Name | None


class TeamModel(Shown):
    name: str
    vendor: str | None
    version: int

    @staticmethod
    def of(team: Team) -> "TeamModel":
        return TeamModel.model_validate(team)


class AgentChange(Sent):
    """What is given is changed; null: nothing is known of it any more, until a call tells."""

    model_config = ConfigDict(json_schema_extra={"example": {"team": "B"}})

    name: Name | None = None
    team: Name | None = None
    vendor: Name | None = None


class AgentModel(Shown):
    """``vendor``: the agent's own, else that of the team."""

    agent_id: str
    name: str | None
    team: str | None
    vendor: str | None
    first_call_at: ShownTime | None
    version: int

    @staticmethod
    def of(agent: Agent) -> "AgentModel":
        return AgentModel.model_validate(agent)


class AgentFiguresModel(Shown):
    """``scored``: calls with a final score, of which ``mean_final_score`` is the mean."""

    since: ShownTime
    calls: int
    scored: int
    mean_final_score: float | None


class AgentInFull(AgentModel):
    """``figures``: of the last 30 days, of calls that you may reach."""

    figures: AgentFiguresModel

    @staticmethod
    def with_figures(agent: Agent, figures: AgentFigures) -> "AgentInFull":
        return AgentInFull(
            **AgentModel.of(agent).model_dump(exclude={"first_call_at"}),
            first_call_at=agent.first_call_at,
            figures=AgentFiguresModel.model_validate(figures),
        )


class VendorModel(Shown):
    """``teams``, ``agents``: how many, of those that you may reach."""

    name: str
    teams: int
    agents: int

    @staticmethod
    def of(vendor: Vendor) -> "VendorModel":
        return VendorModel.model_validate(vendor)
