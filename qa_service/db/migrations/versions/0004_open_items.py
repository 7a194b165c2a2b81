"""Rule results keep their grade, whether doubt needs a person, and what the call leaves to be done."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("rule_results") as table:
        table.add_column(sa.Column("grade", sa.Integer(), nullable=True))
        table.add_column(sa.Column("review", sa.Boolean(), server_default=sa.true(), nullable=False))
        table.add_column(sa.Column("opens", sa.JSON(), server_default=sa.text("'[]'"), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("rule_results") as table:
        for name in ("opens", "review", "grade"):
            table.drop_column(name)
