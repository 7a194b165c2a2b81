"""Webhooks, and what is on its way to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row

WAITING_DELIVERIES = "state = 'waiting'"


class WebhookRow(Row):
    """A webhook. Its secret is made of ``salt`` and a key that is not in the database, known by ``key_id``.

    ``failures`` and ``paused_until`` change past ``version``: they are nobody's edit.
    """

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str]
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(JSON)
    active: Mapped[bool]
    salt: Mapped[str]
    old_salt: Mapped[str | None]
    old_until: Mapped[datetime | None]
    key_id: Mapped[str]
    failures: Mapped[int]
    paused_until: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()
    created_by: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own declaration


class WebhookDeliveryRow(Row):
    """Something that is told one webhook, once for each ``key``. ``attempts`` fences those who come too late."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'delivered', 'dead')", name="state"),
        UniqueConstraint("webhook_id", "key"),
        Index(
            "ix_webhook_deliveries_waiting",
            *("webhook_id", "next_at", "id"),
            sqlite_where=text(WAITING_DELIVERIES),
            postgresql_where=text(WAITING_DELIVERIES),
        ),
        Index(None, "webhook_id", "id"),
        Index(None, "ended_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(Id, ForeignKey("webhooks.id", ondelete="CASCADE"))
    key: Mapped[str]
    event: Mapped[str]
    data: Mapped[dict[str, Any]]
    state: Mapped[str]
    attempts: Mapped[int]
    next_at: Mapped[datetime]
    asked_at: Mapped[datetime]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    status: Mapped[int | None]
    error: Mapped[str | None]
