"""Batch runs and the jobs they wait for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row

COUNTED_NOT_YET = "outcome IS NULL"
COUNTED_FAILED = "outcome = 'failed'"
UNENDED_RUNS = "ended_at IS NULL"


class BatchRunRow(Row):
    """A batch run: what it selects, how far it has come, and what its jobs came to, counted as they ended."""

    __tablename__ = "batch_runs"
    __table_args__ = (
        CheckConstraint("kind IN ('nightly', 'requested', 'rescore')", name="kind"),
        CheckConstraint("state IN ('filling', 'running', 'done', 'cancelled')", name="state"),
        Index("ix_batch_runs_unended", "id", sqlite_where=text(UNENDED_RUNS), postgresql_where=text(UNENDED_RUNS)),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    state: Mapped[str]
    since: Mapped[datetime | None]
    until: Mapped[datetime]
    team: Mapped[str | None]
    pack: Mapped[str | None]
    force: Mapped[bool]
    cursor_at: Mapped[datetime | None]
    cursor_id: Mapped[int | None] = mapped_column(Id)
    expected: Mapped[int]
    waiting: Mapped[str | None]
    up_to_date: Mapped[int]
    not_heard: Mapped[int]
    queued: Mapped[int]
    scored: Mapped[int]
    withdrawn: Mapped[int]
    flagged: Mapped[int]
    undetermined: Mapped[int]
    failures: Mapped[dict[str, Any]]
    audio_s: Mapped[float]
    cpu_s: Mapped[float]
    gpu_s: Mapped[float]
    active_s: Mapped[float]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class BatchRunJobRow(Row):
    """A job that a batch run waits for, or has counted with this ``outcome``. A job may belong to several runs."""

    __tablename__ = "batch_run_jobs"
    __table_args__ = (
        # What is not counted yet is never more than the queue may hold, whatever was counted before.
        Index(
            "ix_batch_run_jobs_uncounted",
            "batch_run_id",
            "job_id",
            sqlite_where=text(COUNTED_NOT_YET),
            postgresql_where=text(COUNTED_NOT_YET),
        ),
        Index(
            "ix_batch_run_jobs_failed",
            "batch_run_id",
            "code",
            sqlite_where=text(COUNTED_FAILED),
            postgresql_where=text(COUNTED_FAILED),
        ),
    )

    batch_run_id: Mapped[int] = mapped_column(
        Id, ForeignKey("batch_runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    job_id: Mapped[int] = mapped_column(
        Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    outcome: Mapped[str | None]
    code: Mapped[str | None]
