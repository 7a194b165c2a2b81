"""Users, their sessions and tokens. Secrets are stored as digests, passwords as slow hashes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session as SqlSession

from qa_service.db.inserting import insert_or_get
from qa_service.db.rows import SessionRow, TokenRow, UserRow
from qa_service.domain.access import Permission, Role, Scope
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports.people import Credentials, Session, Token, User
from qa_service.ports.store import Clock


class SqlUserRepository:
    """Implements ``UserRepository``."""

    def __init__(self, session: SqlSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(self, name: str, display_name: str, roles: Collection[Role], scope: Scope) -> User:
        now = self._clock.now()
        login = name.casefold()
        row, is_new = insert_or_get(
            self._session,
            lambda: self._by_login(login),
            lambda: UserRow(
                login=login,
                name=name,
                display_name=display_name,
                active=True,
                failures=0,
                created_at=now,
                updated_at=now,
                **_columns(roles, scope),
            ),
        )
        if not is_new:
            raise ConflictError(
                "user_exists", f"there is a user {row.name} already: choose another name", name=name
            )
        return user_of(row)

    def get(self, user_id: int) -> User:
        return user_of(self._row(user_id))

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
        row = self._session.get(UserRow, user_id, with_for_update=True, populate_existing=True)
        if row is None:
            raise _no_user(user_id)
        if version is not None and row.version != version:
            raise ConflictError(
                "stale_version",
                f"user {row.name} was changed by somebody else (version {row.version}): read it again",
                version=row.version,
            )
        for column, value in _columns(roles, scope).items():
            setattr(row, column, value)
        row.display_name, row.active, row.updated_at = display_name, active, self._clock.now()
        self._session.flush()
        if not active:
            self._session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))
        return user_of(row)

    def page(
        self, *, after: int, limit: int, role: Role | None = None, active: bool | None = None
    ) -> Sequence[User]:
        wanted = select(UserRow).where(UserRow.id > after).order_by(UserRow.id)
        if active is not None:
            wanted = wanted.where(UserRow.active.is_(active))
        found: list[User] = []
        for row in self._session.scalars(wanted.execution_options(yield_per=200)):
            if role is None or role.value in row.roles:
                found.append(user_of(row))
            if len(found) == limit:
                break
        return found

    def credentials(self, name: str, *, lock: bool = False) -> Credentials | None:
        wanted = select(UserRow).where(UserRow.login == name.casefold())
        row = self._session.scalar(
            wanted.with_for_update() if lock else wanted, execution_options={"populate_existing": True}
        )
        return (
            None if row is None else Credentials(user_of(row), row.password_hash, row.failures, row.locked_until)
        )

    def set_password(self, user_id: int, password_hash: str | None) -> None:
        row = self._row(user_id)
        row.password_hash, row.failures, row.locked_until = password_hash, 0, None
        row.updated_at = self._clock.now()
        self._session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))
        self._session.flush()

    def set_failures(self, user_id: int, failures: int, locked_until: datetime | None) -> None:
        # Past the version: a stranger's wrong passwords must not spoil an admin's edit.
        self._session.execute(
            update(UserRow).where(UserRow.id == user_id).values(failures=failures, locked_until=locked_until)
        )

    def any_admin(self) -> bool:
        active = self._session.scalars(select(UserRow.roles).where(UserRow.active))
        return any(Role.ADMIN.value in roles for roles in active)

    def _by_login(self, login: str) -> UserRow | None:
        return self._session.scalar(select(UserRow).where(UserRow.login == login))

    def _row(self, user_id: int) -> UserRow:
        row = self._session.get(UserRow, user_id)
        if row is None:
            raise _no_user(user_id)
        return row


class SqlSessionRepository:
    """Implements ``SessionRepository``."""

    def __init__(self, session: SqlSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def open(self, user_id: int, digest: str, *, expires_at: datetime) -> None:
        now = self._clock.now()
        self._session.add(
            SessionRow(user_id=user_id, digest=digest, created_at=now, seen_at=now, expires_at=expires_at)
        )
        self._session.flush()

    def by_digest(self, digest: str) -> Session | None:
        found = self._session.execute(
            select(SessionRow, UserRow)
            .join(UserRow, UserRow.id == SessionRow.user_id)
            .where(SessionRow.digest == digest)
        ).one_or_none()
        if found is None:
            return None
        row, user = found
        return Session(row.id, user_of(user), row.created_at, row.seen_at, row.expires_at)

    def seen(self, session_id: int) -> None:
        self._session.execute(
            update(SessionRow).where(SessionRow.id == session_id).values(seen_at=self._clock.now())
        )

    def close(self, digest: str) -> None:
        self._session.execute(delete(SessionRow).where(SessionRow.digest == digest))

    def close_all(self, user_id: int) -> None:
        self._session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))

    def forget_expired(self) -> int:
        done: Any = self._session.execute(delete(SessionRow).where(SessionRow.expires_at <= self._clock.now()))
        return int(done.rowcount)


class SqlTokenRepository:
    """Implements ``TokenRepository``."""

    def __init__(self, session: SqlSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(
        self, user_id: int, name: str, digest: str, permissions: Collection[Permission], *, expires_at: datetime
    ) -> Token:
        row = TokenRow(
            user_id=user_id,
            name=name,
            digest=digest,
            permissions=sorted(permission.value for permission in permissions),
            created_at=self._clock.now(),
            expires_at=expires_at,
        )
        self._session.add(row)
        self._session.flush()
        return _token(row)

    def get(self, token_id: int) -> Token:
        return _token(self._row(token_id))

    def by_digest(self, digest: str) -> tuple[Token, User] | None:
        found = self._session.execute(
            select(TokenRow, UserRow)
            .join(UserRow, UserRow.id == TokenRow.user_id)
            .where(TokenRow.digest == digest)
        ).one_or_none()
        return None if found is None else (_token(found[0]), user_of(found[1]))

    def page(self, *, user_id: int | None, after: int, limit: int) -> Sequence[Token]:
        conditions: list[ColumnElement[bool]] = [TokenRow.id > after]
        if user_id is not None:
            conditions.append(TokenRow.user_id == user_id)
        rows = self._session.scalars(select(TokenRow).where(*conditions).order_by(TokenRow.id).limit(limit))
        return [_token(row) for row in rows]

    def used(self, token_id: int) -> None:
        self._session.execute(update(TokenRow).where(TokenRow.id == token_id).values(used_at=self._clock.now()))

    def revoke(self, token_id: int) -> Token:
        row = self._row(token_id)
        if row.revoked_at is None:
            row.revoked_at = self._clock.now()
            self._session.flush()
        return _token(row)

    def replace(self, token_id: int, *, by: int, until: datetime) -> None:
        self._session.execute(
            update(TokenRow)
            .where(TokenRow.id == token_id, or_(TokenRow.replaced_by.is_(None), TokenRow.replaced_by == by))
            .values(replaced_by=by, expires_at=min(self._row(token_id).expires_at, until))
            .execution_options(synchronize_session=False)
        )

    def _row(self, token_id: int) -> TokenRow:
        row = self._session.get(TokenRow, token_id)
        if row is None:
            raise NotFoundError(
                "token_not_found", f"there is no token {token_id}: list the tokens to see which exist"
            )
        return row


def user_of(row: UserRow) -> User:
    return User(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        roles=frozenset(Role(role) for role in row.roles),
        scope=Scope(row.vendor, None if row.teams is None else frozenset(row.teams), row.agent_id),
        active=row.active,
        has_password=row.password_hash is not None,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _columns(roles: Collection[Role], scope: Scope) -> dict[str, Any]:
    return {
        "roles": sorted(role.value for role in roles),
        "vendor": scope.vendor,
        "teams": None if scope.teams is None else sorted(scope.teams),
        "agent_id": scope.agent_id,
    }


def _token(row: TokenRow) -> Token:
    known = {permission.value for permission in Permission}
    return Token(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        permissions=frozenset(Permission(name) for name in row.permissions if name in known),
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
        replaced_by=row.replaced_by,
    )


def _no_user(user_id: int) -> NotFoundError:
    return NotFoundError("user_not_found", f"there is no user {user_id}: list the users to see which exist")
