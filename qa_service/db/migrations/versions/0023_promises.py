"""Promises made in calls, and what people say of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNTOLD = sa.text("in_force AND decided IS NULL AND standing = 'open' AND NOT told")


def upgrade() -> None:
    op.create_table(
        "promises",
        *(sa.Column(name, _ID, nullable=False) for name in ("id", "recording_id")),
        *_text("rule", "item"),
        *_text("agent_id", "agent_name", "team", "vendor", "queue", "customer_ref", nullable=True),
        *(_time(name) for name in ("promised_at", "due_at")),
        *_text("standing"),
        sa.Column("followed_by", _ID, nullable=True),
        _time("followed_at", nullable=True),
        sa.Column("in_force", sa.Boolean(), server_default=sa.true(), nullable=False),
        *_text("decided", nullable=True),
        sa.Column("told", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _refers("promises", "recording_id", "recordings", "CASCADE"),
        _refers("promises", "followed_by", "recordings", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
        sa.UniqueConstraint("recording_id", "item", name=op.f("uq_promises_recording_id_item")),
    )
    for columns in (
        *(("customer_ref",), ("followed_by",), ("due_at", "id")),
        *(("team", "due_at", "id"), ("agent_id", "due_at", "id")),
    ):
        op.create_index(op.f(f"ix_promises_{'_'.join(columns)}"), "promises", list(columns))
    op.create_index(
        "ix_promises_untold", "promises", ["due_at", "id"], sqlite_where=_UNTOLD, postgresql_where=_UNTOLD
    )
    op.create_table(
        "promise_decisions",
        *(sa.Column(name, _ID, nullable=False) for name in ("id", "promise_id")),
        *_text("decision"),
        sa.Column("user_id", _ID, nullable=False),
        *_text("note"),
        _time("at"),
        _refers("promise_decisions", "promise_id", "promises", "CASCADE"),
        _refers("promise_decisions", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise_decisions")),
    )
    op.create_index(op.f("ix_promise_decisions_promise_id_id"), "promise_decisions", ["promise_id", "id"])
    _never_changed("promise_decisions")


def downgrade() -> None:
    op.drop_table("promise_decisions")
    op.drop_table("promises")


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
