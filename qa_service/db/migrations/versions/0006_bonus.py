"""Evaluations say how many bonus points are in their score."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("evaluations") as table:
        table.add_column(sa.Column("bonus", sa.Double(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("evaluations") as table:
        table.drop_column("bonus")
