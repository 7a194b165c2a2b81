"""KPIs of agents' months, and appraisals."""

from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import Path
from pydantic import ConfigDict, Field, PlainSerializer, StringConstraints

from api.schemas.base import Name, Note, Sent, Shown, ShownTime
from api.schemas.figures import IntervalModel, ShareModel
from qa_service.domain.kpi import Appraiser, Kpi, KpiPart, KpiStanding, Part, Tier, TierShare, YearKpi
from qa_service.ports.kpi import AgentKpi, Appraisal, Closing
from qa_service.services.kpi import AgentYear, KpiMonth

MONTH_PATTERN: Final = r"^(19[9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])$"

MonthText = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
MonthInPath = Annotated[str, Path(pattern=MONTH_PATTERN, description="As in 2026-10")]
ShownMonth = Annotated[date, PlainSerializer(lambda month: f"{month:%Y-%m}", return_type=str)]


def month_of(text: str) -> date:
    """The first day of a month whose pattern was checked."""
    return date(int(text[:4]), int(text[5:7]), 1)


class KpiPartModel(Shown):
    """`points`: 100 for what is aimed at; null: nobody told, and the others carry its weight. `weight`: its share
    of what is there. `error`: standard error in points; null: not known, and counted as none."""

    part: Part
    value: float | None
    points: float | None
    weight: float
    error: float | None

    @staticmethod
    def of(part: KpiPart) -> "KpiPartModel":
        return KpiPartModel.model_validate(part)


class TierChanceModel(Shown):
    tier: Tier
    chance: float


class KpiModel(Shown):
    """`standing`: rated, the tier is certain; uncertain, chance may have made it; too_few_calls, not ranked;
    undetermined, too much is missing. `interval`: what chance in calls and ratings leaves open."""

    standing: KpiStanding
    value: float | None
    interval: IntervalModel | None
    tier: Tier | None
    chances: list[TierChanceModel] = Field(description="How probable each tier is")
    bonus: float | None
    bonus_range: IntervalModel | None
    coverage: float = Field(description="The share of the weights that is there")
    scored: int
    parts: list[KpiPartModel]

    @staticmethod
    def of(kpi: Kpi) -> "KpiModel":
        return KpiModel(
            standing=kpi.standing,
            value=kpi.value,
            interval=IntervalModel.of(kpi.interval),
            tier=kpi.tier,
            chances=[TierChanceModel(tier=each.tier, chance=each.chance) for each in kpi.chances],
            bonus=kpi.bonus,
            bonus_range=IntervalModel.of(kpi.bonus_range),
            coverage=kpi.coverage,
            scored=kpi.scored,
            parts=[KpiPartModel.of(part) for part in kpi.parts],
        )


class AgentKpiModel(Shown):
    agent_id: str
    team: str | None
    vendor: str | None
    kpi: KpiModel

    @staticmethod
    def of(found: AgentKpi) -> "AgentKpiModel":
        return AgentKpiModel(
            agent_id=found.agent_id, team=found.owner.team, vendor=found.owner.vendor, kpi=KpiModel.of(found.kpi)
        )


class TierShareModel(Shown):
    """`target`: what the house aims at, which changes nobody's tier."""

    tier: Tier
    share: ShareModel
    target: float

    @staticmethod
    def of(found: TierShare) -> "TierShareModel":
        return TierShareModel(tier=found.tier, share=ShareModel.of(found.share), target=found.target)


class ClosingModel(Shown):
    """A month was closed; `number` counts how often. `policy`: weights and targets as they were."""

    month: ShownMonth
    number: int
    note: str
    by: str
    at: ShownTime
    policy: dict[str, Any]

    @staticmethod
    def of(closing: Closing) -> "ClosingModel":
        return ClosingModel(
            month=closing.month,
            number=closing.number,
            note=closing.note,
            by=closing.by,
            at=closing.at,
            policy=dict(closing.policy),
        )


class ClosingList(Shown):
    items: list[ClosingModel]


class KpiMonthModel(Shown):
    """`closing` null: the month is open, and changes with what comes in. `waiting`: days of agents whose scores
    are being counted again."""

    month: ShownMonth
    closing: ClosingModel | None
    waiting: int
    items: list[AgentKpiModel]
    tiers: list[TierShareModel]

    @staticmethod
    def of(found: KpiMonth) -> "KpiMonthModel":
        return KpiMonthModel(
            month=found.month,
            closing=None if found.closing is None else ClosingModel.of(found.closing),
            waiting=found.waiting,
            items=[AgentKpiModel.of(each) for each in found.results],
            tiers=[TierShareModel.of(each) for each in found.tiers],
        )


class MonthOfAgentModel(Shown):
    month: ShownMonth
    closed: bool
    kpi: KpiModel


class YearModel(Shown):
    """The mean of `months` that have a KPI; null under six. A year has no tier."""

    months: int
    value: float | None
    interval: IntervalModel | None

    @staticmethod
    def of(year: YearKpi) -> "YearModel":
        return YearModel(months=year.months, value=year.value, interval=IntervalModel.of(year.interval))


class AgentYearModel(Shown):
    agent_id: str
    months: list[MonthOfAgentModel]
    year: YearModel

    @staticmethod
    def of(found: AgentYear) -> "AgentYearModel":
        return AgentYearModel(
            agent_id=found.agent_id,
            months=[
                MonthOfAgentModel(month=each.month, closed=closed, kpi=KpiModel.of(each.kpi))
                for each, closed in found.months
            ],
            year=YearModel.of(found.year),
        )


class SentClosing(Sent):
    """`note`: why, where the month was closed before."""

    model_config = ConfigDict(json_schema_extra={"example": {"note": "满意度更正"}})

    note: Note = ""


Points = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]


class NewAppraisal(Sent):
    """`appraiser`: self for agents, superior for who leads them."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "agent_id": "1024",
                "month": "2026-10",
                "appraiser": "superior",
                "points": 85,
                "note": "带新人很耐心",
            }
        }
    )

    agent_id: Name
    month: MonthText
    appraiser: Literal["self", "superior"]
    points: Points
    note: Note = ""


class AppraisalModel(Shown):
    """The last one of an appraiser holds."""

    id: int
    agent_id: str
    month: ShownMonth
    appraiser: Appraiser
    points: float
    note: str
    by: str
    at: ShownTime

    @staticmethod
    def of(found: Appraisal) -> "AppraisalModel":
        return AppraisalModel.model_validate(found)


class AppraisalList(Shown):
    items: list[AppraisalModel]
