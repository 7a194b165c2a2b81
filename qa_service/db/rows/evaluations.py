"""Filled scorecards with their rule results and findings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa_service.db.rows.base import Id, Row

DUE = "due_at IS NOT NULL"


class EvaluationRow(Row):
    """A filled scorecard. Its sections are a small JSON list, its metrics with all their spans compressed."""

    __tablename__ = "evaluations"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id"), index=True)
    conversation_id: Mapped[int] = mapped_column(Id, ForeignKey("conversations.id"), index=True)
    pack: Mapped[str]
    ruleset_digest: Mapped[str]
    scorecard: Mapped[str]
    scorecard_digest: Mapped[str | None]  # none: filled before scorecards were kept
    score: Mapped[float | None]
    raw_score: Mapped[float | None]
    bonus: Mapped[float] = mapped_column(server_default=text("0"))
    coverage: Mapped[float]
    fatal: Mapped[bool]
    sections: Mapped[list[dict[str, Any]]]
    metrics: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(index=True)

    results: Mapped[list[RuleResultRow]] = relationship(lazy="raise", order_by="RuleResultRow.position")


class RuleResultRow(Row):
    """One rule's answer. ``position`` keeps the rules in the order in which they were evaluated."""

    __tablename__ = "rule_results"
    __table_args__ = (UniqueConstraint("evaluation_id", "rule"), Index(None, "rule", "outcome"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(Id, ForeignKey("evaluations.id", ondelete="CASCADE"))
    position: Mapped[int]
    rule: Mapped[str]
    title: Mapped[str]
    outcome: Mapped[str]
    severity: Mapped[str]
    reason: Mapped[str]
    scored: Mapped[bool]
    same_event_as: Mapped[str | None]
    evidence: Mapped[list[dict[str, Any]]]
    style: Mapped[list[list[Any]]] = mapped_column(JSON, server_default=text("'[]'"))
    grade: Mapped[int | None]
    review: Mapped[bool] = mapped_column(server_default=true())
    opens: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'"))
    unscored: Mapped[str] = mapped_column(server_default=text("''"))

    finding: Mapped[FindingRow | None] = relationship(lazy="raise", back_populates="result")


class LatestEvaluationRow(Row):
    """A recording's evaluation that was asked for last: rules that are changed back find an older one."""

    __tablename__ = "latest_evaluations"

    recording_id: Mapped[int] = mapped_column(
        Id, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    evaluation_id: Mapped[int] = mapped_column(Id, ForeignKey("evaluations.id", ondelete="CASCADE"), index=True)


class FindingRow(Row):
    """A rule result that needs a person. ``version`` guards it where two people edit.

    ``origin``: who opened it. ``decided_at``: when its state last changed. ``due_at``: until when the next step of
    its dispute may be taken.
    """

    __tablename__ = "findings"
    __table_args__ = (
        Index(None, "state", "id"),
        Index("ix_findings_due", "due_at", "id", sqlite_where=text(DUE), postgresql_where=text(DUE)),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(Id, ForeignKey("evaluations.id", ondelete="CASCADE"), index=True)
    rule_result_id: Mapped[int] = mapped_column(Id, ForeignKey("rule_results.id", ondelete="CASCADE"), unique=True)
    state: Mapped[str]
    origin: Mapped[str] = mapped_column(server_default=text("'machine'"))
    decided_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()

    evaluation: Mapped[EvaluationRow] = relationship(lazy="raise")
    result: Mapped[RuleResultRow] = relationship(lazy="raise", back_populates="finding")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own declaration
