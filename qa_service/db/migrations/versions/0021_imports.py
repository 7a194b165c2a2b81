"""Figures of other systems: imports with the faults of their rows, monthly figures, agents' states."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _text(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("id", _ID, nullable=False),
        *_text("kind", "file_name"),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("all_or_nothing", sa.Boolean(), nullable=False),
        *_text("state"),
        *_numbers("rows", "added", "changed", "unchanged", "rejected", "warned"),
        sa.Column("user_id", _ID, nullable=True),
        *_text("by_name"),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_imports_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index(op.f("ix_imports_kind_sha256"), "imports", ["kind", "sha256"])
    op.create_index(op.f("ix_imports_user_id_id"), "imports", ["user_id", "id"])
    op.create_table(
        "import_faults",
        sa.Column("id", _ID, nullable=False),
        sa.Column("import_id", _ID, nullable=False),
        *_numbers("line"),
        *_text("column_name", "code", "message", "remedy"),
        sa.Column("warning", sa.Boolean(), nullable=False),
        *_text("given"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_import_faults_import_id_imports"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_faults")),
    )
    op.create_index(op.f("ix_import_faults_import_id_id"), "import_faults", ["import_id", "id"])
    op.create_table(
        "imported_figures",
        *_text("kind", "subject"),
        sa.Column("starts", sa.String(10), nullable=False),
        sa.Column("is_month", sa.Boolean(), nullable=False),
        *_text("name"),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("import_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_imported_figures_import_id_imports")),
        sa.PrimaryKeyConstraint("kind", "subject", "starts", "is_month", "name", name=op.f("pk_imported_figures")),
    )
    op.create_index(op.f("ix_imported_figures_kind_starts"), "imported_figures", ["kind", "starts"])
    op.create_table(
        "agent_states",
        *_text("agent_id"),
        sa.Column("is_shift", sa.Boolean(), nullable=False),
        sa.Column("starts_at", _TIME, nullable=False),
        sa.Column("ends_at", _TIME, nullable=False),
        *_text("state"),
        *_text("call_id", nullable=True),
        sa.Column("import_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_agent_states_import_id_imports")),
        sa.PrimaryKeyConstraint("agent_id", "is_shift", "starts_at", name=op.f("pk_agent_states")),
    )
    op.create_table(
        "agent_times",
        *_text("agent_id"),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("half_hour", sa.Integer(), autoincrement=False, nullable=False),
        *_text("team", "vendor", nullable=True),
        *(
            sa.Column(f"{state}_s", sa.Double(), nullable=False)
            for state in ("talk", "hold", "ring", "after_call", "idle", "break", "training", "meeting", "shift")
        ),
        *_numbers("calls"),
        sa.PrimaryKeyConstraint("agent_id", "day", "half_hour", name=op.f("pk_agent_times")),
    )
    op.create_index(op.f("ix_agent_times_day_team"), "agent_times", ["day", "team"])


def downgrade() -> None:
    for table in ("agent_times", "agent_states", "imported_figures", "import_faults", "imports"):
        op.drop_table(table)
