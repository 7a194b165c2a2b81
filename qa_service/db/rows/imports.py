"""What other systems count: tables that were brought in, and what they say."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class ImportRow(Row):
    """A table that was brought in, and what came of its rows."""

    __tablename__ = "imports"
    __table_args__ = (Index(None, "kind", "sha256"), Index(None, "user_id", "id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str]
    file_name: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    all_or_nothing: Mapped[bool]
    state: Mapped[str]
    rows: Mapped[int]
    added: Mapped[int]
    changed: Mapped[int]
    unchanged: Mapped[int]
    rejected: Mapped[int]
    warned: Mapped[int]
    user_id: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    by_name: Mapped[str]
    at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ImportFaultRow(Row):
    """What was wrong with one row of a table; ``given``: the row."""

    __tablename__ = "import_faults"
    __table_args__ = (Index(None, "import_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    import_id: Mapped[int] = mapped_column(Id, ForeignKey("imports.id", ondelete="CASCADE"))
    line: Mapped[int]
    column_name: Mapped[str]
    code: Mapped[str]
    message: Mapped[str]
    remedy: Mapped[str]
    warning: Mapped[bool]
    given: Mapped[str]


class ImportedFigureRow(Row):
    """A figure of an agent or vendor in a month or day; ``starts``: its first day, ISO 8601."""

    __tablename__ = "imported_figures"
    __table_args__ = (Index(None, "kind", "starts"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    starts: Mapped[str] = mapped_column(String(10), primary_key=True)
    is_month: Mapped[bool] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    size: Mapped[int | None]
    import_id: Mapped[int] = mapped_column(Id, ForeignKey("imports.id"))


class AgentStateRow(Row):
    """An agent was in a state. ``is_shift``: from login to logout, beside the others."""

    __tablename__ = "agent_states"

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    is_shift: Mapped[bool] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime]
    state: Mapped[str]
    call_id: Mapped[str | None]
    import_id: Mapped[int] = mapped_column(Id, ForeignKey("imports.id"))


class AgentTimesRow(Row):
    """What an agent's states of half an hour add up to, in seconds; ``team``, ``vendor``: when it was imported."""

    __tablename__ = "agent_times"
    __table_args__ = (Index(None, "day", "team"),)

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    half_hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    team: Mapped[str | None]
    vendor: Mapped[str | None]
    talk_s: Mapped[float]
    hold_s: Mapped[float]
    ring_s: Mapped[float]
    after_call_s: Mapped[float]
    idle_s: Mapped[float]
    break_s: Mapped[float]
    training_s: Mapped[float]
    meeting_s: Mapped[float]
    shift_s: Mapped[float]
    calls: Mapped[int]
