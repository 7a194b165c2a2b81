"""Signing in: by password with a session, by token; both end when they should."""

from datetime import timedelta

import pytest

from api.access import COOKIE
from qa_service.domain.access import Permission, Role
from qa_service.services.sign_in import MAX_FAILURES, SESSION_IDLES, SESSION_LASTS
from tests.api.conftest import PASSWORD, World, client_of
from tests.clocks import ManualClock


@pytest.fixture
def inspector(world: World) -> World:
    world.site.accounts.set_password("test", world.users[Role.INSPECTOR].id, PASSWORD)
    return world


def sign_in(world: World, name: str = "inspector.user", password: str = PASSWORD):  # type: ignore[no-untyped-def]
    return world.app.post("/v1/session", json={"name": name, "password": password})


def test_a_password_opens_a_session(inspector: World) -> None:
    answer = sign_in(inspector, "Inspector.User")
    assert answer.status_code == 200
    assert answer.json()["roles"] == ["inspector"]
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    me = inspector.app.get("/v1/me")
    assert me.json()["name"] == "inspector.user"
    assert inspector.app.delete("/v1/session").status_code == 204
    inspector.app.cookies.set(COOKIE, answer.cookies[COOKIE])
    assert inspector.app.get("/v1/me").json()["code"] == "session_invalid"


def test_a_new_password_ends_the_sessions_that_the_old_one_opened(inspector: World) -> None:
    sign_in(inspector)
    assert inspector.app.get("/v1/me").status_code == 200
    inspector.site.accounts.set_password("test", inspector.users[Role.INSPECTOR].id, PASSWORD + " and more")
    assert inspector.app.get("/v1/me").json()["code"] == "session_invalid"


def test_wrong_names_and_passwords_are_not_told_apart(inspector: World) -> None:
    wrong = [sign_in(inspector, password="another one entirely"), sign_in(inspector, name="nobody")]
    wrong.append(sign_in(inspector, name="manager.user"))  # has no password
    assert {(a.status_code, a.json()["code"], a.json()["detail"]) for a in wrong} == {
        (401, "sign_in_refused", "name or password is wrong: try again, or ask an administrator")
    }


def test_many_wrong_passwords_lock_the_account_for_a_while(inspector: World) -> None:
    for _ in range(MAX_FAILURES):
        assert sign_in(inspector, password="wrong").status_code == 401
    locked = sign_in(inspector)
    assert (locked.status_code, locked.json()["code"]) == (429, "sign_in_locked")
    assert int(locked.headers["retry-after"]) == 15 * 60


def test_sessions_end(inspector: World, clock: ManualClock) -> None:
    sign_in(inspector)
    secret = inspector.app.cookies[COOKIE]
    service = inspector.site.sign_in
    service._clock = clock
    clock.set(inspector.site.clock.now())
    clock.advance(SESSION_IDLES - timedelta(seconds=1))
    assert inspector.app.get("/v1/me").status_code == 200
    assert inspector.app.cookies[COOKIE] == secret
    clock.advance(SESSION_LASTS)
    assert inspector.app.get("/v1/me").json()["code"] == "session_invalid"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, False),
        ({"Origin": "http://elsewhere.example"}, False),
        ({"Origin": "http://testserver"}, True),
        ({}, True),
    ],
)
def test_other_sites_cannot_use_a_session(inspector: World, headers: dict[str, str], allowed: bool) -> None:
    sign_in(inspector)
    answer = inspector.app.delete("/v1/session", headers=headers)
    assert (answer.status_code == 204) is allowed
    assert allowed or answer.json()["code"] == "cross_site_request"
    assert inspector.app.get("/v1/me", headers=headers).status_code == (401 if allowed else 200)


def test_a_tampered_session_is_none(inspector: World) -> None:
    sign_in(inspector)
    secret = inspector.app.cookies[COOKIE]
    inspector.app.cookies.clear()
    for tampered in (secret[:-2] + "xx", secret[:5], "", "é"):
        answer = inspector.app.get("/v1/me", headers={"Cookie": f"{COOKIE}={tampered}".encode()})
        assert answer.status_code == 401
        assert answer.json()["code"] in ("session_invalid", "not_signed_in")


def test_who_is_switched_off_is_out_at_once(inspector: World) -> None:
    sign_in(inspector)
    user = inspector.users[Role.INSPECTOR]
    admin = inspector.clients[Role.ADMIN]
    answer = admin.patch(f"/v1/users/{user.id}", json={"active": False}, headers={"If-Match": "*"})
    assert answer.status_code == 200
    assert inspector.app.get("/v1/me").json()["code"] == "session_invalid"
    assert inspector.clients[Role.INSPECTOR].get("/v1/me").json()["code"] == "token_invalid"
    assert sign_in(inspector).json()["code"] == "sign_in_refused"


def test_tokens_are_told_once_limited_rotated_and_revoked(world: World) -> None:
    client = world.clients[Role.INSPECTOR]
    until = (world.site.clock.now() + timedelta(days=30)).isoformat()
    sent = {"name": "export", "permissions": ["tokens:own"], "expires_at": until}
    issued = client.post("/v1/tokens", json=sent).json()
    limited = client_of(world.app, issued["secret"])
    assert limited.get("/v1/me").json()["permissions"] == [Permission.TOKENS_OWN]
    greedy = limited.post("/v1/tokens", json={**sent, "permissions": ["review:work"]})
    assert (greedy.status_code, greedy.json()["code"]) == (403, "permission_denied")
    assert "secret" not in client.get("/v1/tokens").json()["items"][-1]
    rotated = limited.post(f"/v1/tokens/{issued['id']}/rotate").json()
    assert client_of(world.app, rotated["secret"]).get("/v1/me").status_code == 200
    assert limited.get("/v1/me").status_code == 200, "for a day"
    assert client.delete(f"/v1/tokens/{rotated['id']}").json()["revoked_at"]
    assert client_of(world.app, rotated["secret"]).get("/v1/me").json()["code"] == "token_revoked"
    others = world.clients[Role.MANAGER].delete(f"/v1/tokens/{issued['id']}")
    assert (others.status_code, others.json()["code"]) == (404, "token_not_found")


def test_a_token_ends(world: World, clock: ManualClock) -> None:
    clock.set(world.site.clock.now())
    world.site.sign_in._clock = clock
    clock.advance(timedelta(days=2))
    assert world.clients[Role.ADMIN].get("/v1/me").json()["code"] == "token_expired"


@pytest.mark.parametrize("days", [-1, 0, 400])
def test_tokens_do_not_last_for_ever(world: World, days: int) -> None:
    until = (world.site.clock.now() + timedelta(days=days)).isoformat()
    sent = {"name": "t", "permissions": ["tokens:own"], "expires_at": until}
    answer = world.clients[Role.SERVICE].post("/v1/tokens", json=sent)
    assert (answer.status_code, answer.json()["code"]) == (422, "token_lifetime_invalid")


def test_a_secret_is_not_told_again(world: World) -> None:
    until = (world.site.clock.now() + timedelta(days=1)).isoformat()
    sent = {"name": "t", "permissions": ["tokens:own"], "expires_at": until}
    headers = {"Idempotency-Key": "once"}
    first = world.clients[Role.SERVICE].post("/v1/tokens", json=sent, headers=headers)
    again = world.clients[Role.SERVICE].post("/v1/tokens", json=sent, headers=headers)
    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "already_created")
    assert first.headers["location"] in again.json()["detail"]
