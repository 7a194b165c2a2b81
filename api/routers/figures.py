"""Scores and faults over time, by agent, team, vendor and queue; an agent's page."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.access import Asking, AskingContext, operation
from api.schemas.base import PRINTABLE
from api.schemas.directory import Key
from api.schemas.scores import AgentPageModel, Day, FaultLineModel, FaultsModel, ScoreLineModel, ScoresModel
from qa_service.domain.access import Permission
from qa_service.domain.figures import FigureFilter, Grouping, Period
from qa_service.errors import InputError

MOST_LINES: Final = 20_000

router = APIRouter(tags=["figures"])

_By = Annotated[
    list[Grouping] | None, Query(max_length=4, description="Whom to tell apart; given again for several")
]
_Named = Annotated[str | None, Query(min_length=1, max_length=1000, pattern=PRINTABLE)]


@operation(router, "GET", "/figures/scores", Permission.RECORDINGS_READ, errors=(422,), repeatable=("by",))
def get_scores(
    asking: Asking,
    by: _By = None,
    period: Period = Period.MONTH,
    since: Day = None,
    until: Day = None,
    agent_id: _Named = None,
    team: _Named = None,
    vendor: _Named = None,
    queue: _Named = None,
) -> ScoresModel:
    """Mean final scores of calls that you may see, with how sure they are: of six months unless told."""
    groups = tuple(dict.fromkeys(by or ()))
    wanted = _wanted(asking, since, until, agent_id, team, vendor, queue)
    figures = asking.site.figures
    found = figures.scores(wanted, asking.who.scope, by=groups, period=period)
    _check_size(len(found.lines))
    return ScoresModel(
        since=wanted.since,
        until=wanted.until,
        period=period,
        min_calls=figures.min_calls,
        waiting=found.waiting,
        lines=[ScoreLineModel.of(line, groups, least=figures.min_calls) for line in found.lines],
    )


@operation(router, "GET", "/figures/faults", Permission.RECORDINGS_READ, errors=(422,), repeatable=("by", "rule"))
def get_faults(
    asking: Asking,
    by: _By = None,
    period: Period = Period.MONTH,
    since: Day = None,
    until: Day = None,
    agent_id: _Named = None,
    team: _Named = None,
    vendor: _Named = None,
    queue: _Named = None,
    rule: Annotated[
        list[Annotated[str, Query(min_length=1, max_length=200, pattern=PRINTABLE)]] | None,
        Query(max_length=100, description="Only these rules; given again for several"),
    ] = None,
) -> FaultsModel:
    """How often each rule found a fault that stands, in calls that you may see: of six months unless told."""
    groups = tuple(dict.fromkeys(by or ()))
    rules = None if rule is None else frozenset(rule)
    wanted = _wanted(asking, since, until, agent_id, team, vendor, queue, rules)
    figures = asking.site.figures
    found = figures.faults(wanted, asking.who.scope, by=groups, period=period)
    _check_size(len(found.lines))
    return FaultsModel(
        since=wanted.since,
        until=wanted.until,
        period=period,
        min_calls=figures.min_calls,
        waiting=found.waiting,
        lines=[FaultLineModel.of(line, groups, least=figures.min_calls) for line in found.lines],
    )


@operation(router, "GET", "/agents/{agent_id:path}/page", Permission.RECORDINGS_READ, errors=(404,))
def get_agent_page(
    asking: Asking,
    agent_id: Key,
    months: Annotated[int, Query(ge=1, le=24, description="This month and those before it")] = 6,
) -> AgentPageModel:
    """An agent's scores month by month, and faults by rule beside the own past and the rest of the team."""
    return AgentPageModel.of(asking.site.agent_pages.page(asking.who, agent_id, months=months))


def _wanted(
    asking: AskingContext,
    since: date | None,
    until: date | None,
    agent_id: str | None,
    team: str | None,
    vendor: str | None,
    queue: str | None,
    rules: frozenset[str] | None = None,
) -> FigureFilter:
    """Raises InputError ``date_invalid``."""
    since, until = asking.site.figures.span(since, until)
    return FigureFilter(
        since,
        until,
        agents=_one(agent_id),
        teams=_one(team),
        vendors=_one(vendor),
        queues=_one(queue),
        rules=rules,
    )


def _one(name: str | None) -> frozenset[str] | None:
    return None if name is None else frozenset({name})


def _check_size(lines: int) -> None:
    if lines > MOST_LINES:
        raise InputError(
            "figures_too_many",
            f"the answer would have {lines} lines, and {MOST_LINES} are the most: ask for longer periods, fewer "
            "days or fewer people",
            lines=lines,
        )
