"""What people look at, what they decide, and what becomes of scores by it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row

# Literals, as for jobs: a partial index serves a query only when the planner sees the very predicate.
OPEN_ITEMS = "state IN ('waiting', 'claimed')"


class ReviewItemRow(Row):
    """A call that a person looks at: one row a recording. Who holds the claim decides.

    ``evaluation_id``: the one to be decided on; of a call that is done, the one that was. ``rank``: place in the
    queue, lowest first, of ``value`` and ``due_at``, reckoned at ``ranked_at``. ``assigned_to``: whose it is until
    it is due. ``team``, ``vendor`` and ``agent_id`` are the call's. ``inclusion_probability``: with which it came
    to be looked at, for estimates of what nobody looked at.
    """

    __tablename__ = "review_items"
    __table_args__ = (
        CheckConstraint("kind IN ('flagged', 'random', 'sampled')", name="kind"),
        CheckConstraint("state IN ('waiting', 'claimed', 'done')", name="state"),
        # The queue is walked in its order, within a scope too; what is done, which piles up for ever, is not in
        # it.
        *(
            Index(
                f"ix_review_items_open_{name}",
                *columns,
                "rank",
                "recording_id",
                sqlite_where=text(OPEN_ITEMS),
                postgresql_where=text(OPEN_ITEMS),
            )
            for name, columns in {
                "rank": (),
                "team": ("team",),
                "vendor": ("vendor",),
                "claimed_by": ("claimed_by",),
                "assigned_to": ("assigned_to",),
            }.items()
        ),
        Index(
            "ix_review_items_open_ranked_at",
            "ranked_at",
            sqlite_where=text(OPEN_ITEMS),
            postgresql_where=text(OPEN_ITEMS),
        ),
        Index(None, "kind", "done_at"),
        Index(None, "created_at"),
    )

    recording_id: Mapped[int] = mapped_column(
        Id, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    evaluation_id: Mapped[int] = mapped_column(Id, ForeignKey("evaluations.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    state: Mapped[str]
    rank: Mapped[float]
    value: Mapped[float]
    due_at: Mapped[datetime]
    grade: Mapped[int | None]
    inclusion_probability: Mapped[float]
    team: Mapped[str | None]
    vendor: Mapped[str | None]
    agent_id: Mapped[str | None]
    assigned_to: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    claimed_by: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    claim_expires_at: Mapped[datetime | None]
    done_by: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    done_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default=text("''"))
    version: Mapped[int]
    ranked_at: Mapped[datetime]
    created_at: Mapped[datetime]


class VerdictRow(Row):
    """A person's decision on a finding. Rows are only ever added; the last one of a finding is in force.

    ``cause``: review, dispute, appeal, or carried over from the same finding of an earlier evaluation
    (``carried_from``), in the name of who decided there.
    """

    __tablename__ = "verdicts"
    __table_args__ = (
        CheckConstraint("decision IN ('confirm', 'reject', 'correct', 'add')", name="decision"),
        CheckConstraint("cause IN ('review', 'dispute', 'appeal', 'carried')", name="cause"),
        Index(None, "finding_id", "id"),
        Index(None, "recording_id", "id"),
        Index(None, "user_id", "at"),
        Index(None, "at", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    finding_id: Mapped[int] = mapped_column(Id, ForeignKey("findings.id", ondelete="CASCADE"))
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    decision: Mapped[str]
    cause: Mapped[str]
    reason: Mapped[str]
    note: Mapped[str]
    start_s: Mapped[float | None]
    end_s: Mapped[float | None]
    carried_from: Mapped[int | None] = mapped_column(Id)  # no foreign key: clearing it would be a change
    at: Mapped[datetime]


class RuleTallyRow(Row):
    """Verdicts so far on one outcome of one rule of a pack, as the queue's order needs them.

    ``uncertainty``: as the queue was last ordered by it, at ``moved_at``.
    """

    __tablename__ = "rule_tallies"
    __table_args__ = (UniqueConstraint("pack", "rule", "outcome"), Index(None, "moved_at"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    pack: Mapped[str]
    rule: Mapped[str]
    outcome: Mapped[str]
    confirmed: Mapped[int]
    rejected: Mapped[int]
    uncertainty: Mapped[float]
    moved_at: Mapped[datetime]


class FinalScoreRow(Row):
    """A call's score after people's decisions. Rows are only ever added; the highest ``number`` is in force.

    ``user_id``: whose decision it was; none where the machine's evaluation changed under decisions.
    """

    __tablename__ = "final_scores"
    __table_args__ = (UniqueConstraint("recording_id", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id", ondelete="CASCADE"))
    evaluation_id: Mapped[int] = mapped_column(Id, ForeignKey("evaluations.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    score: Mapped[float | None]
    raw_score: Mapped[float | None]
    bonus: Mapped[float]
    coverage: Mapped[float]
    fatal: Mapped[bool]
    sections: Mapped[list[dict[str, Any]]]
    cause: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    at: Mapped[datetime]


class DisputeStepRow(Row):
    """A step of a finding on its way through acknowledgement, dispute and appeal. Rows are only ever added.

    ``user_id``: none where time took the step. ``due_at``: until when the next step may be taken.
    ``carried_from``: the finding of an earlier evaluation that had come to the same state.
    """

    __tablename__ = "dispute_steps"
    __table_args__ = (UniqueConstraint("finding_id", "number"), Index(None, "recording_id", "id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    finding_id: Mapped[int] = mapped_column(Id, ForeignKey("findings.id", ondelete="CASCADE"))
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id", ondelete="CASCADE"))
    number: Mapped[int]
    step: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(Id, ForeignKey("users.id"))
    reason: Mapped[str]
    due_at: Mapped[datetime | None]
    carried_from: Mapped[int | None] = mapped_column(Id)
    at: Mapped[datetime]
