"""People with their sign-ins and tokens, the directory, the audit trail, calls as lists show them, scorecards."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_accounts()
    _create_directory()
    _create_audit_events()
    op.create_table(
        "scorecards",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_scorecards")),
    )
    op.add_column("evaluations", sa.Column("scorecard_digest", sa.Text(), nullable=True))
    _create_calls()
    _fill_calls()


def downgrade() -> None:
    op.drop_table("calls")
    with op.batch_alter_table("evaluations") as table:
        table.drop_column("scorecard_digest")
    op.drop_table("scorecards")
    op.drop_table("audit_events")
    if _on_postgresql():
        op.execute("DROP FUNCTION audit_events_are_for_ever()")
    for name in ("idempotency_keys", "agents", "teams", "tokens", "sessions", "users"):
        op.drop_table(name)


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _time(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(*names: str, nullable: bool = False) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _create_accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", _ID, nullable=False),
        *_text("login", "name", "display_name"),
        *_text("password_hash", nullable=True),
        sa.Column("roles", sa.JSON(), nullable=False),
        *_text("vendor", nullable=True),
        sa.Column("teams", sa.JSON(), nullable=True),
        *_text("agent_id", nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        _time("locked_until", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        _time("created_at"),
        _time("seen_at"),
        _time("expires_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_sessions_digest")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"])
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"])
    op.create_table(
        "tokens",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        *_text("name"),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        _time("created_at"),
        _time("expires_at"),
        _time("used_at", nullable=True),
        _time("revoked_at", nullable=True),
        sa.Column("replaced_by", _ID, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id_users")),
        sa.ForeignKeyConstraint(["replaced_by"], ["tokens.id"], name=op.f("fk_tokens_replaced_by_tokens")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        *_text("operation"),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _time("created_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("user_id", "operation", "key", name=op.f("uq_idempotency_keys_user_id_operation_key")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])


def _create_directory() -> None:
    op.create_table(
        "teams",
        *_text("name"),
        *_text("vendor", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_teams")),
    )
    op.create_index(op.f("ix_teams_vendor"), "teams", ["vendor"])
    op.create_table(
        "agents",
        *_text("agent_id"),
        *_text("name", "team", "vendor", nullable=True),
        _time("first_call_at", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_agents")),
    )
    op.create_index(op.f("ix_agents_team_agent_id"), "agents", ["team", "agent_id"])
    op.create_index(op.f("ix_agents_vendor_agent_id"), "agents", ["vendor", "agent_id"])


def _create_audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", _ID, nullable=False),
        _time("at"),
        sa.Column("user_id", _ID, nullable=True),
        *_text("name", "via", "action", "thing", "thing_id"),
        sa.Column("detail", sa.JSON(), nullable=False),
        *_text("address", "request_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    for columns in (("thing", "thing_id", "id"), ("user_id", "id"), ("action", "id"), ("at", "id")):
        op.create_index(op.f(f"ix_audit_events_{'_'.join(columns)}"), "audit_events", list(columns))
    if _on_postgresql():
        op.execute(
            "CREATE FUNCTION audit_events_are_for_ever() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit events are only ever added'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_events_are_for_ever BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_events_are_for_ever()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_events_no_{verb.lower()} BEFORE {verb} ON audit_events "
            "BEGIN SELECT RAISE(ABORT, 'audit events are only ever added'); END"
        )


_ORDERS = (
    ("at", "recording_id"),
    ("agent_id", "at", "recording_id"),
    ("team", "at", "recording_id"),
    ("vendor", "at", "recording_id"),
    ("final_score", "recording_id"),
    ("team", "final_score", "recording_id"),
    ("agent_id", "final_score", "recording_id"),
    ("call_id",),
    ("customer_ref", "at"),
    ("evaluation_id",),
)


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("recording_id", _ID, autoincrement=False, nullable=False),
        _time("at"),
        *_text("call_id", "agent_id", "agent_name", "team", "vendor", "queue", "direction", nullable=True),
        *_text("customer_ref", "language", nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("evaluation_id", _ID, nullable=True),
        *_text("scorecard", nullable=True),
        *(sa.Column(name, sa.Double(), nullable=True) for name in ("score", "final_score", "coverage")),
        sa.Column("fatal", sa.Boolean(), nullable=True),
        *(
            sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
            for name in ("to_review", "worst")
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recordings.id"],
            name=op.f("fk_calls_recording_id_recordings"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluations.id"],
            name=op.f("fk_calls_evaluation_id_evaluations"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_calls")),
    )
    for columns in _ORDERS:
        op.create_index(op.f(f"ix_calls_{'_'.join(columns)}"), "calls", list(columns))


def _fill_calls() -> None:
    """Calls, agents and teams of what is stored already; set by set, so that a million take minutes, not hours."""
    told = ("call_id", "agent_id", "agent_name", "team", "vendor", "queue", "direction", "customer_ref")
    if _on_postgresql():
        values = {name: f"m.document ->> '{name}'" for name in told}
        at = "coalesce((m.document ->> 'started_at')::timestamptz, r.created_at)"
    else:
        values = {name: f"json_extract(m.document, '$.{name}')" for name in told}
        started = "strftime('%Y-%m-%d %H:%M:%f', json_extract(m.document, '$.started_at')) || '000'"
        at = f"coalesce({started}, r.created_at)"
    open_findings = (
        "SELECT f.evaluation_id AS evaluation_id, count(*) AS to_review, "
        "max(CASE x.severity WHEN 'critical' THEN 3 WHEN 'major' THEN 2 ELSE 1 END) AS worst "
        "FROM findings f JOIN rule_results x ON x.id = f.rule_result_id "
        "WHERE f.state = 'open' GROUP BY f.evaluation_id"
    )
    op.execute(
        f"INSERT INTO calls (recording_id, at, {', '.join(told)}, language, duration_s, evaluation_id, scorecard, "
        "score, final_score, coverage, fatal, to_review, worst) "
        f"SELECT r.id, {at}, {', '.join(values[name] for name in told)}, c.language, r.duration_s, e.id, "
        "e.scorecard, e.score, e.score, e.coverage, e.fatal, coalesce(o.to_review, 0), coalesce(o.worst, 0) "
        "FROM recordings r LEFT JOIN call_metadata m ON m.recording_id = r.id "
        "LEFT JOIN latest_evaluations l ON l.recording_id = r.id "
        "LEFT JOIN evaluations e ON e.id = l.evaluation_id LEFT JOIN conversations c ON c.id = e.conversation_id "
        f"LEFT JOIN ({open_findings}) o ON o.evaluation_id = e.id"
    )
    op.execute(
        "INSERT INTO agents (agent_id, name, team, vendor, first_call_at, version) SELECT agent_id, "
        "max(agent_name), max(team), max(vendor), min(at), 1 FROM calls WHERE agent_id IS NOT NULL "
        "GROUP BY agent_id"
    )
    op.execute(
        "INSERT INTO teams (name, vendor, version) SELECT team, max(vendor), 1 FROM calls "
        "WHERE team IS NOT NULL GROUP BY team"
    )
