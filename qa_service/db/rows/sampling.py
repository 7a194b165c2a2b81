"""Sampling plans, and the calls that they drew."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class SamplingPlanRow(Row):
    """How many calls of each agent are drawn, and which. ``version`` guards edits."""

    __tablename__ = "sampling_plans"
    __table_args__ = (CheckConstraint("period IN ('day', 'week')", name="period"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    per_agent: Mapped[int]
    period: Mapped[str]
    new_agent_days: Mapped[int]
    new_agent_factor: Mapped[float]
    risk_share: Mapped[float]
    vendor: Mapped[str | None]
    teams: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    active: Mapped[bool] = mapped_column(server_default=true())
    version: Mapped[int] = mapped_column()
    created_by: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own declaration


class SamplingDrawRow(Row):
    """A plan's draw of one period, so that it is drawn once. ``period_start``: its first day, ISO 8601."""

    __tablename__ = "sampling_draws"
    __table_args__ = (UniqueConstraint("plan_id", "period_start"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    plan_id: Mapped[int] = mapped_column(Id, ForeignKey("sampling_plans.id"))
    period_start: Mapped[str] = mapped_column(String(10))
    candidates: Mapped[int]
    drawn: Mapped[int]
    at: Mapped[datetime]


class SampledCallRow(Row):
    """A drawn call, the stratum it was drawn from, and with which probability."""

    __tablename__ = "sampled_calls"
    __table_args__ = (UniqueConstraint("draw_id", "recording_id"), Index(None, "recording_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    draw_id: Mapped[int] = mapped_column(Id, ForeignKey("sampling_draws.id", ondelete="CASCADE"))
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id", ondelete="CASCADE"))
    agent_id: Mapped[str]
    stratum: Mapped[str]
    inclusion_probability: Mapped[float]
    assigned_to: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
