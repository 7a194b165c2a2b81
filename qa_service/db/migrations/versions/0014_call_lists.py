"""Lists of calls by queue, of those that wait for a person, and of fatal ones follow an index."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TO_REVIEW = sa.text("to_review > 0")
_FATAL = sa.text("fatal")


def upgrade() -> None:
    op.create_index("ix_calls_queue_at_recording_id", "calls", ["queue", "at", "recording_id"])
    for name, condition in (("ix_calls_to_review", _TO_REVIEW), ("ix_calls_fatal", _FATAL)):
        op.create_index(name, "calls", ["at", "recording_id"], sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for name in ("ix_calls_fatal", "ix_calls_to_review", "ix_calls_queue_at_recording_id"):
        op.drop_index(name, table_name="calls")
