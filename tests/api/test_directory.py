"""Teams, agents and vendors through the API: nobody sees or moves what is out of reach, and calls stay where they
were."""

from datetime import timedelta

from fastapi.testclient import TestClient

from qa_service.db.rows import CallRow
from qa_service.domain.access import PERMISSIONS, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.services.sign_in import principal_of
from tests.api.conftest import World, client_of
from tests.qa_service.db import builders

CALLS = (
    ("1024", "A", "V"),
    ("1025", "A", "V"),
    ("2001", "B", "V"),
    ("3001", "组/三", None),
    ("4001", None, "W"),
)


def call(world: World, agent_id: str, team: str | None, vendor: str | None, *, days_ago: float = 0) -> int:
    at = world.site.clock.now() - timedelta(days=days_ago)
    recording = builders.add_recording(world.site.database, f"{agent_id} {team} {days_ago}".encode())
    with world.site.units() as unit:
        unit.metadata.put(recording.id, CallMetadata(agent_id=agent_id, team=team, vendor=vendor, started_at=at))
        unit.commit()
    return recording.id


def populate(world: World) -> None:
    for one in CALLS:
        call(world, *one)


def of(world: World, role: Role, scope: Scope) -> TestClient:
    user = world.site.accounts.create("test", f"{role} {scope}", roles=[role], scope=scope)
    secret, _ = world.site.sign_in.issue_token(
        principal_of(user, via="command"),
        "all",
        PERMISSIONS[role],
        expires_at=world.site.clock.now() + timedelta(days=1),
    )
    return client_of(world.app, secret)


def names(client: TestClient, path: str, field: str, **params: object) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = client.get(path, params={**params, "limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        found += [item[field] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


def test_everybody_sees_the_own_part(world: World) -> None:
    populate(world)
    manager, leader, agent = (world.clients[role] for role in (Role.MANAGER, Role.LEADER, Role.AGENT))
    assert names(manager, "/v1/agents", "agent_id") == ["1024", "1025", "2001", "3001", "4001"]
    assert names(manager, "/v1/agents", "agent_id", vendor="V") == ["1024", "1025", "2001"]
    assert names(manager, "/v1/agents", "agent_id", team="B") == ["2001"]
    assert names(manager, "/v1/teams", "name") == ["A", "B", "组/三"]
    assert names(manager, "/v1/teams", "name", vendor="V") == ["A", "B"]
    assert names(manager, "/v1/vendors", "name") == ["V", "W"]
    assert names(leader, "/v1/agents", "agent_id") == ["1024", "1025"]
    assert names(leader, "/v1/teams", "name") == ["A"]
    assert leader.get("/v1/vendors").json()["items"] == [{"name": "V", "teams": 1, "agents": 2}]
    assert names(agent, "/v1/agents", "agent_id") == ["1024"]
    assert names(agent, "/v1/teams", "name") == ["A"]
    assert agent.get("/v1/vendors").json()["items"] == [{"name": "V", "teams": 1, "agents": 1}]


def test_what_is_out_of_reach_is_not_there(world: World) -> None:
    populate(world)
    leader, agent = world.clients[Role.LEADER], world.clients[Role.AGENT]
    for client, path in (
        (leader, "/v1/agents/2001"),
        (leader, "/v1/teams/B"),
        (agent, "/v1/agents/1025"),
        (agent, "/v1/teams/B"),
    ):
        there, nowhere = client.get(path), client.get(path + "999")
        assert (there.status_code, there.json()["code"]) == (404, nowhere.json()["code"])
        assert there.json()["detail"] == nowhere.json()["detail"]
    assert agent.get("/v1/agents/1024").status_code == 200
    assert agent.get("/v1/teams/A").status_code == 200


def test_names_with_slashes_have_a_path(world: World) -> None:
    populate(world)
    manager = world.clients[Role.MANAGER]
    assert manager.get("/v1/teams/组%2F三").json()["name"] == "组/三"
    assert manager.get("/v1/teams/组/三").json()["name"] == "组/三"
    made = manager.post("/v1/teams", json={"name": "a/b?c"})
    assert made.status_code == 201
    assert manager.get(made.headers["location"]).json() == made.json()


def test_figures_are_of_the_last_thirty_days_and_of_what_one_may_reach(world: World) -> None:
    manager, leader = world.clients[Role.MANAGER], world.clients[Role.LEADER]
    ids = [call(world, "1024", "A", "V", days_ago=days) for days in (1, 2, 29)]
    ids += [call(world, "1024", "A", "V", days_ago=31), call(world, "1024", "B", "V", days_ago=3)]
    with world.site.units() as unit:
        for recording_id, score in zip(ids, (80.0, 90.0, None, 10.0, 40.0), strict=True):
            unit.session.get_one(CallRow, recording_id).final_score = score
        unit.commit()
    seen = manager.get("/v1/agents/1024").json()["figures"]
    assert (seen["calls"], seen["scored"], seen["mean_final_score"]) == (4, 3, 70.0)
    seen = leader.get("/v1/agents/1024").json()["figures"]
    assert (seen["calls"], seen["scored"], seen["mean_final_score"]) == (3, 2, 85.0)


def test_who_changes_teams_takes_no_calls_along(world: World) -> None:
    """Not even when an old call is looked at again, of which the directory alone told the team."""
    manager = world.clients[Role.MANAGER]
    call(world, "1024", "A", "V", days_ago=3)
    before = call(world, "1024", None, None, days_ago=2)
    assert manager.post("/v1/teams", json={"name": "B", "vendor": "W"}).status_code == 201
    agent = manager.get("/v1/agents/1024")
    moved = manager.patch(
        "/v1/agents/1024", json={"team": "B", "vendor": None}, headers={"If-Match": agent.headers["etag"]}
    )
    assert (moved.json()["team"], moved.json()["vendor"]) == ("B", "W")
    after = call(world, "1024", None, None)
    with world.site.units() as unit:
        unit.recordings.set_audio(before, duration_s=1.0, channels=2)  # it is written again
        unit.metadata.put(before, CallMetadata(agent_id="1024", queue="q"))
        unit.commit()
    with world.site.units_to_read() as unit:
        rows = [unit.session.get_one(CallRow, id_) for id_ in (before, after)]
        assert [(row.team, row.vendor) for row in rows] == [("A", "V"), ("B", "W")]
        assert rows[0].queue == "q"


def test_a_corrected_agent_brings_the_own_team(world: World) -> None:
    populate(world)
    recording_id = call(world, "1024", None, None)
    with world.site.units() as unit:
        unit.metadata.put(recording_id, CallMetadata(agent_id="2001"))
        unit.commit()
        row = unit.session.get_one(CallRow, recording_id)
        assert (row.agent_id, row.team) == ("2001", "B")


def test_edits_need_what_was_seen(world: World) -> None:
    populate(world)
    manager = world.clients[Role.MANAGER]
    for path, change in (("/v1/agents/1024", {"name": "李"}), ("/v1/teams/A", {"vendor": "W"})):
        seen = manager.get(path).headers["etag"]
        blind = manager.patch(path, json=change)
        assert (blind.status_code, blind.json()["code"]) == (428, "precondition_required")
        assert manager.patch(path, json=change, headers={"If-Match": seen}).status_code == 200
        late = manager.patch(path, json=change, headers={"If-Match": seen})
        assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    agent = manager.get("/v1/agents/1024").json()
    assert (agent["name"], agent["team"], agent["vendor"]) == ("李", "A", "V"), "what was not given is as it was"
    unknown = manager.patch("/v1/agents/1024", json={"team": "Z"}, headers={"If-Match": "*"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "team_unknown")
    again = manager.post("/v1/teams", json={"name": "A"})
    assert (again.status_code, again.json()["code"]) == (409, "team_exists")
    events = world.clients[Role.AUDITOR].get("/v1/audit", params={"thing": "agent"}).json()["items"]
    assert [event["action"] for event in events] == ["agent.change"]


def test_nothing_is_moved_out_of_reach(world: World) -> None:
    populate(world)
    manager = of(world, Role.MANAGER, Scope(vendor="V"))
    for method, path, body in (
        ("PATCH", "/v1/agents/1024", {"vendor": "W"}),
        ("PATCH", "/v1/teams/A", {"vendor": "W"}),
        ("PATCH", "/v1/teams/A", {"vendor": None}),
        ("POST", "/v1/teams", {"name": "new", "vendor": "W"}),
    ):
        answer = manager.request(method, path, json=body, headers={"If-Match": "*"} if method == "PATCH" else {})
        assert (answer.status_code, answer.json()["code"]) == (403, "outside_scope"), (path, body)
    assert manager.patch("/v1/agents/4001", json={"name": "x"}, headers={"If-Match": "*"}).status_code == 404
    assert manager.get("/v1/agents/1024").json()["vendor"] == "V"
    assert manager.patch("/v1/agents/1024", json={"team": "B"}, headers={"If-Match": "*"}).status_code == 200
