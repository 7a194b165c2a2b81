"""Schedules of reports and what became of them, as they are stored; and how reports become files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from qa_service.domain.reporting.document import Report
from qa_service.domain.reporting.schedules import ScheduleTerms


@dataclass(frozen=True, slots=True)
class ReportSchedule:
    """``created_by``: whose scope and permissions its reports have."""

    id: int
    terms: ScheduleTerms
    created_by: int
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class ScheduledReport:
    """Of one period. ``made_at``: None as long as somebody is at it, or it failed; ``failure``: the code of that,
    empty where there is none. ``files``: by name, below the folder of reports."""

    id: int
    schedule_id: int
    since: date
    until: date
    made_at: datetime | None
    failure: str
    files: tuple[str, ...]


class ReportScheduleRepository(Protocol):
    def add(self, terms: ScheduleTerms, *, by: int) -> ReportSchedule: ...

    def change(self, schedule_id: int, terms: ScheduleTerms, *, version: int | None) -> ReportSchedule:
        """Raises NotFoundError ``report_schedule_not_found``, ConflictError ``stale_version``."""
        ...

    def get(self, schedule_id: int) -> ReportSchedule:
        """Raises NotFoundError ``report_schedule_not_found``."""
        ...

    def all(self) -> Sequence[ReportSchedule]:
        """By number."""
        ...

    def is_settled(self, schedule_id: int, since: date, until: date, *, stale_before: datetime) -> bool:
        """Whether the report of this period is made, or was begun after ``stale_before``."""
        ...

    def claim(self, schedule_id: int, since: date, until: date, *, stale_before: datetime) -> int | None:
        """The number of a report that nobody else makes meanwhile; None where it is settled."""
        ...

    def made(self, report_id: int, files: Sequence[str]) -> None: ...

    def failed(self, report_id: int, code: str) -> None: ...

    def report(self, schedule_id: int, report_id: int) -> ScheduledReport:
        """Raises NotFoundError ``scheduled_report_not_found``."""
        ...

    def reports(self, schedule_id: int, *, before: int | None, limit: int) -> Sequence[ScheduledReport]:
        """The newest first, of numbers under ``before``."""
        ...


class ReportFiles(Protocol):
    """Reports as files."""

    def write(self, report: Report, schedule: ReportSchedule) -> Sequence[str]:
        """Write every format and a mail; their names below the folder of reports. Written again they are replaced.

        Raises:
            ConfigurationError: ``report_unwritable``.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """A file that was written; None where it is gone."""
        ...
