"""Training: catalogue, sessions, assessments, certificates; changes of script and rules."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    *("training_subjects", "script_changes", "script_change_steps", "training_sessions"),
    *("training_attendances", "training_assessments", "training_certificates"),
)


def upgrade() -> None:
    op.create_table(
        "training_subjects",
        *_text("name", "title_zh", "title_en"),
        sa.Column("modules", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("days", sa.Double(), nullable=False),
        sa.Column("onboarding", sa.Boolean(), nullable=False),
        sa.Column("pass_mark", sa.Double(), nullable=True),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_training_subjects")),
    )
    _create_changes()
    _create_sessions()
    _create_assessments()


def _create_changes() -> None:
    states = "state IN ('drafted', 'approved', 'trained', 'assessed', 'live', 'withdrawn')"
    op.create_table(
        "script_changes",
        _number("id"),
        *_text("title", "text", "state"),
        *_text("pack", "vendor", nullable=True),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("teams", sa.JSON(none_as_null=True), nullable=True),
        _number("created_by"),
        _time("created_at"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(states, name=op.f("ck_script_changes_state")),
        _refers("script_changes", "created_by", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_script_changes")),
    )
    op.create_index(op.f("ix_script_changes_pack_state"), "script_changes", ["pack", "state"])
    op.create_table(
        "script_change_steps",
        _number("id"),
        _number("change_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        *_text("step", "from_state", "to_state", "name", "note"),
        _time("at"),
        _refers("script_change_steps", "change_id", "script_changes", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_script_change_steps")),
        sa.UniqueConstraint("change_id", "number", name=op.f("uq_script_change_steps_change_id_number")),
    )


def _create_sessions() -> None:
    op.create_table(
        "training_sessions",
        _number("id"),
        *_text("subject", "title", "place", "state"),
        *(_time(name) for name in ("starts_at", "ends_at", "created_at")),
        _number("trainer_id"),
        _number("change_id", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('planned', 'held', 'cancelled')", name=op.f("ck_training_sessions_state")),
        _refers("training_sessions", "trainer_id", "users"),
        _refers("training_sessions", "change_id", "script_changes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_sessions")),
    )
    _index("training_sessions", ("starts_at", "id"), ("subject", "state"), ("change_id",))
    op.create_table(
        "training_attendances",
        _number("id"),
        _number("session_id"),
        *_text("agent_id"),
        sa.Column("attended", sa.Boolean(), nullable=True),
        _refers("training_attendances", "session_id", "training_sessions", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_attendances")),
        sa.UniqueConstraint("session_id", "agent_id", name=op.f("uq_training_attendances_session_id_agent_id")),
    )
    _index("training_attendances", ("agent_id",))


def _create_assessments() -> None:
    op.create_table(
        "training_assessments",
        _number("id"),
        *_text("agent_id", "subject", "kind", "note"),
        *(_number(name, nullable=True) for name in ("session_id", "change_id")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("score", "pass_mark")),
        sa.Column("passed", sa.Boolean(), nullable=False),
        _number("assessed_by"),
        _time("at"),
        sa.CheckConstraint("kind IN ('before', 'after')", name=op.f("ck_training_assessments_kind")),
        _refers("training_assessments", "session_id", "training_sessions"),
        _refers("training_assessments", "change_id", "script_changes"),
        _refers("training_assessments", "assessed_by", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_assessments")),
    )
    _index("training_assessments", ("agent_id", "id"), ("change_id", "agent_id"), ("session_id",))
    op.create_table(
        "training_certificates",
        _number("id"),
        *_text("agent_id", "subject"),
        _number("assessment_id"),
        *(_time(name) for name in ("issued_at", "expires_at")),
        _refers("training_certificates", "assessment_id", "training_assessments", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_certificates")),
        sa.UniqueConstraint("assessment_id", name=op.f("uq_training_certificates_assessment_id")),
    )
    _index("training_certificates", ("agent_id", "id"), ("expires_at",))


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _text(*names: str, nullable: bool = False) -> "list[sa.Column[Any]]":
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _number(name: str, *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, _ID, nullable=nullable)


def _time(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _refers(table: str, column: str, to: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete
    )


def _index(table: str, *each: Sequence[str]) -> None:
    for columns in each:
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))
