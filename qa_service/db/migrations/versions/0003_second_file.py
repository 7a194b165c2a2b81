"""A recording may be two files, one for each side of the call."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_COLUMNS = ("second_path", "second_file_name", "second_blob_uri")


def upgrade() -> None:
    with op.batch_alter_table("recordings") as table:
        for name in _COLUMNS:
            table.add_column(sa.Column(name, sa.Text(), nullable=True))
        table.create_index(op.f("ix_recordings_second_file_name"), ["second_file_name"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("recordings") as table:
        table.drop_index(op.f("ix_recordings_second_file_name"))
        for name in _COLUMNS:
            table.drop_column(name)
