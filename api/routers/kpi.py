"""KPIs of agents' months: as they stand, as they were closed; appraisals."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from api.access import Asking, operation
from api.repeats import IdempotencyKey, once
from api.schemas.base import PRINTABLE
from api.schemas.directory import Key
from api.schemas.kpi import (
    MONTH_PATTERN,
    AgentYearModel,
    AppraisalList,
    AppraisalModel,
    ClosingList,
    ClosingModel,
    KpiMonthModel,
    MonthInPath,
    NewAppraisal,
    SentClosing,
    month_of,
)
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.domain.kpi import Appraiser

router = APIRouter(tags=["kpi"])

_Named = Annotated[str | None, Query(min_length=1, max_length=1000, pattern=PRINTABLE)]


@operation(router, "GET", "/kpi/months/{month}", Permission.KPI_READ)
def get_kpi_month(
    asking: Asking,
    response: Response,
    month: MonthInPath,
    team: _Named = None,
    number: Annotated[
        int | None, Query(ge=1, le=10_000, description="As it was when it was closed so many times")
    ] = None,
) -> KpiMonthModel:
    """The KPIs of a month as it was closed last, or as they stand; agents see their own. Its ETag is needed to
    close it."""
    found = asking.site.kpis.month(asking.who.scope, month_of(month), team=team, number=number)
    tag(response, 0 if found.closing is None else found.closing.number)
    return KpiMonthModel.of(found)


@operation(router, "GET", "/kpi/months/{month}/closings", Permission.KPI_READ)
def list_kpi_closings(asking: Asking, month: MonthInPath) -> ClosingList:
    """When a month was closed, and by which weights and targets, the last time first."""
    return ClosingList(items=[ClosingModel.of(each) for each in asking.site.kpis.closings(month_of(month))])


@operation(
    router,
    "POST",
    "/kpi/months/{month}/closings",
    Permission.KPI_MANAGE,
    status=201,
    errors=(409, 412, 428),
)
def close_kpi_month(
    asking: Asking, response: Response, month: MonthInPath, sent: SentClosing, if_match: IfMatch = None
) -> ClosingModel:
    """Freeze a month that is over: from now on nothing changes it. Closing it again makes a new number, with a
    note that says why; what was there stays."""
    closing = asking.site.kpis.close(
        asking.who, month_of(month), note=sent.note, version=seen_version(if_match), origin=asking.origin
    )
    tag(response, closing.number)
    response.headers["Location"] = f"/v1/kpi/months/{month}?number={closing.number}"
    return ClosingModel.of(closing)


@operation(router, "GET", "/kpi/agents/{agent_id:path}", Permission.KPI_READ, errors=(404,))
def get_agent_kpi(
    asking: Asking,
    agent_id: Key,
    year: Annotated[int | None, Query(ge=1990, le=2099, description="This year, unless told")] = None,
) -> AgentYearModel:
    """The months of an agent's year, and the year."""
    today = asking.site.clock.now().astimezone(asking.site.settings.zone)
    return AgentYearModel.of(asking.site.kpis.agent(asking.who.scope, agent_id, year or today.year))


@operation(router, "GET", "/appraisals", Permission.KPI_READ, errors=(404,))
def list_appraisals(
    asking: Asking,
    agent_id: Annotated[str, Query(min_length=1, max_length=1000, pattern=PRINTABLE)],
    month: Annotated[str, Query(pattern=MONTH_PATTERN)],
) -> AppraisalList:
    """What was said of an agent's month, all of it; the last one of an appraiser holds."""
    found = asking.site.kpis.appraisals(asking.who, agent_id, month_of(month))
    return AppraisalList(items=[AppraisalModel.of(each) for each in found])


@operation(
    router,
    "POST",
    "/appraisals",
    Permission.APPRAISALS_GIVE,
    status=201,
    errors=(404, 409),
    response_model=AppraisalModel,
)
def give_appraisal(asking: Asking, sent: NewAppraisal, key: IdempotencyKey = None) -> Response:
    """Say how an agent's month was: agents of themselves, superiors of those whom they reach."""

    def create() -> tuple[AppraisalModel, str]:
        made = asking.site.kpis.appraise(
            asking.who,
            sent.agent_id,
            month_of(sent.month),
            Appraiser(sent.appraiser),
            points=sent.points,
            note=sent.note,
            origin=asking.origin,
        )
        return AppraisalModel.of(
            made
        ), f"/v1/appraisals?agent_id={quote(sent.agent_id, safe='')}&month={sent.month}"

    return once(asking, "appraisals", key, sent, create)
