"""What calls add up to, by agent and day. Workers count the calls that are there, the newest days first."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT = sa.DateTime(timezone=True)
_KEY = ("agent_id", "day", "team", "vendor", "queue")

# Midnights in UTC before and after each call: whatever the site's zone is, its day is that of one of them.
_MIDNIGHTS = {
    "postgresql": """
        SELECT DISTINCT coalesce(agent_id, '') AS agent_id,
               (date_trunc('day', at AT TIME ZONE 'UTC') + n * interval '1 day') AT TIME ZONE 'UTC' AS at
        FROM calls CROSS JOIN generate_series(0, 1) AS n""",
    "sqlite": """
        SELECT DISTINCT coalesce(agent_id, '') AS agent_id, date(at, n.days) || ' 00:00:00.000000' AS at
        FROM calls CROSS JOIN (SELECT '+0 days' AS days UNION ALL SELECT '+1 days') AS n""",
}


def upgrade() -> None:
    op.create_table(
        "changed_calls",
        sa.Column("id", _ID, nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changed_calls")),
    )
    op.create_index(op.f("ix_changed_calls_agent_id_at"), "changed_calls", ["agent_id", "at"])
    _create_days(
        "agent_days",
        (),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("scored", sa.Integer(), nullable=False),
        sa.Column("points", sa.Double(), nullable=False),
        sa.Column("squares", sa.Double(), nullable=False),
        sa.Column("fatal", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
    )
    _create_days(
        "behaviour_days",
        ("rule",),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
    )
    midnights = _MIDNIGHTS[op.get_bind().dialect.name]
    op.execute(
        f"INSERT INTO changed_calls (agent_id, at) SELECT agent_id, at FROM ({midnights}) AS marks "
        "ORDER BY at DESC, agent_id"
    )


def _create_days(name: str, more_key: tuple[str, ...], *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        *(sa.Column(key, sa.Date() if key == "day" else sa.Text(), nullable=False) for key in _KEY),
        *columns,
        sa.PrimaryKeyConstraint(*_KEY, *more_key, name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_day"), name, ["day"])
    op.create_index(op.f(f"ix_{name}_team_day"), name, ["team", "day"])


def downgrade() -> None:
    for name in ("behaviour_days", "agent_days", "changed_calls"):
        op.drop_table(name)
