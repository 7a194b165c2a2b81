"""Appraisals, and KPIs of months that were closed. Nothing of it is ever changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class AppraisalRow(Row):
    """What somebody said of an agent's month; ``month``: its first day, ISO 8601."""

    __tablename__ = "appraisals"
    __table_args__ = (Index(None, "month", "agent_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    agent_id: Mapped[str]
    month: Mapped[str] = mapped_column(String(10))
    appraiser: Mapped[str]
    points: Mapped[float]
    note: Mapped[str]
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    by_name: Mapped[str]
    at: Mapped[datetime]


class KpiClosingRow(Row):
    """A month was closed, by the weights and targets of then."""

    __tablename__ = "kpi_closings"
    __table_args__ = (UniqueConstraint("month", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    month: Mapped[str] = mapped_column(String(10))
    number: Mapped[int]
    note: Mapped[str]
    policy: Mapped[dict[str, Any]]
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    by_name: Mapped[str]
    at: Mapped[datetime]


class KpiResultRow(Row):
    """The KPI of an agent in a closed month."""

    __tablename__ = "kpi_results"

    closing_id: Mapped[int] = mapped_column(
        Id, ForeignKey("kpi_closings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    agent_id: Mapped[str] = mapped_column(primary_key=True)
    team: Mapped[str | None]
    vendor: Mapped[str | None]
    kpi: Mapped[dict[str, Any]]
