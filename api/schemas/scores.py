"""Scores and faults over time, and an agent's page."""

import re
from datetime import date
from typing import Annotated, Final

from fastapi import Query
from pydantic import BeforeValidator, Field

from api.schemas.base import Shown, ShownTime
from api.schemas.directory import AgentModel
from api.schemas.figures import IntervalModel, ShareModel
from qa_service.domain.coaching import ActionState
from qa_service.domain.figures import FaultLine, FaultTotals, Grouping, Keys, Period, ScoreLine, ScoreTotals
from qa_service.domain.means import mean_interval
from qa_service.services.agent_page import AgentPage, MonthOfScores, RuleFaults

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_out(day: object) -> object:
    """A bare number is no day."""
    if isinstance(day, date) or (isinstance(day, str) and _DAY.fullmatch(day)):
        return day
    raise ValueError("write it as 2026-11-20")


Day = Annotated[date | None, BeforeValidator(_written_out), Query()]
"""A day in the site's zone."""


class ScoreModel(Shown):
    """Mean final score. `mean` and `interval` are null where `enough` is false: too few calls to tell."""

    calls: int
    scored: int = Field(description="Calls with a final score, of which `mean` is the mean")
    enough: bool
    mean: float | None
    interval: IntervalModel | None = Field(description="Reckoned from days of agents, not from single calls")
    fatal: int

    @staticmethod
    def of(totals: ScoreTotals, *, least: int) -> "ScoreModel":
        enough = totals.scored >= least
        return ScoreModel(
            calls=totals.calls,
            scored=totals.scored,
            enough=enough,
            mean=totals.mean if enough else None,
            interval=IntervalModel.of(mean_interval(totals)) if enough else None,
            fatal=totals.fatal,
        )


class FaultModel(Shown):
    """Faults of a rule that stand. `rate` is null where `enough` is false: too few calls to tell."""

    calls: int = Field(description="In which the rule had an answer")
    faults: int
    confirmed: int = Field(description="Of the faults, those that a person has decided")
    unreviewed: int
    enough: bool
    rate: ShareModel | None

    @staticmethod
    def of(totals: FaultTotals, *, least: int) -> "FaultModel":
        enough = totals.calls >= least
        return FaultModel(
            calls=totals.calls,
            faults=totals.faults,
            confirmed=totals.confirmed,
            unreviewed=totals.unreviewed,
            enough=enough,
            rate=ShareModel.of(totals.rate) if enough else None,
        )


class Grouped(Shown):
    """Whose calls: null where nobody told, and for what was not asked for in `by`."""

    agent_id: str | None
    team: str | None
    vendor: str | None
    queue: str | None
    starts: date = Field(description="The first day of the period")


class ScoreLineModel(Grouped):
    score: ScoreModel

    @staticmethod
    def of(line: ScoreLine, by: tuple[Grouping, ...], *, least: int) -> "ScoreLineModel":
        return ScoreLineModel(
            **_named(line.keys, by), starts=line.starts, score=ScoreModel.of(line.totals, least=least)
        )


class FaultLineModel(Grouped):
    rule: str
    found: FaultModel

    @staticmethod
    def of(line: FaultLine, by: tuple[Grouping, ...], *, least: int) -> "FaultLineModel":
        return FaultLineModel(
            **_named(line.keys, by),
            starts=line.starts,
            rule=line.rule,
            found=FaultModel.of(line.totals, least=least),
        )


def _named(keys: Keys, by: tuple[Grouping, ...]) -> dict[str, str | None]:
    told = dict(zip(by, keys, strict=True))
    names = {"agent_id": Grouping.AGENT, "team": Grouping.TEAM, "vendor": Grouping.VENDOR, "queue": Grouping.QUEUE}
    return {name: told.get(grouping) for name, grouping in names.items()}


class FiguresModel(Shown):
    """Of the days from `since` up to, and without, `until`."""

    since: date
    until: date
    period: Period
    min_calls: int = Field(description="Fewer calls are too few to tell")
    waiting: int = Field(description="Days of agents that have changed since they were counted")


class ScoresModel(FiguresModel):
    lines: list[ScoreLineModel]


class FaultsModel(FiguresModel):
    lines: list[FaultLineModel]


class AgentMonthModel(Shown):
    """`team`: the others of the agent's team; null where they are too few to be shown to an agent."""

    starts: date
    own: ScoreModel
    team: ScoreModel | None

    @staticmethod
    def of(month: MonthOfScores, *, least: int) -> "AgentMonthModel":
        return AgentMonthModel(
            starts=month.starts,
            own=ScoreModel.of(month.own, least=least),
            team=None if month.team is None else ScoreModel.of(month.team, least=least),
        )


class AgentRuleModel(Shown):
    """A rule in the agent's calls: lately, before that, and lately in those of the rest of the team."""

    rule: str
    lately: FaultModel
    before: FaultModel
    team: FaultModel | None

    @staticmethod
    def of(rule: RuleFaults, *, least: int) -> "AgentRuleModel":
        return AgentRuleModel(
            rule=rule.rule,
            lately=FaultModel.of(rule.lately, least=least),
            before=FaultModel.of(rule.before, least=least),
            team=None if rule.team is None else FaultModel.of(rule.team, least=least),
        )


class AgentCoachingModel(Shown):
    """Open coaching of the agent."""

    id: int
    module: str
    state: ActionState
    due_at: ShownTime | None


class AgentPageModel(Shown):
    """Everything is of calls that you may reach. Lately: from `lately_since` on; before: from `before_since`."""

    agent: AgentModel
    today: date
    months: list[AgentMonthModel] = Field(description="The oldest first; this month so far")
    before_since: date
    lately_since: date
    rules: list[AgentRuleModel] = Field(description="The one with most faults lately first")
    peers: int = Field(description="Others of the agent's team with calls lately")
    min_calls: int
    waiting: int
    coaching: list[AgentCoachingModel] = Field(description="That is open, of what you may see")

    @staticmethod
    def of(page: AgentPage) -> "AgentPageModel":
        least = page.min_calls
        return AgentPageModel(
            agent=AgentModel.of(page.agent),
            today=page.today,
            months=[AgentMonthModel.of(month, least=least) for month in page.months],
            before_since=page.before_since,
            lately_since=page.lately_since,
            rules=[AgentRuleModel.of(rule, least=least) for rule in page.rules],
            peers=page.peers,
            min_calls=least,
            waiting=page.waiting,
            coaching=[
                AgentCoachingModel(id=each.id, module=each.module, state=each.state, due_at=each.due_at)
                for each in page.coaching
            ],
        )
