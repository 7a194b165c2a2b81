"""Versions of rules, and who let them score."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ForeignKey,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class RuleVersionRow(Row):
    """A version of a rule that has evaluated a call, or of which somebody has said something.

    ``content`` is what its digest covers.
    """

    __tablename__ = "rule_versions"
    __table_args__ = (UniqueConstraint("pack", "rule", "digest"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    pack: Mapped[str]
    rule: Mapped[str]
    digest: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime]


class RulesetRuleRow(Row):
    """Which version a rule has in a rule set: evaluations keep the digest of the whole set."""

    __tablename__ = "ruleset_rules"

    ruleset_digest: Mapped[str] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(Id, ForeignKey("rule_versions.id"), index=True)


class RuleTransitionRow(Row):
    """One step of a rule version. Rows are only ever added; the highest ``number`` tells the state."""

    __tablename__ = "rule_transitions"
    __table_args__ = (UniqueConstraint("version_id", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    version_id: Mapped[int] = mapped_column(Id, ForeignKey("rule_versions.id"))
    number: Mapped[int]
    from_state: Mapped[str]
    to_state: Mapped[str]
    by: Mapped[str]
    note: Mapped[str]
    created_at: Mapped[datetime]
