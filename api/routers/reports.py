"""Reports: pages, workbooks and JSON of the same numbers. Who asks for one is on the audit trail."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from api.access import Asking, AskingContext, operation
from api.console.words import language_of
from api.schemas.reports import Month, ReportKindList, ReportKindModel, ReportModel, Subject
from qa_service.adapters.reporting.formats import ReportFormat, file_name, rendered
from qa_service.adapters.reporting.html import policy
from qa_service.adapters.reporting.values import Writer
from qa_service.adapters.reporting.words import Language
from qa_service.domain.access import Permission
from qa_service.domain.reporting.document import Report
from qa_service.domain.reporting.periods import Span
from qa_service.errors import NotFoundError
from qa_service.services.reporting.asked import span_asked
from qa_service.services.reporting.kinds import ReportKind, Wanted
from qa_service.services.sign_in import denied

router = APIRouter(tags=["reports"])

_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The report",
        "content": {"text/html": _FILE, ReportFormat.XLSX.media_type: _FILE},
        "model": ReportModel,
    }
}

Since = Annotated[date | None, Query(description="The first day")]
Until = Annotated[date | None, Query(description="The last day")]
Format = Annotated[ReportFormat, Query(alias="format")]
Spoken = Annotated[Language | None, Query(description="By default what the browser asks for")]


@operation(router, "GET", "/reports", Permission.REPORTS_READ)
def list_report_kinds(asking: Asking) -> ReportKindList:
    """The kinds of reports that one may have."""
    kinds = [kind for kind in ReportKind if kind.needs is None or asking.who.may(kind.needs)]
    return ReportKindList(
        items=[ReportKindModel(kind=kind, subject=kind.subject and kind.subject.value) for kind in kinds]
    )


@operation(
    router,
    "GET",
    "/reports/mine",
    Permission.KPI_READ,
    errors=(404,),
    responses=_ANSWERS,
    response_class=JSONResponse,
)
def get_own_scorecard(
    request: Request,
    asking: Asking,
    month: Month = None,
    since: Since = None,
    until: Until = None,
    output: Format = ReportFormat.JSON,
    language: Spoken = None,
) -> Response:
    """An agent's own scorecard. The team stands beside it where enough others are in it."""
    agent_id = asking.who.scope.agent_id
    if agent_id is None:
        raise NotFoundError("agent_not_found", "the account belongs to no agent: ask for an agent's scorecard")
    span = _span(asking, ReportKind.AGENT, month, since, until)
    made = asking.site.reports.own(agent_id, span, as_of=asking.site.clock.now())
    return _answer(request, asking, made, output, language)


@operation(
    router,
    "GET",
    "/reports/{kind}",
    Permission.REPORTS_READ,
    errors=(404,),
    responses=_ANSWERS,
    response_class=JSONResponse,
)
def get_report(
    request: Request,
    asking: Asking,
    kind: ReportKind,
    subject: Subject = None,
    month: Month = None,
    since: Since = None,
    until: Until = None,
    output: Format = ReportFormat.JSON,
    language: Spoken = None,
) -> Response:
    """A report of a month or of days, by default of the month that is over (a summary of a day: of yesterday).

    Of calls within the scope of who asks.
    """
    if kind.needs is not None and not asking.who.may(kind.needs):
        raise denied(kind.needs)
    wanted = Wanted(kind, _span(asking, kind, month, since, until), subject or "")
    made = asking.site.reports.make(wanted, asking.who.scope, as_of=asking.site.clock.now())
    return _answer(request, asking, made, output, language)


def _span(
    asking: AskingContext, kind: ReportKind, month: str | None, since: date | None, until: date | None
) -> Span:
    site = asking.site
    today = site.clock.now().astimezone(site.settings.zone).date()
    return span_asked(kind, today=today, month_named=month, since=since, until=until)


def _answer(
    request: Request, asking: AskingContext, made: Report, output: ReportFormat, language: Language | None
) -> Response:
    chosen = language or Language(language_of(request.headers.get("accept-language", "")))
    content = rendered(
        made, output, Writer(chosen, asking.site.settings.zone, asking.site.rule_titles()), site_url=""
    )
    detail = {"kind": made.kind, "span": made.span.name, "format": output.value}
    with asking.site.units() as unit:
        unit.audit.record(asking.who, "report.make", "report", made.subject, detail, origin=asking.origin)
        unit.commit()
    headers = {"Cache-Control": "private, no-store"}
    if output is ReportFormat.HTML:
        headers["Content-Security-Policy"] = policy()
    elif output is ReportFormat.XLSX:
        name = file_name(made, output)
        shown = name if name.isascii() else f"{made.kind}-{made.span.since:%Y%m%d}.xlsx"
        headers["Content-Disposition"] = f'attachment; filename="{shown}"'
    return Response(content, media_type=output.media_type, headers=headers)
