"""Coaching actions, where to listen, and how each came to where it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row

OPEN_ACTIONS = "state NOT IN ('closed', 'dismissed')"


class CoachingActionRow(Row):
    """What somebody needs. ``subject``: who, as one text; of each subject and module one action is open at most.

    ``since``, ``until``, ``selected_until``: days, ISO 8601. ``rules``: what it was judged by.
    """

    __tablename__ = "coaching_actions"
    __table_args__ = (
        CheckConstraint(
            "state IN ('proposed', 'assigned', 'held', 'acknowledged', 'assessed', 'closed', 'dismissed')",
            name="state",
        ),
        Index(
            "uq_coaching_actions_open",
            "subject",
            "module",
            unique=True,
            sqlite_where=text(OPEN_ACTIONS),
            postgresql_where=text(OPEN_ACTIONS),
        ),
        Index(None, "priority", "id"),
        Index(None, "team", "priority", "id"),
        Index(None, "agent_id", "id"),
        Index(None, "module", "held_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subject: Mapped[str]
    agent_id: Mapped[str | None]
    team: Mapped[str | None]
    vendor: Mapped[str | None]
    module: Mapped[str]
    state: Mapped[str]
    rules: Mapped[list[dict[str, Any]]]
    priority: Mapped[float]
    since: Mapped[str] = mapped_column(String(10))
    until: Mapped[str] = mapped_column(String(10))
    selected_until: Mapped[str] = mapped_column(String(10))
    by_hand: Mapped[bool]
    assigned_to: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"), index=True)
    due_at: Mapped[datetime | None]
    proposed_at: Mapped[datetime]
    held_at: Mapped[datetime | None]
    version: Mapped[int]


class CoachingClipRow(Row):
    """Where to listen: a rule's result in a call. Whether it still stands its finding tells.

    ``start_s`` and ``end_s``: none where the rule named no place.
    """

    __tablename__ = "coaching_clips"
    __table_args__ = (
        UniqueConstraint("action_id", "kind", "rule_result_id"),
        CheckConstraint("kind IN ('fault', 'best')", name="kind"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    action_id: Mapped[int] = mapped_column(Id, ForeignKey("coaching_actions.id", ondelete="CASCADE"))
    kind: Mapped[str]
    rule_result_id: Mapped[int] = mapped_column(Id, ForeignKey("rule_results.id", ondelete="CASCADE"), index=True)
    start_s: Mapped[float | None]
    end_s: Mapped[float | None]


class CoachingStepRow(Row):
    """A step of an action. Rows are only ever added. ``user_id``: none where the service took it."""

    __tablename__ = "coaching_steps"
    __table_args__ = (UniqueConstraint("action_id", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    action_id: Mapped[int] = mapped_column(Id, ForeignKey("coaching_actions.id", ondelete="CASCADE"))
    number: Mapped[int]
    step: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    note: Mapped[str]
    at: Mapped[datetime]


class CoachingRoundRow(Row):
    """A day's round, so that of many workers one does it. ``day``: ISO 8601."""

    __tablename__ = "coaching_rounds"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    at: Mapped[datetime]
