"""What came to be looked at since some time, for figures about rules."""

from collections.abc import Sequence

from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(op.f("ix_review_items_created_at"), "review_items", ["created_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_review_items_created_at"), "review_items")
