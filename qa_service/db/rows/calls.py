"""What lists, searches and scopes are answered from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row

_TO_REVIEW = text("to_review > 0")
_FATAL = text("fatal")


class CallRow(Row):
    """A recording as lists show it: what is told of the call, and its latest evaluation.

    Everything in it follows from other rows and is written with them. ``at``: when the call was, or came. ``team``
    and ``vendor``: as told of the call, else those of its agent. ``score`` is the machine's, ``final_score`` is
    after people's decisions. ``to_review``: open findings. ``worst``: 3 critical, 2 major, 1 minor, 0 none among
    findings that stand or are open.
    """

    __tablename__ = "calls"
    __table_args__ = (
        # Every list is in one of these orders, and is read from where the last page ended.
        Index(None, "at", "recording_id"),
        Index(None, "agent_id", "at", "recording_id"),
        Index(None, "team", "at", "recording_id"),
        Index(None, "vendor", "at", "recording_id"),
        Index(None, "queue", "at", "recording_id"),
        # Few among many: walking every call to find them would cost more the fewer they are.
        Index("ix_calls_to_review", "at", "recording_id", sqlite_where=_TO_REVIEW, postgresql_where=_TO_REVIEW),
        Index("ix_calls_fatal", "at", "recording_id", sqlite_where=_FATAL, postgresql_where=_FATAL),
        Index(None, "final_score", "recording_id"),
        Index(None, "team", "final_score", "recording_id"),
        Index(None, "agent_id", "final_score", "recording_id"),
        Index(None, "call_id"),
        Index(None, "customer_ref", "at"),
    )

    recording_id: Mapped[int] = mapped_column(
        Id, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime]
    call_id: Mapped[str | None]
    agent_id: Mapped[str | None]
    agent_name: Mapped[str | None]
    team: Mapped[str | None]
    vendor: Mapped[str | None]
    queue: Mapped[str | None]
    direction: Mapped[str | None]
    customer_ref: Mapped[str | None]
    language: Mapped[str | None]
    duration_s: Mapped[float | None]
    evaluation_id: Mapped[int | None] = mapped_column(
        Id, ForeignKey("evaluations.id", ondelete="SET NULL"), index=True
    )
    scorecard: Mapped[str | None]
    score: Mapped[float | None]
    final_score: Mapped[float | None]
    coverage: Mapped[float | None]
    fatal: Mapped[bool | None]
    to_review: Mapped[int] = mapped_column(server_default=text("0"))
    worst: Mapped[int] = mapped_column(server_default=text("0"))


class ScorecardRow(Row):
    """A scorecard as evaluations were filled by it, so that people's decisions are counted by the same one."""

    __tablename__ = "scorecards"

    digest: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
