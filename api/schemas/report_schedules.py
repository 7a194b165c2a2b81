"""Schedules of reports, and what they made."""

from datetime import date
from datetime import time as time_of_day
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from api.schemas.base import PRINTABLE, Sent, Shown, ShownTime
from qa_service.adapters.reporting.formats import ReportFormat
from qa_service.adapters.reporting.words import Language
from qa_service.domain.reporting.schedules import Every, ScheduleTerms
from qa_service.ports.reporting import ReportSchedule, ScheduledReport
from qa_service.services.reporting.kinds import ReportKind

MAX_RECIPIENTS = 50

_SCHEDULE: dict[str, Any] = {
    "kind": "team",
    "subject": "A",
    "every": "week",
    "at": "08:00",
    "formats": ["html", "xlsx"],
    "language": "zh",
    "recipients": ["leader@example.com"],
    "active": True,
}

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,200}$")]
SubjectName = Annotated[str, StringConstraints(max_length=200, pattern=PRINTABLE)]


def _each_once(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


class SentSchedule(Sent):
    """A report that is made each day, week (on Mondays) or month (on the first), once that time is over."""

    model_config = ConfigDict(json_schema_extra={"example": _SCHEDULE})

    kind: ReportKind
    subject: SubjectName = Field(default="", description="As for a report; empty for the whole site")
    every: Every
    at: TimeOfDay = Field(default="08:00", description="By the clock of the site")
    formats: Annotated[list[ReportFormat], Field(min_length=1, max_length=3), AfterValidator(_each_once)] = Field(
        default=[ReportFormat.HTML, ReportFormat.XLSX]
    )
    language: Language = Language.ZH
    recipients: Annotated[list[Address], Field(max_length=MAX_RECIPIENTS), AfterValidator(_each_once)] = Field(
        default=[], description="Whom the mail beside the files names. Nothing is sent"
    )
    active: bool = True

    def terms(self) -> ScheduleTerms:
        return ScheduleTerms(
            kind=self.kind.value,
            subject=self.subject,
            every=self.every,
            at=time_of_day.fromisoformat(self.at),
            formats=tuple(one.value for one in self.formats),
            language=self.language.value,
            recipients=tuple(self.recipients),
            active=self.active,
        )


class ScheduleModel(Shown):
    """`created_by`: whose scope and permissions its reports have."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {**_SCHEDULE, "id": 3, "created_by": 2, "created_at": "2026-11-22T08:00:00Z", "version": 1}
        }
    )

    id: int
    kind: str
    subject: str
    every: Every
    at: str
    formats: list[str]
    language: str
    recipients: list[str]
    active: bool
    created_by: int
    created_at: ShownTime
    version: int

    @staticmethod
    def of(schedule: ReportSchedule) -> "ScheduleModel":
        terms = schedule.terms
        return ScheduleModel(
            id=schedule.id,
            kind=terms.kind,
            subject=terms.subject,
            every=terms.every,
            at=f"{terms.at:%H:%M}",
            formats=list(terms.formats),
            language=terms.language,
            recipients=list(terms.recipients),
            active=terms.active,
            created_by=schedule.created_by,
            created_at=schedule.created_at,
            version=schedule.version,
        )


class ScheduleList(Shown):
    items: list[ScheduleModel]


class ScheduledReportModel(Shown):
    """The report of one period. `failure`: the code of why it is not made yet; it is tried again."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 12,
                "since": "2026-11-16",
                "until": "2026-11-23",
                "made_at": "2026-11-23T00:00:05Z",
                "failure": "",
                "files": ["3/team-A-2026-11-16_2026-11-22.html"],
            }
        }
    )

    id: int
    since: date
    until: date = Field(description="The day after the last one")
    made_at: ShownTime | None
    failure: str
    files: list[str] = Field(description="Below the folder `reports` of the data directory")

    @staticmethod
    def of(report: ScheduledReport) -> "ScheduledReportModel":
        return ScheduledReportModel.model_validate(report)
