"""Complaints with their steps; marks on calls of which something changed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "complaints",
        sa.Column("id", _ID, nullable=False),
        sa.Column("recording_id", _ID, nullable=True),
        *_text("rule"),
        sa.Column("level", sa.Integer(), nullable=False),
        *_text("state", "what"),
        *_text("customer_ref", "agent_id", "agent_name", "team", "vendor", "queue", nullable=True),
        _time("raised_at"),
        *(sa.Column(name, _ID, nullable=True) for name in ("raised_by", "owner_id")),
        *(_time(name) for name in ("respond_by", "due_at")),
        *(_time(name, nullable=True) for name in ("responded_at", "handled_at", "ended_at")),
        sa.Column("valid", sa.Boolean(), nullable=True),
        *_text("cause"),
        sa.Column("proposed_level", sa.Integer(), nullable=True),
        *(
            sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)
            for name in ("touched", "dropped_by_machine", "told_response", "told_handling")
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 3", name=op.f("ck_complaints_level")),
        _refers("complaints", "recording_id", "recordings", "SET NULL"),
        _refers("complaints", "raised_by", "users"),
        _refers("complaints", "owner_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaints")),
        sa.UniqueConstraint("recording_id", name=op.f("uq_complaints_recording_id")),
    )
    op.create_index(
        "ix_complaints_open", "complaints", ["due_at", "id"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index(op.f("ix_complaints_due_at_id"), "complaints", ["due_at", "id"])
    op.create_index(op.f("ix_complaints_raised_at"), "complaints", ["raised_at"])
    op.create_table(
        "complaint_steps",
        *(sa.Column(name, _ID, nullable=False) for name in ("id", "complaint_id")),
        sa.Column("number", sa.Integer(), nullable=False),
        *_text("step", "from_state", "to_state"),
        sa.Column("user_id", _ID, nullable=True),
        *_text("note"),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("recording_id", _ID, nullable=True),
        _time("at"),
        _refers("complaint_steps", "complaint_id", "complaints", "CASCADE"),
        _refers("complaint_steps", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_steps")),
        sa.UniqueConstraint("complaint_id", "number", name=op.f("uq_complaint_steps_complaint_id_number")),
    )
    op.create_table(
        "call_marks",
        *(sa.Column(name, _ID, nullable=False) for name in ("id", "recording_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_marks")),
    )
    _never_changed("complaint_steps")


def downgrade() -> None:
    for table in ("call_marks", "complaint_steps", "complaints"):
        op.drop_table(table)


def _text(*names: str, nullable: bool = False) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _time(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _refers(table: str, column: str, to: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete
    )


def _never_changed(table: str) -> None:
    """As for verdicts (0012), whose function PostgreSQL has since then."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {table}_only_added BEFORE UPDATE ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'decisions are only ever added'); END"
        )
        return
    op.execute(
        f"CREATE TRIGGER {table}_only_added BEFORE UPDATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION decisions_are_only_added()"
    )
