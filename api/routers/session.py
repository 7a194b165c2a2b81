"""Signing in and out, and who one is."""

from fastapi import APIRouter, Request, Response

from api.access import PUBLIC, SIGNED_IN, Asking, close_session, open_session, operation
from api.schemas.people import Me, ScopeModel, SignInRequest
from qa_service.domain.access import Principal

router = APIRouter(tags=["session"])


@operation(router, "POST", "/session", PUBLIC, errors=(401, 403, 429))
def sign_in(request: Request, response: Response, sent: SignInRequest) -> Me:
    """Sign in with name and password. The answer sets the session's cookie, which browsers then send."""
    who = open_session(request, response, sent.name, sent.password)
    return _me(who)


@operation(router, "DELETE", "/session", SIGNED_IN, status=204)
def sign_out(request: Request, response: Response, asking: Asking) -> None:
    """Sign out. A token stays what it was."""
    close_session(request, response, asking)


@operation(router, "GET", "/me", SIGNED_IN)
def me(asking: Asking) -> Me:
    """Who you are, and what you may."""
    return _me(asking.who)


def _me(who: Principal) -> Me:
    return Me(
        user_id=who.user_id,
        name=who.name,
        roles=sorted(who.roles),
        scope=ScopeModel.of(who.scope),
        permissions=sorted(who.permissions),
    )
