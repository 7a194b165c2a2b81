"""What was said in calls, masked, for finding it again. Upkeep fills it for calls that are there."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_GRAMS = postgresql.ARRAY(sa.Integer()).with_variant(sa.JSON(none_as_null=True), "sqlite")


def upgrade() -> None:
    op.create_table(
        "call_texts",
        sa.Column("recording_id", _ID, autoincrement=False, nullable=False),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("grams", _GRAMS, nullable=True),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recordings.id"],
            name=op.f("fk_call_texts_recording_id_recordings"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_call_texts_conversation_id_conversations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_call_texts")),
    )
    op.create_index(op.f("ix_call_texts_conversation_id"), "call_texts", ["conversation_id"])
    op.create_index("ix_call_texts_grams", "call_texts", ["grams"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_table("call_texts")
