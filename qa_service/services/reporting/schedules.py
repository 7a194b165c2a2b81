"""Reports that are made by themselves.

Guarantee: of many workers one makes the report of a period, once; a worker that dies over it is replaced. A
schedule shows nobody more than who made it may see on the day it runs.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from qa_service.domain.access import Permission, Principal, Scope
from qa_service.domain.reporting.periods import Span
from qa_service.domain.reporting.schedules import ScheduleTerms, due
from qa_service.errors import NotFoundError, PermissionDeniedError, QAError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.people import Origin
from qa_service.ports.reporting import ReportFiles, ReportSchedule, ScheduledReport
from qa_service.services.reporting.kinds import ReportKind, Wanted, check
from qa_service.services.reporting.service import Reports
from qa_service.services.sign_in import denied, principal_of

TRIED_AGAIN: Final = timedelta(minutes=15)
"""After so long somebody else takes over a report that was begun, or tries one again that failed."""

log = structlog.get_logger(__name__)


class ReportSchedules:
    """Args:
    units: where schedules are stored.
    units_to_read: the same, for reading only.
    reports: makes them.
    clock: tells which periods are over.
    zone: whose days they are.
    files: where reports go; None: in a process that makes none.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        reports: Reports,
        clock: Clock,
        zone: ZoneInfo,
        files: ReportFiles,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._reports = reports
        self._clock = clock
        self._zone = zone
        self._files = files

    def all(self, who: Principal) -> tuple[ReportSchedule, ...]:
        """Those of ``who``; of who sees the whole site all of them."""
        with self._units_to_read() as unit:
            return tuple(one for one in unit.report_schedules.all() if _reaches(who, one))

    def get(self, who: Principal, schedule_id: int) -> ReportSchedule:
        """Raises NotFoundError ``report_schedule_not_found``."""
        with self._units_to_read() as unit:
            return _own(unit, who, schedule_id)

    def create(
        self,
        who: Principal,
        terms: ScheduleTerms,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ReportSchedule:
        """Make a schedule. The first report is that of the first period that ends from now on.

        Raises:
            InputError: ``report_subject_missing``, ``report_subject_unwanted``.
            PermissionDeniedError: ``permission_denied``, for a kind that ``who`` may not have.
            NotFoundError: for a subject that ``who`` may not see.
        """
        self._check(who, terms)
        with self._units() as unit:
            schedule = unit.report_schedules.add(terms, by=who.user_id)
            unit.audit.record(who, "report_schedule.create", "report_schedule", schedule.id, origin=origin)
            unit.commit()
        return schedule

    def change(
        self,
        who: Principal,
        schedule_id: int,
        terms: ScheduleTerms,
        *,
        version: int | None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ReportSchedule:
        """Change a schedule; what it has made stays. Raises as ``create`` and ``get`` do, ``stale_version``."""
        self._check(who, terms)
        with self._units() as unit:
            _own(unit, who, schedule_id)
            schedule = unit.report_schedules.change(schedule_id, terms, version=version)
            unit.audit.record(who, "report_schedule.change", "report_schedule", schedule_id, origin=origin)
            unit.commit()
        return schedule

    def made(
        self, who: Principal, schedule_id: int, *, before: int | None, limit: int
    ) -> Sequence[ScheduledReport]:
        """What a schedule made, the newest first. Raises NotFoundError ``report_schedule_not_found``."""
        with self._units_to_read() as unit:
            _own(unit, who, schedule_id)
            return unit.report_schedules.reports(schedule_id, before=before, limit=limit)

    def file(
        self,
        who: Principal,
        schedule_id: int,
        report_id: int,
        ending: str,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> tuple[str, bytes]:
        """A file that a schedule made, by how its name ends (``html``): its name and what is in it.

        Raises:
            NotFoundError: ``report_schedule_not_found``, ``scheduled_report_not_found``,
                ``report_file_not_found``.
            PermissionDeniedError: ``permission_denied``, for a kind that ``who`` may not have any more; and as
                ``create`` does for a subject.
        """
        with self._units_to_read() as unit:
            schedule = _own(unit, who, schedule_id)
            report = unit.report_schedules.report(schedule_id, report_id)
        self._check(who, schedule.terms)
        name = next((one for one in report.files if one.endswith(f".{ending}")), None)
        content = self._files.read(name) if name else None
        if name is None or content is None:
            raise NotFoundError(
                "report_file_not_found",
                f"report {report_id} has no {ending} here: look at its files, and on the machine that made it",
            )
        with self._units() as unit:
            detail = {"report": report_id, "format": ending}
            unit.audit.record(who, "report_schedule.read", "report_schedule", schedule_id, detail, origin=origin)
            unit.commit()
        return name.rpartition("/")[2], content

    def look_after(self) -> int:
        """Make the reports whose time has come; how many were made."""
        now = self._clock.now()
        with self._units_to_read() as unit:
            waiting = [
                (schedule, span)
                for schedule in unit.report_schedules.all()
                if schedule.terms.active and (span := self._due(unit, schedule, now)) is not None
            ]
        return sum(self._make(schedule, span) for schedule, span in waiting)

    def _due(self, unit: UnitOfWork, schedule: ReportSchedule, now: datetime) -> Span | None:
        span = due(schedule.terms, self._zone, since=schedule.created_at, now=now)
        if span is None:
            return None
        stale = now - TRIED_AGAIN
        settled = unit.report_schedules.is_settled(schedule.id, span.since, span.until, stale_before=stale)
        return None if settled else span

    def _make(self, schedule: ReportSchedule, span: Span) -> bool:
        now = self._clock.now()
        with self._units() as unit:
            claimed = unit.report_schedules.claim(
                schedule.id, span.since, span.until, stale_before=now - TRIED_AGAIN
            )
            unit.commit()
        if claimed is None:
            return False
        terms = schedule.terms
        try:
            scope = self._scope(schedule)
            made = self._reports.make(Wanted(ReportKind(terms.kind), span, terms.subject), scope, as_of=now)
            files = self._files.write(made, schedule)
        except QAError as error:
            log.warning("a scheduled report was not made", schedule=schedule.id, code=error.code)
            self._failed(claimed, error.code)
            return False
        except Exception:  # one report that cannot be made keeps no worker from its other work
            log.exception("a scheduled report was not made", schedule=schedule.id)
            self._failed(claimed, "internal_error")
            return False
        with self._units() as unit:
            unit.report_schedules.made(claimed, files)
            unit.commit()
        return True

    def _failed(self, report_id: int, code: str) -> None:
        with self._units() as unit:
            unit.report_schedules.failed(report_id, code)
            unit.commit()

    def _scope(self, schedule: ReportSchedule) -> Scope:
        """What its owner may see today."""
        with self._units_to_read() as unit:
            user = unit.users.get(schedule.created_by)
        if not user.active:
            raise PermissionDeniedError(
                "report_owner_gone", f"who made schedule {schedule.id} has no account any more: make another"
            )
        who = principal_of(user, via="command")
        self._allow(who, ReportKind(schedule.terms.kind))
        return who.scope

    def _check(self, who: Principal, terms: ScheduleTerms) -> None:
        kind = ReportKind(terms.kind)
        self._allow(who, kind)
        today = self._clock.now().astimezone(self._zone).date()
        wanted = Wanted(kind, Span(today, today + timedelta(days=1)), terms.subject)
        check(wanted)
        self._reports.check_subject(wanted, who.scope)

    @staticmethod
    def _allow(who: Principal, kind: ReportKind) -> None:
        for needed in (Permission.REPORTS_READ, kind.needs):
            if needed is not None and not who.may(needed):
                raise denied(needed)


def _own(unit: UnitOfWork, who: Principal, schedule_id: int) -> ReportSchedule:
    schedule = unit.report_schedules.get(schedule_id)
    if not _reaches(who, schedule):
        raise NotFoundError(
            "report_schedule_not_found",
            f"no schedule of reports has the number {schedule_id}: look at the list of schedules",
        )
    return schedule


def _reaches(who: Principal, schedule: ReportSchedule) -> bool:
    return who.scope.is_everything or schedule.created_by == who.user_id
