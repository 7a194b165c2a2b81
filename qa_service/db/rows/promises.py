"""Promises made in calls, and what people say of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row

UNTOLD_PROMISES = "in_force AND decided IS NULL AND standing = 'open' AND NOT told"


class PromiseRow(Row):
    """Something that a call left to be done for its customer, once for each call and item.

    Everything but ``decided`` and ``told`` follows from other rows. ``told``: somebody was told that its time is
    over. ``version`` guards edits.
    """

    __tablename__ = "promises"
    __table_args__ = (
        UniqueConstraint("recording_id", "item"),
        Index(None, "customer_ref"),
        Index(None, "followed_by"),
        Index(None, "due_at", "id"),
        Index(None, "team", "due_at", "id"),
        Index(None, "agent_id", "due_at", "id"),
        Index(
            "ix_promises_untold",
            *("due_at", "id"),
            sqlite_where=text(UNTOLD_PROMISES),
            postgresql_where=text(UNTOLD_PROMISES),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id", ondelete="CASCADE"))
    rule: Mapped[str]
    item: Mapped[str]
    agent_id: Mapped[str | None]
    agent_name: Mapped[str | None]
    team: Mapped[str | None]
    vendor: Mapped[str | None]
    queue: Mapped[str | None]
    customer_ref: Mapped[str | None]
    promised_at: Mapped[datetime]
    due_at: Mapped[datetime]
    standing: Mapped[str]
    followed_by: Mapped[int | None] = mapped_column(Id, ForeignKey("recordings.id", ondelete="SET NULL"))
    followed_at: Mapped[datetime | None]
    in_force: Mapped[bool] = mapped_column(server_default=true())
    decided: Mapped[str | None]
    told: Mapped[bool] = mapped_column(server_default=false())
    version: Mapped[int]


class PromiseDecisionRow(Row):
    """What somebody said of a promise. Rows are only ever added; the last one holds."""

    __tablename__ = "promise_decisions"
    __table_args__ = (Index(None, "promise_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    promise_id: Mapped[int] = mapped_column(Id, ForeignKey("promises.id", ondelete="CASCADE"))
    decision: Mapped[str]
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    note: Mapped[str]
    at: Mapped[datetime]
