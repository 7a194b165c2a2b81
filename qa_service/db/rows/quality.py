"""How good rules were found to be, and what was proposed because of it. Rows are only ever added."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class QualityMeasurementRow(Row):
    """Figures of all rules as of ``until``. ``key``: the day, so that of many workers one measures."""

    __tablename__ = "quality_measurements"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    since: Mapped[datetime]
    until: Mapped[datetime]


class RuleFiguresRow(Row):
    """The figures of one version of a rule in one measurement."""

    __tablename__ = "rule_figures"
    __table_args__ = (
        UniqueConstraint("measurement_id", "pack", "rule", "digest"),
        Index(None, "pack", "rule", "measurement_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    measurement_id: Mapped[int] = mapped_column(Id, ForeignKey("quality_measurements.id", ondelete="CASCADE"))
    pack: Mapped[str]
    rule: Mapped[str]
    digest: Mapped[str]
    document: Mapped[dict[str, Any]]


class ShadowProposalRow(Row):
    """A version of a rule that is to be evaluated and not scored, and why: of ``judged`` findings ``right`` were.

    It is open until it has a decision. ``number``: how often this version was proposed.
    """

    __tablename__ = "shadow_proposals"
    __table_args__ = (UniqueConstraint("pack", "rule", "digest", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    pack: Mapped[str]
    rule: Mapped[str]
    digest: Mapped[str]
    number: Mapped[int]
    judged: Mapped[int]
    right: Mapped[int]
    target: Mapped[float]
    created_at: Mapped[datetime]


class ShadowDecisionRow(Row):
    """What a person decided on a proposal."""

    __tablename__ = "shadow_decisions"

    proposal_id: Mapped[int] = mapped_column(
        Id, ForeignKey("shadow_proposals.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    accepted: Mapped[bool]
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    note: Mapped[str]
    at: Mapped[datetime]
