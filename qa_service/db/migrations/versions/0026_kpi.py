"""Appraisals, and KPIs of months that were closed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _text(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def upgrade() -> None:
    op.create_table(
        "appraisals",
        sa.Column("id", _ID, nullable=False),
        *_text("agent_id"),
        sa.Column("month", sa.String(10), nullable=False),
        *_text("appraiser"),
        sa.Column("points", sa.Double(), nullable=False),
        *_text("note"),
        sa.Column("user_id", _ID, nullable=False),
        *_text("by_name"),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_appraisals_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appraisals")),
    )
    op.create_index(op.f("ix_appraisals_month_agent_id"), "appraisals", ["month", "agent_id"])
    op.create_table(
        "kpi_closings",
        sa.Column("id", _ID, nullable=False),
        sa.Column("month", sa.String(10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *_text("note"),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        *_text("by_name"),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_kpi_closings_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpi_closings")),
        sa.UniqueConstraint("month", "number", name=op.f("uq_kpi_closings_month_number")),
    )
    op.create_table(
        "kpi_results",
        sa.Column("closing_id", _ID, autoincrement=False, nullable=False),
        *_text("agent_id"),
        *_text("team", "vendor", nullable=True),
        sa.Column("kpi", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["closing_id"],
            ["kpi_closings.id"],
            name=op.f("fk_kpi_results_closing_id_kpi_closings"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("closing_id", "agent_id", name=op.f("pk_kpi_results")),
    )


def downgrade() -> None:
    for table in ("kpi_results", "kpi_closings", "appraisals"):
        op.drop_table(table)
