"""Which versions of rules may score, why a result does not, and which evaluation was asked for last."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("rule_results") as table:
        table.add_column(sa.Column("unscored", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.create_table(
        "rule_versions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_versions")),
        sa.UniqueConstraint("pack", "rule", "digest", name=op.f("uq_rule_versions_pack_rule_digest")),
    )
    op.create_table(
        "rule_transitions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("version_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["rule_versions.id"], name=op.f("fk_rule_transitions_version_id_rule_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_transitions")),
        sa.UniqueConstraint("version_id", "number", name=op.f("uq_rule_transitions_version_id_number")),
    )
    op.create_table(
        "latest_evaluations",
        sa.Column("recording_id", _ID, autoincrement=False, nullable=False),
        sa.Column("evaluation_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluations.id"],
            name=op.f("fk_latest_evaluations_evaluation_id_evaluations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recordings.id"],
            name=op.f("fk_latest_evaluations_recording_id_recordings"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_latest_evaluations")),
    )
    op.create_index(
        op.f("ix_latest_evaluations_evaluation_id"), "latest_evaluations", ["evaluation_id"], unique=False
    )
    # Until now the newest was taken for the one that was asked for last.
    op.execute(
        "INSERT INTO latest_evaluations (recording_id, evaluation_id) "
        "SELECT recording_id, max(id) FROM evaluations GROUP BY recording_id"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_latest_evaluations_evaluation_id"), table_name="latest_evaluations")
    op.drop_table("latest_evaluations")
    op.drop_table("rule_transitions")
    op.drop_table("rule_versions")
    with op.batch_alter_table("rule_results") as table:
        table.drop_column("unscored")
