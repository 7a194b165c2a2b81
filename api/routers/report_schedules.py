"""Reports that are made by themselves."""

from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Response

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.report_schedules import ScheduledReportModel, ScheduleList, ScheduleModel, SentSchedule
from api.versions import IfMatch, seen_version, tag
from qa_service.adapters.reporting.formats import ReportFormat
from qa_service.adapters.reporting.html import policy
from qa_service.domain.access import Permission

router = APIRouter(tags=["reports"])


class FileForm(StrEnum):
    """By how its name ends; ``eml``: the mail."""

    HTML = "html"
    XLSX = "xlsx"
    JSON = "json"
    EML = "eml"

    @property
    def media_type(self) -> str:
        return "message/rfc822" if self is FileForm.EML else ReportFormat(self.value).media_type


_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file", "content": {form.media_type: _FILE for form in FileForm}}
}


@operation(router, "GET", "/report-schedules", Permission.REPORTS_MANAGE)
def list_report_schedules(asking: Asking) -> ScheduleList:
    """One's own schedules; who sees the whole site sees all of them. A site has a few."""
    return ScheduleList(items=[ScheduleModel.of(one) for one in asking.site.report_schedules.all(asking.who)])


@operation(
    router,
    "POST",
    "/report-schedules",
    Permission.REPORTS_MANAGE,
    status=201,
    errors=(404, 409),
    response_model=ScheduleModel,
)
def create_report_schedule(asking: Asking, sent: SentSchedule, key: IdempotencyKey = None) -> Response:
    """Have a report made each day, week or month, with the scope and the permissions that one has then."""

    def create() -> tuple[ScheduleModel, str]:
        schedule = asking.site.report_schedules.create(asking.who, sent.terms(), origin=asking.origin)
        return ScheduleModel.of(schedule), f"/v1/report-schedules/{schedule.id}"

    return once(asking, "report-schedules", key, sent, create)


@operation(router, "GET", "/report-schedules/{schedule_id}", Permission.REPORTS_MANAGE, errors=(404,))
def get_report_schedule(asking: Asking, response: Response, schedule_id: Number) -> ScheduleModel:
    """A schedule; its ETag is needed to change it."""
    schedule = asking.site.report_schedules.get(asking.who, schedule_id)
    tag(response, schedule.version)
    return ScheduleModel.of(schedule)


@operation(
    router, "PUT", "/report-schedules/{schedule_id}", Permission.REPORTS_MANAGE, errors=(404, 409, 412, 428)
)
def change_report_schedule(
    asking: Asking, response: Response, schedule_id: Number, sent: SentSchedule, if_match: IfMatch = None
) -> ScheduleModel:
    """Change a schedule, or end it (`active` false); what it has made stays."""
    schedule = asking.site.report_schedules.change(
        asking.who, schedule_id, sent.terms(), version=seen_version(if_match), origin=asking.origin
    )
    tag(response, schedule.version)
    return ScheduleModel.of(schedule)


@operation(router, "GET", "/report-schedules/{schedule_id}/reports", Permission.REPORTS_MANAGE, errors=(400, 404))
def list_scheduled_reports(
    asking: Asking, schedule_id: Number, limit: Limit = 50, cursor: CursorText = None
) -> Page[ScheduledReportModel]:
    """What a schedule made, the newest first."""
    of = fingerprint("scheduled-reports", schedule_id)
    before = (read_cursor(cursor, of, int) or [None])[0]
    found = asking.site.report_schedules.made(asking.who, schedule_id, before=before, limit=limit + 1)
    return page_of(found, limit, of, shown=ScheduledReportModel.of, key=lambda one: [one.id])


@operation(
    router,
    "GET",
    "/report-schedules/{schedule_id}/reports/{report_id}/{form}",
    Permission.REPORTS_MANAGE,
    errors=(404,),
    responses=_FILES,
    response_class=Response,
)
def get_scheduled_report_file(asking: Asking, schedule_id: Number, report_id: Number, form: FileForm) -> Response:
    """A file that a schedule made, as it was made. It is where workers write: `reports` of the data directory."""
    name, content = asking.site.report_schedules.file(
        asking.who, schedule_id, report_id, form.value, origin=asking.origin
    )
    headers = {"Cache-Control": "private, no-store"}
    if form is FileForm.HTML:
        headers["Content-Security-Policy"] = policy()
    else:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=form.media_type, headers=headers)
