"""Users with their sessions and tokens, the directory of agents, what was done, repeated requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class UserRow(Row):
    """An account. It is never deleted: what somebody decided keeps its name. ``version`` guards edits.

    ``login`` is the name in the form in which it is compared.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    display_name: Mapped[str]
    password_hash: Mapped[str | None]
    roles: Mapped[list[str]] = mapped_column(JSON)
    vendor: Mapped[str | None]
    teams: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    agent_id: Mapped[str | None]
    active: Mapped[bool]
    failures: Mapped[int]
    locked_until: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own declaration


class SessionRow(Row):
    """A sign-in, known by the digest of its secret."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class TokenRow(Row):
    """A token of a user, known by the digest of its secret. ``replaced_by``: it was rotated."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"), index=True)
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    permissions: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    replaced_by: Mapped[int | None] = mapped_column(Id, ForeignKey("tokens.id"))


class TeamRow(Row):
    """A team, known by its name in call metadata."""

    __tablename__ = "teams"

    name: Mapped[str] = mapped_column(primary_key=True)
    vendor: Mapped[str | None] = mapped_column(index=True)
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own declaration


class AgentRow(Row):
    """An agent, known by the number in call metadata. ``first_call_at`` tells who is new."""

    __tablename__ = "agents"
    __table_args__ = (Index(None, "team", "agent_id"), Index(None, "vendor", "agent_id"))

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    team: Mapped[str | None]
    vendor: Mapped[str | None]
    first_call_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own declaration


class AuditEventRow(Row):
    """Who did what. Rows are only ever added: the database itself refuses to change or delete them."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "thing", "thing_id", "id"),
        Index(None, "user_id", "id"),
        Index(None, "action", "id"),
        Index(None, "at", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(Id)  # no foreign key: an event outlives everything
    name: Mapped[str]
    via: Mapped[str]
    action: Mapped[str]
    thing: Mapped[str]
    thing_id: Mapped[str]
    detail: Mapped[dict[str, Any]]
    address: Mapped[str]
    request_id: Mapped[str]


class IdempotencyKeyRow(Row):
    """A creation that a client named, with its answer: repeated, it is answered and not done again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("user_id", "operation", "key"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id"))
    operation: Mapped[str]
    key: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)
