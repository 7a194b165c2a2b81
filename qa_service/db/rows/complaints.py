"""Complaints and their steps; marks on calls of which something changed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row

OPEN_COMPLAINTS = "ended_at IS NULL"


class ComplaintRow(Row):
    """A complaint. It outlives its recording. ``told_response``, ``told_handling``: of which clock that ran out
    somebody was told. ``version`` guards edits."""

    __tablename__ = "complaints"
    __table_args__ = (
        CheckConstraint("level BETWEEN 1 AND 3", name="level"),
        UniqueConstraint("recording_id"),
        Index(
            "ix_complaints_open",
            *("due_at", "id"),
            sqlite_where=text(OPEN_COMPLAINTS),
            postgresql_where=text(OPEN_COMPLAINTS),
        ),
        Index(None, "due_at", "id"),
        Index(None, "raised_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    recording_id: Mapped[int | None] = mapped_column(Id, ForeignKey("recordings.id", ondelete="SET NULL"))
    rule: Mapped[str]
    level: Mapped[int]
    state: Mapped[str]
    what: Mapped[str]
    customer_ref: Mapped[str | None]
    agent_id: Mapped[str | None]
    agent_name: Mapped[str | None]
    team: Mapped[str | None]
    vendor: Mapped[str | None]
    queue: Mapped[str | None]
    raised_at: Mapped[datetime]
    raised_by: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    owner_id: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    respond_by: Mapped[datetime]
    due_at: Mapped[datetime]
    responded_at: Mapped[datetime | None]
    handled_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    valid: Mapped[bool | None]
    cause: Mapped[str]
    proposed_level: Mapped[int | None]
    touched: Mapped[bool] = mapped_column(server_default=false())
    dropped_by_machine: Mapped[bool] = mapped_column(server_default=false())
    told_response: Mapped[bool] = mapped_column(server_default=false())
    told_handling: Mapped[bool] = mapped_column(server_default=false())
    version: Mapped[int]


class ComplaintStepRow(Row):
    """A step of a complaint. Rows are only ever added. ``user_id``: none for the machine.

    ``recording_id`` refers to nothing: deleting that recording would change the row.
    """

    __tablename__ = "complaint_steps"
    __table_args__ = (UniqueConstraint("complaint_id", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    complaint_id: Mapped[int] = mapped_column(Id, ForeignKey("complaints.id", ondelete="CASCADE"))
    number: Mapped[int]
    step: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    note: Mapped[str]
    level: Mapped[int | None]
    recording_id: Mapped[int | None] = mapped_column(Id)
    at: Mapped[datetime]


class CallMarkRow(Row):
    """Something of a call changed, and nobody has looked at what follows from it.

    A row for each change, and no foreign key: who writes it waits for nobody, and whoever takes rows away takes
    none that came meanwhile.
    """

    __tablename__ = "call_marks"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    recording_id: Mapped[int] = mapped_column(Id)
