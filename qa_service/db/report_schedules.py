"""Schedules of reports, in the database.

Guarantee: the report of a period is claimed by one worker at a time, and made once.
"""

from collections.abc import Sequence
from datetime import date, datetime, time

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from qa_service.db.inserting import insert_or_get
from qa_service.db.rows import ReportScheduleRow, ScheduledReportRow
from qa_service.domain.reporting.schedules import Every, ScheduleTerms
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock
from qa_service.ports.reporting import ReportSchedule, ScheduledReport


class SqlReportSchedules:
    """Implements ``ReportScheduleRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(self, terms: ScheduleTerms, *, by: int) -> ReportSchedule:
        row = ReportScheduleRow(created_by=by, created_at=self._clock.now())
        _tell(row, terms)
        self._session.add(row)
        self._session.flush()
        return _schedule(row)

    def change(self, schedule_id: int, terms: ScheduleTerms, *, version: int | None) -> ReportSchedule:
        row = self._row(schedule_id)
        if version is not None and row.version != version:
            raise _stale(schedule_id)
        _tell(row, terms)
        try:
            self._session.flush()
        except StaleDataError as error:
            raise _stale(schedule_id) from error
        return _schedule(row)

    def get(self, schedule_id: int) -> ReportSchedule:
        return _schedule(self._row(schedule_id))

    def all(self) -> Sequence[ReportSchedule]:
        return [
            _schedule(row)
            for row in self._session.scalars(select(ReportScheduleRow).order_by(ReportScheduleRow.id))
        ]

    def is_settled(self, schedule_id: int, since: date, until: date, *, stale_before: datetime) -> bool:
        row = self._report(schedule_id, since, until)
        return row is not None and (row.made_at is not None or row.claimed_at >= stale_before)

    def claim(self, schedule_id: int, since: date, until: date, *, stale_before: datetime) -> int | None:
        now = self._clock.now()
        row, is_new = insert_or_get(
            self._session,
            lambda: self._report(schedule_id, since, until),
            lambda: ScheduledReportRow(
                schedule_id=schedule_id,
                since=since,
                until=until,
                claimed_at=now,
                made_at=None,
                failure="",
                files=[],
            ),
        )
        if is_new:
            return row.id
        return self._session.execute(
            update(ScheduledReportRow)
            .where(
                ScheduledReportRow.id == row.id,
                ScheduledReportRow.made_at.is_(None),
                ScheduledReportRow.claimed_at < stale_before,
            )
            .values(claimed_at=now)
            .returning(ScheduledReportRow.id)
        ).scalar_one_or_none()

    def made(self, report_id: int, files: Sequence[str]) -> None:
        self._end(report_id, made_at=self._clock.now(), failure="", files=list(files))

    def failed(self, report_id: int, code: str) -> None:
        self._end(report_id, failure=code)

    def _end(self, report_id: int, **values: object) -> None:
        self._session.execute(
            update(ScheduledReportRow)
            .where(ScheduledReportRow.id == report_id, ScheduledReportRow.made_at.is_(None))
            .values(**values)
        )

    def reports(self, schedule_id: int, *, before: int | None, limit: int) -> Sequence[ScheduledReport]:
        wanted = (
            select(ScheduledReportRow)
            .where(ScheduledReportRow.schedule_id == schedule_id)
            .order_by(ScheduledReportRow.id.desc())
            .limit(limit)
        )
        if before is not None:
            wanted = wanted.where(ScheduledReportRow.id < before)
        return [_made(row) for row in self._session.scalars(wanted)]

    def report(self, schedule_id: int, report_id: int) -> ScheduledReport:
        row = self._session.get(ScheduledReportRow, report_id, populate_existing=True)
        if row is None or row.schedule_id != schedule_id:
            raise NotFoundError(
                "scheduled_report_not_found",
                f"schedule {schedule_id} made no report {report_id}: look at the list of its reports",
            )
        return _made(row)

    def _report(self, schedule_id: int, since: date, until: date) -> ScheduledReportRow | None:
        return self._session.scalar(
            select(ScheduledReportRow)
            .where(
                ScheduledReportRow.schedule_id == schedule_id,
                ScheduledReportRow.since == since,
                ScheduledReportRow.until == until,
            )
            .execution_options(populate_existing=True)
        )

    def _row(self, schedule_id: int) -> ReportScheduleRow:
        row = self._session.get(ReportScheduleRow, schedule_id, populate_existing=True)
        if row is None:
            raise NotFoundError(
                "report_schedule_not_found",
                f"no schedule of reports has the number {schedule_id}: look at the list of schedules",
                schedule_id=schedule_id,
            )
        return row


def _tell(row: ReportScheduleRow, terms: ScheduleTerms) -> None:
    row.kind, row.subject, row.every = terms.kind, terms.subject, terms.every.value
    row.at = f"{terms.at:%H:%M}"
    row.formats, row.recipients = list(terms.formats), list(terms.recipients)
    row.language, row.active = terms.language, terms.active


def _schedule(row: ReportScheduleRow) -> ReportSchedule:
    terms = ScheduleTerms(
        kind=row.kind,
        subject=row.subject,
        every=Every(row.every),
        at=time.fromisoformat(row.at),
        formats=tuple(row.formats),
        language=row.language,
        recipients=tuple(row.recipients),
        active=row.active,
    )
    return ReportSchedule(row.id, terms, row.created_by, row.created_at, row.version)


def _made(row: ScheduledReportRow) -> ScheduledReport:
    return ScheduledReport(
        *(row.id, row.schedule_id, row.since, row.until, row.made_at, row.failure, tuple(row.files))
    )


def _stale(schedule_id: int) -> ConflictError:
    return ConflictError(
        "stale_version", f"somebody else changed schedule {schedule_id}: read it again", schedule_id=schedule_id
    )
