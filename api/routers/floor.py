"""Floor control: how shifts are spent, charts of it, and what calls for somebody."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.access import Asking, AskingContext, operation
from api.schemas.base import PRINTABLE
from api.schemas.figures import IntervalModel
from api.schemas.floor import (
    FloorAlertList,
    FloorAlertModel,
    FloorChartModel,
    FloorLineModel,
    FloorModel,
    SpreadModel,
    TeamSpreadModel,
    TeamSpreadsModel,
)
from api.schemas.scores import Day
from qa_service.domain.access import Permission
from qa_service.domain.floor import FloorMeasure
from qa_service.errors import InputError
from qa_service.services.floor import CHART_DAYS, USUAL_DAYS, FloorFilter, FloorGrouping, FloorPeriod

MOST_LINES: Final = 20_000

router = APIRouter(tags=["floor"])

_Named = Annotated[str | None, Query(min_length=1, max_length=1000, pattern=PRINTABLE)]
_Peak = Annotated[bool, Query(description="Only the site's peak hours")]


@operation(router, "GET", "/floor/figures", Permission.FLOOR_READ)
def get_floor_figures(
    asking: Asking,
    by: FloorGrouping = FloorGrouping.TEAM,
    period: FloorPeriod = FloorPeriod.WHOLE,
    since: Day = None,
    until: Day = None,
    team: _Named = None,
    vendor: _Named = None,
    agent_id: _Named = None,
    peak: _Peak = False,
) -> FloorModel:
    """How shifts were spent: utilisation, breaks, handling time, with intervals and targets; of 28 days unless
    told."""
    wanted = _wanted(asking, since, until, team, vendor, agent_id, peak)
    lines = asking.site.floor.lines(asking.who.scope, wanted, by=by, period=period)
    if len(lines) > MOST_LINES:
        raise InputError(
            "figures_too_many",
            f"the answer would have {len(lines)} lines, and {MOST_LINES} are the most: ask for fewer days",
        )
    return FloorModel(
        since=wanted.since,
        until=wanted.until,
        by=by,
        period=period,
        lines=[FloorLineModel.of(line) for line in lines],
    )


@operation(router, "GET", "/floor/teams", Permission.FLOOR_READ)
def compare_teams(
    asking: Asking,
    since: Day = None,
    until: Day = None,
    team: _Named = None,
    vendor: _Named = None,
    peak: _Peak = False,
) -> TeamSpreadsModel:
    """How the agents of each team differ in breaks and handling time, and how teams do; of 28 days unless told."""
    wanted = _wanted(asking, since, until, team, vendor, None, peak)
    found = asking.site.floor.teams(asking.who.scope, wanted)
    return TeamSpreadsModel(
        since=wanted.since,
        until=wanted.until,
        teams=[TeamSpreadModel.of(spread) for spread in found.teams],
        between=SpreadModel.of(found.between),
    )


@operation(router, "GET", "/floor/charts/{measure}", Permission.FLOOR_READ)
def get_floor_chart(
    asking: Asking,
    measure: FloorMeasure,
    since: Day = None,
    until: Day = None,
    team: _Named = None,
    vendor: _Named = None,
    agent_id: _Named = None,
    peak: _Peak = False,
) -> FloorChartModel:
    """A control chart of everybody who is asked for, a point a day, with run tests; of 60 days unless told."""
    wanted = _wanted(asking, since, until, team, vendor, agent_id, peak, days=CHART_DAYS)
    floor = asking.site.floor
    target = IntervalModel.of(floor.policy.target(measure))
    return FloorChartModel.of(floor.chart(asking.who.scope, wanted, measure), target)


@operation(router, "GET", "/floor/alerts", Permission.FLOOR_READ)
def list_floor_alerts(asking: Asking, until: Day = None, peak: _Peak = False) -> FloorAlertList:
    """What of the last week calls for somebody, by team: what charts of 60 days say, and what is off target."""
    found = asking.site.floor.alerts(asking.who.scope, until=until, peak=peak)
    return FloorAlertList(items=[FloorAlertModel.of(alert) for alert in found])


def _wanted(
    asking: AskingContext,
    since: Day,
    until: Day,
    team: str | None,
    vendor: str | None,
    agent_id: str | None,
    peak: bool,
    *,
    days: int = USUAL_DAYS,
) -> FloorFilter:
    """Raises InputError ``date_invalid``."""
    since, until = asking.site.floor.span(since, until, days=days)
    return FloorFilter(since, until, team=team, vendor=vendor, agent_id=agent_id, peak=peak)
