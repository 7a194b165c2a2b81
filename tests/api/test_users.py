"""Accounts through the API: nobody's edit is lost, nothing is made twice, the last admin stays."""

from concurrent.futures import ThreadPoolExecutor

from qa_service.domain.access import Role
from tests.api.conftest import PASSWORD, World

NEW = {"name": "wang.fang", "display_name": "王芳", "roles": ["leader"], "scope": {"teams": ["A"]}}


def test_an_account_is_made_found_and_changed(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    made = admin.post("/v1/users", json={**NEW, "password": PASSWORD})
    assert made.status_code == 201
    user = made.json()
    assert user["scope"] == {"vendor": None, "teams": ["A"], "agent_id": None}
    found = admin.get(made.headers["location"])
    assert found.json() == user
    changed = admin.patch(
        made.headers["location"], json={"display_name": "王芳芳"}, headers={"If-Match": found.headers["etag"]}
    )
    assert changed.json()["display_name"] == "王芳芳"
    assert changed.headers["etag"] != found.headers["etag"]
    signed_in = world.app.post("/v1/session", json={"name": "WANG.fang", "password": PASSWORD})
    assert signed_in.status_code == 200


def test_an_edit_of_something_older_is_refused(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    path = f"/v1/users/{world.users[Role.TRAINER].id}"
    seen = admin.get(path).headers["etag"]
    assert admin.patch(path, json={"display_name": "first"}, headers={"If-Match": seen}).status_code == 200
    late = admin.patch(path, json={"display_name": "second"}, headers={"If-Match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    blind = admin.patch(path, json={"display_name": "third"})
    assert (blind.status_code, blind.json()["code"]) == (428, "precondition_required")
    assert admin.get(path).json()["display_name"] == "first"


def test_names_are_given_once(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    assert admin.post("/v1/users", json=NEW).status_code == 201
    again = admin.post("/v1/users", json={**NEW, "name": "Wang.Fang"})
    assert (again.status_code, again.json()["code"]) == (409, "user_exists")


def test_a_double_submit_makes_one(world: World) -> None:
    admin = world.clients[Role.ADMIN]

    def submit(_: int):  # type: ignore[no-untyped-def]
        return admin.post("/v1/users", json=NEW, headers={"Idempotency-Key": "k-1"})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(submit, range(4)))
    made = {answer.text for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {a.json()["code"] for a in answers if a.status_code != 201} <= {"request_under_way"}
    assert submit(0).text in made
    other = admin.post("/v1/users", json={**NEW, "name": "other"}, headers={"Idempotency-Key": "k-1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_what_failed_may_be_tried_again_with_its_key(world: World) -> None:
    admin, headers = world.clients[Role.ADMIN], {"Idempotency-Key": "k-2"}
    weak = admin.post("/v1/users", json={**NEW, "password": "short"}, headers=headers)
    assert (weak.status_code, weak.json()["code"]) == (422, "password_weak")
    assert admin.post("/v1/users", json={**NEW, "password": "short"}, headers=headers).status_code == 422
    assert admin.post("/v1/users", json={**NEW, "password": PASSWORD}, headers=headers).status_code == 201


def test_roles_and_scopes_fit(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    for roles, scope in (
        (["agent"], {}),
        (["agent", "leader"], {"agent_id": "1"}),
        (["leader"], {}),
        (["inspector"], {"agent_id": "1"}),
        (["admin"], {"vendor": "V"}),
    ):
        answer = admin.post("/v1/users", json={"name": "x", "roles": roles, "scope": scope})
        assert (answer.status_code, answer.json()["code"]) == (422, "user_invalid"), roles


def test_the_last_admin_stays(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    path = f"/v1/users/{world.users[Role.ADMIN].id}"
    for change in ({"active": False}, {"roles": ["manager"]}):
        answer = admin.patch(path, json=change, headers={"If-Match": "*"})
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    assert admin.get(path).json()["active"]


def test_passwords_are_ones_own(world: World) -> None:
    agent, admin = world.users[Role.AGENT], world.clients[Role.ADMIN]
    path = f"/v1/users/{agent.id}/password"
    by_token = world.clients[Role.AGENT].put(path, json={"password": PASSWORD})
    assert (by_token.status_code, by_token.json()["code"]) == (403, "permission_denied")
    assert admin.put(path, json={"password": PASSWORD}).status_code == 204
    assert world.app.post("/v1/session", json={"name": agent.name, "password": PASSWORD}).status_code == 200
    assert world.app.put(path, json={"password": PASSWORD + " more"}).status_code == 204
    assert world.app.get("/v1/me").json()["code"] == "session_invalid", "a new password ends every session"


def test_pages_follow_each_other(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    everybody = admin.get("/v1/users").json()
    assert everybody["next"] is None
    names, cursor = [], None
    while True:
        page = admin.get("/v1/users", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        names += [user["name"] for user in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert names == [user["name"] for user in everybody["items"]]


def test_a_cursor_is_of_its_list(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    cursor = admin.get("/v1/users", params={"limit": 1}).json()["next"]
    for params in ({"cursor": cursor, "role": "agent"}, {"cursor": "bm9uc2Vuc2U"}, {"cursor": cursor[:-3]}):
        answer = admin.get("/v1/users", params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


def test_every_step_is_on_the_audit_trail(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    made = admin.post("/v1/users", json=NEW, headers={"X-Request-ID": "r-1"}).json()
    events = world.clients[Role.AUDITOR].get("/v1/audit", params={"thing": "user", "thing_id": made["id"]}).json()
    (event,) = events["items"]
    assert (event["action"], event["name"], event["request_id"]) == ("user.create", "admin.user", "r-1")
    assert event["detail"]["roles"] == ["leader"]
    assert PASSWORD not in str(events)


def test_what_is_asked_twice_is_not_guessed(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    twice = admin.get("/v1/users?role=agent&role=admin")
    assert (twice.status_code, twice.json()["code"]) == (422, "request_invalid")


def test_a_bare_number_is_no_time(world: World) -> None:
    for since in ("0.6", "1700000000", "1700000000000"):
        answer = world.clients[Role.AUDITOR].get("/v1/audit", params={"since": since})
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid"), since
    sent = {"name": "t", "permissions": ["tokens:own"], "expires_at": 1800000000}
    assert world.clients[Role.SERVICE].post("/v1/tokens", json=sent).status_code == 422
