"""Jobs have a priority, and say how many workers were lost over them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_OPEN = sa.text("state IN ('queued', 'leased')")
_LEASED = sa.text("state = 'leased'")
_SUSPECTED = sa.text("losses > 0 AND state IN ('queued', 'leased')")


def upgrade() -> None:
    op.drop_index("ix_jobs_open", table_name="jobs")
    with op.batch_alter_table("jobs") as table:
        table.add_column(sa.Column("rank", sa.Integer(), server_default=sa.text("0"), nullable=False))
        table.add_column(sa.Column("losses", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index(
        "ix_jobs_open", "jobs", ["rank", "id"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index("ix_jobs_leased", "jobs", ["lease_expires_at"], sqlite_where=_LEASED, postgresql_where=_LEASED)
    op.create_index("ix_jobs_suspected", "jobs", ["losses"], sqlite_where=_SUSPECTED, postgresql_where=_SUSPECTED)


def downgrade() -> None:
    for name in ("ix_jobs_suspected", "ix_jobs_leased", "ix_jobs_open"):
        op.drop_index(name, table_name="jobs")
    with op.batch_alter_table("jobs") as table:
        table.drop_column("losses")
        table.drop_column("rank")
    op.create_index("ix_jobs_open", "jobs", ["id"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN)
