"""Proving who asks: passwords and sessions for people, tokens for programs.

Guarantee: only digests of secrets are stored; a session or token of somebody who is no longer active is none.
Wrong names and wrong passwords are told apart neither by the answer nor by the time it takes.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from qa_service.domain.access import Permission, Principal, permissions_of
from qa_service.errors import AuthenticationError, InputError, NotFoundError, PermissionDeniedError
from qa_service.ports.people import Origin, PasswordHasher, Token, User
from qa_service.ports.store import Clock, UnitOfWorkFactory

MAX_FAILURES: Final = 10
LOCKED_FOR: Final = timedelta(minutes=15)
SESSION_LASTS: Final = timedelta(hours=12)
SESSION_IDLES: Final = timedelta(hours=1)
TOKEN_LASTS_AT_MOST: Final = timedelta(days=366)
ROTATED_TOKEN_LASTS: Final = timedelta(hours=24)
TOKEN_PREFIX: Final = "qat_"
_SEEN_EVERY: Final = timedelta(minutes=1)
MAX_PASSWORD_CHARACTERS: Final = 1024


def digest_of(secret: str) -> str:
    """SHA-256: secrets of 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class SignIn:
    """``units_to_read``: for what every request asks, so that it waits for no writer."""

    def __init__(
        self, *, units: UnitOfWorkFactory, units_to_read: UnitOfWorkFactory, hasher: PasswordHasher, clock: Clock
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._hasher = hasher
        self._clock = clock

    def sign_in(self, name: str, password: str, *, origin: Origin) -> tuple[str, Principal]:
        """The secret of a new session, and who it is.

        Raises:
            AuthenticationError: ``sign_in_refused``, or ``sign_in_locked`` after too many wrong passwords.
        """
        with self._units() as unit:
            known = unit.users.credentials(name)
        # Outside a transaction: hashing takes its time on purpose.
        right = self._hasher.verify(known.password_hash if known else None, password[:MAX_PASSWORD_CHARACTERS])
        now = self._clock.now()
        with self._units() as unit:
            known = unit.users.credentials(name, lock=True) if known else None
            if known and known.locked_until and known.locked_until > now:
                raise _locked()
            if known is None or not right or not known.user.active:
                if known:
                    failures = known.failures + 1
                    full = failures >= MAX_FAILURES
                    unit.users.set_failures(
                        known.user.id, 0 if full else failures, now + LOCKED_FOR if full else None
                    )
                unit.audit.record(known.user.name if known else "", "session.refused", "user", "", origin=origin)
                unit.commit()
                raise _refused()
            if known.failures or known.locked_until:
                unit.users.set_failures(known.user.id, 0, None)
            if known.password_hash and self._hasher.is_outdated(known.password_hash):
                unit.users.set_password(known.user.id, self._hasher.hash(password))
            secret = secrets.token_urlsafe(32)
            unit.sessions.forget_expired()
            unit.sessions.open(known.user.id, digest_of(secret), expires_at=now + SESSION_LASTS)
            who = principal_of(known.user, via="session")
            unit.audit.record(who, "session.open", "user", known.user.id, origin=origin)
            unit.commit()
        return secret, who

    def by_session(self, secret: str) -> Principal:
        """Raises AuthenticationError ``session_invalid``."""
        with self._units_to_read() as unit:
            session = unit.sessions.by_digest(digest_of(secret))
        now = self._clock.now()
        if (
            session is None
            or not session.user.active
            or session.expires_at <= now
            or session.seen_at + SESSION_IDLES <= now
        ):
            raise AuthenticationError("session_invalid", "you are not signed in any more: sign in again")
        if session.seen_at + _SEEN_EVERY <= now:
            with self._units() as unit:
                unit.sessions.seen(session.id)
                unit.commit()
        return principal_of(session.user, via="session")

    def sign_out(self, secret: str, who: Principal, *, origin: Origin) -> None:
        with self._units() as unit:
            unit.sessions.close(digest_of(secret))
            unit.audit.record(who, "session.close", "user", who.user_id, origin=origin)
            unit.commit()

    def by_token(self, secret: str) -> Principal:
        """Raises AuthenticationError ``token_invalid``, ``token_expired`` or ``token_revoked``."""
        with self._units_to_read() as unit:
            found = unit.tokens.by_digest(digest_of(secret))
        if found is None or not found[1].active:
            raise AuthenticationError("token_invalid", "the token is not known: make a new one")
        token, user = found
        now = self._clock.now()
        if token.revoked_at is not None:
            raise AuthenticationError("token_revoked", f"token {token.name!r} was revoked: make a new one")
        if token.expires_at <= now:
            raise AuthenticationError(
                "token_expired", f"token {token.name!r} has expired: make a new one, and rotate it in time"
            )
        if token.used_at is None or token.used_at + _SEEN_EVERY <= now:
            with self._units() as unit:
                unit.tokens.used(token.id)
                unit.commit()
        return principal_of(user, via="token", token=token)

    def issue_token(
        self,
        who: Principal,
        name: str,
        permissions: Collection[Permission],
        *,
        expires_at: datetime,
        owner: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> tuple[str, Token]:
        """A token and its secret, which is told this once. ``owner``: another user, for who manages users.

        Raises:
            PermissionDeniedError: ``permission_denied``, for what its owner, or a token that asks, may not do.
            InputError: ``token_lifetime_invalid``.
        """
        now = self._clock.now()
        if not now < expires_at <= now + TOKEN_LASTS_AT_MOST:
            raise InputError(
                "token_lifetime_invalid",
                f"a token ends in the future, after at most {TOKEN_LASTS_AT_MOST.days} days: give such a time",
            )
        with self._units() as unit:
            user = unit.users.get(who.user_id if owner is None else owner)
            if user.id != who.user_id and not who.may(Permission.USERS_MANAGE):
                raise denied(Permission.USERS_MANAGE)
            held = permissions_of(user.roles)
            if user.id == who.user_id:
                held &= who.permissions  # a token makes no token that can do more
            for permission in permissions:
                if permission not in held:
                    raise denied(permission)
            secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
            token = unit.tokens.add(user.id, name, digest_of(secret), permissions, expires_at=expires_at)
            detail = {"name": name, "owner": user.id, "permissions": sorted(permissions)}
            unit.audit.record(who, "token.issue", "token", token.id, detail, origin=origin)
            unit.commit()
        return secret, token

    def rotate_token(self, who: Principal, token_id: int, *, origin: Origin) -> tuple[str, Token]:
        """A new secret with the same rights and as long a life; the old one works for a day, so that programs can
        be told.

        Raises:
            NotFoundError: ``token_not_found``; also for another's token.
            InputError: ``token_ended``.
        """
        with self._units() as unit:
            old = self._own(unit.tokens.get(token_id), who)
            now = self._clock.now()
            if old.revoked_at is not None or old.replaced_by is not None or old.expires_at <= now:
                raise InputError("token_ended", f"token {old.name!r} has ended: make a new one")
            secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
            life = old.expires_at - old.created_at
            new = unit.tokens.add(old.user_id, old.name, digest_of(secret), old.permissions, expires_at=now + life)
            unit.tokens.replace(old.id, by=new.id, until=now + ROTATED_TOKEN_LASTS)
            unit.audit.record(who, "token.rotate", "token", old.id, {"replaced_by": new.id}, origin=origin)
            unit.commit()
        return secret, new

    def revoke_token(self, who: Principal, token_id: int, *, origin: Origin) -> Token:
        """Raises NotFoundError ``token_not_found``; also for another's token."""
        with self._units() as unit:
            token = self._own(unit.tokens.get(token_id), who)
            if token.revoked_at is None:
                token = unit.tokens.revoke(token_id)
                unit.audit.record(who, "token.revoke", "token", token_id, origin=origin)
                unit.commit()
        return token

    def _own(self, token: Token, who: Principal) -> Token:
        if token.user_id != who.user_id and not who.may(Permission.USERS_MANAGE):
            raise NotFoundError(
                "token_not_found", f"there is no token {token.id}: list the tokens to see which exist"
            )
        return token


def principal_of(user: User, *, via: str, token: Token | None = None) -> Principal:
    who = Principal(user.id, user.name, user.roles, user.scope, permissions_of(user.roles), via)
    if token is None:
        return who
    return replace(who, permissions=who.permissions & token.permissions, token_id=token.id)


def denied(permission: Permission) -> PermissionDeniedError:
    return PermissionDeniedError(
        "permission_denied",
        f"this needs the permission {permission.value}: ask an administrator",
        permission=permission.value,
    )


def _refused() -> AuthenticationError:
    return AuthenticationError("sign_in_refused", "name or password is wrong: try again, or ask an administrator")


def _locked() -> AuthenticationError:
    minutes = LOCKED_FOR.seconds // 60
    return AuthenticationError(
        "sign_in_locked",
        f"too many wrong passwords: wait {minutes} minutes, or ask an administrator for a new password",
        retry_after_s=LOCKED_FOR.seconds,
    )
