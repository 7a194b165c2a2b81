"""Calibration sessions: who scores which calls by what, and what they said."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class CalibrationSessionRow(Row):
    """A session. ``version`` guards its state."""

    __tablename__ = "calibration_sessions"
    __table_args__ = (CheckConstraint("state IN ('open', 'closed', 'settled')", name="state"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    title: Mapped[str]
    state: Mapped[str]
    version: Mapped[int]
    created_by: Mapped[int] = mapped_column(Id, ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]


class CalibrationStepRow(Row):
    """Who took a session into which state. Rows are only ever added."""

    __tablename__ = "calibration_steps"
    __table_args__ = (UniqueConstraint("session_id", "to_state"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    session_id: Mapped[int] = mapped_column(Id, ForeignKey("calibration_sessions.id", ondelete="CASCADE"))
    to_state: Mapped[str]
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    at: Mapped[datetime]


class CalibrationCallRow(Row):
    """A call that is scored; ``evaluation_id``: the machine's answers, as they were when the session began."""

    __tablename__ = "calibration_calls"

    session_id: Mapped[int] = mapped_column(
        Id, ForeignKey("calibration_sessions.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    recording_id: Mapped[int] = mapped_column(
        Id, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    position: Mapped[int]
    evaluation_id: Mapped[int | None] = mapped_column(
        Id, ForeignKey("evaluations.id", ondelete="SET NULL"), index=True
    )


class CalibrationCriterionRow(Row):
    """What is judged of each call."""

    __tablename__ = "calibration_criteria"
    __table_args__ = (CheckConstraint("scale IN ('nominal', 'ordinal', 'interval')", name="scale"),)

    session_id: Mapped[int] = mapped_column(
        Id, ForeignKey("calibration_sessions.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    scale: Mapped[str]


class CalibrationReviewerRow(Row):
    """Who scores the calls."""

    __tablename__ = "calibration_reviewers"

    session_id: Mapped[int] = mapped_column(
        Id, ForeignKey("calibration_sessions.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("users.id"), primary_key=True, autoincrement=False, index=True
    )


def _of_a_place() -> tuple[ForeignKeyConstraint, ForeignKeyConstraint]:
    return (
        ForeignKeyConstraint(
            ["session_id", "recording_id"],
            ["calibration_calls.session_id", "calibration_calls.recording_id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["session_id", "criterion"],
            ["calibration_criteria.session_id", "calibration_criteria.name"],
            ondelete="CASCADE",
        ),
    )


class CalibrationAnswerRow(Row):
    """What a reviewer said of one criterion of one call. Rows are only ever added, the last one holds."""

    __tablename__ = "calibration_answers"
    __table_args__ = (
        *_of_a_place(),
        ForeignKeyConstraint(
            ["session_id", "user_id"],
            ["calibration_reviewers.session_id", "calibration_reviewers.user_id"],
            ondelete="CASCADE",
        ),
        Index(None, "session_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    session_id: Mapped[int] = mapped_column(Id)
    recording_id: Mapped[int] = mapped_column(Id)
    criterion: Mapped[str]
    user_id: Mapped[int] = mapped_column(Id)
    value: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]


class CalibrationDecisionRow(Row):
    """What was agreed on for one criterion of one call. Rows are only ever added, the last one holds."""

    __tablename__ = "calibration_decisions"
    __table_args__ = (*_of_a_place(), Index(None, "session_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    session_id: Mapped[int] = mapped_column(Id)
    recording_id: Mapped[int] = mapped_column(Id)
    criterion: Mapped[str]
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    value: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]
