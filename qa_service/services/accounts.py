"""Accounts: who may do what. They are switched off, never deleted: what somebody decided keeps its name."""

from collections.abc import Collection
from typing import Final

from qa_service.domain.access import Principal, Role, Scope, scope_fault
from qa_service.errors import ConflictError, InputError
from qa_service.ports.people import Origin, PasswordHasher, User
from qa_service.ports.store import UnitOfWorkFactory
from qa_service.services.sign_in import MAX_PASSWORD_CHARACTERS

MAX_NAME_CHARACTERS: Final = 200
MIN_PASSWORD_CHARACTERS: Final = 12
"""NIST SP 800-63B asks for length, not for mixtures of signs."""


class Accounts:
    def __init__(self, *, units: UnitOfWorkFactory, hasher: PasswordHasher) -> None:
        self._units = units
        self._hasher = hasher

    def create(
        self,
        who: Principal | str,
        name: str,
        *,
        roles: Collection[Role],
        scope: Scope = Scope(),  # noqa: B008 - frozen
        display_name: str = "",
        password: str | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> User:
        """Without a password the account is for tokens alone, until it gets one.

        Raises:
            InputError: ``user_invalid``, ``password_weak``.
            ConflictError: ``user_exists``.
        """
        _check(roles, scope)
        name = name.strip()
        if not name.isprintable() or not 1 <= len(name) <= MAX_NAME_CHARACTERS:
            raise InputError(
                "user_invalid",
                f"a name has 1 to {MAX_NAME_CHARACTERS} characters that can be printed: choose another",
            )
        password_hash = self._hashed(password, name)
        with self._units() as unit:
            user = unit.users.add(name, display_name or name, roles, scope)
            if password_hash:
                unit.users.set_password(user.id, password_hash)
                user = unit.users.get(user.id)
            detail = {"name": name, "roles": sorted(roles), **_said(scope)}
            unit.audit.record(who, "user.create", "user", user.id, detail, origin=origin)
            unit.commit()
        return user

    def change(
        self,
        who: Principal | str,
        user_id: int,
        *,
        version: int | None,
        display_name: str | None = None,
        roles: Collection[Role] | None = None,
        scope: Scope | None = None,
        active: bool | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> User:
        """Change what is given; ``version``: the one that was seen.

        Raises:
            ConflictError: ``stale_version``, or ``last_admin`` when nobody could manage users any more.
            InputError: ``user_invalid``.
            NotFoundError: ``user_not_found``.
        """
        with self._units() as unit:
            old = unit.users.get(user_id)
            new_roles = old.roles if roles is None else frozenset(roles)
            new_scope = old.scope if scope is None else scope
            _check(new_roles, new_scope)
            user = unit.users.change(
                user_id,
                version=version,
                display_name=old.display_name if display_name is None else display_name,
                roles=new_roles,
                scope=new_scope,
                active=old.active if active is None else active,
            )
            if Role.ADMIN in old.roles and old.active and not unit.users.any_admin():
                raise ConflictError(
                    "last_admin", f"{user.name} is the only admin: make another one first", user_id=user_id
                )
            detail = {"roles": sorted(new_roles), "active": user.active, **_said(new_scope)}
            unit.audit.record(who, "user.change", "user", user_id, detail, origin=origin)
            unit.commit()
        return user

    def set_password(
        self,
        who: Principal | str,
        user_id: int,
        password: str,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> None:
        """Ends every session of the user.

        Raises:
            InputError: ``password_weak``.
            NotFoundError: ``user_not_found``.
        """
        with self._units() as unit:
            name = unit.users.get(user_id).name
        password_hash = self._hashed(password, name)
        with self._units() as unit:
            unit.users.set_password(user_id, password_hash)
            unit.sessions.close_all(user_id)
            unit.audit.record(who, "user.password", "user", user_id, origin=origin)
            unit.commit()

    def _hashed(self, password: str | None, name: str) -> str | None:
        if password is None:
            return None
        if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS or len(set(password)) < 5:
            raise InputError(
                "password_weak",
                f"a password has {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters, five of them "
                "different: choose a longer one, such as four words",
            )
        if name.casefold() in password.casefold():
            raise InputError("password_weak", "the password holds the user's name: choose another")
        return self._hasher.hash(password)


def _check(roles: Collection[Role], scope: Scope) -> None:
    if fault := scope_fault(roles, scope):
        raise InputError("user_invalid", fault)


def _said(scope: Scope) -> dict[str, object]:
    teams = None if scope.teams is None else sorted(scope.teams)
    return {"vendor": scope.vendor, "teams": teams, "agent_id": scope.agent_id}
