"""Cases of rules that people made of calls, for somebody to put beside the rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class DraftCaseRow(Row):
    """A case made of a finding, numbers masked. It goes with its recording: it holds what was said in the call.

    ``expect``: what the rule is to say; ``outcome``: what it said of the case when that was made.
    """

    __tablename__ = "draft_cases"
    __table_args__ = (Index(None, "pack", "rule", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    finding_id: Mapped[int] = mapped_column(Id, ForeignKey("findings.id", ondelete="CASCADE"), unique=True)
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id", ondelete="CASCADE"), index=True)
    pack: Mapped[str]
    rule: Mapped[str]
    expect: Mapped[str]
    outcome: Mapped[str]
    document: Mapped[dict[str, Any]]
    why: Mapped[str]
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    at: Mapped[datetime]
