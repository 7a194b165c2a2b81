"""A schedule that is changed from days to months makes the month's report too: both begin on the first."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BY_BEGIN = "uq_scheduled_reports_schedule_id_since"
_BY_PERIOD = "uq_scheduled_reports_schedule_id_since_until"


def upgrade() -> None:
    with op.batch_alter_table("scheduled_reports") as table:
        table.drop_constraint(_BY_BEGIN, type_="unique")
        table.create_unique_constraint(_BY_PERIOD, ["schedule_id", "since", "until"])


def downgrade() -> None:
    reports = sa.table("scheduled_reports", sa.column("id"), sa.column("schedule_id"), sa.column("since"))
    first = sa.select(sa.func.min(reports.c.id)).group_by(reports.c.schedule_id, reports.c.since)
    op.execute(reports.delete().where(reports.c.id.not_in(first)))
    with op.batch_alter_table("scheduled_reports") as table:
        table.drop_constraint(_BY_PERIOD, type_="unique")
        table.create_unique_constraint(_BY_BEGIN, ["schedule_id", "since"])
