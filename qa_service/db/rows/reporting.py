"""Schedules of reports, and the reports that were made."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class ReportScheduleRow(Row):
    """What is made again and again. ``at``: ``08:30``, by the site's clock. ``version`` guards edits."""

    __tablename__ = "report_schedules"
    __table_args__ = (CheckConstraint("every IN ('day', 'week', 'month')", name="every"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    every: Mapped[str]
    at: Mapped[str] = mapped_column(String(5))
    formats: Mapped[list[str]] = mapped_column(JSON())
    language: Mapped[str]
    recipients: Mapped[list[str]] = mapped_column(JSON())
    active: Mapped[bool] = mapped_column(server_default=true())
    version: Mapped[int] = mapped_column()
    created_by: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own declaration


class ScheduledReportRow(Row):
    """The report of one period, so that it is made once. ``claimed_at``: when somebody began it last."""

    __tablename__ = "scheduled_reports"
    __table_args__ = (UniqueConstraint("schedule_id", "since", "until"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    schedule_id: Mapped[int] = mapped_column(Id, ForeignKey("report_schedules.id"))
    since: Mapped[date]
    until: Mapped[date]
    claimed_at: Mapped[datetime]
    made_at: Mapped[datetime | None]
    failure: Mapped[str]
    files: Mapped[list[str]] = mapped_column(JSON())
