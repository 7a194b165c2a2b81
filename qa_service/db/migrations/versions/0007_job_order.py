"""Jobs have a priority, and say how many workers were lost over them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_OPEN = sa.text("state IN ('queued', 'leased')")


def upgrade() -> None:
    op.drop_index("ix_jobs_open", table_name="jobs")
    with op.batch_alter_table("jobs") as table:
        table.add_column(sa.Column("rank", sa.Integer(), server_default=sa.text("0"), nullable=False))
        table.add_column(sa.Column("losses", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index(
        "ix_jobs_open", "jobs", ["rank", "id"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_open", table_name="jobs")
    with op.batch_alter_table("jobs") as table:
        table.drop_column("losses")
        table.drop_column("rank")
    op.create_index("ix_jobs_open", "jobs", ["id"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN)
