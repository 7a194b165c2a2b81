"""Calibration sessions: reviewers score the same calls blind."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SESSIONS = "calibration_sessions"
_CALLS = "calibration_calls"
_CRITERIA = "calibration_criteria"
_REVIEWERS = "calibration_reviewers"


def upgrade() -> None:
    op.create_table(
        _SESSIONS,
        _id("id"),
        *_text("title", "state"),
        sa.Column("version", sa.Integer(), nullable=False),
        _id("created_by"),
        _time("created_at"),
        sa.CheckConstraint("state IN ('open', 'closed', 'settled')", name=op.f("ck_calibration_sessions_state")),
        _refers(_SESSIONS, "created_by", "users", cascade=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_sessions")),
    )
    op.create_index(op.f("ix_calibration_sessions_created_by"), _SESSIONS, ["created_by"])
    op.create_table(
        "calibration_steps",
        _id("id"),
        _id("session_id"),
        *_text("to_state"),
        _id("user_id"),
        _time("at"),
        _refers("calibration_steps", "session_id", _SESSIONS),
        _refers("calibration_steps", "user_id", "users", cascade=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_steps")),
        sa.UniqueConstraint("session_id", "to_state", name=op.f("uq_calibration_steps_session_id_to_state")),
    )
    _create_what_is_scored()
    for table in ("calibration_answers", "calibration_decisions"):
        _create_said(table)


def _create_what_is_scored() -> None:
    op.create_table(
        _CALLS,
        _id("session_id", own=False),
        _id("recording_id", own=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("evaluation_id", _ID, nullable=True),
        _refers(_CALLS, "session_id", _SESSIONS),
        _refers(_CALLS, "recording_id", "recordings"),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluations.id"],
            name=op.f("fk_calibration_calls_evaluation_id_evaluations"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("session_id", "recording_id", name=op.f("pk_calibration_calls")),
    )
    op.create_index(op.f("ix_calibration_calls_recording_id"), _CALLS, ["recording_id"])
    op.create_index(op.f("ix_calibration_calls_evaluation_id"), _CALLS, ["evaluation_id"])
    op.create_table(
        _CRITERIA,
        _id("session_id", own=False),
        *_text("name"),
        sa.Column("position", sa.Integer(), nullable=False),
        *_text("scale"),
        sa.CheckConstraint(
            "scale IN ('nominal', 'ordinal', 'interval')", name=op.f("ck_calibration_criteria_scale")
        ),
        _refers(_CRITERIA, "session_id", _SESSIONS),
        sa.PrimaryKeyConstraint("session_id", "name", name=op.f("pk_calibration_criteria")),
    )
    op.create_table(
        _REVIEWERS,
        _id("session_id", own=False),
        _id("user_id", own=False),
        _refers(_REVIEWERS, "session_id", _SESSIONS),
        _refers(_REVIEWERS, "user_id", "users", cascade=False),
        sa.PrimaryKeyConstraint("session_id", "user_id", name=op.f("pk_calibration_reviewers")),
    )
    op.create_index(op.f("ix_calibration_reviewers_user_id"), _REVIEWERS, ["user_id"])


def _create_said(table: str) -> None:
    """What reviewers said, or what was agreed on: only reviewers of the session answer."""
    answers = table == "calibration_answers"
    by = _pair(table, "user_id", _REVIEWERS) if answers else _refers(table, "user_id", "users", cascade=False)
    op.create_table(
        table,
        _id("id"),
        _id("session_id"),
        _id("recording_id"),
        *_text("criterion"),
        _id("user_id"),
        *_text("value", "note"),
        _time("at"),
        _pair(table, "recording_id", _CALLS),
        _pair(table, "criterion", _CRITERIA, "name"),
        by,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    columns = ["session_id", "user_id"] if answers else ["session_id"]
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def downgrade() -> None:
    for table in (
        *("calibration_decisions", "calibration_answers", _REVIEWERS, _CRITERIA, _CALLS),
        *("calibration_steps", _SESSIONS),
    ):
        op.drop_table(table)


def _id(name: str, *, own: bool = True) -> "sa.Column[int]":
    return sa.Column(name, _ID, nullable=False, autoincrement="auto" if own else False)


def _text(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _time(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _refers(table: str, column: str, to: str, *, cascade: bool = True) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column],
        [f"{to}.id"],
        name=op.f(f"fk_{table}_{column}_{to}"),
        ondelete="CASCADE" if cascade else None,
    )


def _pair(table: str, column: str, to: str, theirs: str | None = None) -> sa.ForeignKeyConstraint:
    """A reference to what belongs to the same session."""
    return sa.ForeignKeyConstraint(
        ["session_id", column],
        [f"{to}.session_id", f"{to}.{theirs or column}"],
        name=op.f(f"fk_{table}_session_id_{to}"),
        ondelete="CASCADE",
    )
