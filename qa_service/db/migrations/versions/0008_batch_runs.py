"""Batch runs, the jobs that they wait for, what jobs cost, and jobs that were withdrawn."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_UNCOUNTED = sa.text("outcome IS NULL")
_FAILED = sa.text("outcome = 'failed'")
_UNENDED = sa.text("ended_at IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("jobs") as table:
        table.drop_constraint(op.f("ck_jobs_state"), type_="check")
        table.create_check_constraint(
            op.f("ck_jobs_state"), "state IN ('queued', 'leased', 'done', 'failed', 'withdrawn')"
        )
        for name in ("cpu_s", "gpu_s"):
            table.add_column(sa.Column(name, sa.Double(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_recordings_created_at_id", "recordings", ["created_at", "id"])
    _create_batch_runs()
    op.create_table(
        "batch_run_jobs",
        sa.Column("batch_run_id", _id(), autoincrement=False, nullable=False),
        sa.Column("job_id", _id(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_run_id"],
            ["batch_runs.id"],
            name=op.f("fk_batch_run_jobs_batch_run_id_batch_runs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_batch_run_jobs_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_run_id", "job_id", name=op.f("pk_batch_run_jobs")),
    )
    op.create_index("ix_batch_run_jobs_job_id", "batch_run_jobs", ["job_id"])
    op.create_index(
        "ix_batch_run_jobs_uncounted",
        "batch_run_jobs",
        ["batch_run_id", "job_id"],
        sqlite_where=_UNCOUNTED,
        postgresql_where=_UNCOUNTED,
    )
    op.create_index(
        "ix_batch_run_jobs_failed",
        "batch_run_jobs",
        ["batch_run_id", "code"],
        sqlite_where=_FAILED,
        postgresql_where=_FAILED,
    )


def _create_batch_runs() -> None:
    numbers = ("expected", "up_to_date", "not_heard", "queued", "scored", "withdrawn", "flagged", "undetermined")
    op.create_table(
        "batch_runs",
        sa.Column("id", _id(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("key", "kind", "state")),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("pack", sa.Text(), nullable=True),
        sa.Column("force", sa.Boolean(), nullable=False),
        sa.Column("cursor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cursor_id", _id(), nullable=True),
        sa.Column("waiting", sa.Text(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in numbers),
        sa.Column("failures", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("audio_s", "cpu_s", "gpu_s", "active_s")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('nightly', 'requested', 'rescore')", name=op.f("ck_batch_runs_kind")),
        sa.CheckConstraint(
            "state IN ('filling', 'running', 'done', 'cancelled')", name=op.f("ck_batch_runs_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_runs")),
        sa.UniqueConstraint("key", name=op.f("uq_batch_runs_key")),
    )
    op.create_index(
        "ix_batch_runs_unended", "batch_runs", ["id"], sqlite_where=_UNENDED, postgresql_where=_UNENDED
    )


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    op.drop_table("batch_run_jobs")
    op.drop_table("batch_runs")
    op.drop_index("ix_recordings_created_at_id", table_name="recordings")
    op.execute("UPDATE jobs SET state = 'failed' WHERE state = 'withdrawn'")
    with op.batch_alter_table("jobs") as table:
        for name in ("gpu_s", "cpu_s"):
            table.drop_column(name)
        table.drop_constraint(op.f("ck_jobs_state"), type_="check")
        table.create_check_constraint(op.f("ck_jobs_state"), "state IN ('queued', 'leased', 'done', 'failed')")
