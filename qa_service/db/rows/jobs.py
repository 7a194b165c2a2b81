"""Work that survives its worker."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import ERROR_MESSAGE_CHARACTERS, Id, Row

# Only these jobs can be claimed. Written as a literal wherever it is used: a partial index serves a query only
# when the planner sees the very predicate, and it cannot see into bound parameters.
OPEN_JOBS = "state IN ('queued', 'leased')"
LEASED_JOBS = "state = 'leased'"
SUSPECTED_JOBS = "losses > 0 AND state IN ('queued', 'leased')"


class JobRow(Row):
    """One unit of work. Times are absolute, so that any worker can tell whether a lease has run out."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'leased', 'done', 'failed', 'withdrawn')", name="state"),
        # Claiming walks the open jobs in their order; finished ones, which pile up for ever, are not in it.
        Index("ix_jobs_open", "rank", "id", sqlite_where=text(OPEN_JOBS), postgresql_where=text(OPEN_JOBS)),
        # A sweep walks what is held and what is suspected, however long the queue is.
        Index(
            "ix_jobs_leased",
            "lease_expires_at",
            sqlite_where=text(LEASED_JOBS),
            postgresql_where=text(LEASED_JOBS),
        ),
        Index(
            "ix_jobs_suspected",
            "losses",
            sqlite_where=text(SUSPECTED_JOBS),
            postgresql_where=text(SUSPECTED_JOBS),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id"), index=True)
    payload: Mapped[dict[str, str]]
    state: Mapped[str]
    rank: Mapped[int] = mapped_column(server_default=text("0"))  # the priority, negated: an index ascends
    attempts: Mapped[int]
    losses: Mapped[int] = mapped_column(server_default=text("0"))
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    available_at: Mapped[datetime]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None] = mapped_column(String(ERROR_MESSAGE_CHARACTERS))
    cpu_s: Mapped[float] = mapped_column(server_default=text("0"))
    gpu_s: Mapped[float] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
