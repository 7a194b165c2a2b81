"""Users: who may do what, and on whose calls."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import SIGNED_IN, Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.people import NewPassword, NewUser, UserChange, UserModel
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission, Role
from qa_service.services.sign_in import denied

router = APIRouter(tags=["users"])


@operation(router, "GET", "/users", Permission.USERS_READ, errors=(400,))
def list_users(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    role: Annotated[Role | None, Query()] = None,
    active: Annotated[bool | None, Query()] = None,
) -> Page[UserModel]:
    """Users, in the order in which they were made."""
    of = fingerprint("users", role, active)
    after = (read_cursor(cursor, of, int) or [0])[0]
    with asking.site.units_to_read() as unit:
        found = unit.users.page(after=after, limit=limit + 1, role=role, active=active)
    return page_of(found, limit, of, shown=UserModel.of, key=lambda user: [user.id])


@operation(router, "POST", "/users", Permission.USERS_MANAGE, status=201, errors=(409,), response_model=UserModel)
def create_user(asking: Asking, sent: NewUser, key: IdempotencyKey = None) -> Response:
    """Make an account."""

    def create() -> tuple[UserModel, str]:
        user = asking.site.accounts.create(
            asking.who,
            sent.name,
            roles=frozenset(sent.roles),
            scope=sent.scope.scope(),
            display_name=sent.display_name,
            password=sent.password,
            origin=asking.origin,
        )
        return UserModel.of(user), f"/v1/users/{user.id}"

    return once(asking, "users", key, sent, create)


@operation(router, "GET", "/users/{user_id}", Permission.USERS_READ, errors=(404,))
def get_user(asking: Asking, response: Response, user_id: Number) -> UserModel:
    """An account; its ETag is needed to change it."""
    with asking.site.units_to_read() as unit:
        user = unit.users.get(user_id)
    tag(response, user.version)
    return UserModel.of(user)


@operation(router, "PATCH", "/users/{user_id}", Permission.USERS_MANAGE, errors=(404, 409, 412, 428))
def change_user(
    asking: Asking, response: Response, user_id: Number, sent: UserChange, if_match: IfMatch = None
) -> UserModel:
    """Change an account, or switch it off: its sessions and tokens end at once."""
    user = asking.site.accounts.change(
        asking.who,
        user_id,
        version=seen_version(if_match),
        display_name=sent.display_name,
        roles=None if sent.roles is None else frozenset(sent.roles),
        scope=None if sent.scope is None else sent.scope.scope(),
        active=sent.active,
        origin=asking.origin,
    )
    tag(response, user.version)
    return UserModel.of(user)


@operation(router, "PUT", "/users/{user_id}/password", SIGNED_IN, status=204, errors=(403, 404))
def set_password(asking: Asking, user_id: Number, sent: NewPassword) -> None:
    """Set one's own password, or for who manages users another's. It ends every session of the account."""
    own = user_id == asking.who.user_id and asking.who.token_id is None  # no token changes a password
    if not own and not asking.who.may(Permission.USERS_MANAGE):
        raise denied(Permission.USERS_MANAGE)
    asking.site.accounts.set_password(asking.who, user_id, sent.password, origin=asking.origin)
