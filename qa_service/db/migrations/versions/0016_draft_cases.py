"""Cases of rules that people made of calls."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLE = "draft_cases"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        *(sa.Column(name, _ID, nullable=False) for name in ("id", "finding_id", "recording_id")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("pack", "rule", "expect", "outcome")),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _refers("finding_id", "findings", "CASCADE"),
        _refers("recording_id", "recordings", "CASCADE"),
        _refers("user_id", "users", None),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_cases")),
        sa.UniqueConstraint("finding_id", name=op.f("uq_draft_cases_finding_id")),
    )
    op.create_index(op.f("ix_draft_cases_pack_rule_id"), _TABLE, ["pack", "rule", "id"])
    op.create_index(op.f("ix_draft_cases_recording_id"), _TABLE, ["recording_id"])


def downgrade() -> None:
    op.drop_table(_TABLE)


def _refers(column: str, to: str, ondelete: str | None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{_TABLE}_{column}_{to}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete=ondelete)
