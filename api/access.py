"""Who asks, and whether they may. Every operation declares what it needs; one that does not cannot be made."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer

from api.errors import responses
from api.site import Site
from qa_service.domain.access import Permission, Principal
from qa_service.errors import AuthenticationError, InputError, PermissionDeniedError
from qa_service.ports.people import Origin
from qa_service.services.sign_in import SESSION_LASTS, denied

COOKIE: Final = "qa_session"
SIGNED_IN: Final = "signed-in"
PUBLIC: Final = "public"
EXTENSION: Final = "x-permission"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

F = TypeVar("F", bound=Callable[..., Any])

# They only tell OpenAPI; what counts is ``_principal``.
_BEARER = HTTPBearer(auto_error=False, description="A token: `Authorization: Bearer qat_…`")
_SESSION = APIKeyCookie(name=COOKIE, auto_error=False, description="A session: see POST /v1/session")


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def origin_of(request: Request) -> Origin:
    host = request.client.host if request.client else ""
    return Origin(address=host, request_id=getattr(request.state, "request_id", ""))


def refuse_cross_site(request: Request) -> None:
    """A browser sends cookies with what other sites make it send; it also says so.

    Raises:
        PermissionDeniedError: ``cross_site_request``.
    """
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site in ("same-origin", "none"):
            return
    else:
        origin = request.headers.get("origin")
        if origin is None or urlsplit(origin).netloc == request.headers.get("host"):
            return
    raise PermissionDeniedError("cross_site_request", "this came from another site: open the page of this one")


def _principal(request: Request) -> Principal:
    """Raises AuthenticationError ``not_signed_in`` and those of ``SignIn``."""
    site = site_of(request)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return site.sign_in.by_token(secret.strip())
    if session := request.cookies.get(COOKIE):
        refuse_cross_site(request)
        return site.sign_in.by_session(session)
    raise AuthenticationError("not_signed_in", "sign in, or send a token: Authorization: Bearer qat_…")


@dataclass(frozen=True, slots=True)
class AskingContext:
    """A request by somebody who is known."""

    who: Principal
    origin: Origin
    site: Site


def _asking(request: Request, who: Annotated[Principal, Depends(_principal)]) -> AskingContext:
    return AskingContext(who, origin_of(request), site_of(request))


Asking = Annotated[AskingContext, Depends(_asking)]


def open_session(request: Request, response: Response, name: str, password: str) -> Principal:
    """Sign in, and have ``response`` set the session's cookie."""
    refuse_cross_site(request)
    secret, who = site_of(request).sign_in.sign_in(name, password, origin=origin_of(request))
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )
    return who


def close_session(request: Request, response: Response, asking: AskingContext) -> None:
    """Sign out. A token stays what it was."""
    if secret := request.cookies.get(COOKIE):
        asking.site.sign_in.sign_out(secret, asking.who, origin=asking.origin)
    response.delete_cookie(COOKIE, path="/")


def _asked_once(repeatable: Collection[str]) -> Callable[[Request], None]:
    def check(request: Request) -> None:
        """Nobody is left to guess which of two filters held."""
        given = Counter(name for name, _ in request.query_params.multi_items() if name not in repeatable)
        if any(count > 1 for count in given.values()):
            raise InputError("request_invalid", "a parameter of the query stands there twice: give each once")

    return check


def _guard(needed: Permission) -> Callable[..., None]:
    def check(who: Annotated[Principal, Depends(_principal)]) -> None:
        if not who.may(needed):
            raise denied(needed)

    return check


def operation(
    router: APIRouter,
    method: str,
    path: str,
    permission: Permission | str,
    *,
    status: int = 200,
    errors: Collection[int] = (),
    repeatable: Collection[str] = (),
    openapi_extra: dict[str, Any] | None = None,
    **more: Any,
) -> Callable[[F], F]:
    """Add an operation that needs ``permission`` (or ``SIGNED_IN``, or ``PUBLIC``).

    ``errors``: statuses that it answers besides those that any such operation may; ``repeatable``: parameters of
    the query that may stand there several times.
    """
    dependencies: list[Any] = [Depends(_asked_once(repeatable))]
    told = {422, *errors}
    if permission != PUBLIC:
        told |= {401}
        dependencies += [Depends(_BEARER), Depends(_SESSION)]
        if isinstance(permission, Permission):
            told |= {403}
            dependencies.append(Depends(_guard(permission)))
        else:
            dependencies.append(Depends(_principal))
    if method not in _SAFE:
        told |= {400, 403}  # what is no JSON, and what comes from another site

    def add(function: F) -> F:
        router.add_api_route(
            path,
            function,
            methods=[method],
            status_code=status,
            dependencies=dependencies,
            responses={**responses(*told), **more.pop("responses", {})},
            openapi_extra={EXTENSION: str(permission), **(openapi_extra or {})},
            **more,
        )
        return function

    return add
