"""Who works with the product, how they prove it, and what they did."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from qa_service.domain.access import Permission, Principal, Role, Scope


@dataclass(frozen=True, slots=True)
class User:
    """An account, without its password. ``version`` counts the edits."""

    id: int
    name: str
    display_name: str
    roles: frozenset[Role]
    scope: Scope
    active: bool
    has_password: bool
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is checked against. ``failures``: wrong passwords since the last right one."""

    user: User
    password_hash: str | None
    failures: int
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that lasts. ``seen_at``: when it was used last, give or take a minute."""

    id: int
    user: User
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret. It can do what both it and its owner may."""

    id: int
    user_id: int
    name: str
    permissions: frozenset[Permission]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    replaced_by: int | None


class PasswordHasher(Protocol):
    def hash(self, password: str) -> str: ...

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password. None takes as long as a wrong one, and is wrong."""
        ...

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with weaker parameters than new ones are."""
        ...


class UserRepository(Protocol):
    def add(self, name: str, display_name: str, roles: Collection[Role], scope: Scope) -> User:
        """Raises ConflictError ``user_exists``; names that differ in case alone are one name."""
        ...

    def get(self, user_id: int) -> User:
        """Raises NotFoundError ``user_not_found``."""
        ...

    def change(
        self,
        user_id: int,
        *,
        version: int | None,
        display_name: str,
        roles: Collection[Role],
        scope: Scope,
        active: bool,
    ) -> User:
        """Who is no longer active has no sessions.

        Raises ConflictError ``stale_version`` when ``version`` is not the stored one.
        """
        ...

    def page(
        self, *, after: int, limit: int, role: Role | None = None, active: bool | None = None
    ) -> Sequence[User]:
        """By number."""
        ...

    def credentials(self, name: str, *, lock: bool = False) -> Credentials | None:
        """``lock``: nobody else changes them until the transaction ends."""
        ...

    def set_password(self, user_id: int, password_hash: str | None) -> None:
        """Forgets failures; ends all sessions."""
        ...

    def set_failures(self, user_id: int, failures: int, locked_until: datetime | None) -> None: ...

    def any_admin(self) -> bool:
        """Whether an active account holds the role admin."""
        ...


class SessionRepository(Protocol):
    def open(self, user_id: int, digest: str, *, expires_at: datetime) -> None: ...

    def by_digest(self, digest: str) -> Session | None: ...

    def seen(self, session_id: int) -> None: ...

    def close(self, digest: str) -> None: ...

    def close_all(self, user_id: int) -> None: ...

    def forget_expired(self) -> int: ...


class TokenRepository(Protocol):
    def add(
        self, user_id: int, name: str, digest: str, permissions: Collection[Permission], *, expires_at: datetime
    ) -> Token: ...

    def get(self, token_id: int) -> Token:
        """Raises NotFoundError ``token_not_found``."""
        ...

    def by_digest(self, digest: str) -> tuple[Token, User] | None: ...

    def page(self, *, user_id: int | None, after: int, limit: int) -> Sequence[Token]:
        """By number; of everybody when ``user_id`` is None."""
        ...

    def used(self, token_id: int) -> None: ...

    def revoke(self, token_id: int) -> Token: ...

    def replace(self, token_id: int, *, by: int, until: datetime) -> None:
        """The old one works until ``until`` or its own end, whichever is first."""
        ...


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Somebody did something to a thing. ``detail`` holds no words of a call, no numbers and no secrets."""

    id: int
    at: datetime
    user_id: int | None
    name: str
    via: str
    action: str
    thing: str
    thing_id: str
    detail: Mapping[str, Any]
    address: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the audit trail."""

    address: str = ""
    request_id: str = ""


class AuditTrail(Protocol):
    """What was done, in the transaction that does it. Nothing is ever changed or taken out."""

    def record(
        self,
        who: Principal | str,
        action: str,
        thing: str,
        thing_id: int | str,
        detail: Mapping[str, Any] | None = None,
        *,
        origin: Origin = Origin(),
    ) -> None:
        """``who`` is a name where nobody is signed in; ``action`` as in ``recording.play``."""
        ...

    def page(
        self,
        *,
        before: int | None,
        limit: int,
        user_id: int | None = None,
        action: str | None = None,
        thing: str | None = None,
        thing_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[AuditEvent]:
        """The newest first, of numbers under ``before``."""
        ...
