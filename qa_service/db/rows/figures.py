"""What calls add up to, by agent and day, and which days have changed since they were added up."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class ChangedCallRow(Row):
    """A call of this agent at this time has changed. Rows are added with the change and taken by who counts.

    One row a change, and no row for whom and when: two that change calls of one agent never wait for each other,
    and a change that is not committed yet keeps its own row, whatever is counted meanwhile. ``agent_id``: empty
    where nobody told.
    """

    __tablename__ = "changed_calls"
    __table_args__ = (Index(None, "agent_id", "at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    agent_id: Mapped[str]
    at: Mapped[datetime]


class AgentDayRow(Row):
    """An agent's calls of a day, by team, vendor and queue: each empty where nobody told.

    ``day``: in the site's zone. ``points`` and ``squares``: sums of final scores and of their squares, over the
    ``scored`` calls.
    """

    __tablename__ = "agent_days"
    __table_args__ = (Index(None, "day"), Index(None, "team", "day"))

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    team: Mapped[str] = mapped_column(primary_key=True)
    vendor: Mapped[str] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    scored: Mapped[int]
    points: Mapped[float]
    squares: Mapped[float]
    fatal: Mapped[int]
    duration_s: Mapped[float]


class BehaviourDayRow(Row):
    """What one rule found in an agent's calls of a day. ``calls``: those in which it had an answer; of them
    ``faults`` stand, and ``confirmed`` of those somebody has decided."""

    __tablename__ = "behaviour_days"
    __table_args__ = (Index(None, "day"), Index(None, "team", "day"))

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    team: Mapped[str] = mapped_column(primary_key=True)
    vendor: Mapped[str] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    faults: Mapped[int]
    confirmed: Mapped[int]
