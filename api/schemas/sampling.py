"""Sampling plans and their draws."""

from datetime import date
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.schemas.base import Name, Sent, Shown, ShownTime
from qa_service.domain.access import Scope
from qa_service.domain.sampling import Period, PlanTerms, Stratum
from qa_service.ports.sampling import SampledCall, SamplingDraw, SamplingPlan
from qa_service.services.sampling import MAX_FACTOR, MAX_NEW_DAYS, MAX_PER_AGENT

_PLAN: dict[str, Any] = {
    "name": "每天十通",
    "per_agent": 10,
    "period": "day",
    "new_agent_days": 30,
    "new_agent_factor": 2.0,
    "risk_share": 0.3,
    "vendor": None,
    "teams": ["A"],
    "active": True,
}


class SentPlan(Sent):
    """So many calls of each agent in each period; `teams` null: of every team."""

    model_config = ConfigDict(json_schema_extra={"example": _PLAN})

    name: Name
    per_agent: Annotated[int, Field(ge=1, le=MAX_PER_AGENT)] = 10
    period: Period = Period.DAY
    new_agent_days: Annotated[
        int, Field(ge=0, le=MAX_NEW_DAYS, description="So long after the first call an agent is new")
    ] = 30
    new_agent_factor: Annotated[
        float, Field(ge=1.0, le=MAX_FACTOR, description="Of a new agent so many times as many calls")
    ] = 2.0
    risk_share: Annotated[
        float, Field(ge=0.0, le=1.0, description="Of calls with a major or critical finding, as far as there are")
    ] = 0.3
    vendor: Name | None = None
    teams: Annotated[list[Name], Field(min_length=1, max_length=200)] | None = None
    active: bool = True

    def terms(self) -> PlanTerms:
        return PlanTerms(
            name=self.name,
            per_agent=self.per_agent,
            period=self.period,
            new_agent_days=self.new_agent_days,
            new_agent_factor=self.new_agent_factor,
            risk_share=self.risk_share,
            scope=Scope(self.vendor, None if self.teams is None else frozenset(self.teams)),
            active=self.active,
        )


class SamplingPlanModel(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {**_PLAN, "id": 3, "created_by": 2, "created_at": "2026-11-22T08:00:00Z", "version": 1}
        }
    )

    id: int
    name: str
    per_agent: int
    period: Period
    new_agent_days: int
    new_agent_factor: float
    risk_share: float
    vendor: str | None
    teams: list[str] | None
    active: bool
    created_by: int
    created_at: ShownTime
    version: int

    @staticmethod
    def of(plan: SamplingPlan) -> "SamplingPlanModel":
        terms = plan.terms
        return SamplingPlanModel(
            id=plan.id,
            name=terms.name,
            per_agent=terms.per_agent,
            period=terms.period,
            new_agent_days=terms.new_agent_days,
            new_agent_factor=terms.new_agent_factor,
            risk_share=terms.risk_share,
            vendor=terms.scope.vendor,
            teams=None if terms.scope.teams is None else sorted(terms.scope.teams),
            active=terms.active,
            created_by=plan.created_by,
            created_at=plan.created_at,
            version=plan.version,
        )


class SamplingPlanList(Shown):
    items: list[SamplingPlanModel]


class NewDraw(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"day": "2026-11-20"}})

    day: date = Field(description="Any day of the period")


class SamplingDrawModel(Shown):
    """What was drawn of a period, of so many `candidates`."""

    id: int
    plan_id: int
    period_start: date
    candidates: int
    drawn: int
    at: ShownTime

    @staticmethod
    def of(draw: SamplingDraw) -> "SamplingDrawModel":
        return SamplingDrawModel.model_validate(draw)


class SampledCallModel(Shown):
    """A drawn call; `done`: somebody has looked at it."""

    recording_id: int
    agent_id: str
    stratum: Stratum
    inclusion_probability: float
    assigned_to: int | None
    done: bool

    @staticmethod
    def of(call: SampledCall) -> "SampledCallModel":
        return SampledCallModel.model_validate(call)
