"""Coaching actions, where to listen, their steps and rounds."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state NOT IN ('closed', 'dismissed')")
_STATES = "state IN ('proposed', 'assigned', 'held', 'acknowledged', 'assessed', 'closed', 'dismissed')"


def upgrade() -> None:
    op.create_table(
        "coaching_actions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("agent_id", "team", "vendor")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("module", "state")),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Double(), nullable=False),
        *(sa.Column(name, sa.String(10), nullable=False) for name in ("since", "until", "selected_until")),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("assigned_to", _ID, nullable=True),
        _time("due_at", nullable=True),
        _time("proposed_at"),
        _time("held_at", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(_STATES, name=op.f("ck_coaching_actions_state")),
        sa.ForeignKeyConstraint(["assigned_to"], ["users.id"], name=op.f("fk_coaching_actions_assigned_to_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_actions")),
    )
    op.create_index(
        "uq_coaching_actions_open",
        "coaching_actions",
        ["subject", "module"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    for columns in (
        ("priority", "id"),
        ("team", "priority", "id"),
        ("agent_id", "id"),
        ("module", "held_at"),
        ("assigned_to",),
    ):
        op.create_index(op.f(f"ix_coaching_actions_{'_'.join(columns)}"), "coaching_actions", list(columns))
    _create_parts()


def _create_parts() -> None:
    op.create_table(
        "coaching_clips",
        sa.Column("id", _ID, nullable=False),
        sa.Column("action_id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule_result_id", _ID, nullable=False),
        *(sa.Column(name, sa.Double(), nullable=True) for name in ("start_s", "end_s")),
        sa.CheckConstraint("kind IN ('fault', 'best')", name=op.f("ck_coaching_clips_kind")),
        _of_action("coaching_clips"),
        sa.ForeignKeyConstraint(
            ["rule_result_id"],
            ["rule_results.id"],
            name=op.f("fk_coaching_clips_rule_result_id_rule_results"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_clips")),
        sa.UniqueConstraint(
            *("action_id", "kind", "rule_result_id"), name=op.f("uq_coaching_clips_action_id_kind_rule_result_id")
        ),
    )
    op.create_index(op.f("ix_coaching_clips_rule_result_id"), "coaching_clips", ["rule_result_id"])
    op.create_table(
        "coaching_steps",
        sa.Column("id", _ID, nullable=False),
        sa.Column("action_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("step", "from_state", "to_state")),
        sa.Column("user_id", _ID, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        _time("at"),
        _of_action("coaching_steps"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_coaching_steps_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_steps")),
        sa.UniqueConstraint("action_id", "number", name=op.f("uq_coaching_steps_action_id_number")),
    )
    op.create_table(
        "coaching_rounds",
        sa.Column("day", sa.String(10), nullable=False),
        _time("at"),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_coaching_rounds")),
    )


def downgrade() -> None:
    for table in ("coaching_rounds", "coaching_steps", "coaching_clips", "coaching_actions"):
        op.drop_table(table)


def _time(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _of_action(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_action_id_coaching_actions")
    return sa.ForeignKeyConstraint(["action_id"], ["coaching_actions.id"], name=name, ondelete="CASCADE")
