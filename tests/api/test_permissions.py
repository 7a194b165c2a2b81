"""Every operation says who may ask for it, and is refused to everybody else."""

import re

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from api.access import EXTENSION, PUBLIC, SIGNED_IN
from api.app import checked, create_app
from qa_service.domain.access import PERMISSIONS, Permission, Role
from tests.api.conftest import World


def operations(*, heads: bool = False) -> list[tuple[str, str, str]]:
    """Method, path and what it needs, of everything under ``/v1``; with ``heads`` only what is asked by HEAD."""
    app = create_app()
    return sorted(
        (method, str(route.path).replace(":path}", "}"), (route.openapi_extra or {}).get(EXTENSION, ""))
        for route in iter_route_contexts(app.routes)
        if (route.path or "").startswith("/v1") and route.path != app.openapi_url
        for method in route.methods or ()
        if (method == "HEAD") is heads
    )


OPERATIONS = operations()


def test_there_is_something_to_ask_for() -> None:
    assert len(OPERATIONS) > 12
    declared = {needed for _, _, needed in OPERATIONS}
    assert declared <= {*(permission.value for permission in Permission), SIGNED_IN, PUBLIC}
    assert [path for _, path, needed in OPERATIONS if needed == PUBLIC] == ["/v1/session"]


def test_a_head_is_its_get_without_the_body() -> None:
    heads = operations(heads=True)
    assert heads
    assert {("GET", path, needed) for _, path, needed in heads} <= set(OPERATIONS)


def test_an_operation_without_a_permission_fails_the_build() -> None:
    app, router = FastAPI(), APIRouter()
    router.add_api_route("/secret", lambda: None)
    app.include_router(router, prefix="/v1")
    with pytest.raises(AssertionError, match="/v1/secret declares no permission"):
        checked(app)


def filled(path: str) -> str:
    """The path with numbers and names that nothing has."""
    return re.sub(r"\{[a-z_]+\}", "999999", path)


@pytest.mark.parametrize(("method", "path", "needed"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
def test_who_may_ask(shared_world: World, method: str, path: str, needed: str) -> None:
    """Who may not is refused before anything is looked at; who may never hears that it is forbidden."""
    world = shared_world
    if needed == PUBLIC:
        assert world.app.request(method, filled(path)).json()["code"] == "request_invalid"
        return
    nobody = world.app.request(method, filled(path))
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not_signed_in")
    assert nobody.headers["www-authenticate"] == "Bearer"
    for role in Role:
        answer = world.clients[role].request(method, filled(path))
        allowed = needed == SIGNED_IN or Permission(needed) in PERMISSIONS[role]
        refused = answer.status_code == 403 and answer.json()["code"] == "permission_denied"
        assert refused is not allowed, f"{role}: {answer.status_code} {answer.text}"
        assert answer.status_code < 500, f"{role}: {answer.text}"
