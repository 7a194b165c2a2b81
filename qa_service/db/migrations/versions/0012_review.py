"""The review queue, verdicts, final scores, disputes, sampling plans."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state IN ('waiting', 'claimed')")
_DUE = sa.text("due_at IS NOT NULL")
_ONLY_ADDED = ("verdicts", "final_scores", "dispute_steps")


def upgrade() -> None:
    # One statement a column: SQLite would copy the table, and the largest sites have millions of findings.
    op.add_column("findings", sa.Column("origin", sa.Text(), server_default=sa.text("'machine'"), nullable=False))
    op.add_column("findings", _time("decided_at", nullable=True))
    op.add_column("findings", _time("due_at", nullable=True))
    op.create_index("ix_findings_due", "findings", ["due_at", "id"], sqlite_where=_DUE, postgresql_where=_DUE)
    _create_items()
    _create_verdicts()
    _create_final_scores()
    _create_dispute_steps()
    _create_sampling()
    for table in _ONLY_ADDED:
        _never_changed(table)


def downgrade() -> None:
    for name in (
        *("sampled_calls", "sampling_draws", "sampling_plans", "dispute_steps", "final_scores"),
        *("rule_tallies", "verdicts", "review_items"),
    ):
        op.drop_table(name)
    if _on_postgresql():
        op.execute("DROP FUNCTION decisions_are_only_added()")
    op.drop_index("ix_findings_due", "findings")
    with op.batch_alter_table("findings") as table:
        for name in ("origin", "decided_at", "due_at"):
            table.drop_column(name)


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _time(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(*names: str, nullable: bool = False) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _double(*names: str, nullable: bool = False) -> "list[sa.Column[float]]":
    return [sa.Column(name, sa.Double(), nullable=nullable) for name in names]


def _refers(table: str, column: str, to: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _create_items() -> None:
    op.create_table(
        "review_items",
        sa.Column("recording_id", _ID, autoincrement=False, nullable=False),
        sa.Column("evaluation_id", _ID, nullable=False),
        *_text("kind", "state"),
        *_double("rank", "value"),
        _time("due_at"),
        sa.Column("grade", sa.Integer(), nullable=True),
        *_double("inclusion_probability"),
        *_text("team", "vendor", "agent_id", nullable=True),
        sa.Column("assigned_to", _ID, nullable=True),
        sa.Column("claimed_by", _ID, nullable=True),
        _time("claim_expires_at", nullable=True),
        sa.Column("done_by", _ID, nullable=True),
        _time("done_at", nullable=True),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _time("ranked_at"),
        _time("created_at"),
        sa.CheckConstraint("kind IN ('flagged', 'random', 'sampled')", name=op.f("ck_review_items_kind")),
        sa.CheckConstraint("state IN ('waiting', 'claimed', 'done')", name=op.f("ck_review_items_state")),
        _refers("review_items", "recording_id", "recordings", "CASCADE"),
        _refers("review_items", "evaluation_id", "evaluations", "CASCADE"),
        *(_refers("review_items", column, "users") for column in ("assigned_to", "claimed_by", "done_by")),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_review_items")),
    )
    for name in ("rank", "team", "vendor", "claimed_by", "assigned_to"):
        columns = [] if name == "rank" else [name]
        op.create_index(
            f"ix_review_items_open_{name}",
            "review_items",
            [*columns, "rank", "recording_id"],
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        )
    op.create_index(
        "ix_review_items_open_ranked_at",
        "review_items",
        ["ranked_at"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    _index("review_items", "evaluation_id")
    _index("review_items", "kind", "done_at")


def _create_verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("id", _ID, nullable=False),
        *(sa.Column(name, _ID, nullable=False) for name in ("finding_id", "recording_id", "user_id")),
        *_text("decision", "cause", "reason", "note"),
        *_double("start_s", "end_s", nullable=True),
        sa.Column("carried_from", _ID, nullable=True),
        _time("at"),
        sa.CheckConstraint(
            "decision IN ('confirm', 'reject', 'correct', 'add')", name=op.f("ck_verdicts_decision")
        ),
        sa.CheckConstraint("cause IN ('review', 'dispute', 'appeal', 'carried')", name=op.f("ck_verdicts_cause")),
        _refers("verdicts", "finding_id", "findings", "CASCADE"),
        _refers("verdicts", "recording_id", "recordings", "CASCADE"),
        _refers("verdicts", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    for columns in (("finding_id", "id"), ("recording_id", "id"), ("user_id", "at"), ("at", "id")):
        _index("verdicts", *columns)
    op.create_table(
        "rule_tallies",
        sa.Column("id", _ID, nullable=False),
        *_text("pack", "rule", "outcome"),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("confirmed", "rejected")),
        *_double("uncertainty"),
        _time("moved_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_tallies")),
        sa.UniqueConstraint("pack", "rule", "outcome", name=op.f("uq_rule_tallies_pack_rule_outcome")),
    )
    _index("rule_tallies", "moved_at")


def _create_final_scores() -> None:
    op.create_table(
        "final_scores",
        sa.Column("id", _ID, nullable=False),
        *(sa.Column(name, _ID, nullable=False) for name in ("recording_id", "evaluation_id")),
        sa.Column("number", sa.Integer(), nullable=False),
        *_double("score", "raw_score", nullable=True),
        *_double("bonus", "coverage"),
        sa.Column("fatal", sa.Boolean(), nullable=False),
        sa.Column("sections", sa.JSON(), nullable=False),
        *_text("cause"),
        sa.Column("user_id", _ID, nullable=True),
        _time("at"),
        _refers("final_scores", "recording_id", "recordings", "CASCADE"),
        _refers("final_scores", "evaluation_id", "evaluations", "CASCADE"),
        _refers("final_scores", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_final_scores")),
        sa.UniqueConstraint("recording_id", "number", name=op.f("uq_final_scores_recording_id_number")),
    )
    _index("final_scores", "evaluation_id")


def _create_dispute_steps() -> None:
    op.create_table(
        "dispute_steps",
        sa.Column("id", _ID, nullable=False),
        *(sa.Column(name, _ID, nullable=False) for name in ("finding_id", "recording_id")),
        sa.Column("number", sa.Integer(), nullable=False),
        *_text("step", "from_state", "to_state"),
        sa.Column("user_id", _ID, nullable=True),
        *_text("reason"),
        _time("due_at", nullable=True),
        sa.Column("carried_from", _ID, nullable=True),
        _time("at"),
        _refers("dispute_steps", "finding_id", "findings", "CASCADE"),
        _refers("dispute_steps", "recording_id", "recordings", "CASCADE"),
        _refers("dispute_steps", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_steps")),
        sa.UniqueConstraint("finding_id", "number", name=op.f("uq_dispute_steps_finding_id_number")),
    )
    _index("dispute_steps", "recording_id", "id")


def _create_sampling() -> None:
    op.create_table(
        "sampling_plans",
        sa.Column("id", _ID, nullable=False),
        *_text("name"),
        sa.Column("per_agent", sa.Integer(), nullable=False),
        *_text("period"),
        sa.Column("new_agent_days", sa.Integer(), nullable=False),
        *_double("new_agent_factor", "risk_share"),
        *_text("vendor", nullable=True),
        sa.Column("teams", sa.JSON(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", _ID, nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint("period IN ('day', 'week')", name=op.f("ck_sampling_plans_period")),
        _refers("sampling_plans", "created_by", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sampling_plans")),
        sa.UniqueConstraint("name", name=op.f("uq_sampling_plans_name")),
    )
    op.create_table(
        "sampling_draws",
        sa.Column("id", _ID, nullable=False),
        sa.Column("plan_id", _ID, nullable=False),
        sa.Column("period_start", sa.String(10), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("candidates", "drawn")),
        _time("at"),
        _refers("sampling_draws", "plan_id", "sampling_plans"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sampling_draws")),
        sa.UniqueConstraint("plan_id", "period_start", name=op.f("uq_sampling_draws_plan_id_period_start")),
    )
    op.create_table(
        "sampled_calls",
        sa.Column("id", _ID, nullable=False),
        *(sa.Column(name, _ID, nullable=False) for name in ("draw_id", "recording_id")),
        *_text("agent_id", "stratum"),
        *_double("inclusion_probability"),
        sa.Column("assigned_to", _ID, nullable=True),
        _refers("sampled_calls", "draw_id", "sampling_draws", "CASCADE"),
        _refers("sampled_calls", "recording_id", "recordings", "CASCADE"),
        _refers("sampled_calls", "assigned_to", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sampled_calls")),
        sa.UniqueConstraint("draw_id", "recording_id", name=op.f("uq_sampled_calls_draw_id_recording_id")),
    )
    _index("sampled_calls", "recording_id")


def _never_changed(table: str) -> None:
    """The database itself refuses to change what somebody decided. Deleting a recording deletes it, as it must."""
    if not _on_postgresql():
        op.execute(
            f"CREATE TRIGGER {table}_only_added BEFORE UPDATE ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'decisions are only ever added'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION decisions_are_only_added() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'decisions are only ever added'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_only_added BEFORE UPDATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION decisions_are_only_added()"
    )
