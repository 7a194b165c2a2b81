"""Training as the site keeps it: catalogue, sessions, assessments, certificates; changes of script and rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class TrainingSubjectRow(Row):
    """A module or, where ``modules`` is set, a course, as the site wrote it; shipped ones only when they were
    edited."""

    __tablename__ = "training_subjects"

    name: Mapped[str] = mapped_column(primary_key=True)
    title_zh: Mapped[str]
    title_en: Mapped[str]
    modules: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    days: Mapped[float]
    onboarding: Mapped[bool]
    pass_mark: Mapped[float | None]
    valid_days: Mapped[int | None]
    active: Mapped[bool]
    version: Mapped[int]


class ScriptChangeRow(Row):
    """A change of script or rules on its way to being live. ``rules``: with their versions, empty: the script's
    text alone. ``teams`` none: all."""

    __tablename__ = "script_changes"
    __table_args__ = (
        CheckConstraint(
            "state IN ('drafted', 'approved', 'trained', 'assessed', 'live', 'withdrawn')", name="state"
        ),
        Index(None, "pack", "state"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    title: Mapped[str]
    text: Mapped[str]
    pack: Mapped[str | None]
    rules: Mapped[list[dict[str, Any]]]
    vendor: Mapped[str | None]
    teams: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str]
    created_by: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    created_at: Mapped[datetime]
    version: Mapped[int]


class ScriptChangeStepRow(Row):
    """A step of a change. Rows are only ever added. ``name``: of who took it, who may be no account."""

    __tablename__ = "script_change_steps"
    __table_args__ = (UniqueConstraint("change_id", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    change_id: Mapped[int] = mapped_column(Id, ForeignKey("script_changes.id", ondelete="CASCADE"))
    number: Mapped[int]
    step: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    name: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]


class TrainingSessionRow(Row):
    """A session of a module or course. ``change_id``: the change that it trains."""

    __tablename__ = "training_sessions"
    __table_args__ = (
        CheckConstraint("state IN ('planned', 'held', 'cancelled')", name="state"),
        Index(None, "starts_at", "id"),
        Index(None, "subject", "state"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subject: Mapped[str]
    title: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    place: Mapped[str]
    trainer_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    change_id: Mapped[int | None] = mapped_column(Id, ForeignKey("script_changes.id"), index=True)
    state: Mapped[str]
    created_at: Mapped[datetime]
    version: Mapped[int]


class TrainingAttendanceRow(Row):
    """An agent who is expected. ``attended`` none: nobody said yet."""

    __tablename__ = "training_attendances"
    __table_args__ = (UniqueConstraint("session_id", "agent_id"), Index(None, "agent_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    session_id: Mapped[int] = mapped_column(Id, ForeignKey("training_sessions.id", ondelete="CASCADE"))
    agent_id: Mapped[str]
    attended: Mapped[bool | None]


class TrainingAssessmentRow(Row):
    """An assessment as it was given. Rows are only ever added."""

    __tablename__ = "training_assessments"
    __table_args__ = (
        CheckConstraint("kind IN ('before', 'after')", name="kind"),
        Index(None, "agent_id", "id"),
        Index(None, "change_id", "agent_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    agent_id: Mapped[str]
    subject: Mapped[str]
    kind: Mapped[str]
    session_id: Mapped[int | None] = mapped_column(Id, ForeignKey("training_sessions.id"), index=True)
    change_id: Mapped[int | None] = mapped_column(Id, ForeignKey("script_changes.id"))
    score: Mapped[float]
    pass_mark: Mapped[float]
    passed: Mapped[bool]
    note: Mapped[str]
    assessed_by: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    at: Mapped[datetime]


class TrainingCertificateRow(Row):
    """What a passed assessment gives, until it expires."""

    __tablename__ = "training_certificates"
    __table_args__ = (Index(None, "agent_id", "id"), Index(None, "expires_at"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    agent_id: Mapped[str]
    subject: Mapped[str]
    assessment_id: Mapped[int] = mapped_column(
        Id, ForeignKey("training_assessments.id", ondelete="CASCADE"), unique=True
    )
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
