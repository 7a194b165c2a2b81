"""Tokens: how programs sign in. Their secrets are told once."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.people import IssuedToken, NewToken, TokenModel
from qa_service.domain.access import Permission
from qa_service.services.sign_in import denied

router = APIRouter(tags=["tokens"])


@operation(router, "GET", "/tokens", Permission.TOKENS_OWN, errors=(400,))
def list_tokens(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    everybody: Annotated[bool, Query(description="For who manages users")] = False,
) -> Page[TokenModel]:
    """One's own tokens, in the order in which they were made."""
    if everybody and not asking.who.may(Permission.USERS_MANAGE):
        raise denied(Permission.USERS_MANAGE)
    of = fingerprint("tokens", everybody, asking.who.user_id)
    after = (read_cursor(cursor, of, int) or [0])[0]
    owner = None if everybody else asking.who.user_id
    with asking.site.units_to_read() as unit:
        found = unit.tokens.page(user_id=owner, after=after, limit=limit + 1)
    return page_of(found, limit, of, shown=TokenModel.of, key=lambda token: [token.id])


@operation(
    router, "POST", "/tokens", Permission.TOKENS_OWN, status=201, errors=(404, 409), response_model=IssuedToken
)
def issue_token(asking: Asking, sent: NewToken, key: IdempotencyKey = None) -> Response:
    """Make a token."""

    def create() -> tuple[IssuedToken, str]:
        secret, token = asking.site.sign_in.issue_token(
            asking.who,
            sent.name,
            frozenset(sent.permissions),
            expires_at=sent.expires_at,
            owner=sent.user_id,
            origin=asking.origin,
        )
        return IssuedToken.with_secret(token, secret), f"/v1/tokens/{token.id}"

    return once(asking, "tokens", key, sent, create, holds_secret=True)


@operation(router, "POST", "/tokens/{token_id}/rotate", Permission.TOKENS_OWN, status=201, errors=(404,))
def rotate_token(asking: Asking, token_id: Number) -> IssuedToken:
    """A new secret with the same rights; the old one works for another day."""
    secret, token = asking.site.sign_in.rotate_token(asking.who, token_id, origin=asking.origin)
    return IssuedToken.with_secret(token, secret)


@operation(router, "DELETE", "/tokens/{token_id}", Permission.TOKENS_OWN, errors=(404,))
def revoke_token(asking: Asking, token_id: Number) -> TokenModel:
    """End a token at once."""
    return TokenModel.of(asking.site.sign_in.revoke_token(asking.who, token_id, origin=asking.origin))
