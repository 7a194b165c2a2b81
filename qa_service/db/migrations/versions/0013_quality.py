"""Which version a rule has in a rule set; how good rules were found to be; what was proposed because of it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ruleset_rules",
        *_text("ruleset_digest", "rule"),
        sa.Column("version_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["rule_versions.id"], name=op.f("fk_ruleset_rules_version_id_rule_versions")
        ),
        sa.PrimaryKeyConstraint("ruleset_digest", "rule", name=op.f("pk_ruleset_rules")),
    )
    op.create_index(op.f("ix_ruleset_rules_version_id"), "ruleset_rules", ["version_id"])
    op.create_table(
        "quality_measurements",
        sa.Column("id", _ID, nullable=False),
        *_text("key"),
        _time("since"),
        _time("until"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_measurements")),
        sa.UniqueConstraint("key", name=op.f("uq_quality_measurements_key")),
    )
    op.create_table(
        "rule_figures",
        sa.Column("id", _ID, nullable=False),
        sa.Column("measurement_id", _ID, nullable=False),
        *_text("pack", "rule", "digest"),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["measurement_id"],
            ["quality_measurements.id"],
            name=op.f("fk_rule_figures_measurement_id_quality_measurements"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_figures")),
        sa.UniqueConstraint(
            *("measurement_id", "pack", "rule", "digest"),
            name=op.f("uq_rule_figures_measurement_id_pack_rule_digest"),
        ),
    )
    op.create_index(
        op.f("ix_rule_figures_pack_rule_measurement_id"), "rule_figures", ["pack", "rule", "measurement_id"]
    )
    _create_proposals()


def _create_proposals() -> None:
    op.create_table(
        "shadow_proposals",
        sa.Column("id", _ID, nullable=False),
        *_text("pack", "rule", "digest"),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("number", "judged", "right")),
        sa.Column("target", sa.Double(), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_proposals")),
        sa.UniqueConstraint(
            *("pack", "rule", "digest", "number"), name=op.f("uq_shadow_proposals_pack_rule_digest_number")
        ),
    )
    op.create_table(
        "shadow_decisions",
        sa.Column("proposal_id", _ID, autoincrement=False, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        *_text("note"),
        _time("at"),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["shadow_proposals.id"],
            name=op.f("fk_shadow_decisions_proposal_id_shadow_proposals"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_shadow_decisions_user_id_users")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_shadow_decisions")),
    )


def downgrade() -> None:
    for table in ("shadow_decisions", "shadow_proposals", "rule_figures", "quality_measurements", "ruleset_rules"):
        op.drop_table(table)


def _text(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _time(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)
